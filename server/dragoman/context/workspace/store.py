"""The index's file: what every file of a workspace defines, imports and mentions, in one SQLite database.

Beside signatures no text is kept, only where it stands: who wants lines reads them from the file.
Words are looked up through a full-text table whose rows are chunks; a chunk with other words gets a new row, and the old one
is ignored until a compaction, since that table forgets only what it is told again in full.
A file that is read again costs what has changed in it, wherever that has moved to.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dragoman.context.workspace.cards import find_tops, pack
from dragoman.context.workspace.outline import Import, Outline
from dragoman.limits import INDEX_BUSY_S, INDEX_CACHE_KIB, INDEX_DEAD_CHUNKS, INDEX_DEAD_SHARE, INDEX_SEGMENTS

logger = logging.getLogger(__name__)

VERSION = 4
"""Of the tables; an index of another version is made anew."""

_TABLES = """
CREATE TABLE files(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stem TEXT NOT NULL, folder TEXT NOT NULL, folder_name TEXT NOT NULL,
  language TEXT NOT NULL, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL, outline TEXT NOT NULL);
CREATE INDEX files_by_stem ON files(stem);
CREATE INDEX files_by_folder ON files(folder);
CREATE INDEX files_by_folder_name ON files(folder_name);
CREATE TABLE names(
  name TEXT NOT NULL, file INTEGER NOT NULL, position INTEGER NOT NULL, top INTEGER NOT NULL,
  PRIMARY KEY(name, file, position)) WITHOUT ROWID;
CREATE INDEX names_by_file ON names(file, top);
CREATE TABLE imported(leaf TEXT NOT NULL, file INTEGER NOT NULL, PRIMARY KEY(leaf, file)) WITHOUT ROWID;
CREATE INDEX imported_by_file ON imported(file);
CREATE TABLE chunks(
  id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL, first_line INTEGER NOT NULL, last_line INTEGER NOT NULL,
  digest INTEGER NOT NULL);
