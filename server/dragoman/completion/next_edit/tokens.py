"""Words and marks of a line, and what changed between two versions of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

_TOKEN: Final = re.compile(r"[^\W\d]\w*|\d[\w.]*|\r\n|.", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d]\w*\Z")
_MOST_TOKENS: Final = 400
"""Where more than this is new, no small change is made: it is rewritten."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Tokens that stand in place of others; ``at`` and ``old_at`` are offsets into the new and the old text."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    at: int
    old_at: int

    @property
    def renames(self) -> tuple[str, str] | None:
        """The one word and the one that replaced it, None when it is anything else."""
        if len(self.old) == len(self.new) == 1 and is_word(self.old[0]) and is_word(self.new[0]):
            return self.old[0], self.new[0]
        return None


def is_word(token: str) -> bool:
    """Tell whether a token is a word: an identifier, or a part of a dotted path or of a sentence."""
    return _WORD.match(token) is not None


def is_word_char(char: str) -> bool:
    """Tell whether a character may stand in a word; False for none at all."""
    return char == "_" or char.isalnum()


def split(text: str) -> list[str]:
    """Cut a text into words, numbers, and single other characters, blanks among them."""
    return _TOKEN.findall(text)


def compare(before: str, after: str) -> tuple[Hunk, ...] | None:
    """Return what changed, in order; None when nearly everything did."""
    old, new = split(before), split(after)
    first = 0
    shortest = min(len(old), len(new))
    while first < shortest and old[first] == new[first]:
        first += 1
    last = 0
    while last < shortest - first and old[-1 - last] == new[-1 - last]:
        last += 1
    olds, news = old[first : len(old) - last], new[first : len(new) - last]
    if len(olds) > _MOST_TOKENS or len(news) > _MOST_TOKENS:
        return None
    head = sum(map(len, old[:first]))
    return tuple(_hunks(olds, news, head))


def _hunks(olds: Sequence[str], news: Sequence[str], head: int) -> list[Hunk]:
    # Blanks are no anchors: else two changed words side by side would be one change, and an unchanged blank a border.
    matcher = SequenceMatcher(None, olds, news, autojunk=False)
    hunks = []
    for kind, old_first, old_last, new_first, new_last in matcher.get_opcodes():
        if kind != "equal":
            hunks.append(
                Hunk(
                    tuple(olds[old_first:old_last]),
                    tuple(news[new_first:new_last]),
                    head + sum(map(len, news[:new_first])),
                    head + sum(map(len, olds[:old_first])),
                )
            )
    return hunks


def narrow(old: str, new: str, start: int) -> tuple[int, int, str]:
    """Return the smallest range of whole tokens, counted from ``start``, whose new text turns ``old`` into ``new``."""
    olds, news = split(old), split(new)
    first = 0
    shortest = min(len(olds), len(news))
    while first < shortest and olds[first] == news[first]:
        first += 1
    last = 0
    while last < shortest - first and olds[-1 - last] == news[-1 - last]:
        last += 1
    begin = start + sum(map(len, olds[:first]))
    end = start + sum(map(len, olds[: len(olds) - last]))
    return begin, end, "".join(news[first : len(news) - last])
