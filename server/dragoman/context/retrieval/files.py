"""The workspace's files as retrieval reads them: open documents before the index, the index before the disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dragoman.context.workspace.outline import Import, Outline, Symbol
from dragoman.context.workspace.store import ChunkRow, FileRow, IndexStore
from dragoman.limits import RETRIEVAL_CACHED_FILES, RETRIEVAL_READ_BYTES

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


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

    def get(self, path: str) -> Overlay | None:
        """Return the document at ``path``, None when it is not open."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A file with what it defines and imports; ``id`` is its number in the index, -1 where it has none."""

    id: int
    path: str
    language: str
    symbols: tuple[Symbol, ...]
    imports: tuple[Import, ...]

    def find(self, name: str, parent: int = -1) -> int:
        """Return the position of the symbol ``name`` in ``parent``, -1 when there is none."""
        for at, symbol in enumerate(self.symbols):
            if symbol.name == name and symbol.parent == parent:
                return at
        return -1

    def members(self, parent: int) -> list[Symbol]:
        """Return what is defined directly in the symbol at ``parent``."""
        return [symbol for symbol in self.symbols[parent + 1 :] if symbol.parent == parent]


class Files:
    """Reads files for one question after another; keeps the ones asked last."""

    def __init__(self, store: IndexStore, root: Path, overlays: Overlays) -> None:
        self.store = store
        self.root = root
        self.overlays = overlays
        self._files: dict[str, File | None] = {}
        self._lines: dict[str, list[str]] = {}
        self._version = -1

    def begin(self) -> None:
        """Start a question: forget what the index says differently by now."""
        version = self.store.version()
        if version != self._version or len(self._files) > RETRIEVAL_CACHED_FILES:
            self._files.clear()
            self._version = version
        self._lines.clear()

    def forget(self, path: str) -> None:
        """Forget a file that was changed."""
        self._files.pop(path, None)

    def get(self, path: str) -> File | None:
        """Return the file at ``path``, None when neither the index nor an open document has it."""
        overlay = self.overlays.get(path)
        if overlay is not None:
            row = self.store.file(path)
            outline = overlay.outline
            return File(row.id if row else -1, path, outline.language, outline.symbols, outline.imports)
        if path not in self._files:
            row = self.store.file(path)
            self._files[path] = None if row is None else self._read(row)
        return self._files[path]

    def numbered(self, number: int) -> File | None:
        """Return the file with this number in the index."""
        path = self.store.path_of(number)
        return self.get(path) if path else None

    def _read(self, row: FileRow) -> File:
        return File(row.id, row.path, row.language, self.store.symbols_of(row.id), self.store.imports_of(row.id))

    def lines(self, path: str) -> list[str]:
        """Return a file's lines without their ends; none for one that cannot be read now."""
        if path not in self._lines:
            overlay = self.overlays.get(path)
            self._lines[path] = _LINE_BREAK.split(overlay.text if overlay is not None else self._text(path))
        return self._lines[path]

    def _text(self, path: str) -> str:
        try:
            with (self.root / path).open("rb") as file:
                return file.read(RETRIEVAL_READ_BYTES).decode("utf-8", "replace")
        except (OSError, ValueError):
            return ""

    def chunk_lines(self, chunk: ChunkRow) -> list[str]:
        """Return the lines of a piece of a file as it is now."""
        return self.lines(chunk.path)[chunk.first_line : chunk.last_line + 1]