CREATE INDEX chunks_by_file ON chunks(file);
CREATE VIRTUAL TABLE words USING fts5(terms, content='', detail=none, columnsize=0, tokenize="unicode61 tokenchars '_'");
INSERT INTO words(words, rank) VALUES ('automerge', 0);
"""
_SEGMENTS = f"INSERT INTO words(words, rank) VALUES ('crisismerge', {INDEX_SEGMENTS})"  # noqa: S608 - a number.


@dataclass(frozen=True, slots=True)
class Entry:
    """One file for the index; ``terms`` has a text of space-separated identifiers for each chunk of the outline."""

    path: str
    language: str
    mtime_ns: int
    size: int
    outline: Outline
    terms: tuple[str, ...]


class FileRow(NamedTuple):
    """A file of the index."""

    id: int
    path: str
    language: str


class Stamp(NamedTuple):
    """A file of the index as it was when it was read: what the index says of it is the same as long as this is."""

    id: int
    mtime_ns: int
    size: int


class StoredFile(NamedTuple):
    """A file of the index as it was when it was read, with its path."""

    id: int
    path: str
    mtime_ns: int
    size: int


class NamedRow(NamedTuple):
    """A definition: ``top`` tells whether it is a class, function or type at the top of its file."""

    file: int
    path: str
    language: str
    position: int
    top: bool


class ChunkRow(NamedTuple):
    """A piece of a file; lines from 0 and inclusive, ``mtime_ns`` is when the file was written that they are of."""

    id: int
    file: int
    path: str
    first_line: int
    last_line: int
    mtime_ns: int


_CHUNK = "SELECT chunks.id, file, path, first_line, last_line, mtime_ns FROM chunks JOIN files ON files.id = file "


class IndexStore:
    """One connection to an index; use it from one thread at a time.

    Any number of processes may read while one writes; a second writer waits for the first for up to `INDEX_BUSY_S`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path | None, *, write: bool = True) -> IndexStore:
        """Open the index at ``path``, or one in memory for None; a corrupt one or one of another version is made anew.

        Raises OSError and sqlite3.OperationalError where the file cannot be made or read.
        """
        if path is None:
            return cls(_create(sqlite3.connect(":memory:", check_same_thread=False)))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return cls(_connect(path, write=write))
        except _ForeignError as error:
            logger.info("the index %s is made anew: %s", path.name, error)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
                raise
            logger.warning("the index %s is damaged and made anew: %s", path.name, error)
        delete(path)
        return cls(_connect(path, write=True))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    def known(self) -> dict[str, tuple[int, int]]:
        """Return modification time (nanoseconds) and size of every file in the index, by path."""
        rows = self._connection.execute("SELECT path, mtime_ns, size FROM files")
        return {path: (mtime, size) for path, mtime, size in rows}

    def put(self, entries: Sequence[Entry]) -> None:
        """Write files, new or changed, in one transaction; raises sqlite3.OperationalError when it cannot."""
        with self._transaction() as run:
            for entry in entries:
                self._put(run, entry)

    def remove(self, paths: Iterable[str]) -> None:
        """Forget files in one transaction; raises sqlite3.OperationalError when it cannot."""
        with self._transaction() as run:
            for path in paths:
                row = run.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
                if row is not None:
                    _forget(run, row[0])
                    run.execute("DELETE FROM files WHERE id = ?", row)

    def _put(self, run: sqlite3.Connection, entry: Entry) -> None:
        folder, _, name = entry.path.rpartition("/")
        row = run.execute("SELECT id FROM files WHERE path = ?", (entry.path,)).fetchone()
        outline = entry.outline
        values = (entry.language, entry.mtime_ns, entry.size, pack(outline), entry.path)
        if row is None:
            file = run.execute(
                "INSERT INTO files(language, mtime_ns, size, outline, path, stem, folder, folder_name) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, name.partition(".")[0], folder, folder.rpartition("/")[2]),
            ).lastrowid
            assert file is not None
        else:
            (file,) = row
            run.execute("UPDATE files SET language = ?, mtime_ns = ?, size = ?, outline = ? WHERE path = ?", values)
        is_new = row is None
        tops = find_tops(outline.symbols)
        names = {(one.name, at, int(at in tops)) for at, one in enumerate(outline.symbols)}
        _replace(run, "names", "name, position, top", file, names, is_new=is_new)
        _replace(run, "imported", "leaf", file, {(leaf_of(one),) for one in outline.imports}, is_new=is_new)
        _put_chunks(run, file, entry, is_new=is_new)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def compact_if_worn(self) -> bool:
        """Forget all words, and when each file was read, where most rows are of what is gone: the next crawl reads all again.

        What the files define stays known meanwhile. Tells whether it did so.
        """
        newest, alive = self._connection.execute("SELECT max(id), count(*) FROM chunks").fetchone()
        if newest is None or newest - alive <= max(INDEX_DEAD_CHUNKS, INDEX_DEAD_SHARE * alive):
            return False
        with self._transaction() as run:
            run.execute("INSERT INTO words(words) VALUES ('delete-all')")
            run.execute("DELETE FROM chunks")
            run.execute("DELETE FROM sqlite_sequence WHERE name = 'chunks'")
            run.execute("UPDATE files SET mtime_ns = -1")
        return True

    def tidy(self, pages: int) -> bool:
        """Merge a little of what writing has left in many pieces; False when there is nothing worth it.

        Left to itself the table would do that in the middle of a write, now and then a tenth of a second at once.
        """
        before = self._connection.total_changes
        self._connection.execute("INSERT INTO words(words, rank) VALUES ('merge', ?)", (pages,))
        # One change is the asking; see the documentation of FTS5 for "merge".
        return self._connection.total_changes - before > 1

    def join(self, pages: int) -> Iterator[None]:
        """Put all words into one piece, so many pages at a time: every look-up is twice as quick then as in six pieces.

        Yields between the steps, for somebody else to write.
        """
        ask = "INSERT INTO words(words, rank) VALUES ('merge', ?)"
        self._connection.execute(ask, (-pages,))
        yield
        while self.tidy(pages):
            yield

    # -- reading -------------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how many files, symbols and chunks there are."""
        return {
            what: self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own names.
            for what, table in (("files", "files"), ("symbols", "names"), ("chunks", "chunks"))
        }

    def version(self) -> int:
        """Return a number that is another one after any process, this one included, has changed the index."""
        (others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(others) * 1_000_003 + self._connection.total_changes

    def stamp(self, path: str) -> Stamp | None:
        """Return when the file at ``path`` was read, as far as the index goes."""
        row = self._connection.execute("SELECT id, mtime_ns, size FROM files WHERE path = ?", (path,)).fetchone()
        return Stamp(*row) if row else None

    def file(self, path: str) -> FileRow | None:
        """Return the file at ``path``."""
        row = self._connection.execute("SELECT id, path, language FROM files WHERE path = ?", (path,)).fetchone()
        return FileRow(*row) if row else None

    def has_below(self, folder: str) -> bool:
        """Tell whether there are files in a folder or below it; ``folder`` is a path without a slash at its end."""
        row = self._connection.execute(
            "SELECT 1 FROM files WHERE path >= ? AND path < ? LIMIT 1", (f"{folder}/", f"{folder}0")
        ).fetchone()
        return row is not None

    def path_of(self, file: int) -> str:
        """Return the path of a file, "" for one that is gone."""
        row = self._connection.execute("SELECT path FROM files WHERE id = ?", (file,)).fetchone()
        return row[0] if row else ""

    def files_with_stem(self, stem: str, limit: int = 50) -> list[FileRow]:
        """Return files called ``stem`` whatever their folder and ending."""
        rows = self._connection.execute("SELECT id, path, language FROM files WHERE stem = ? LIMIT ?", (stem, limit))
        return [FileRow(*row) for row in rows]

    def files_in(self, folder: str, limit: int) -> list[FileRow]:
        """Return files directly in a folder whose path ends with ``folder``; "" is the workspace's own."""
        if not folder:
            rows = self._connection.execute(
                "SELECT id, path, language FROM files WHERE folder = '' LIMIT ?", (limit,)
            ).fetchall()
            return [FileRow(*row) for row in rows]
        rows = self._connection.execute(
            "SELECT id, path, language, folder FROM files WHERE folder_name = ? LIMIT ?",
            (folder.rpartition("/")[2], 20 * limit),
        ).fetchall()
        near = [row for row in rows if row[3] == folder or row[3].endswith(f"/{folder}")]
        return [FileRow(*row[:3]) for row in near[:limit]]

    def outline(self, path: str) -> tuple[Stamp, str, str] | None:
        """Return of a file when it was read, its language and its outline, packed as `cards` has it."""
        row = self._connection.execute(
            "SELECT id, mtime_ns, size, language, outline FROM files WHERE path = ?", (path,)
        ).fetchone()
        return (Stamp(*row[:3]), row[3], row[4]) if row else None

    def symbols_named(self, name: str, limit: int = 20) -> list[tuple[int, int]]:
        """Return (file, position of the symbol in its outline) of the definitions of ``name``."""
        return self._connection.execute(
            "SELECT file, position FROM names WHERE name = ? LIMIT ?", (name, limit)
        ).fetchall()

    def defined(self, name: str, limit: int) -> list[NamedRow]:
        """Return the definitions of ``name`` with their files: one look-up, and no outline is read."""
        rows = self._connection.execute(
            "SELECT file, path, language, position, top FROM names JOIN files ON files.id = file WHERE name = ? LIMIT ?",
            (name, limit),
        )
        return [NamedRow(*row) for row in rows]

    def importers(self, leaf: str, limit: int = 50) -> list[int]:
        """Return the files that import something under the name ``leaf``: a module's last part or a member's name."""
        rows = self._connection.execute("SELECT file FROM imported WHERE leaf = ? LIMIT ?", (leaf, limit))
        return [row[0] for row in rows]

    def first_paths(self, limit: int) -> list[str]:
        """Return the paths of some files, in their order."""
        return [row[0] for row in self._connection.execute("SELECT path FROM files ORDER BY path LIMIT ?", (limit,))]

    def imported_most(self, limit: int) -> list[tuple[str, int]]:
        """Return the names that most files import, with how many do; reads the whole table."""
        return self._connection.execute(
            "SELECT leaf, count(*) FROM imported GROUP BY leaf ORDER BY 2 DESC, leaf LIMIT ?",
            (limit,),
        ).fetchall()

    def present(self, paths: Sequence[str]) -> set[str]:
        """Return those of the paths that are in the index."""
        marks = ",".join("?" * len(paths))
        rows = self._connection.execute(f"SELECT path FROM files WHERE path IN ({marks})", paths)  # noqa: S608 - marks.
        return {row[0] for row in rows}

    def modules(self, name: str, limit: int) -> list[str]:
        """Return the paths of files called ``name``, and of those directly in folders of that name that stand for the folder."""
        rows = self._connection.execute(
            "SELECT path FROM files WHERE stem = ?1 UNION ALL "
            "SELECT path FROM files WHERE folder_name = ?1 AND stem IN ('__init__', 'index', 'mod', 'init') LIMIT ?2",
            (name, limit),
        )
        return [row[0] for row in rows]

    def has_module(self, name: str) -> bool:
        """Tell whether a file is called ``name``, or lies directly in a folder of that name."""
        query = (
            "SELECT EXISTS(SELECT 1 FROM files WHERE stem = ?1) OR EXISTS(SELECT 1 FROM files WHERE folder_name = ?1)"
        )
        return bool(self._connection.execute(query, (name,)).fetchone()[0])

    def chunks_with(self, term: str, limit: int) -> list[int]:
        """Return the first chunks that hold ``term``, at most ``limit``; some may be gone.

        The first are those of the folders that were read first, near the documents that were open; the last ones would take
        eight times as long, since the table reads backwards badly.
        """
        if not term.isidentifier():
            return []
        query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid LIMIT ?"
        try:
            return [row[0] for row in self._connection.execute(query, (f'"{term}"', limit))]
        except sqlite3.OperationalError:
            # A name in a script that the full-text table takes for several words.
            return []

    def files_after(self, number: int, limit: int) -> list[StoredFile]:
        """Return the next files by their number, in its order: the order in which they were first read."""
        rows = self._connection.execute(
            "SELECT id, path, mtime_ns, size FROM files WHERE id > ? ORDER BY id LIMIT ?", (number, limit)
        )
        return [StoredFile(*row) for row in rows]

    def chunks_of(self, file: int) -> list[tuple[int, int]]:
        """Return the first and last line of each chunk of a file, in the file's order."""
        return self._connection.execute(
            "SELECT first_line, last_line FROM chunks WHERE file = ? ORDER BY first_line", (file,)
        ).fetchall()

    def chunk_at(self, path: str, line: int) -> ChunkRow | None:
        """Return the chunk of a file that holds a line."""
        row = self._connection.execute(
            f"{_CHUNK} WHERE path = ?1 AND first_line <= ?2 AND last_line >= ?2", (path, line)
        ).fetchone()
        return ChunkRow(*row) if row else None

    def chunks(self, numbers: Sequence[int]) -> list[ChunkRow]:
        """Return those of the chunks that still are."""
        marks = ",".join("?" * len(numbers))
        return [*map(ChunkRow._make, self._connection.execute(f"{_CHUNK} WHERE chunks.id IN ({marks})", numbers))]


class _ForeignError(Exception):
    """The file is an index of another version."""


def delete(path: Path) -> None:
    """Delete an index's files, as far as they are there."""
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=INDEX_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last files; they are read again.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{INDEX_CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            _create(connection)
        elif version != VERSION:
            raise _ForeignError(f"it has version {version}, this program writes {VERSION}")
        else:
            connection.execute("SELECT count(*) FROM (SELECT 1 FROM files LIMIT 1)").fetchone()
        if not write:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.isolation_level = None
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been quicker.
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(_SEGMENTS)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


def _is_damage(error: sqlite3.OperationalError) -> bool:
    return any(word in str(error) for word in ("malformed", "no such table", "no such column", "not a database"))


def _forget(run: sqlite3.Connection, file: int) -> None:
    for table in ("names", "imported", "chunks"):
        run.execute(f"DELETE FROM {table} WHERE file = ?", (file,))  # noqa: S608 - our own names.


def leaf_of(one: Import) -> str:
    """Return the name that an import is found by: what is imported, else the last part of its module."""
    if one.name and one.name != "*":
        return one.name
    return one.module.replace("/", ".").rpartition(".")[2]


def _replace(run: sqlite3.Connection, table: str, columns: str, file: int, rows: set[Any], *, is_new: bool) -> None:
    """Let ``rows`` be a table's rows of a file, writing what differs."""
    known = set() if is_new else {*run.execute(f"SELECT {columns} FROM {table} WHERE file = ?", (file,))}  # noqa: S608
    names = columns.split(", ")
    if gone := known - rows:
        where = " AND ".join(f"{name} = ?" for name in names)
        run.executemany(f"DELETE FROM {table} WHERE {where} AND file = {file}", gone)  # noqa: S608 - our own names.
    if added := rows - known:
        marks = ", ".join("?" * len(names))
        # In the table's own order, which is written several times quicker than any other.
        run.executemany(f"INSERT INTO {table}({columns}, file) VALUES ({marks}, {file})", sorted(added))  # noqa: S608


def _put_chunks(run: sqlite3.Connection, file: int, entry: Entry, *, is_new: bool) -> None:
    """Let a file's chunks be those of ``entry``; one with the words of an old one keeps its row, wherever it stands now."""
    known: dict[int, list[tuple[int, ...]]] = {}
    query = "SELECT digest, id, first_line, last_line FROM chunks WHERE file = ? ORDER BY id DESC"
    for digest, *rest in () if is_new else run.execute(query, (file,)):
        known.setdefault(digest, []).append(tuple(rest))
    for chunk, terms in zip(entry.outline.chunks, entry.terms, strict=True):
        lines = chunk.first_line, chunk.last_line
        digest = int.from_bytes(hashlib.blake2b(terms.encode("utf-8", "replace"), digest_size=6).digest())
        if same := known.get(digest):
            number, *before = same.pop()
            if (*before,) != lines:
                run.execute("UPDATE chunks SET first_line = ?, last_line = ? WHERE id = ?", (*lines, number))
            continue
        made = run.execute(
            "INSERT INTO chunks(file, first_line, last_line, digest) VALUES (?, ?, ?, ?)", (file, *lines, digest)
        )
        run.execute("INSERT INTO words(rowid, terms) VALUES (?, ?)", (made.lastrowid, terms))
    gone = [(number,) for rows in known.values() for number, *_ in rows]
    run.executemany("DELETE FROM chunks WHERE id = ?", gone)
