"""The vectors' file: what each piece of a workspace is about, beside the index and made anew for another model.

This Python's own SQLite loads extensions on few machines, so the file is opened with one that brings its own (the extra
``vectors``). No text is kept, only where it stands and a digest of it.
A look-up compares signs first, a bit a number, and then the numbers of the few that are most alike.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dragoman.context.workspace import place
from dragoman.context.workspace.store import delete
from dragoman.context.workspace.vector_limits import VECTOR_CANDIDATES, VECTOR_DIMENSIONS, VECTOR_NEAREST
from dragoman.errors import WorkspaceIndexError
from dragoman.extras import why_no_vectors
from dragoman.file_lock import try_lock
from dragoman.limits import INDEX_BUSY_S

if TYPE_CHECKING:
    import apsw

logger = logging.getLogger(__name__)

VERSION: Final = 1
"""Of the tables; a file of another version is made anew."""

_TABLES = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files(path TEXT PRIMARY KEY, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pieces(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL, digest BLOB NOT NULL, line INTEGER NOT NULL, numbers BLOB, UNIQUE(path, digest));
"""


@dataclass(frozen=True, slots=True)
class EmbeddedPiece:
    """A piece of a file around ``line`` (from 0) with its vector, None for one that the model refuses."""

    path: str
    line: int
    digest: bytes
    vector: array[float] | None


