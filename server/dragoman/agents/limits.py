"""Every number of the tools that agents use, with its reason; those of their runs are in `dragoman.agents.runtime_limits`."""

from __future__ import annotations

from typing import Final

# -- results -----------------------------------------------------------------------------------------------------------

RESULT_CHARS: Final = 30_000
"""So much of a tool's result goes to the model, some 8,000 tokens: more would push the conversation out of most windows."""

ARGUMENT_CHARS: Final = 1_000_000
"""Longer arguments are refused unread: nothing that a model writes in one answer is as long."""

ARGUMENT_FAULTS: Final = 5
"""So many faults of a call's arguments are told at once; the rest shows when these are mended."""

# -- policy and permission ---------------------------------------------------------------------------------------------

GLOB_PARTS: Final = 64
GLOB_CHARS: Final = 1_000
"""A longer path pattern matches nothing that anybody has; it bounds what one comparison costs."""

REMEMBERED_RULES: Final = 500
"""Decisions kept for good for one workspace; beyond that the oldest is asked about again."""

REMEMBERED_BYTES: Final = 2_000_000
"""A longer file of decisions was not written by us."""

REMEMBERED_LOCK_S: Final = 2.0
REMEMBERED_POLL_S: Final = 0.02
"""How long another server's writing of the same file is waited for, and how often it is looked at: it takes milliseconds."""

# -- files -------------------------------------------------------------------------------------------------------------

READ_FILE_BYTES: Final = 5_000_000
"""A larger file is data or a log; even one read by lines would have to be held as a whole."""

PATH_SHOWN_CHARS: Final = 200
"""So much of a path that cannot be is repeated to the model that wrote it."""

READ_LINES: Final = 2_000
"""Lines that one read gives; a model asks for more by number."""

READ_LINE_CHARS: Final = 2_000
"""So much of one line: a minified file is a single one."""

WRITE_FILE_CHARS: Final = 2_000_000
"""More than any model writes, and less than what would fill a disk by mistake."""

LISTED_FILES: Final = 1_000
"""Names that one listing shows."""

LISTING_WALKED: Final = 50_000
"""Files that are looked at for it; a pattern that matches few of more needs a narrower folder."""

MOVED_PATHS: Final = 2_000
"""Files and folders that move with a folder: each is judged by itself, and a person cannot judge more of them."""

EDIT_NEAR_LINES: Final = 8
"""Lines of the nearest place that are shown when a search text is missing: enough to see the difference."""

EDIT_COMPARED_CHARS: Final = 300
"""So much of a line is compared: it takes the square of it."""

EDIT_COUNTED: Final = 1_000
"""Places of a search text that are counted; a letter stands in a file a million times."""

EDIT_PLACES: Final = 10
"""Places that are told when a search text stands more than once."""

EDIT_BLOCKS: Final = 100
"""Blocks of one call; more is a rewrite of the file."""

# -- search ------------------------------------------------------------------------------------------------------------

SEARCH_MATCHES: Final = 200
SEARCH_FILE_MATCHES: Final = 40
"""Matching lines that are shown, of all files and of one: a pattern with more says nothing of where to look."""

SEARCH_SECONDS: Final = 10.0
"""A search that takes longer shows what it has: a person waits for the run."""

SEARCH_LINE_SECONDS: Final = 1.0
"""One file's matching may take so long; an expression that needs more backtracks without end."""

SEARCH_FILES: Final = 50_000
SEARCH_BYTES: Final = 500_000_000
"""Files and bytes that one search reads: some seconds of it on a usual disk."""

SEARCH_FILE_BYTES: Final = 5_000_000
"""A larger file is left out; it is no text that anybody wrote."""

SEARCH_LINE_CHARS: Final = 300
"""So much of a matching line is shown, around the match."""

SEARCH_PATTERN_CHARS: Final = 1_000
"""A longer pattern is refused: compiling one may cost more than all matching."""

# -- commands ----------------------------------------------------------------------------------------------------------

COMMAND_SECONDS: Final = 120.0
COMMAND_SECONDS_MOST: Final = 1_800.0
"""How long a command may run where the model does not say, and at most: a long test suite."""

COMMAND_GRACE_S: Final = 1.0
"""What a program has to end by itself after SIGTERM, before it is killed."""

COMMAND_LOOK_S: Final = 0.05
COMMAND_LOOK_MOST_S: Final = 1.0
"""How soon a command's processes are looked for, and how often later, each time half as often: a look takes milliseconds."""

COMMAND_DRAIN_S: Final = 0.5
"""How long the last output is waited for when every process that could write it is gone."""

COMMAND_HEAD_BYTES: Final = 8_000
COMMAND_TAIL_BYTES: Final = 16_000
"""What is kept of the output's beginning and of its end: errors stand at the one or at the other."""

COMMAND_STREAMED_BYTES: Final = 200_000
"""Output that listeners see while the command runs; a program that prints a gigabyte floods nobody."""

COMMAND_ARGUMENTS: Final = 1_000
COMMAND_CHARS: Final = 100_000
"""Arguments of a command and their characters altogether, within what every system takes."""

# -- git ---------------------------------------------------------------------------------------------------------------

GIT_SECONDS: Final = 20.0
"""A git command that an agent waits for; a status of a large repository takes some seconds on a slow disk."""

GIT_OUTPUT_BYTES: Final = 200_000
"""What is read of its output."""

GIT_LOG_ENTRIES: Final = 20
GIT_LOG_ENTRIES_MOST: Final = 200
"""Commits that a log shows where the model does not say, and at most."""

GIT_COMMIT_PATHS: Final = 500
"""Paths of one commit; more is a change of which nobody has read the diff."""

# -- project -----------------------------------------------------------------------------------------------------------

MAP_TOKENS_MOST: Final = 8_000
"""A larger map is not read but skimmed."""

SYMBOL_PLACES: Final = 30
"""Definitions of one name that are shown."""

REFERENCE_DEFINITIONS: Final = 5
"""Definitions of one name whose uses language servers are asked for; a name with more is a word."""

REFERENCE_LINES: Final = 200
"""Uses that are shown."""

# -- pages -------------------------------------------------------------------------------------------------------------

FETCH_SECONDS: Final = 30.0
"""How long a page may take, its redirects and its reading included."""

FETCH_BYTES: Final = 2_000_000
"""What is read of a page; the rest of a longer one is left out, and the model is told."""

HTML_CHARS: Final = 1_000_000
"""So much of a page of HTML is turned into text; it is some seconds of work, and more than any page's text needs."""

FETCH_HEAD_BYTES: Final = 64_000
FETCH_HEADERS: Final = 200
"""The longest head of an answer, and its lines: servers of pages send some kilobytes."""

FETCH_REDIRECTS: Final = 5
"""Redirects on one host that are followed; one to another host is another question."""

FETCH_URL_CHARS: Final = 2_000
"""A longer address is more likely to carry something away than to name a page."""

# -- the audit log -----------------------------------------------------------------------------------------------------

AUDITED_CHARS: Final = 500
"""Of what a call was about; a longer command is a script, and its beginning tells which."""

AUDITED_READ_CHARS: Final = 20_000
"""So much of it is searched for secrets before it is cut: half a key is still a piece of a key."""

AUDITED_DETAILS: Final = frozenset({"added", "removed", "created", "target", "exit_code", "commit"})
"""What is noted of a call's result: how much was changed and how a command ended, not what either says."""
