"""Keeps the vectors of a workspace in step with its index: says which pieces lack one, takes them in, finds the nearest.

The index's process calls no model, so the server asks for pieces, has them embedded, and hands the vectors back.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.opening import OpenIndex
from dragoman.context.workspace.protocol import Message
from dragoman.context.workspace.store import IndexStore, StoredFile
from dragoman.context.workspace.update import read_wanted
from dragoman.context.workspace.vector_limits import (
    VECTOR_FILE_PIECES,
    VECTOR_PIECE_CHARS,
    VECTOR_PIECES,
    VECTOR_SWEEP_FILES,
    VECTOR_SWEEP_S,
    VECTOR_TEXT_CHARS,
)
from dragoman.context.workspace.vectors import EmbeddedPiece, VectorFile, decode
from dragoman.errors import WorkspaceIndexError
from dragoman.security.paths import is_secret_path

METHODS = frozenset({"unembedded", "embedded", "nearest"})
"""What the server may ask."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file that has no vector; ``line`` is in its middle, from 0."""

    path: str
    line: int
    digest: bytes
    text: str

    def to_wire(self) -> Message:
        """Return it as JSON-able values."""
        return {"path": self.path, "line": self.line, "digest": self.digest.hex(), "text": self.text}


class VectorIndex:
    """One workspace's vectors, opened when somebody first asks."""

    def __init__(self, root: Path, index: OpenIndex) -> None:
        self._root = root
        self._index = index
        self._file: VectorFile | None = None
        self._store: IndexStore | None = None
        self._sweep: Iterator[Piece | None] | None = None
        self._begun_at = -1
        """The index's version when the sweep began."""
        self._given = 0
        """Pieces that this sweep has given out."""
        self._complete = False
        self._settled_at = -1
        """The version for which every piece has its vector."""

    def call(self, method: str, params: Message, rules: IgnoreRules, *, complete: bool) -> Message:
        """Answer the server; what keeps vectors from being used is the answer's ``problem``, and never an error.

        ``rules`` are the ignore rules in force; ``complete`` says that a file that is not in the index is not there.
        """
        self._complete = complete
        try:
            file = self._open()
            if not file.is_writer and file.is_free():
                self.close()
                file = self._open()
            if method == "nearest":
                return self._find(file, params)
            if not file.is_writer:
                return {"done": True, "stored": file.count()}
            return self._take(file, params) if method == "embedded" else self._give(file, params, rules)
        except WorkspaceIndexError as error:
            # A file that was damaged is looked at again when it is opened again.
            self.close()
            return {"problem": error.message}

    def close(self) -> None:
        """Close the file."""
        file, self._file, self._sweep = self._file, None, None
        if file is not None:
            file.close()

    def _open(self) -> VectorFile:
        if self._index.in_memory:
            raise WorkspaceIndexError("There is no room for vectors beside the index.")
        if self._file is None or self._store is not self._index.store:
            self.close()
            self._file = VectorFile(self._index.path)
            self._store, self._settled_at = self._index.store, -1
        return self._file

    # -- which pieces lack a vector ------------------------------------------------------------------------------------

    def _give(self, file: VectorFile, params: Message, rules: IgnoreRules) -> Message:
        """Look for pieces for a few milliseconds; ``more`` says that there may be others, ``done`` that all have vectors."""
        if file.model != params["model"]:
            file.begin(params["model"])
            self._sweep, self._settled_at = None, -1
        store = self._index.store
        pieces: list[Piece] = []
        deadline = time.monotonic() + VECTOR_SWEEP_S
        while len(pieces) < params["limit"] and time.monotonic() < deadline:
            if self._sweep is None:
                if store.version() == self._settled_at:
                    break
                self._begun_at, self._given = store.version(), 0
                self._sweep = self._walk(store, file, rules)
            try:
                piece = next(self._sweep)
            except StopIteration:
                self._sweep = None
                if self._given or not self._complete:
                    # What was given out is not here yet, nor are all files: the next sweep will see.
                    break
                self._settled_at = self._begun_at
                continue
            if piece is not None:
                pieces.append(piece)
                self._given += 1
        done = self._sweep is None and store.version() == self._settled_at
        return {
            "pieces": [piece.to_wire() for piece in pieces],
            "more": self._sweep is not None or (self._complete and not done),
            "done": done,
            "stored": file.count(),
        }

    def _walk(self, store: IndexStore, file: VectorFile, rules: IgnoreRules) -> Iterator[Piece | None]:
        """Go through the files of the index and yield what lacks a vector, with None where there is time for others."""
        last, room = 0, VECTOR_PIECES - file.count()
        while rows := store.files_after(last, VECTOR_SWEEP_FILES):
            for row in rows:
                last = row.id
                if file.state_of(row.path) == (row.mtime_ns, row.size):
                    continue
                for piece in self._compare(store, file, rules, row):
                    if room > 0:
                        room -= 1
                        yield piece
                yield None
            yield None
        if not self._complete:
            return  # An index that is made anew has its files again soon.
        path = ""
        while paths := file.paths_after(path, VECTOR_SWEEP_FILES):
            for path in paths:
                if store.file(path) is None:
                    file.forget(path)
            yield None

    def _compare(self, store: IndexStore, file: VectorFile, rules: IgnoreRules, row: StoredFile) -> list[Piece]:
        """Hold a file's pieces against those with a vector; delete the vectors of those that are gone and return the new."""
        contents = None if is_secret_path(self._root / row.path) else read_wanted(self._root, rules, row.path)
        if contents is None:
            file.forget(row.path)
            return []
        if (contents.mtime_ns, contents.size) != (row.mtime_ns, row.size):
            return []  # The index will hear of it.
        lines = contents.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        pieces: dict[bytes, Piece] = {}
        for first, last in store.chunks_of(row.id)[:VECTOR_FILE_PIECES]:
            text = "\n".join(lines[first : last + 1])[:VECTOR_TEXT_CHARS].strip("\n")
            if len(text) >= VECTOR_PIECE_CHARS:
                digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
                pieces.setdefault(digest, Piece(row.path, (first + last) // 2, digest, text))
        known = file.keep(row.path, {digest: piece.line for digest, piece in pieces.items()})
        if len(known) == len(pieces):
            file.complete(row.path, row.mtime_ns, row.size)
        return [piece for digest, piece in pieces.items() if digest not in known]

    # -- vectors -------------------------------------------------------------------------------------------------------

    def _take(self, file: VectorFile, params: Message) -> Message:
        """Write what was embedded, but for files that have gone meanwhile."""
        pieces = [
            EmbeddedPiece(one["path"], one["line"], bytes.fromhex(one["digest"]), _usable(one.get("vector")))
            for one in params["pieces"]
            if self._index.store.file(one["path"]) is not None
        ]
        sizes = {len(piece.vector) for piece in pieces if piece.vector is not None}
        if file.model == params["model"] and len(sizes) <= 1:
            for size in sizes:
                file.begin(file.model, size)
            file.put(pieces)
        return {"stored": file.count()}

    def _find(self, file: VectorFile, params: Message) -> Message:
        if not file.is_writer:
            file.read_facts()
        vector = decode(params["vector"])
        return {"pieces": file.nearest(vector, params["path"]) if file.model == params["model"] else []}


def _usable(text: str | None) -> array[float] | None:
    """Read a vector; one of zeros points nowhere and is none."""
    vector = decode(text) if text else None
    return vector if vector is not None and any(vector) else None
