"""Where the lines that an edit searches for stand in a text, and which of its lines have to become others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dragoman.agents.edit_limits import LIKENESS, LIKENESS_LINE, LIKENESS_STRICT, MARGIN
from dragoman.agents.edits.blocks import Block
from dragoman.agents.edits.indentation import Shift
from dragoman.agents.edits.likeness import find_alike, find_nearest, says_the_same
from dragoman.agents.edits.lines import Lines, diff_lines, key_of
from dragoman.agents.limits import EDIT_COUNTED, EDIT_PLACES
from dragoman.agents.tools.documents import TextEdit
from dragoman.errors import EditMismatchError

_KINDS: Final = ("exact", "ends", "bare")


@dataclass(frozen=True, slots=True)
class Match:
    """The row of each searched line, -1 for one that stands nowhere; ``alike`` says how sure each is, from 0 to 1."""

    rows: tuple[int, ...]
    shift: Shift
    alike: tuple[float, ...]


class Matcher:
    """Finds places in one text, or in rows ``[first, last)`` of it.

    ``shown`` is its name in errors.  ``likeness`` is how alike a place has to be that is not the same but for blanks.
    """

    def __init__(
        self, lines: Lines, *, first: int = 0, last: int | None = None, shown: str = "", likeness: float = LIKENESS
    ) -> None:
        self.lines: Final = lines
        self._first = first
        self._last = len(lines) if last is None else last
        self._shown = repr(shown) if shown else "the text"
        self._likeness = likeness

    def place(self, block: Block) -> tuple[TextEdit, ...]:
        """Return the smallest edits of whole lines that make what a block says.

        Raises EditMismatchError when what it searches for is missing, stands more than once, or is the same as the new.
        """
        old, new = block.halves[-1]
        match: Match | None = None
        if len(block.halves) > 1:
            # Which line is the middle? The longest part that stands there is not found by chance.
            for halves in block.halves:
                if any(line.strip() for line in halves[0]) and self._stand(halves[0])[0]:
                    old, new = halves
                    break
        if old == new:
            raise EditMismatchError(f"The edit of {self._shown} changes nothing: both texts are the same.")
        if not any(line.strip() for line in old):
            if not self.lines.text.strip() and not old:
                return (TextEdit(0, len(self.lines.text), "".join(line + self.lines.newline for line in new)),)
            raise EditMismatchError(
                f"The text to search for in {self._shown} is empty.",
                hint="Give lines that stand in the file, or use write_file for all of it.",
            )
        match = self.find(old, line=block.line)
        return self._edits(old, new, match)

    def stands(self, block: Block) -> bool:
        """Return whether what a block searches for stands there, once or more, but for blanks."""
        return any(self._stand(old)[0] for old, _ in block.halves if any(line.strip() for line in old))

    def find(self, old: Sequence[str], *, line: int = 0) -> Match:
        """Return where lines stand, exactly once; ``line`` decides between several that are the same, from 1.

        Raises EditMismatchError with the places, or the nearest one.
        """
        head = next((number for number, text in enumerate(old) if text.strip()), 0)
        tail = next((number for number, text in enumerate(reversed(old)) if text.strip()), 0)
        for cut in (0, 1) if head or tail else (0,):
            inner = old[head : len(old) - tail] if cut else old
            places, kind = self._stand(inner)
            if len(places) > 1 and line and kind == "exact" and line - 1 in places:
                places = [line - 1]
            if len(places) > 1:
                raise self.ambiguous(places)
            if places:
                rows = range(places[0], places[0] + len(inner))
                shift = Shift(zip(inner, (self.lines.texts[row] for row in rows), strict=True))
                around = (-1,) * head, (-1,) * tail
                found = (*around[0], *rows, *around[1]) if cut else tuple(rows)
                return Match(found, shift, (1.0,) * len(old))
        return self._alike(old)

    def _stand(self, old: Sequence[str]) -> tuple[list[int], str]:
        """Return the rows at which the lines stand: to the letter, else but for blanks at ends, else but for indentation."""
        for kind in _KINDS:
            places = list(itertools.islice(self._rows(old, kind), EDIT_COUNTED))
            if places:
                return places, kind
        return [], ""

    def _rows(self, old: Sequence[str], kind: str) -> Iterator[int]:
        keys, rows = self.lines.keys(kind)
        wanted = [key_of(line, kind) for line in old]
        # The rarest line leaves the fewest places to compare.
        anchor = min(range(len(wanted)), key=lambda number: len(rows.get(wanted[number], ())))
        for row in rows.get(wanted[anchor], ()):
            start = row - anchor
            if start < self._first or start + len(wanted) > self._last or keys[start : start + len(wanted)] != wanted:
                continue
            texts = self.lines.texts[start : start + len(wanted)]
            if kind != "bare" or Shift(zip(old, texts, strict=True)).is_consistent:
                yield start

    def _alike(self, old: Sequence[str]) -> Match:
        best, second = find_alike(self.lines, old, self._first, self._last)
        says = sum(1 for line in old if len(line.strip()) > 3)
        needed = max(self._likeness, LIKENESS_STRICT) if says < 2 else self._likeness
        if best is None or best.likeness < needed:
            raise self.missing(old)
        if second is not None and second.likeness > best.likeness - MARGIN:
            raise self.ambiguous(sorted(min(row for row in one.rows if row >= 0) for one in (best, second)))
        pairs = ((line, self.lines.texts[row]) for line, row in zip(old, best.rows, strict=True) if row >= 0)
        return Match(best.rows, Shift(pairs), best.each)

    def _is_meant(self, searched: str, match: Match, number: int) -> bool:
        """Tell whether a line that goes is the one that was searched for: like it, with the same numbers and operators."""
        row = match.rows[number]
        # A line that stands nowhere is not like any other.
        return match.alike[number] >= LIKENESS_LINE and says_the_same(searched, self.lines.texts[row])

    def _edits(self, old: Sequence[str], new: Sequence[str], match: Match) -> tuple[TextEdit, ...]:
        """Return what a block changes, and only that: lines that it leaves alone stay as they stand."""
        edits: list[TextEdit] = []
        for a, b, c, d in diff_lines(old, new):
            rows = [row for row in match.rows[a:b] if row >= 0]
            unsure = any(old[i].strip() and not self._is_meant(old[i], match, i) for i in range(a, b))
            if unsure or (rows and rows[-1] + 1 - rows[0] != len(rows)):
                # It would take lines away that the model has not seen as they are.
                raise self.missing(old)
            if rows:
                first, last = rows[0], rows[-1] + 1
            else:
                before = [row for row in match.rows[:a] if row >= 0]
                after = [row for row in match.rows[b:] if row >= 0]
                first = last = before[-1] + 1 if before else after[0]
            edit = self.lines.replace(first, last, match.shift.apply(new[c:d]))
            if edit.start < edit.end or edit.text:
                edits.append(edit)
        if not edits:
            raise EditMismatchError(f"The edit of {self._shown} changes nothing: both texts are the same.")
        return tuple(edits)

    # -- what is wrong -------------------------------------------------------------------------------------------------

    def ambiguous(self, rows: Sequence[int], count: int = 0) -> EditMismatchError:
        """Return the error for a text that stands at several rows, of which there are ``count`` in all."""
        count = count or len(rows)
        lines = tuple(row + 1 for row in rows[:EDIT_PLACES])
        at = f"{', '.join(map(str, lines))}{', …' if count > len(lines) else ''}"
        return EditMismatchError(
            f"The text to search for stands {count}{'+' if count >= EDIT_COUNTED else ''} times in {self._shown}, "
            f"at lines {at}.",
            lines=lines,
            hint="Add lines before or after it until it stands only once.",
        )

    def missing(self, old: Sequence[str]) -> EditMismatchError:
        """Return the error for a text that stands nowhere, with the nearest lines."""
        row, near = find_nearest(self.lines, old, self._first, self._last)
        where = self._shown
        if (self._first, self._last) != (0, len(self.lines)):
            where = f"lines {self._first + 1} to {self._last} of {self._shown}"
        return EditMismatchError(
            f"The text to search for does not stand in {where}.",
            lines=(row + 1,) if near else (),
            hint=f"The nearest are these lines, from line {row + 1}; copy them exactly as they are:\n{near}"
            if near
            else "Read the file and copy the lines exactly as they are.",
        )
