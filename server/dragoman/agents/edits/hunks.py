"""Hunks: the smallest changes of whole lines, each of which can be made alone; known while the model still writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dragoman.agents.edit_limits import SYNC_FAR, SYNC_LINES, SYNC_NEAR
from dragoman.agents.edits.lines import diff_lines

HunkState = Literal["proposed", "final", "applied", "rejected", "conflict"]
"""Still growing; ready to be made; made; dropped, or taken back; typed over by the user, and never made any more."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Characters from ``start`` to ``end`` of the text as it is now, which were ``old``, shall be ``new``.

    The identifier stays the same for as long as the session lives.  Of an applied hunk the range is that of ``new``; of one
    that is rejected or in conflict it is where it would have been, as near as can be said.
    """

    id: str
    start: int
    end: int
    old: str
    new: str
    state: HunkState


@dataclass(frozen=True, slots=True)
class RowChange:
    """Old lines ``[first, last)`` become ``new``."""

    first: int
    last: int
    new: tuple[str, ...]


class StreamedDiff:
    """Compares old lines with new ones that come one by one; what was given out once is never changed by what follows."""

    def __init__(self, old: Sequence[str]) -> None:
        self._old = old
        self._rows: dict[str, list[int]] = {}
        for row, line in enumerate(old):
            self._rows.setdefault(line, []).append(row)
        self._row = 0
        self._new: list[str] = []

    @property
    def pending(self) -> RowChange | None:
        """Return the lines that are new so far, before the place from which the old ones are not yet compared."""
        return RowChange(self._row, self._row, tuple(self._new)) if self._new else None

    def read(self, line: str) -> RowChange | None:
        """Read a line; returns the change that is over with it."""
        if not self._new and self._row < len(self._old) and self._old[self._row] == line:
            self._row += 1
            return None
        self._new.append(line)
        for row in self._rows.get(line, ()):
            if row < self._row:
                continue
            if row >= self._row + SYNC_LINES:
                break
            count, weight = self._agreement(row)
            jump = row + 1 - count - self._row
            if weight >= (1 if jump < SYNC_NEAR else 2 if jump < SYNC_FAR else 3):
                change = RowChange(self._row, row + 1 - count, tuple(self._new[:-count]))
                self._row, self._new = row + 1, []
                return change
        return None

    def finish(self) -> list[RowChange]:
        """Return what is different in all that is left, with no more lines to come."""
        rest, new = self._old[self._row :], self._new
        found = [RowChange(self._row + a, self._row + b, tuple(new[c:d])) for a, b, c, d in diff_lines(rest, new)]
        self._row, self._new = len(self._old), []
        return found

    def _agreement(self, row: int) -> tuple[int, int]:
        """Return how many of the newest lines stand in the old text up to a row, and how many of them say something."""
        count = weight = 0
        while count < len(self._new) and row - count >= self._row and self._old[row - count] == self._new[-1 - count]:
            # Blank lines and lone brackets stand everywhere.
            weight += sum(character.isalnum() for character in self._old[row - count]) > 2
            count += 1
        return count, weight
