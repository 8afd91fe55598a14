"""How many tokens a piece of context has, without a vocabulary: those of the index's process would take 75 MiB.

Fitted on what retrieval finds in the development packages of `tests.bench.context_recall`: for nine texts in ten the count is
within a tenth of the real one (`o200k_base`), and a twentieth is added, so that many texts together are not above it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dragoman.context.limits import CONTEXT_CHARS_PER_TOKEN, CONTEXT_TOKENS_PER_EXTRA_BYTE, CONTEXT_WEIGHED_LINES

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_MARKS = re.compile(r"[^\w\s]+")
_DIGIT = re.compile("[0-9]")
_PER_PART: Final = 1.04
_PER_LATE_LETTER: Final = 0.1
_PER_MARKS: Final = 0.8
_PER_UNDERSCORE: Final = 0.2
_PER_DIGIT: Final = 1.0
_PER_LINE: Final = 0.83
_MARGIN: Final = 1.05
_LETTERS_OF_ONE: Final = 6
"""Letters of a word that one token holds; longer words take more of them."""


def count(text: str) -> int:
    """Return the tokens of ``text``, rather a little too many than too few; some 5 microseconds for a new line of code."""
    return int(_MARGIN * sum(map(_weigh, text.split("\n"))) + _beyond_ascii(text)) + 1


@lru_cache(maxsize=CONTEXT_WEIGHED_LINES)
def _weigh(line: str) -> float:
    """Return what a line has; the next question shows most lines of the last one again."""
    parts = _PART.findall(line)
    late = sum([len(part) - _LETTERS_OF_ONE for part in parts if len(part) > _LETTERS_OF_ONE])
    return (
        _PER_PART * len(parts)
        + _PER_LATE_LETTER * late
        + _PER_MARKS * len(_MARKS.findall(line))
        + _PER_UNDERSCORE * line.count("_")
        + _PER_DIGIT * len(_DIGIT.findall(line))
        + _PER_LINE
    )


def rough(text: str) -> int:
    """Return about as many from the length alone, for comparing hundreds of texts."""
    return int(len(text) / CONTEXT_CHARS_PER_TOKEN + _beyond_ascii(text)) + 1


def _beyond_ascii(text: str) -> float:
    if text.isascii():
        return 0.0
    return (len(text.encode("utf-8", "surrogatepass")) - len(text)) * CONTEXT_TOKENS_PER_EXTRA_BYTE
