"""Tells text that a machine rolled from text that somebody named: keys have no syllables."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from functools import lru_cache

from dragoman.limits import RANDOM_CHANGES, RANDOM_ENTROPY, RANDOM_WORDS

_HEX = re.compile(r"[0-9a-fA-F]+")
_WORD = re.compile(r"[A-Z]?[a-z]{4,}")
_CLASS = {
    **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "A"),
    **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "a"),
    **dict.fromkeys("0123456789", "0"),
}
_CLASSES = str.maketrans(_CLASS)
_SIGNS = re.compile(r"[^A-Za-z0-9]+")


def entropy(text: str) -> float:
    """Return Shannon's entropy of the characters, in bits a character; 0 for an empty text."""
    length = len(text)
    return -sum(count / length * math.log2(count / length) for count in Counter(text).values()) if length else 0.0


def is_hex(text: str, *, at_least: int) -> bool:
    """Tell whether a text is a hexadecimal number of that many digits or more, with letters, digits and variety in it."""
    return (
        len(text) >= at_least
        and _HEX.fullmatch(text) is not None
        and not (text.isdigit() or text.isalpha())
        and len(set(text.lower())) >= min(8, len(text) // 2)
    )


@lru_cache(maxsize=4096)
def looks_random(text: str, *, classes: int = 3) -> bool:
    """Tell whether ``text``, a run of letters, digits and a few signs, looks rolled by a machine.

    It holds at least ``classes`` of capitals, small letters and digits, changes between them more often than words and
    numbers do, has few words in it, and is about as varied as chance makes a text of its length.
    """
    bare = _SIGNS.sub("", text)
    kinds = bare.translate(_CLASSES)
    held = set(kinds)
    if len(held) < classes or "0" not in held or len(held) < 2 or len(bare) < 8:
        return False
    changes = sum(first != second for first, second in itertools.pairwise(kinds)) / (len(kinds) - 1)
    # Chance changes among 62 characters at 0.62 of the places, among 36 at 0.40.
    if changes < (RANDOM_CHANGES if len(held) == 3 else RANDOM_CHANGES * 2 / 3):
        return False
    words = sum(len(word) for word in _WORD.findall(text)) if len(held) == 3 else 0
    return words < RANDOM_WORDS * len(text) and entropy(text) >= RANDOM_ENTROPY * math.log2(len(text))
