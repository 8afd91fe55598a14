"""Where a quote stands in a text, and where that is after edits."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

from dragoman.agents.edits.rebase import refine
from dragoman.agents.review_limits import ANCHOR_LIKENESS, ANCHOR_LINES, ANCHOR_PLACES, QUOTE_CHARS
from dragoman.agents.tools.documents import TextEdit

_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANK = re.compile(r"\s+")

Span = tuple[int, int]
"""Characters from the first up to, and without, the second."""


def squeeze(text: str) -> str:
    """Return a text without any blanks."""
    return _BLANK.sub("", text)


class NumberedText:
    """A text whose lines are counted from 1, at any line end."""

    def __init__(self, text: str) -> None:
        self.text: Final = text

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins; found when it is first asked for, since a text without findings is only kept."""
        return [0, *(end.end() for end in _LINE_END.finditer(self.text))]

    def line_of(self, offset: int) -> int:
        """Return the line in which a character stands."""
        return bisect_right(self.starts, offset)

    def lines_of(self, span: Span) -> Span:
        """Return the first and the last line of a span."""
        return self.line_of(span[0]), self.line_of(max(span[0], span[1] - 1))

    def span_of(self, line: int) -> Span:
        """Return a line without its end and the blanks around."""
        start = self.starts[line - 1]
        end = self.starts[line] if line < len(self.starts) else len(self.text)
        raw = self.text[start:end]
        inner = raw.strip()
        begin = start + raw.index(inner) if inner else start
        return begin, begin + len(inner)


class Anchors:
    """Finds quotes in one text."""

    def __init__(self, text: str) -> None:
        self.numbered: Final = NumberedText(text)
        self._text: Final = text

    def find(self, quote: str, line: int) -> tuple[Span, bool] | None:
        """Return where a quote stands, nearest to ``line``, and whether it does so to the letter but for blanks; or None.

        Without a quote it is the line itself.
        """
        wanted = quote.strip()
        if not wanted:
            if not 0 < line <= len(self.numbered.starts):
                return None
            span = self.numbered.span_of(line)
            return (span, False) if span[0] < span[1] else None
        if len(wanted) > QUOTE_CHARS:
            return None
        offset = self.numbered.starts[min(line, len(self.numbered.starts)) - 1] if line else 0
        found = self._nearest(self._exact(wanted, offset), line) or self._nearest(self._squeezed(wanted, offset), line)
        if found is not None:
            return found, True
        found = self._alike(squeeze(wanted), line)
        return (found, False) if found is not None else None

    def _exact(self, wanted: str, offset: int) -> Iterator[Iterator[Span]]:
        """Yield the places from ``offset`` on, and those before it, each from the nearest on."""
        for goes_on in (True, False):
            yield ((at, at + len(wanted)) for at in _walk(self._text, wanted, offset, goes_on=goes_on))

    def _squeezed(self, wanted: str, offset: int) -> Iterator[Iterator[Span]]:
        """Yield the same whatever blanks are where."""
        bare, places = self._bare
        wanted, offset = squeeze(wanted), bisect_left(places, offset)
        last = len(wanted) - 1
        for goes_on in (True, False):
            yield ((places[at], places[at + last] + 1) for at in _walk(bare, wanted, offset, goes_on=goes_on))

    @cached_property
    def _bare(self) -> tuple[str, list[int]]:
        places = [index for index, character in enumerate(self._text) if not character.isspace()]
        return "".join(self._text[index] for index in places), places

    def _nearest(self, ways: Iterator[Iterator[Span]], line: int) -> Span | None:
        firsts = (next(filter(self._is_whole, islice(places, ANCHOR_PLACES)), None) for places in ways)
        return min((one for one in firsts if one is not None), key=lambda one: self._distance(one, line), default=None)

    def _distance(self, span: Span, line: int) -> int:
        first, last = self.numbered.lines_of(span)
        return 0 if first <= line <= last else min(abs(first - line), abs(last - line))

    def _is_whole(self, span: Span) -> bool:
        """Tell whether no word is cut at either end."""
        start, end = span
        text = self._text
        return not (
            (start > 0 and _is_word(text[start - 1]) and _is_word(text[start]))
            or (end < len(text) and _is_word(text[end]) and _is_word(text[end - 1]))
        )

    def _alike(self, wanted: str, line: int) -> Span | None:
        """Return the line near by that is most like the quote, if any is like it."""
        if not line or len(wanted) < 4:
            return None
        best, likeness = None, ANCHOR_LIKENESS
        last = min(len(self.numbered.starts), line + ANCHOR_LINES)
        for number in sorted(range(max(1, line - ANCHOR_LINES), last + 1), key=lambda one: abs(one - line)):
            span = self.numbered.span_of(number)
            bare = squeeze(self._text[span[0] : span[1]])
            if not bare or 2 * min(len(bare), len(wanted)) < likeness * (len(bare) + len(wanted)):
                continue
            ratio = difflib.SequenceMatcher(None, bare, wanted, autojunk=False).ratio()
            if ratio > likeness:
                best, likeness = span, ratio
        return best


def _walk(text: str, wanted: str, offset: int, *, goes_on: bool) -> Iterator[int]:
    """Yield where a text stands, from ``offset`` on or before it, the nearest first."""
    at = text.find(wanted, offset) if goes_on else text.rfind(wanted, 0, max(0, offset + len(wanted) - 1))
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1) if goes_on else text.rfind(wanted, 0, at + len(wanted) - 1)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def finest(text: str, changes: Sequence[TextEdit]) -> list[TextEdit]:
    """Return changes of one text, made at once, as the smallest ones, in order."""
    return [part for change in sorted(changes, key=lambda one: one.start) for part in refine(text, change)]


def moved(span: Span, changes: Sequence[TextEdit]) -> Span:
    """Return where a span is after changes as `finest` gives them: what is typed at its borders stays outside of it."""
    start = _moved_start(span[0], changes)
    return start, max(start, _moved_end(span[1], changes))


def _moved_start(position: int, changes: Sequence[TextEdit]) -> int:
    by = 0
    for change in changes:
        if change.end <= position:
            by += len(change.text) - (change.end - change.start)
        elif change.start < position:
            return change.start + len(change.text) + by
        else:
            break
    return position + by


def _moved_end(position: int, changes: Sequence[TextEdit]) -> int:
    by = 0
    for change in changes:
        if change.start >= position:
            break
        if change.end > position:
            return change.start + by
        by += len(change.text) - (change.end - change.start)
    return position + by
