"""Where the parts of a text are after somebody changed it: what is still there, what was put in, and by whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from dragoman.agents.edit_limits import REFINED_CHARS
from dragoman.agents.edits.lines import Lines, diff_lines
from dragoman.agents.tools.documents import TextEdit


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the current text.

    ``kept`` is text of the base, from ``start`` to ``end`` there.  A hunk's text has its ``hunk`` and stands for the base
    from ``start`` to ``end``.  What the user typed has neither; the rests of a hunk's text that the user changed keep the
    one border of the base at which they stand.
    """

    start: int | None
    end: int | None
    length: int
    hunk: str = ""
    kept: bool = False


class Rebase:
    """Follows the changes of a text; ``base`` is how it was, ``text`` is how it is."""

    def __init__(self, base: str) -> None:
        self.base: Final = base
        self.text = base
        self._pieces = [_Piece(0, len(base), len(base), kept=True)]

    # -- what changes the text -----------------------------------------------------------------------------------------

    def change(self, edit: TextEdit) -> None:
        """Take in a change by the user; raises ValueError for one outside of the text."""
        if not 0 <= edit.start <= edit.end <= len(self.text):
            raise ValueError("the change lies outside of the text")
        for one in reversed(refine(self.text, edit)):
            first = self._split(one.start, after=True)
            last = max(first, self._split(one.end, after=False))
            # Splitting the end cannot move the beginning: it is further on, or the same piece's later part.
            self._put(first, last, [_Piece(None, None, len(one.text))] if one.text else [])
            self.text = self.text[: one.start] + one.text + self.text[one.end :]

    def make(self, hunk: str, start: int, end: int, new: str) -> None:
        """Put a hunk's text in the place of a part of the base; raises ValueError where `find` has none."""
        place = self.find(start, end)
        if place is None:
            raise ValueError("the hunk has no place in this text")
        index = self._place(start, end)[0]
        piece = _Piece(start, end, len(new), hunk=hunk)
        if start == end:
            if index < len(self._pieces) and self._inside(index, start):
                left, right = _cut(self._pieces[index], start - (self._pieces[index].start or 0))
                self._pieces[index : index + 1] = [left, piece, right]
            else:
                self._pieces.insert(index, piece)
        else:
            around = self._pieces[index]
            assert around.start is not None
            left, rest = _cut(around, start - around.start)
            _, right = _cut(rest, end - start)
            self._put(index, index + 1, [one for one in (left, piece, right) if one.length or one.hunk])
        self.text = self.text[: place[0]] + new + self.text[place[1] :]

    def take_back(self, hunk: str) -> None:
        """Put the base's text where a hunk's is; raises ValueError where `find_made` has none."""
        place = self.find_made(hunk)
        index = next((index for index, piece in enumerate(self._pieces) if piece.hunk == hunk), None)
        if place is None or index is None:
            raise ValueError("the hunk's text is not what it was")
        piece = self._pieces[index]
        assert piece.start is not None
        assert piece.end is not None
        old = self.base[piece.start : piece.end]
        back = [_Piece(piece.start, piece.end, len(old), kept=True)] if old else []
        self._put(index, index + 1, back)
        self.text = self.text[: place[0]] + old + self.text[place[1] :]

    # -- what is asked of it -------------------------------------------------------------------------------------------

    def find(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where a part of the base is now; None when the user changed it, or the line at its borders."""
        found = self._place(start, end)
        return None if found[0] < 0 else (found[1], found[1] + end - start)

    def find_made(self, hunk: str) -> tuple[int, int] | None:
        """Return where a hunk's text is now; None when the user changed it, or the line at its borders."""
        at = 0
        for piece in self._pieces:
            if piece.hunk == hunk:
                assert piece.start is not None
                assert piece.end is not None
                fits = self._fits(piece.start, at) and self._fits_end(piece.end, at + piece.length)
                return (at, at + piece.length) if fits else None
            at += piece.length
        return None

    def nearest(self, position: int) -> int:
        """Return the place now that is nearest to one in the base, whatever became of it."""
        at, found = 0, 0
        for piece in self._pieces:
            if piece.kept and piece.start is not None and piece.end is not None and piece.start <= position:
                found = at + min(position, piece.end) - piece.start
            elif piece.end is not None and piece.end <= position:
                found = at + piece.length
            at += piece.length
        return found

    # -- pieces --------------------------------------------------------------------------------------------------------

    def _place(self, start: int, end: int) -> tuple[int, int]:
        """Return the piece in which a part of the base is, or before which it belongs, and its place now; -1 without."""
        at = 0
        behind: list[tuple[int, int]] = [(0, 0)] if start == 0 else []
        before: list[tuple[int, int]] = []
        for index, piece in enumerate(self._pieces):
            if piece.kept and piece.start is not None and piece.end is not None:
                within = piece.start < start < piece.end if start == end else piece.start <= start and end <= piece.end
                if within:
                    now = at + start - piece.start
                    fits = self._fits(start, now) and self._fits_end(end, now + end - start)
                    return (index, now) if fits else (-1, 0)
            if piece.start == start:
                before.append((index, at))
            at += piece.length
            if piece.end == start:
                behind.append((index + 1, at))
        if start == len(self.base):
            before.append((len(self._pieces), at))
        if start < end:
            return -1, 0
        # Nearest to what stands before it; where that is gone, to what stands behind it.
        fitting = (gap for gap in [*behind, *before] if self._fits(start, gap[1]) and self._fits_end(start, gap[1]))
        return next(fitting, (-1, 0))

    def _inside(self, index: int, position: int) -> bool:
        piece = self._pieces[index]
        return piece.kept and piece.start is not None and piece.end is not None and piece.start < position < piece.end

    def _fits(self, base: int, now: int) -> bool:
        """Return whether a place that was a line's beginning still is: else the user typed on that line."""
        begins = base == 0 or self.base[base - 1] == "\n"
        return not begins or now == 0 or self.text[now - 1] == "\n"

    def _fits_end(self, base: int, now: int) -> bool:
        """Return whether nothing was typed behind the end of a last line that has no line end."""
        if base < len(self.base) or self.base.endswith("\n") or not self.base:
            return True
        return self.text[now : now + 1] in {"", "\n", "\r"}

    def _split(self, position: int, *, after: bool) -> int:
        """Return the piece that begins at a position, cutting one if need be; behind empty ones there, or before."""
        at = 0
        for index, piece in enumerate(self._pieces):
            if at == position and not (after and piece.length == 0):
                return index
            if at < position < at + piece.length:
                self._pieces[index : index + 1] = _cut(piece, position - at)
                return index + 1
            at += piece.length
        return len(self._pieces)

    def _put(self, first: int, last: int, pieces: list[_Piece]) -> None:
        """Put pieces in the place of others, and make one of neighbours that belong together."""
        self._pieces[first:last] = pieces
        index = max(0, first - 1)
        for _ in range(len(pieces) + 1):
            if index + 1 >= len(self._pieces):
                break
            one, two = self._pieces[index : index + 2]
            typed = one == _Piece(None, None, one.length) and two == _Piece(None, None, two.length)
            if typed or (one.kept and two.kept and one.end == two.start):
                self._pieces[index : index + 2] = [replace(one, end=two.end, length=one.length + two.length)]
            else:
                index += 1


def _cut(piece: _Piece, at: int) -> tuple[_Piece, _Piece]:
    if piece.kept:
        assert piece.start is not None
        middle = piece.start + at
        return replace(piece, end=middle, length=at), replace(piece, start=middle, length=piece.length - at)
    return _Piece(piece.start, None, at), _Piece(None, piece.end, piece.length - at)


def refine(text: str, edit: TextEdit) -> list[TextEdit]:
    """Return a change as the smallest ones that make the same of the text, in order; whole lines where that is possible.

    Editors send a whole document for one letter, and a line's insertion as one in the middle of two that begin alike.
    """
    old, new = text[edit.start : edit.end], edit.text
    if old == new:
        return []
    if "\n" in old and "\n" in new and len(old) + len(new) <= REFINED_CHARS:
        before, after = old.split("\n"), new.split("\n")
        one, other = Lines(old), [f"{line}\n" for line in after[:-1]] + ([after[-1]] if after[-1] else [])
        whole = [f"{line}\n" for line in before[:-1]] + ([before[-1]] if before[-1] else [])
        parts = [
            TextEdit(edit.start + one.starts[a], edit.start + one.starts[b], "".join(other[c:d]))
            for a, b, c, d in diff_lines(whole, other)
        ]
    else:
        parts = [edit]
    return [_slide(text, _trim(text, part)) for part in parts]


def _trim(text: str, edit: TextEdit) -> TextEdit:
    start, end, new = edit.start, edit.end, edit.text
    head = 0
    while head < len(new) and start + head < end and text[start + head] == new[head]:
        head += 1
    tail = 0
    while tail < len(new) - head and end - tail > start + head and text[end - 1 - tail] == new[-1 - tail]:
        tail += 1
    return TextEdit(start + head, end - tail, new[head : len(new) - tail])


def _slide(text: str, edit: TextEdit) -> TextEdit:
    """Return an insertion or a deletion of a line, moved to where it is one of whole lines, if it can be."""
    start, end, new = edit.start, edit.end, edit.text
    if start < end and new:
        return edit
    moved = new or text[start:end]
    if "\n" not in moved:
        return edit
    left, right, count = start, end, 0
    while left > 0 and text[left - 1] != "\n" and text[left - 1] == moved[-1 - count % len(moved)]:
        left, count = left - 1, count + 1
    if left == 0 or text[left - 1] == "\n":
        turn = count % len(moved)
        return TextEdit(left, end - count, new[len(new) - turn :] + new[: len(new) - turn] if new else "")
    left, count = start, 0
    while right < len(text) and text[right] == moved[count % len(moved)]:
        count, right = count + 1, right + 1
        if text[right - 1] == "\n":
            turn = count % len(moved)
            return TextEdit(start + count, right, new[turn:] + new[:turn] if new else "")
    return edit
