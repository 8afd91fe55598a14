"""Every number of the context's smaller sources, with its reason; the index's and retrieval's are in `dragoman.limits`."""

from __future__ import annotations

from typing import Final

# -- what changed, who calls, what others report ----------------------------------------------------------------------

GIT_EVERY_S: Final = 15.0
"""How often git is asked what has changed, while somebody types: in a large repository that is a tenth of a second's work."""

GIT_TIMEOUT_S: Final = 3.0
"""A git that takes longer is ended: its repository is on a slow disk, and the answer would be old."""

GIT_DIFF_BYTES: Final = 200_000
"""So much of a diff is read, some 4,000 lines: more is a merge or a formatter, not what the user is at."""

GIT_HUNKS: Final = 60
"""Places of a diff that are held against each other, in the order of the diff."""

GIT_HEAD_S: Final = 2.0
GIT_HEAD_BYTES: Final = 4_096
"""How often the branch's name is read, and from how much of its file; a name is 255 characters at most."""

RETRIEVAL_HUNK_LINES: Final = 12
"""Lines of a change that are shown: the beginning of a long one says what it is about."""

RETRIEVAL_CALLERS: Final = 3
RETRIEVAL_CALLER_FILES: Final = 8
"""Uses of the function at the cursor that are shown, and files that are read for them, some 50 microseconds each."""

RETRIEVAL_CALLER_BEFORE: Final = 3
RETRIEVAL_CALLER_AFTER: Final = 4
"""Lines around a call: what its arguments are made of, and what is done with its result."""

DIAGNOSTICS_KEPT: Final = 100
"""Diagnostics of one document that are remembered: a file with more is broken as a whole."""

DIAGNOSTICS_DOCUMENTS: Final = 50
"""Documents whose diagnostics are remembered, as many as their contexts."""

DIAGNOSTICS_NEAR: Final = 10
DIAGNOSTICS_SHOWN: Final = 5
"""Diagnostics this many lines around the cursor go into a question, at most so many: the others are about something else."""

DIAGNOSTICS_CHARS: Final = 300
"""So much of one message; type checkers print whole types."""

YANK_CHARS: Final = 4_000
"""So much of what the user has copied; a client may send a whole file."""

# -- the map and the conventions ---------------------------------------------------------------------------------------

MAP_TOKENS: Final = 1_024
CONVENTIONS_TOKENS: Final = 1_500
"""Tokens of the map and of the conventions where the asker does not say: a screenful each, of a chat's 4,000."""

MAP_LEAVES: Final = 400
"""Names that are looked up among those that most files import; the rest of a repository is reached from the focus."""

MAP_FILES: Final = 160
"""Files whose outlines are weighed against each other, some 0.2 ms each."""

MAP_POPULAR: Final = 60
"""How many of them are there because others import them, whatever the focus is."""

MAP_SIBLINGS: Final = 20
"""How many are there because they lie in a folder of the focus."""

MAP_MENTIONED: Final = 200
MAP_USED: Final = 400
"""Names whose definitions are looked up: of those mentioned, and of those that stand in the files in focus."""

MAP_DEFINITIONS: Final = 12
"""A name that is defined more often than this says nothing of where."""

MAP_SYMBOLS: Final = 4_000
"""Symbols held against each other, with 30 bytes of text each."""

MAP_USES: Final = 50
MAP_USES_ASKED: Final = 600
"""Uses of a name that are counted, and names whose uses are counted for one map, some 20 microseconds each."""

MAP_STALE_FACTOR: Final = 50
"""What most files import is counted anew no more often than this times what counting took: 10 s in 100,000 files."""

CONVENTION_CHARS: Final = 4_000
"""So much of one file of conventions: its beginning says what the project is and how it is worked on."""

OVERVIEW_S: Final = 30.0
"""How long a map may take: what most files import is counted first, and the disk may be cold."""
