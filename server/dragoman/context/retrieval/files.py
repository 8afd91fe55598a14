"""The workspace's files as retrieval reads them: open documents before the index, the index before the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from dragoman.context.limits import (
    RETRIEVAL_CACHED_FILES,
    RETRIEVAL_CACHED_PIECES,
    RETRIEVAL_POSTINGS,
    RETRIEVAL_READ_BYTES,
)
from dragoman.context.workspace.outline import Import, Outline, names_by_line
from dragoman.context.workspace.store import ChunkRow, IndexStore


class Overlay(Protocol):
    """An open document whose text is not on disk."""

    @property
    def text(self) -> str:
        """The text."""
        ...

    @property
    def outline(self) -> Outline:
        """What it defines."""
        ...


class Overlays(Protocol):
    """The open documents by path."""

    @property
    def version(self) -> int:
        """A number that is another one after any change."""
        ...

    def get(self, path: str) -> Overlay | None:
        """Return the document at ``path``, None when it is not open."""
        ...

    def items(self) -> Iterable[tuple[str, Overlay]]:
        """Return every path with its document."""
        ...


class Card(NamedTuple):
    """A `dragoman.context.workspace.outline.Symbol` as retrieval reads it: made by the hundred for each question."""

    name: str
    kind: str
    line: int
    end_line: int
    signature: str
    parent: int
    bases: Sequence[str]
    type: str


class File:
    """A file with what it defines and imports; ``id`` is its number in the index, -1 where it has none."""

    __slots__ = ("_members", "_places", "id", "imports", "language", "path", "symbols")

    def __init__(
        self, number: int, path: str, language: str, symbols: tuple[Card, ...], imports: tuple[Import, ...]
    ) -> None:
        self.id = number
        self.path = path
        self.language = language
        self.symbols = symbols
        self.imports = imports
        self._places: dict[tuple[str, int], int] | None = None
        self._members: dict[int, list[Card]] | None = None

    def find(self, name: str, parent: int = -1) -> int:
        """Return the position of the symbol ``name`` in ``parent``, -1 when there is none."""
        if self._places is None:
            self._places = {}
            for at, symbol in enumerate(self.symbols):
                self._places.setdefault((symbol.name, symbol.parent), at)
        return self._places.get((name, parent), -1)

    def top(self, limit: int) -> list[Card]:
        """Return what is defined at the top of the file."""
        return [symbol for symbol in self.symbols if symbol.parent < 0][:limit]

    def members(self, parent: int) -> list[Card]:
        """Return what is defined directly in the symbol at ``parent``."""
        if self._members is None:
            self._members = {}
            for symbol in self.symbols:
                if symbol.parent >= 0:
                    self._members.setdefault(symbol.parent, []).append(symbol)
        return self._members.get(parent, [])


class Piece(NamedTuple):
    """Lines of a file with the names on each."""

    lines: list[str]
    named: list[list[str]]

    @classmethod
    def of(cls, lines: list[str]) -> Self:
        """Read the names."""
        return cls(lines, names_by_line(lines))


class Files:
    """Reads files for one question after another; keeps the ones asked last."""

    def __init__(self, store: IndexStore, root: Path, overlays: Overlays) -> None:
        self.store = store
        self.root = root
        self.overlays = overlays
        self._files: dict[str, File | None] = {}
        self._lines: dict[str, list[str]] = {}
        self._read_bytes: dict[str, bytes] = {}
        self._pieces: dict[int, Piece] = {}
        self._holders: dict[str, list[int]] = {}
        self._opened: set[str] = set()
        self._version = (-1, -1)

    def begin(self) -> bool:
        """Start a question: forget what the index, or an open document, says differently by now; tells whether that is so."""
        version = (self.store.version(), self.overlays.version)
        self._lines.clear()
        self._read_bytes.clear()
        if len(self._pieces) > RETRIEVAL_CACHED_PIECES:
            self._pieces.clear()
            self._holders.clear()
        if version == self._version and len(self._files) <= RETRIEVAL_CACHED_FILES:
            return False
        if version[0] != self._version[0] or len(self._files) > RETRIEVAL_CACHED_FILES:
            self._files.clear()
            self._pieces.clear()
            self._holders.clear()
        # Somebody types, and only that: what other files hold is as it was.
        opened = {path for path, _ in self.overlays.items()}
        for path in opened | self._opened:
            self._files.pop(path, None)
        self._opened = opened
        self._version = version
        return True

    def get(self, path: str) -> File | None:
        """Return the file at ``path``, None when neither the index nor an open document has it."""
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def first(self, paths: Sequence[str]) -> File | None:
        """Return the first of the paths at which there is a file: one look-up, however many they are."""
        present = self.store.present(paths)
        for path in paths:
            known = path in present or self.overlays.get(path) is not None
            if known and (file := self.get(path)) is not None:
                return file
        return None

    def has_module(self, name: str) -> bool:
        """Tell whether any file or package is called ``name``, whatever its folder."""
        return self.store.has_module(name) or any(
            f"/{name}." in f"/{path}" or f"/{name}/" in f"/{path}" for path, _ in self.overlays.items()
        )

    def _read(self, path: str) -> File | None:
        found = self.store.outline(path)
        overlay = self.overlays.get(path)
        if overlay is not None:
            outline = overlay.outline
            symbols = tuple(
                Card(one.name, one.kind, one.line, one.end_line, one.signature, one.parent, one.bases, one.type)
                for one in outline.symbols
            )
            return File(found[0].id if found else -1, path, outline.language, symbols, outline.imports)
        if found is None:
            return None
        row, cards, imports = found
        return File(row.id, path, row.language, tuple(map(Card._make, cards)), tuple(Import(*one) for one in imports))

    def numbered(self, number: int) -> File | None:
        """Return the file with this number in the index."""
        path = self.store.path_of(number)
        return self.get(path) if path else None

    def lines(self, path: str) -> list[str]:
        """Return a file's lines without their ends; none for one that cannot be read now."""
        if path not in self._lines:
            overlay = self.overlays.get(path)
            text = overlay.text if overlay is not None else self._text(path)
            if "\r" in text:
                text = text.replace("\r\n", "\n").replace("\r", "\n")
            self._lines[path] = text.split("\n")
        return self._lines[path]

    def _text(self, path: str) -> str:
        return self._bytes(path).decode("utf-8", "replace")

    def _bytes(self, path: str) -> bytes:
        if path not in self._read_bytes:
            try:
                with (self.root / path).open("rb") as file:
                    self._read_bytes[path] = file.read(RETRIEVAL_READ_BYTES)
            except (OSError, ValueError):
                self._read_bytes[path] = b""
        return self._read_bytes[path]

    def holders(self, name: str) -> list[int]:
        """Return the first pieces of files that hold ``name``, at most `RETRIEVAL_POSTINGS`; kept while the index is the same."""
        found = self._holders.get(name)
        if found is None:
            found = self._holders[name] = self.store.chunks_with(name, RETRIEVAL_POSTINGS)
        return found

    def piece(self, chunk: ChunkRow) -> Piece:
        """Return a piece of a file; kept while the index is the same, for the next question is about the next line."""
        if self.overlays.get(chunk.path) is not None:
            return Piece.of(self.chunk_lines(chunk))
        found = self._pieces.get(chunk.id)
        if found is None:
            found = self._pieces[chunk.id] = Piece.of(self.chunk_lines(chunk))
        return found

    def chunk_lines(self, chunk: ChunkRow) -> list[str]:
        """Return the lines of a piece of a file as it is now; only these are decoded."""
        if chunk.path in self._lines or self.overlays.get(chunk.path) is not None:
            return self.lines(chunk.path)[chunk.first_line : chunk.last_line + 1]
        lines = self._bytes(chunk.path).split(b"\n", chunk.last_line + 1)[chunk.first_line : chunk.last_line + 1]
        text = b"\n".join(lines).decode("utf-8", "replace")
        if "\r" in text:
            if text.count("\r") != len(lines) or not text.endswith("\r"):
                return self.lines(chunk.path)[chunk.first_line : chunk.last_line + 1]
            text = text.replace("\r", "")
        return text.split("\n") if lines else []
