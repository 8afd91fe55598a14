"""Our own text store: the documents the editor has open, edited as the editor says, frozen for whoever reads them.

Why not the library's: it splits lines where editors do not, and rebuilds the whole text on every change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dragoman.lsp.lines import Lines, split_lines
from dragoman.lsp.positions import Encoding, content_length, to_code_points


class OutOfSyncError(Exception):
    """A change cannot be applied: what the editor shows is not known until it sends the whole text again."""


@dataclass(frozen=True, slots=True)
class DocumentSnapshot:
    """One version of one document; taking it costs nothing, keeping it is safe."""

    uri: str
    language_id: str
    version: int
    lines: Lines


@dataclass(frozen=True, slots=True)
class Change:
    """New text for a range in the client's units, or for the whole document when ``start`` is None."""

    text: str
    start: tuple[int, int] | None = None
    end: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Touched:
    """The inclusive range of lines that are new, counted in the text as it is now."""

    first: int
    last: int

    def then(self, old_first: int, old_last: int, new_last: int) -> Touched:
        """Return the range after another edit put ``old_first..new_last`` in place of ``old_first..old_last``."""

        def moved(line: int) -> int:
            if line > old_last:
                return line + new_last - old_last
            return min(line, new_last)

        return Touched(min(moved(self.first), old_first), max(moved(self.last), new_last))


class Document:
    """One open document; mutable, owned by the `DocumentStore`.

    ``in_sync`` is False from a change that makes no sense until the editor sends the whole text: nothing may be suggested for
    a text that the user does not see.
    """

    __slots__ = ("in_sync", "language_id", "lines", "uri", "version")

    def __init__(self, uri: str, language_id: str, version: int, text: str) -> None:
        self.uri = uri
        self.language_id = language_id
        self.version = version
        self.lines = Lines.of(text)
        self.in_sync = True

    def snapshot(self) -> DocumentSnapshot:
        """Freeze the document as it is now."""
        return DocumentSnapshot(self.uri, self.language_id, self.version, self.lines)

    def apply(self, changes: list[Change], version: int, encoding: Encoding) -> Touched:
        """Apply the changes of one notification in order and return the lines they touched.

        Raises `OutOfSyncError` when one of them makes no sense and none after it brings the whole text.
        While the document is out of sync, ranges mean nothing and are left out.
        """
        touched: Touched | None = None
        broken: OutOfSyncError | None = None
        self.version = version
        for change in changes:
            if change.start is None:
                self.lines = Lines.of(change.text)
                self.in_sync = True
                touched = Touched(0, self.lines.line_count - 1)
            elif change.start > change.end:
                self.in_sync = False
                broken = broken or OutOfSyncError(
                    f"{self.uri!r}: a change starts at line {change.start[0]}, character {change.start[1]}, behind its end at "
                    f"line {change.end[0]}, character {change.end[1]}. There are no suggestions for this file until the editor "
                    "sends its whole text again; closing and opening the file does that."
                )
            elif self.in_sync:
                first, old_last, new_last = self._splice(change.start, change.end, change.text, encoding)
                touched = Touched(first, new_last) if touched is None else touched.then(first, old_last, new_last)
        if broken is not None and not self.in_sync:
            raise broken
        return touched or Touched(0, 0)

    def _splice(
        self, start: tuple[int, int], end: tuple[int, int], text: str, encoding: Encoding
    ) -> tuple[int, int, int]:
        """Put ``text`` in place of a range; return (first line, last line before, last line now) of the region."""
        lines = self.lines
        first, start_at = self._locate(start, encoding)
        last, end_at = self._locate(end, encoding)
        before = lines.line(first)[:start_at]
        after = lines.line(last)[end_at:]
        new = split_lines(text) if text else [""]
        if len(new) == 1:
            new[0] = "".join((before, text, after))
        else:
            new[0] = before + new[0]
            if after == "\n" and not new[-1] and new[-2].endswith("\r"):
                # The inserted text ends in a carriage return and meets the line's own line feed: one terminator now.
                new.pop()
            new[-1] += after
        if first > 0 and new[0] == "\n" and (previous := lines.line(first - 1)).endswith("\r"):
            # Likewise at the front: the line before ends in a lone carriage return.
            first -= 1
            new[0] = previous + "\n"
        self.lines = lines.replace(first, last, new)
        return first, last, first + len(new) - 1

    def _locate(self, position: tuple[int, int], encoding: Encoding) -> tuple[int, int]:
        line, units = position
        if line >= self.lines.line_count:
            line = self.lines.line_count - 1
            return line, content_length(self.lines.line(line))
        return line, to_code_points(self.lines.line(line), units, encoding)


class DocumentStore:
    """The open documents by URI."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self.on_close: Callable[[], None] = lambda: None
        """Called after a document was forgotten."""

    def __len__(self) -> int:
        return len(self._documents)

    def open(self, uri: str, language_id: str, version: int, text: str) -> Document:
        """Take in a document as the editor opened it; one that is open already is replaced."""
        document = self._documents[uri] = Document(uri, language_id, version, text)
        return document

    def get(self, uri: str) -> Document | None:
        """Return the open document, None when the editor has not opened it."""
        return self._documents.get(uri)

    def close(self, uri: str) -> bool:
        """Forget a document; False when it was not open."""
        closed = self._documents.pop(uri, None) is not None
        if closed:
            self.on_close()
        return closed
