"""The lines around a question: an answer counts as long as every line that the model read is still there."""

from __future__ import annotations

from array import array
from collections import Counter

from dragoman.completion.query import TextView
from dragoman.limits import VICINITY_SLACK_LINES


class Vicinity:
    """Fingerprints of the lines above and below a question's own, as far as the model read them.

    Lines may have been moved or added since, near or far; one that was changed or deleted is missing.
    """

    __slots__ = ("_above", "_below", "_wanted")

    def __init__(self, text: TextView, line: int, *, chars_above: int, chars_below: int) -> None:
        self._above = _lines_in(text, range(line - 1, -1, -1), chars_above)
        self._below = _lines_in(text, range(line + 1, text.line_count), chars_below)
        self._wanted: Counter[int] | None = None

    def is_around(self, text: TextView, first: int, last: int) -> bool:
        """Tell whether the lines are still around ``first..last`` (inclusive), the lines of the question and its answer."""
        return self._is_unchanged(text, first, last) or self._is_within(text, first, last)

    def _is_unchanged(self, text: TextView, first: int, last: int) -> bool:
        above, below = self._above, self._below
        if first < len(above) or last + len(below) >= text.line_count:
            return False
        return all(hash(text.line(first - 1 - at).rstrip()) == seen for at, seen in enumerate(above)) and all(
            hash(text.line(last + 1 + at).rstrip()) == seen for at, seen in enumerate(below)
        )

    def _is_within(self, text: TextView, first: int, last: int) -> bool:
        wanted = self._wanted
        if wanted is None:
            wanted = self._wanted = Counter([*self._above, *self._below])
            del wanted[_BLANK]
        room = len(self._above) + len(self._below) + VICINITY_SLACK_LINES
        found: Counter[int] = Counter()
        for index in range(max(0, first - room), min(text.line_count, last + 1 + room)):
            if not first <= index <= last:
                found[hash(text.line(index).rstrip())] += 1
        return wanted <= found


_BLANK = hash("")


def _lines_in(text: TextView, lines: range, chars: int) -> array[int]:
    found = array("q")
    for index in lines:
        content = text.line(index)
        chars -= len(content)
        if chars < 0:
            break
        found.append(hash(content.rstrip()))
    return found
