"""What the user changed lately: keys in one place grouped into edits, with the text before and after.

Hearing of a key costs a comparison of numbers: a text is frozen and shares its lines with the next one, so the text before an
edit is simply kept, and read only when somebody asks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property

from dragoman.clock import Clock, monotonic
from dragoman.completion.next_edit.tokens import Hunk, compare
from dragoman.completion.query import TextView
from dragoman.limits import (
    LONG_LINE_CHARS,
    NEXT_EDIT_DOCUMENTS,
    NEXT_EDIT_EDITS,
    NEXT_EDIT_PAUSE_S,
    NEXT_EDIT_REGION_LINES,
)


class Edit:
    """A region of lines that is not what it was: ``before`` and ``after``, and where it begins now.

    ``first`` is kept right while lines come and go above it.
    """

    def __init__(self, uri: str, first: int, before: str, after: str) -> None:
        self.uri = uri
        self.first = first
        self.before = before
        self.after = after

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """What changed in it; empty when it is not worth a look."""
        if self.before == self.after:
            return ()
        return compare(self.before, self.after) or ()

    @property
    def is_blank(self) -> bool:
        """Whether nothing but white space changed."""
        return self.before == self.after or self.before.split() == self.after.split()

    def covers(self, uri: str, line: int) -> bool:
        """Tell whether a line of a document, as it is now, belongs to it."""
        return uri == self.uri and self.first <= line < self.first + max(1, len(self.after.splitlines()))

    def after_of(self, earlier: Edit) -> Edit | None:
        """Return both edits as one, when this one went on where ``earlier`` ended."""
        if earlier.uri != self.uri or earlier.first != self.first or earlier.after != self.before:
            return None
        return Edit(self.uri, self.first, earlier.before, self.after)


@dataclass(slots=True)
class _Region:
    """The lines that are being edited: ``first..base_last`` of ``base`` have become ``first..last`` of the text now."""

    base: TextView
    base_first: int
    base_last: int
    first: int
    last: int
    touched_at: float


@dataclass(slots=True)
class _Document:
    text: TextView
    version: int


class History:
    """The documents as they are, and the last few edits of all of them, the newest last."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._documents: dict[str, _Document] = {}
        self._closed: deque[Edit] = deque(maxlen=NEXT_EDIT_EDITS)
        self._open: tuple[str, _Region] | None = None
        self._open_edit: Edit | None = None
        self.changes = 0
        """Grows with everything heard; two questions with the same number have the same answer."""

    def changed(self, uri: str, text: TextView, version: int, first: int, last: int) -> None:
        """Take in a new text; ``first..last`` (inclusive) are its new lines.

        A text that was not known and one that is new as a whole begin a history instead of adding to it.
        """
        self.changes += 1
        known = self._documents.get(uri)
        if known is None:
            self._documents[uri] = _Document(text, version)
            while len(self._documents) > NEXT_EDIT_DOCUMENTS:
                self.forget(next(iter(self._documents)))
            return
        old_last = last - (text.line_count - known.text.line_count)
        whole = first == 0 and last >= text.line_count - 1 and text.line_count > 1
        large = last - first >= NEXT_EDIT_REGION_LINES or old_last - first >= NEXT_EDIT_REGION_LINES
        if whole or large or old_last < first - 1:
            self._drop(uri)
        else:
            if not self._extend(uri, first, old_last, last):
                self._close()
                self._open = (uri, _Region(known.text, first, old_last, first, last, self._clock()))
            self._shift(uri, old_last, last - old_last)
        self._open_edit = None
        known.text, known.version = text, version

    def forget(self, uri: str) -> None:
        """Forget a document that is closed, and what was edited in it."""
        self.changes += 1
        self._documents.pop(uri, None)
        self._drop(uri)

    def version(self, uri: str) -> int | None:
        """Return the version of a document, None when it is not open."""
        document = self._documents.get(uri)
        return None if document is None else document.version

    def text(self, uri: str) -> TextView | None:
        """Return a document's text as it is now, None when it is not open."""
        document = self._documents.get(uri)
        return None if document is None else document.text

    @property
    def uris(self) -> list[str]:
        """The open documents, in the order of opening."""
        return list(self._documents)

    def edits(self) -> list[Edit]:
        """Return the last edits, the newest first; the one the user is at counts too. White space alone is no edit."""
        newest = self._newest()
        found = [] if newest is None else [newest]
        found += reversed(self._closed)
        return [edit for edit in found if not edit.is_blank]

    # -- the region that is being edited -------------------------------------------------------------------------------

    def _extend(self, uri: str, first: int, old_last: int, last: int) -> bool:
        """Make the open region cover a change in it; False when the change is elsewhere or came after a pause."""
        if self._open is None or self._open[0] != uri:
            return False
        region = self._open[1]
        now = self._clock()
        if first > region.last or old_last < region.first or now - region.touched_at > NEXT_EDIT_PAUSE_S:
            return False
        top = min(first, region.first)
        bottom = max(old_last, region.last)
        base_last = region.base_last + bottom - region.last
        if bottom - top >= NEXT_EDIT_REGION_LINES or base_last - top >= NEXT_EDIT_REGION_LINES:
            return False
        region.base_first -= region.first - top
        region.base_last = base_last
        region.first, region.last = top, bottom + last - old_last
        region.touched_at = now
        return True

    def _close(self) -> None:
        """Put the open region among the edits."""
        edit = self._newest()
        self._open = self._open_edit = None
        if edit is not None and not edit.is_blank:
            self._closed.append(edit)

    def _newest(self) -> Edit | None:
        if self._open is None:
            return None
        if self._open_edit is None:
            uri, region = self._open
            self._open_edit = _materialise(uri, region, self._documents[uri].text)
        return self._open_edit

    def _shift(self, uri: str, old_last: int, by: int) -> None:
        """Move the edits that stand below a change with their lines."""
        for edit in self._closed if by else ():
            if edit.uri == uri and edit.first > old_last:
                edit.first += by

    def _drop(self, uri: str) -> None:
        """Forget the edits of a document."""
        if self._open is not None and self._open[0] == uri:
            self._open = self._open_edit = None
        kept = [edit for edit in self._closed if edit.uri != uri]
        self._closed.clear()
        self._closed.extend(kept)


def _materialise(uri: str, region: _Region, text: TextView) -> Edit | None:
    before = _lines(region.base, region.base_first, region.base_last)
    after = _lines(text, region.first, region.last)
    return None if before is None or after is None else Edit(uri, region.first, before, after)


def _lines(text: TextView, first: int, last: int) -> str | None:
    """Return lines as one text, None when one of them is too long to be written by hand."""
    parts = []
    for index in range(max(first, 0), min(last, text.line_count - 1) + 1):
        line = text.line(index)
        if len(line) > LONG_LINE_CHARS:
            return None
        parts.append(line)
    return "".join(parts)
