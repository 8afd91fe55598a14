"""A look at the index of a workspace from outside: whether there is one and what it holds, without building or opening it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from dragoman.context.workspace.place import index_file, lock_file
from dragoman.context.workspace.store import VERSION
from dragoman.file_lock import try_lock

State = Literal["absent", "scanning", "ready", "damaged"]


@dataclass(frozen=True, slots=True)
class IndexOnDisk:
    """What lies at ``path``: how many files it knows and how many bytes it takes; ``problem`` says why it is no index."""

    path: Path
    state: State
    files: int = 0
    bytes: int = 0
    problem: str = ""


def inspect_index(root: Path, folder: Path | None = None) -> IndexOnDisk:
    """Look at the index of the workspace ``root``, kept in ``folder`` (None: the usual one); never raises, changes nothing."""
    path = index_file(root, folder)
    size = sum(_size(Path(f"{path}{end}")) for end in ("", "-wal"))
    if not path.exists():
        return IndexOnDisk(path, "absent")
    try:
        files = _count(path)
    except sqlite3.Error as error:
        return IndexOnDisk(path, "damaged", bytes=size, problem=str(error))
    return IndexOnDisk(path, "scanning" if _is_crawled(path) else "ready", files, size)


def _count(path: Path) -> int:
    # Without a log beside it the file is whole, and to be told so keeps SQLite from making one.
    mode = "mode=ro" if _size(Path(f"{path}-wal")) else "mode=ro&immutable=1"
    address = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=1.0)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise sqlite3.DatabaseError(f"it has version {version}, this program reads {VERSION}")
        (count,) = connection.execute("SELECT count(*) FROM files").fetchone()
    return int(count)


def _is_crawled(path: Path) -> bool:
    """Tell whether somebody reads the workspace into the index now."""
    try:
        descriptor = os.open(lock_file(path), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
