"""Every number of foreign tool servers, with its reason."""

from __future__ import annotations

from typing import Final

# -- starting and ending -----------------------------------------------------------------------------------------------

START_S: Final = 60.0
"""How long a server may take to answer its first request: those that `npx` and `uvx` start download themselves first."""

PATIENCE_S: Final = 10.0
"""How long a run waits for a server that starts; after that it goes on without, and the next run finds it ready."""

LIST_S: Final = 10.0
"""How long a server may take to say which tools it has; it is asked before each run."""

RETRY_S: Final = 30.0
"""A server that could not be started is left alone for so long: each run would wait for it again."""

RESTARTS: Final = 1
"""How often a server that has ended by itself is started again; one that ends twice would end a third time."""

STEADY_S: Final = 600.0
"""A server that ran for so long before it ended counts as one that never did: editors stay open for days."""

GRACE_S: Final = 1.0
"""What a server has to end by itself when its input is closed, and once more after SIGTERM, before it is killed."""

# -- messages ----------------------------------------------------------------------------------------------------------

MESSAGE_BYTES: Final = 4_000_000
"""The longest message of a server: a screenshot has one or two megabytes, and more than this is held in memory for nothing."""

WINDOW_S: Final = 10.0
WINDOW_MESSAGES: Final = 2_000
WINDOW_BYTES: Final = 40_000_000
"""Lines and bytes that a server may send within so many seconds: progress of a long call is a hundred lines, a flood more."""

RESPONSE_BYTES: Final = 16_000_000
"""What one answer over HTTP may have, a stream of progress included."""

CALL_S: Final = 300.0
"""How long one call may take: tools build, test and drive browsers; a person can cancel the run before."""

STDERR_LINES: Final = 200
STDERR_LINE_CHARS: Final = 500
"""So many lines of what a server says beside the protocol go to the log, and so much of each."""

# -- what models are told ----------------------------------------------------------------------------------------------

SERVER_TOOLS: Final = 64
"""Tools of one server that are offered: models choose badly among more, and pay for all of them at each step."""

TOOL_PAGES: Final = 20
"""Pages of a list of tools that are read; one that never ends must not keep a run waiting."""

DEFINITION_CHARS: Final = 60_000
"""Descriptions and schemas of all foreign tools together, some 15,000 tokens; a window's part bounds it further."""

DEFINITION_CHARS_PER_TOKEN: Final = 0.5
"""So many of these characters for each token of the model's window, so that they take an eighth of it."""

NAME_CHARS: Final = 64
"""The longest name of a function that model servers take."""

DESCRIPTION_CHARS: Final = 1_000
"""So much of a tool's description is passed on: the rest is more likely a speech to the model than a description."""

SCHEMA_CHARS: Final = 8_000
"""A longer schema of one tool is shortened by its descriptions, and the tool is left out where that is not enough."""

SCHEMA_DEPTH: Final = 20
"""A schema that is nested deeper describes nothing that a model can fill in."""

ERROR_CHARS: Final = 2_000
"""So much of what a server says of a failed call goes to the model."""

SAYING_CHARS: Final = 300
"""So much of a server's last words stands in a sentence for a person."""
