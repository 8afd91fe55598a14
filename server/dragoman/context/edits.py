"""What the user changed or copied lately, in any file: the lines as they are now, newest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dragoman.clock import Clock
from dragoman.context.limits import CONTEXT_EDIT_LINES, CONTEXT_EDIT_PAUSE_S, CONTEXT_EDITS, YANK_CHARS
from dragoman.context.texts import TextView

_CLIPBOARD = "clipboard"
"""What stands in place of the path of text that was copied elsewhere."""


@dataclass(slots=True)
class _Edit:
    uri: str
    first: int
    last: int
    at: float
    text: TextView | None
    yanked: str = ""
    """What was copied, where nothing was changed."""


class RecentEdits:
    """The last changes of all documents; keys typed in one go at one place are one edit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._edits: deque[_Edit] = deque(maxlen=CONTEXT_EDITS)

    def changed(self, uri: str, before: TextView, text: TextView, first_line: int, last_line: int) -> None:
        """Take in that ``first_line..last_line`` of ``text`` are new."""
        if last_line - first_line > CONTEXT_EDIT_LINES:
            return  # A paste, a formatter or another branch says nothing of what the user is about.
        now = self._clock()
        grown = text.line_count - before.line_count
        newest = self._edits[-1] if self._edits else None
        if (
            newest is not None
            and newest.text is not None
            and newest.uri == uri
            and now - newest.at < CONTEXT_EDIT_PAUSE_S
            and newest.first - 2 <= first_line <= newest.last + 2
        ):
            newest.first = min(newest.first, first_line)
            newest.last = max(newest.last + max(0, grown), last_line)
            newest.first = max(newest.first, newest.last - CONTEXT_EDIT_LINES)
            newest.at, newest.text = now, text
        else:
            self._edits.append(_Edit(uri, first_line, last_line, now, text))

    def yanked(self, uri: str, text: str) -> None:
        """Take in that the user has copied lines of a document, or from another program for ""."""
        lines = text[:YANK_CHARS].strip("\r\n").splitlines()[:CONTEXT_EDIT_LINES]
        copied = "\n".join(lines)
        known = (edit for edit in self._edits if edit.yanked == copied)
        if copied.strip() and next(known, None) is None:
            self._edits.append(_Edit(uri, -1, -1, self._clock(), None, copied))

    def elsewhere(self, uri: str, path_of: Callable[[str], str]) -> tuple[tuple[str, int, str], ...]:
        """Return path, first line (from 0) and lines of the edits outside of ``uri``, the newest first."""
        found = []
        for edit in reversed(self._edits):
            if edit.text is None:
                # A copy from nowhere has no file that could be one of keys.
                if path := path_of(edit.uri) if edit.uri else _CLIPBOARD:
                    found.append((path, edit.first, edit.yanked))
                continue
            if edit.uri == uri or not (path := path_of(edit.uri)):
                continue
            last = min(edit.last, edit.text.line_count - 1)
            lines = [edit.text.line(number).rstrip("\r\n") for number in range(edit.first, last + 1)]
            if any(line.strip() for line in lines):
                found.append((path, edit.first, "\n".join(lines)))
        return tuple(found)
