"""An immutable text of lines that makes a changed copy of itself in the time of the change.

The lines lie in chunks of a few hundred.  A changed copy shares every untouched chunk with the original, so a snapshot is the
object itself, and an edit in a file of 100,000 lines copies one chunk and a list of some 400 references.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate, chain

CHUNK = 256
"""Lines to a chunk when a text is cut up; an edit lets a chunk grow to twice that before it cuts it again."""


def split_lines(text: str) -> list[str]:
    """Split at LF, CRLF and CR only, keeping terminators; the last line has none and may be empty."""
    lines = list(io.StringIO(text, newline=""))
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


class Lines:
    """A frozen text, readable line by line; implements `dragoman.completion.query.TextView`."""

    __slots__ = ("_chunks", "_ends", "_recent")

    def __init__(self, chunks: tuple[tuple[str, ...], ...]) -> None:
        self._chunks = chunks
        self._ends = list(accumulate(map(len, chunks)))
        # Neighbouring lines are read one after the other: the chunk of the last read is tried first.
        # One attribute, so that readers in other threads never see half of it.
        self._recent = (0, chunks[0])

    @classmethod
    def of(cls, text: str) -> Lines:
        """Cut up a whole text."""
        return cls(_cut(split_lines(text)))

    @property
    def line_count(self) -> int:
        """Number of lines, at least one."""
        return self._ends[-1]

    def line(self, index: int) -> str:
        """Line ``index`` with its terminator; raises IndexError outside the text."""
        first, chunk = self._recent
        if 0 <= index - first < len(chunk):
            return chunk[index - first]
        if not 0 <= index < self._ends[-1]:
            raise IndexError(f"line {index} is outside a text of {self._ends[-1]} lines")
        position = bisect_right(self._ends, index)
        first = self._ends[position - 1] if position else 0
        chunk = self._chunks[position]
        self._recent = (first, chunk)
        return chunk[index - first]

    def text(self) -> str:
        """Return the whole text in one string; O(document), for tests and for sending a file as a whole."""
        return "".join(chain.from_iterable(self._chunks))

    def replace(self, first: int, last: int, new: list[str]) -> Lines:
        """Return a copy with the lines ``first..last`` (inclusive) replaced by ``new``, which must not be empty."""
        start = bisect_right(self._ends, first)
        stop = bisect_right(self._ends, last)
        before = self._chunks[start][: first - (self._ends[start - 1] if start else 0)]
        after = self._chunks[stop][last + 1 - (self._ends[stop - 1] if stop else 0) :]
        merged = (*before, *new, *after)
        chunks = (merged,) if len(merged) <= 2 * CHUNK else _cut(merged)
        return Lines((*self._chunks[:start], *chunks, *self._chunks[stop + 1 :]))


def _cut(lines: list[str] | tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(lines[at : at + CHUNK]) for at in range(0, len(lines), CHUNK))
