"""Every number of streaming edits, with its reason."""

from __future__ import annotations

from typing import Final

# -- reading an answer -------------------------------------------------------------------------------------------------

PATH_CHARS: Final = 300
"""A longer line before a block is a sentence, not a path."""

DIVIDERS: Final = 20
"""Lines like ``=======`` within one block that are tried as its middle; a text with more is a table of them."""

REOPENED: Final = 100
"""Blocks that are looked for within one that never ended; each takes another reading of what follows it."""

# -- finding the place -------------------------------------------------------------------------------------------------

LIKENESS: Final = 0.88
"""How alike a place must be that stands nowhere to the letter: a wrong word in some lines, not another statement."""

LIKENESS_STRICT: Final = 0.95
"""The same for one line alone, and where the model is told and can try again."""

LIKENESS_LINE: Final = 0.75
"""No line that is taken away may be less like the one that was searched for than this."""

MARGIN: Final = 0.06
"""How far the best place must be ahead of the next: two functions that differ by a name are closer than that."""

CANDIDATES: Final = 40
"""Places that are compared line by line, some milliseconds each."""

DRIFT: Final = 2
"""So many lines may be missing or too many in a search text before the lines no longer belong together."""

COMPARISONS: Final = 2_500
"""Pairs of lines that are compared for one block, some 30 microseconds each: the user's keys wait for them."""

WORDS_CHARS: Final = 1_000
"""A longer line is data, and no place that is searched for by its words."""

FUZZY_LINES: Final = 400
"""A longer search text is not compared by likeness: it is a whole file."""

FUZZY_WORD_CHARS: Final = 3
"""A line with fewer letters and digits says nothing of where it stands: brackets, ``fi``."""

# -- differences -------------------------------------------------------------------------------------------------------

DIFF_CELLS: Final = 4_000_000
"""Lines of the one times lines of the other text that are compared; more becomes one hunk. Some seconds at worst."""

SYNC_LINES: Final = 200
"""How far ahead a streamed line is looked for in the old text."""

SYNC_NEAR: Final = 4
SYNC_FAR: Final = 24
"""Jumps over so many old lines need one line of agreement, two, and beyond three: a farther one deletes more if wrong."""

REFINED_CHARS: Final = 400_000
"""A change by the user is split into its lines up to this size: an editor may send the whole document for one letter."""