class VectorFile:
    """One open file of vectors; use it from one thread. Raises `WorkspaceIndexError` for whatever is wrong with it."""

    def __init__(self, index: Path) -> None:
        self.path = index.with_suffix(".vectors.sqlite")
        if problem := why_no_vectors():
            raise WorkspaceIndexError(problem)
        with _explained(self.path):
            place.claim(self.path)
            self._lock = os.open(place.lock_file(self.path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.is_writer = try_lock(self._lock)
            """Whether this process keeps the file; another server's looks things up in it."""
            self._connection = self._open()
        self.model = ""
        self.dimensions = 0
        self.read_facts()

    def _open(self) -> apsw.Connection:
        import apsw

        try:
            return self._connect()
        except (apsw.CorruptError, apsw.NotADBError) as error:
            if not self.is_writer:
                raise
            logger.warning("the vectors %s are damaged and made anew: %s", self.path.name, error)
        delete(self.path)
        return self._connect()

    def _connect(self) -> apsw.Connection:
        import apsw
        import sqlite_vec

        connection = apsw.Connection(str(self.path))
        try:
            self.path.chmod(0o600)
            connection.set_busy_timeout(int(INDEX_BUSY_S * 1_000))
            connection.enable_load_extension(True)
            connection.load_extension(sqlite_vec.loadable_path())
            connection.enable_load_extension(False)
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may lose the last vectors; they are made again.
            connection.execute("PRAGMA synchronous = OFF")
            if self.is_writer and connection.pragma("user_version") != VERSION:
                _clear(connection)
                connection.execute(f"{_TABLES} PRAGMA user_version = {VERSION};")
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the file and let another process keep it."""
        self._connection.close()
        os.close(self._lock)

    def is_free(self) -> bool:
        """Tell whether nobody keeps the file any more: who opens it anew does."""
        return self.is_writer or try_lock(self._lock)

    # -- whose vectors these are ---------------------------------------------------------------------------------------

    def read_facts(self) -> None:
        """Look up whose vectors these are: another process may have begun anew."""
        with _explained(self.path):
            facts = dict(self._connection.execute("SELECT name, value FROM facts"))
        self.model, self.dimensions = str(facts.get("model", "")), int(facts.get("dimensions", 0))

    def begin(self, model: str, dimensions: int = 0) -> None:
        """Make the file that of a model, empty if it was another's; ``dimensions`` is 0 as long as they are not known."""
        if dimensions > VECTOR_DIMENSIONS:
            raise WorkspaceIndexError(
                f"Vectors of {dimensions} numbers are too long; {VECTOR_DIMENSIONS} are the most."
            )
        if model == self.model and dimensions in (0, self.dimensions):
            return
        with self._transaction() as run:
            if self.model != model or self.dimensions:
                if self.model:
                    logger.info("the vectors %s are made anew for %s", self.path.name, model)
                for statement in ("DROP TABLE IF EXISTS signs", "DELETE FROM files", "DELETE FROM pieces"):
                    run.execute(statement)
            if dimensions:
                run.execute(f"CREATE VIRTUAL TABLE signs USING vec0(bits bit[{_padded(dimensions)}])")
            for fact in (("model", model), ("dimensions", dimensions)):
                run.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", fact)
        self.model, self.dimensions = model, dimensions

    # -- writing -------------------------------------------------------------------------------------------------------

    def put(self, pieces: Iterable[EmbeddedPiece]) -> None:
        """Write pieces in place of those of the same text; all vectors have the file's dimensions."""
        with self._transaction() as run:
            for piece in pieces:
                numbers = None if piece.vector is None else _as_bytes(piece.vector)
                self._forget(run, run.execute("SELECT id FROM pieces WHERE path = ? AND digest = ?", _key(piece)))
                run.execute(
                    "INSERT INTO pieces(path, digest, line, numbers) VALUES (?, ?, ?, ?)",
                    (*_key(piece), piece.line, numbers),
                )
                if piece.vector is not None and numbers is not None:
                    number = self._connection.last_insert_rowid()
                    run.execute("INSERT INTO signs(rowid, bits) VALUES (?, vec_bit(?))", (number, _signs(piece.vector)))

    def keep(self, path: str, lines: dict[bytes, int]) -> set[bytes]:
        """Keep only these pieces of a file, by digest, note on which line each is now, and return those that are there."""
        known = self._all("SELECT id, digest, line FROM pieces WHERE path = ?", (path,))
        gone = [(number,) for number, digest, _ in known if digest not in lines]
        moved = [(lines[digest], number) for number, digest, line in known if lines.get(digest, line) != line]
        if gone or moved:
            with self._transaction() as run:
                self._forget(run, gone)
                run.executemany("UPDATE pieces SET line = ? WHERE id = ?", moved)
        return {digest for _, digest, _ in known if digest in lines}

    def complete(self, path: str, mtime_ns: int, size: int) -> None:
        """Note that every piece of a file as it was then is here."""
        with self._transaction() as run:
            run.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (path, mtime_ns, size))

    def forget(self, path: str) -> None:
        """Delete what is known of a file."""
        with self._transaction() as run:
            self._forget(run, run.execute("SELECT id FROM pieces WHERE path = ?", (path,)))
            run.execute("DELETE FROM files WHERE path = ?", (path,))

    def _forget(self, run: apsw.Connection, numbers: Iterable[Sequence[int]]) -> None:
        for (number,) in [*numbers]:
            run.execute("DELETE FROM pieces WHERE id = ?", (number,))
            if self.dimensions:
                run.execute("DELETE FROM signs WHERE rowid = ?", (number,))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        with _explained(self.path), self._connection:
            yield self._connection

    # -- reading -------------------------------------------------------------------------------------------------------

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _explained(self.path):
            return list(self._connection.execute(query, values))

    def count(self) -> int:
        """Return how many pieces there are."""
        return int(self._all("SELECT count(*) FROM pieces")[0][0])

    def state_of(self, path: str) -> tuple[int, int] | None:
        """Return modification time (nanoseconds) and size that a file had when all of its pieces came in."""
        row = next(iter(self._all("SELECT mtime_ns, size FROM files WHERE path = ?", (path,))), None)
        return None if row is None else (row[0], row[1])

    def paths_after(self, path: str, limit: int) -> list[str]:
        """Return the next paths that have pieces or were complete, in their order."""
        query = (
            "SELECT path FROM (SELECT path FROM files WHERE path > ?1 UNION SELECT path FROM pieces WHERE path > ?1) "
            "ORDER BY path LIMIT ?2"
        )
        return [str(row[0]) for row in self._all(query, (path, limit))]

    def nearest(self, vector: array[float], without: str) -> list[tuple[str, int]]:
        """Return path and line of the pieces whose vectors are most alike, the nearest first, but none of the file ``without``."""
        if len(vector) != self.dimensions or not any(vector):
            return []
        query = (
            "SELECT path, line FROM pieces WHERE path != ?1 AND "
            "id IN (SELECT rowid FROM signs WHERE bits MATCH vec_bit(?2) AND k = ?3) "
            "ORDER BY vec_distance_cosine(vec_int8(numbers), vec_int8(?4)), id LIMIT ?5"
        )
        values = (without, _signs(vector), VECTOR_CANDIDATES, _as_bytes(vector), VECTOR_NEAREST)
        return [(row[0], row[1]) for row in self._all(query, values)]


def _key(piece: EmbeddedPiece) -> tuple[str, bytes]:
    return piece.path, piece.digest


def _clear(connection: apsw.Connection) -> None:
    for table in ("signs", "pieces", "files", "facts"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what a database or a disk says into a sentence."""
    import apsw

    try:
        yield
    except (apsw.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WorkspaceIndexError(f"The vectors {path.name} cannot be used: {reason}.") from error


# -- numbers -----------------------------------------------------------------------------------------------------------


def encode(vector: Sequence[float]) -> str:
    """Write a vector for a message: Base64 of its numbers at 32 bits, little-endian."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def decode(text: str) -> array[float]:
    """Read what `encode` wrote."""
    numbers = array("f", base64.b64decode(text))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _padded(dimensions: int) -> int:
    return -(-dimensions // 8) * 8


def _signs(vector: array[float]) -> bytes:
    """Return a bit for each number, whether it is above zero, in whole bytes."""
    bits = "".join("1" if number > 0 else "0" for number in vector)
    size = _padded(len(vector))
    return int(bits.ljust(size, "0"), 2).to_bytes(size // 8, "big")


def _as_bytes(vector: array[float]) -> bytes:
    """Return the numbers at 8 bits: the angle between two vectors is the same at any scale."""
    scale = 127 / max(map(abs, vector))
    return array("b", [round(number * scale) for number in vector]).tobytes()
