"""An immutable text of lines that makes a changed copy of itself in the time of the change.

The text lies in strings of a few hundred lines.  A changed copy shares every untouched one with the original, so a snapshot is
the object itself, and an edit in a file of 100,000 lines copies one of them and a list of some 400 references.
Only the strings that were read last are cut into lines: a line of its own costs more than twice its letters, and memory that
is given back in small pieces goes back to the system badly.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate

CHUNK = 256
"""Lines to a chunk when a text is cut up; an edit lets a chunk grow to twice that before it cuts it again."""
_CUT_UP = 3
"""Chunks that stay cut into lines: those around the cursor, and one more for a look elsewhere."""

Chunk = tuple[str, ...]
_Recent = tuple[tuple[int, Chunk], ...]


def split_lines(text: str) -> list[str]:
    """Split at LF, CRLF and CR only, keeping terminators; the last line has none and may be empty."""
    lines = list(io.StringIO(text, newline=""))
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


class Lines:
    """A frozen text, readable line by line; implements `dragoman.completion.query.TextView`."""

    __slots__ = ("_chunks", "_ends", "_recent")

    def __init__(self, chunks: tuple[str, ...], counts: list[int], recent: _Recent = ()) -> None:
        self._chunks = chunks
        self._ends = list(accumulate(counts))
        # First lines with the lines behind them, the last one read in front: neighbours are read one after the other.
        # One attribute, so that readers in other threads never see half of it.
        self._recent = recent

    @classmethod
    def of(cls, text: str) -> Lines:
        """Cut up a whole text."""
        chunks = _cut(split_lines(text))
        return cls(tuple(map("".join, chunks)), list(map(len, chunks)))

    @property
    def line_count(self) -> int:
        """Number of lines, at least one."""
        return self._ends[-1]

    def line(self, index: int) -> str:
        """Line ``index`` with its terminator; raises IndexError outside the text."""
        for first, chunk in self._recent:
            if 0 <= index - first < len(chunk):
                return chunk[index - first]
        if not 0 <= index < self._ends[-1]:
            raise IndexError(f"line {index} is outside a text of {self._ends[-1]} lines")
        position = bisect_right(self._ends, index)
        first = self._first(position)
        chunk = self._split(position)
        self._recent = ((first, chunk), *self._recent[: _CUT_UP - 1])
        return chunk[index - first]

    def text(self) -> str:
        """Return the whole text in one string; O(document), for tests and for sending a file as a whole."""
        return "".join(self._chunks)

    def replace(self, first: int, last: int, new: list[str]) -> Lines:
        """Return a copy with the lines ``first..last`` (inclusive) replaced by ``new``, which must not be empty."""
        start, stop = bisect_right(self._ends, first), bisect_right(self._ends, last)
        begin, end = self._first(start), self._ends[stop]
        before = self._cut_up(start)[: first - begin]
        after = self._cut_up(stop)[last + 1 - self._first(stop) :]
        merged = (*before, *new, *after)
        chunks = [merged] if len(merged) <= 2 * CHUNK else _cut(merged)
        counts = [now - previous for previous, now in zip([0, *self._ends], self._ends, strict=False)]
        moved = begin + len(merged) - end
        untouched = ((at + moved if at >= end else at, chunk) for at, chunk in self._recent if at >= end or at < begin)
        return Lines(
            (*self._chunks[:start], *map("".join, chunks), *self._chunks[stop + 1 :]),
            [*counts[:start], *map(len, chunks), *counts[stop + 1 :]],
            ((begin, chunks[0]), *untouched)[:_CUT_UP],
        )

    def _first(self, position: int) -> int:
        return self._ends[position - 1] if position else 0

    def _cut_up(self, position: int) -> Chunk:
        """Return a chunk's lines, from the last reading if there was one."""
        first = self._first(position)
        return next((chunk for at, chunk in self._recent if at == first), None) or self._split(position)

    def _split(self, position: int) -> Chunk:
        lines = split_lines(self._chunks[position])
        # The empty line behind the last terminator is the text's last line, and in no other chunk there is one.
        return tuple(lines if position == len(self._chunks) - 1 else lines[:-1])


def _cut(lines: list[str] | Chunk) -> list[Chunk]:
    return [tuple(lines[at : at + CHUNK]) for at in range(0, len(lines), CHUNK)]
