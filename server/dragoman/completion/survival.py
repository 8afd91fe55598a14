"""An accepted text, followed through later changes, and whether it is still there after half a minute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Literal

from dragoman.completion.query import TextView

Fate = Literal["survived", "edited", "removed"]

_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+|[^\sA-Za-z\d_]")
_SPACE = re.compile(r"\s+")
_MOST_TOKENS = 250
"""Comparing is quadratic at worst: these take some two milliseconds."""
_MOST_LINES = 100
_MARGIN = 30


class Region:
    """The lines that an accepted text stands on, in a document that goes on changing."""

    __slots__ = ("_first", "_head", "_loose", "_text", "last", "line")

    def __init__(self, text: str, *, line: int, last: int, head: str, loose: bool = False) -> None:
        self._text = text
        self._head = head
        self._first = text.partition("\n")[0].strip()
        self._loose = loose
        """Whether the place is only roughly known."""
        self.line = line
        self.last = last

    def extend(self, piece: str, last: int) -> None:
        """Take in that more of the same suggestion stands behind it."""
        self._text += piece
        self.last = max(self.last, last)

    def follow(self, text: TextView, *, first: int, last: int, grown: int) -> None:
        """Follow a change whose new lines are ``first..last`` and that made the document ``grown`` lines longer; O(1)."""
        old_last = last - grown
        if old_last < self.line:
            self.line += grown
            self.last += grown
        elif first <= self.line and old_last >= self.last and (first, old_last) != (self.line, self.last):
            # Replaced from outside, as a formatter or a client that sends whole texts does.
            for moved in (0, grown):
                if self._begins(text, self.line + moved):
                    self.line += moved
                    self.last += moved
                    return
            self._loose = True
        elif first <= self.last:
            end = max(self.last, old_last) + grown
            self.line = min(self.line, first)
            self.last = max(self.line, min(end, self.line + _MOST_LINES))

    def _begins(self, text: TextView, line: int) -> bool:
        return 0 <= line < text.line_count and self._first in text.line(line)

    def judge(self, text: TextView) -> Fate:
        """Compare what stands there now; white space does not count."""
        wanted = _SPACE.sub("", self._text)
        margin = _MARGIN if self._loose else 0
        begin = min(max(0, self.line - margin), text.line_count - 1)
        end = min(text.line_count, max(self.last, self.line) + margin + 1, begin + _MOST_LINES + 2 * _MARGIN)
        lines = [text.line(index) for index in range(begin, end)]
        if not self._loose and lines and lines[0].startswith(self._head):
            lines[0] = lines[0][len(self._head) :]
        if wanted in _SPACE.sub("", "".join(lines)):
            return "survived"
        return "edited" if _left(self._text, lines) >= 0.5 else "removed"


def _left(text: str, lines: Sequence[str]) -> float:
    """Return how much of ``text`` is left in the part of ``lines`` that is most like it, 0..1 by characters."""
    wanted = _TOKEN.findall(text)[:_MOST_TOKENS]
    size = sum(map(len, wanted))
    if not size:
        return 0.0
    height = text.count("\n") + 2
    found = [_TOKEN.findall(line) for line in lines]
    windows = [
        [token for line in found[at : at + height] for token in line][: 2 * _MOST_TOKENS]
        for at in range(max(1, len(found) - height + 1))
    ]
    counts = Counter(wanted)
    shared, closest = max(
        ((_weight((counts & Counter(window)).elements()), window) for window in windows), key=lambda pair: pair[0]
    )
    if shared < 0.5 * size:
        # Whatever their order, not enough of the words is there.
        return shared / size
    matcher = SequenceMatcher(None, closest, wanted, autojunk=False)
    return sum(_weight(wanted[b : b + n]) for _, b, n in matcher.get_matching_blocks()) / size


def _weight(tokens: Iterable[str]) -> int:
    return sum(map(len, tokens))
