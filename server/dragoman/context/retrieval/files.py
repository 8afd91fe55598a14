"""The workspace's files as retrieval reads them: open documents before the index, the index before the disk."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, Self

from dragoman.context.limits import (
    RETRIEVAL_CACHED_FILES,
    RETRIEVAL_CACHED_HOLDERS,
    RETRIEVAL_CACHED_PIECES,
    RETRIEVAL_POSTINGS,
    RETRIEVAL_READ_BYTES,
)
from dragoman.context.retrieval.recent import Recent
from dragoman.context.workspace.cards import Card, Cards, pack
from dragoman.context.workspace.outline import Import, Outline, names_by_line
from dragoman.context.workspace.store import ChunkRow, IndexStore, Stamp


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


class File:
    """A file with what it defines and imports; ``symbols`` and ``imports`` are made as far as somebody looks."""

    __slots__ = ("_imports", "language", "path", "symbols")

    def __init__(self, path: str, language: str, packed: str) -> None:
        self.path = path
        self.language = language
        self.symbols = Cards(packed)
        self._imports: tuple[Import, ...] | None = None

    @classmethod
    def of(cls, path: str, outline: Outline) -> Self:
        """Return the file that has this outline."""
        return cls(path, outline.language, pack(outline))

    @property
    def imports(self) -> tuple[Import, ...]:
        """What it takes from elsewhere."""
        if self._imports is None:
            self._imports = self.symbols.imports()
        return self._imports

    def find(self, name: str, parent: int = -1) -> int:
        """Return the position of the symbol ``name`` in ``parent``, -1 when there is none."""
        return self.symbols.find(name, parent)

    def top(self, limit: int) -> list[Card]:
        """Return what is defined at the top of the file."""
        return self.symbols.tops(limit)

    def members(self, parent: int) -> list[Card]:
        """Return what is defined directly in the symbol at ``parent``."""
        return self.symbols.inside(parent)


class _Kept:
    """A file as it was last read, None for one that there is not; ``checked`` is the state of the index that it is known for."""

    __slots__ = ("checked", "file", "stamp")

    def __init__(self, file: File | None, stamp: Stamp | None, checked: int) -> None:
        self.file = file
        self.stamp = stamp
        self.checked = checked


class Piece:
    """Lines of a file with the names on each; ``places`` has the lines of each name, every line once."""

    __slots__ = ("lines", "named", "places")

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.named = names_by_line(lines)
        self.places: dict[str, list[int]] = {}
        places = self.places
        for at, names in enumerate(self.named):
            for name in names:
                found = places.get(name)
                if found is None:
                    places[name] = [at]
                elif found[-1] != at:
                    found.append(at)


class Files:
    """Reads files for one question after another; keeps the ones asked last."""

    def __init__(self, store: IndexStore, root: Path, overlays: Overlays) -> None:
        self.store = store
        self.root = root
        self.overlays = overlays
        self._root = str(root)
        self._files: Recent[str, _Kept | None] = Recent(RETRIEVAL_CACHED_FILES)
        self._lines: dict[str, list[str]] = {}
        self._read_bytes: dict[str, bytes] = {}
        self._pieces: Recent[ChunkRow, Piece | None] = Recent(RETRIEVAL_CACHED_PIECES)
        self._holders: Recent[str, Sequence[int] | None] = Recent(RETRIEVAL_CACHED_HOLDERS)
        self._opened: set[str] = set()
        self._version = (-1, -1)

    def begin(self) -> bool:
        """Start a question: forget what the index, or an open document, says differently by now; tells whether that is so."""
        version = (self.store.version(), self.overlays.version)
        self._lines.clear()
        self._read_bytes.clear()
        if version == self._version:
            return False
        if version[0] != self._version[0]:
            self._holders.clear()
        # Somebody types, and only that: what other files hold is as it was.
        opened = {path for path, _ in self.overlays.items()}
        for path in opened | self._opened:
            self._files.forget(path)
        self._opened = opened
        self._version = version
        return True

    def get(self, path: str) -> File | None:
        """Return the file at ``path``, None when neither the index nor an open document has it."""
        kept = self._files.get(path, None)
        if kept is not None:
            if kept.checked == self._version[0]:
                return kept.file
            if path in self._opened or self.store.stamp(path) == kept.stamp:
                # The index has changed, but not here.
                kept.checked = self._version[0]
                return kept.file
        kept = self._read(path)
        self._files.put(path, kept)
        return kept.file

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

    def _read(self, path: str) -> _Kept:
        overlay = self.overlays.get(path)
        if overlay is not None:
            return _Kept(File.of(path, overlay.outline), None, self._version[0])
        found = self.store.outline(path)
        if found is None:
            return _Kept(None, None, self._version[0])
        stamp, language, packed = found
        return _Kept(File(path, language, packed), stamp, self._version[0])

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
                # Without Path and a buffer, which cost more than to read a file of this size.
                descriptor = os.open(f"{self._root}/{path}", os.O_RDONLY | getattr(os, "O_BINARY", 0))
                try:
                    self._read_bytes[path] = os.read(descriptor, RETRIEVAL_READ_BYTES)
                finally:
                    os.close(descriptor)
            except (OSError, ValueError):
                self._read_bytes[path] = b""
        return self._read_bytes[path]

    def holders(self, name: str) -> Sequence[int]:
        """Return the first pieces of files that hold ``name``, at most `RETRIEVAL_POSTINGS`; kept while the index is the same."""
        found = self._holders.get(name, None)
        if found is None:
            # A tenth of the memory of a list.
            found = array("q", self.store.chunks_with(name, RETRIEVAL_POSTINGS))
            self._holders.put(name, found)
        return found

    def piece(self, chunk: ChunkRow) -> Piece:
        """Return a piece of a file; kept while the file is the same, for the next question is about the next line."""
        if self.overlays.get(chunk.path) is not None:
            return Piece(self.chunk_lines(chunk))
        found = self._pieces.get(chunk, None)
        if found is None:
            found = Piece(self.chunk_lines(chunk))
            self._pieces.put(chunk, found)
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
