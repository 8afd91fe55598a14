"""A document's text as one string while a question about it is answered, with its code, strings and comments told apart."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from dragoman.completion.next_edit.languages import Language
from dragoman.completion.query import TextView
from dragoman.limits import LONG_LINE_CHARS, NEXT_EDIT_CHARS, NEXT_EDIT_LINES, NEXT_EDIT_REGION_LINES

_AROUND = 2 * NEXT_EDIT_REGION_LINES
"""Lines on either side of an edit in which the head of the function stands that it is in."""

Zone = Literal["code", "string", "comment"]


class Source:
    """One version of one document; offsets are code points from the text's start.

    Made for one question and thrown away after it: nothing of the size of a document is kept between questions.
    """

    def __init__(self, uri: str, version: int, language: Language | None, lines: list[str]) -> None:
        self.uri = uri
        self.version = version
        self.language = language
        self.lines = lines
        self._borders: list[int] = [0]
        """Where each zone begins that was found so far; `_kinds` says which it is."""
        self._kinds: list[Zone] = ["code"]
        self._scan = self._scanned()

    def around(self, line: int) -> tuple[Source, int]:
        """Return the lines around a line as a source of their own, and which of them it is."""
        first = max(0, line - _AROUND)
        return Source(self.uri, self.version, self.language, self.lines[first : line + _AROUND]), line - first

    @cached_property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.lines)

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for line in self.lines:
            starts.append(at)
            at += len(line)
        return starts

    def start_of(self, line: int) -> int:
        """Return the offset at which a line begins; lines outside the text count as its ends."""
        if line >= len(self._starts):
            return len(self.text)
        return self._starts[max(line, 0)]

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the character of an offset."""
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def zone(self, offset: int) -> Zone:
        """Tell what stands at an offset; everything is code where the language is not known."""
        while self._borders[-1] <= offset and next(self._scan, False):
            pass
        return self._kinds[bisect_right(self._borders, offset) - 1]

    def _scanned(self) -> Iterator[bool]:
        """Tell strings and comments from code, one after the other: mostly the first part of a document is enough."""
        language = self.language
        for match in language.marks.finditer(self.text) if language is not None else ():
            if match["comment"] is not None:
                self._add(match.start(), match.end(), "comment")
            else:
                self._add_string(match)
            yield True

    def _add_string(self, match: re.Match[str]) -> None:
        assert self.language is not None, "only a language has strings"
        start, end = match.span()
        holes, letters = self.language.holes, self.language.holes_only_after
        if letters and not any(letter in match["open"] for letter in letters):
            holes = None
        for hole in holes.finditer(self.text, start, end) if holes is not None else ():
            if hole.start(1) >= 0:
                self._add(start, hole.start(1), "string")
                start = hole.end(1)
        self._add(start, end, "string")

    def _add(self, start: int, end: int, zone: Zone) -> None:
        self._borders.extend((start, end))
        self._kinds.extend((zone, "code"))


def read(uri: str, version: int, language: Language | None, text: TextView) -> Source | None:
    """Read a document for a question; None when it is too large to be searched between two keys."""
    count = text.line_count
    if count > NEXT_EDIT_LINES:
        return None
    lines, room = [], NEXT_EDIT_CHARS
    for index in range(count):
        line = text.line(index)
        room -= len(line)
        if room < 0:
            return None
        lines.append(line)
    return Source(uri, version, language, lines)


def read_around(uri: str, language: Language | None, text: TextView, line: int) -> tuple[Source, int]:
    """Read the lines around a line only; return them, and which of them it is."""
    first, last = max(0, line - _AROUND), min(text.line_count, line + _AROUND)
    return Source(uri, 0, language, [text.line(index)[:LONG_LINE_CHARS] for index in range(first, last)]), line - first
