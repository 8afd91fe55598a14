"""Every number of reviews, with its reason."""

from __future__ import annotations

from typing import Final

# -- reading an answer -------------------------------------------------------------------------------------------------

OBJECT_CHARS: Final = 20_000
"""A longer object is no finding: something in it was never closed, and what follows is to be read again."""

RELATED: Final = 4
"""Other places that one finding names at most: what is spread wider is a finding of its own."""

NESTED: Final = 20
"""Brackets within each other; a finding has two above it at most."""

MESSAGE_CHARS: Final = 2_000
"""A message is cut there: an editor shows it in a box."""

FINDINGS: Final = 500
"""Findings of one review; a model that has more repeats itself."""

# -- finding the place -------------------------------------------------------------------------------------------------

QUOTE_CHARS: Final = 4_000
"""A longer quote is a piece of the file, and says nothing of the place."""

ANCHOR_PLACES: Final = 200
"""Places on either side of the line that was named where a quote may be a part of longer words, until it is given up."""

ANCHOR_LINES: Final = 12
"""How far from the line that was named a line is looked for that is like the quote; models miscount by a few."""

ANCHOR_LIKENESS: Final = 0.85
"""How alike it must be: a wrong letter, or a comment that was left off."""

# -- what is asked -----------------------------------------------------------------------------------------------------

REVIEW_ANSWER_TOKENS: Final = 2_048
"""Some twenty findings; whoever finds more in one part is guessing."""

REVIEW_WINDOW: Final = 8_192
"""What a model of an unknown window is taken to read."""

REVIEW_WINDOW_MOST: Final = 32_768
"""More at a time and models overlook what is in the middle, however wide their window is."""

REVIEW_FRAME_TOKENS: Final = 600
"""What stands around the code: instructions, form, the model's own marks."""

REVIEW_CONTEXT_LINES: Final = 12
"""Lines above and below a change that are shown with it: most of a function."""

PART_LINES_SHARED: Final = 10
"""Lines of the part before that a long file's next part begins with, so that no function is only seen in halves."""

PART_TOKENS_LEAST: Final = 200
"""What a part shows at least, some ten lines, however small the window: the server says when that is too much."""

LINE_CHARS: Final = 2_000
"""A longer line is cut: it is data."""

# -- which files -------------------------------------------------------------------------------------------------------

REVIEW_FILES: Final = 200
"""Files of one command; a minute each with a small model is an afternoon already."""

# -- what is kept ------------------------------------------------------------------------------------------------------

DISMISSED: Final = 5_000
"""Dismissed findings of a workspace that are kept, the newest."""

DISMISSED_BYTES: Final = 1_000_000
"""A larger file was not written by us: five thousand entries are a third of it."""
