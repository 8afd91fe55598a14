"""Unified diffs as models write them: the numbers are often wrong, so the lines are what counts."""

from __future__ import annotations

import re
from typing import Final

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@.*")
_LOOSE_HUNK: Final = re.compile(r"@@.*")
_GIT: Final = re.compile(
    r"(?:diff --git|index|old mode|new mode|new file mode|deleted file mode|similarity index|rename from|rename to) .*"
)

DiffHunk = tuple[str, tuple[str, ...], tuple[str, ...], int]
"""Path, lines as they stand, lines as they shall be, and the first line's number from 1, or 0."""


def begins_diff(line: str) -> bool:
    """Return whether a diff begins with the line, without doubt."""
    return line.startswith("diff --git ") or _HUNK.fullmatch(line) is not None


def is_header(first: str, second: str) -> bool:
    """Return whether two lines are the names of a diff's files."""
    return first.startswith("--- ") and second.startswith("+++ ")


class DiffReader:
    """Reads a diff line by line; ``loose`` ones, in a fence of their own, may lack ``@@`` lines."""

    def __init__(self, path: str, *, loose: bool) -> None:
        self._path = path
        self._loose = loose
        self._minus: str | None = None
        self._inside = False
        self._old: list[str] = []
        self._new: list[str] = []
        self._line = 0
        self._left: list[int] | None = None
        self._blank = 0
        self._done: list[DiffHunk] = []

    def take(self) -> list[DiffHunk]:
        """Return the hunks that are whole now."""
        done, self._done = self._done, []
        return done

    def read(self, line: str) -> bool:
        """Read a line; False when it is no part of a diff, which is over then."""
        if self._minus is not None:
            minus, self._minus = self._minus, None
            if line.startswith("+++ "):
                self._end()
                self._name(minus, line)
                return True
            self._add(minus)
        if line.startswith("--- ") and not self._is_owed():
            self._minus = line
            return True
        match = _HUNK.fullmatch(line)
        if match or (line.startswith("@@") and _LOOSE_HUNK.fullmatch(line)):
            self._end()
            self._inside = True
            self._line = int(match[1]) if match else 0
            self._left = [int(match[2] or 1), int(match[4] or 1)] if match else None
            return True
        if _GIT.fullmatch(line):
            self._end()
            return True
        if not line:
            self._blank += 1
            return True
        if line[0] not in " +-\\" and self._loose and self._inside:
            # Models forget the space before lines that stay; whether such a line stands there will be seen.
            line = f" {line}"
        if line[0] not in " +-\\" or not (self._inside or self._loose):
            return False
        self._inside = True
        self._add(line)
        return True

    def finish(self, *, cut: bool) -> bool:
        """End the diff; False when it was cut before its last hunk was whole, by its numbers or for want of a fence's end."""
        if self._minus is not None:
            self._add(self._minus)
            self._minus = None
        short = cut and (self._is_owed() or (self._left is None and self._loose))
        if short and (self._old or self._new):
            self._old, self._new = [], []
            return False
        self._end()
        return True

    def _is_owed(self) -> bool:
        """Return whether the hunk's numbers say that lines are still to come."""
        return self._left is not None and any(left > 0 for left in self._left)

    def _name(self, minus: str, plus: str) -> None:
        names = [line[4:].split("\t")[0].strip() for line in (plus, minus)]
        for name in names:
            if name != "/dev/null":
                self._path = name[2:] if name[:2] in {"a/", "b/"} else name
                return

    def _add(self, line: str) -> None:
        for _ in range(self._blank):
            # Editors and models take the one space of an empty line away.
            self._put(" ")
        self._blank = 0
        self._put(line)

    def _put(self, line: str) -> None:
        if line[0] in " -":
            self._old.append(line[1:])
        if line[0] in " +":
            self._new.append(line[1:])
        if self._left is not None:
            self._left[0] -= line[0] in " -"
            self._left[1] -= line[0] in " +"

    def _end(self) -> None:
        while self._is_owed() and self._blank:
            self._put(" ")
            self._blank -= 1
        if self._old or self._new:
            self._done.append((self._path, tuple(self._old), tuple(self._new), self._line))
        self._old, self._new, self._line, self._left, self._blank = [], [], 0, None, 0
        self._inside = False
