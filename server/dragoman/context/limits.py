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
