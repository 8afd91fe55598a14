"""The index's file as its process holds it open: replaced when it is damaged, somewhere else when its folder cannot be written."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import tempfile
from pathlib import Path

from dragoman.context.workspace import place
from dragoman.context.workspace.store import IndexStore, delete

logger = logging.getLogger(__name__)


class OpenIndex:
    """One index, open for reading and writing until `close`; ``store`` is another one after `reopen`."""

    def __init__(self, path: Path) -> None:
        self.problem = ""
        """What is wrong with the place of the index, as a sentence."""
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.in_memory = False
        """Whether there is no file, so that nobody else can write to it."""
        self.path = path
        self.store = self._open()
        self._identity = _identity(self.path)

    @property
    def is_replaced(self) -> bool:
        """Whether somebody has deleted the file that is open, or put another in its place."""
        return not self.in_memory and _identity(self.path) != self._identity

    @property
    def size(self) -> int:
        """How many bytes the index takes on the disk."""
        total = 0
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                total += os.stat(f"{self.path}{end}").st_size  # noqa: PTH116 - the path is made by putting text behind it
        return total

    def reopen(self, *, damaged: bool = False) -> None:
        """Open the file that is there now, or an empty one in place of a damaged one."""
        with contextlib.suppress(sqlite3.Error):
            self.store.close()
        if damaged:
            logger.warning("the index %s is damaged and made anew", self.path.name)
            with contextlib.suppress(OSError):
                delete(self.path)
        self.store = self._open()
        self._identity = _identity(self.path)

    def close(self) -> None:
        """Close the file, and delete it if it was a temporary one."""
        with contextlib.suppress(sqlite3.Error):
            self.store.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _open(self) -> IndexStore:
        self.problem = ""
        try:
            place.claim(self.path)
            return IndexStore.open(self.path, write=True)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="dragoman-index-", ignore_cleanup_errors=True)
            self.path = Path(self._temporary.name) / self.path.name
            store = IndexStore.open(self.path, write=True)
        except (OSError, sqlite3.Error):
            self._report(f"Only files that are saved now are indexed: there is no room for an index ({reason}).")
            self.in_memory = True
            return IndexStore.open(None, write=True)
        self._report(f"The index is kept for this session only: its folder cannot be written ({reason}).")
        return store

    def _report(self, problem: str) -> None:
        self.problem = problem
        logger.warning("%s", problem)


def is_damage(error: Exception) -> bool:
    """Tell whether an error means that the index's file is not what it should be."""
    if not isinstance(error, sqlite3.DatabaseError):
        return False
    return not isinstance(error, sqlite3.OperationalError | sqlite3.IntegrityError) or any(
        word in str(error) for word in ("malformed", "not a database", "no such table", "no such column")
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one at the same place."""
    try:
        state = os.stat(path)  # noqa: PTH116 - called at every save
    except OSError:
        return None
    return state.st_dev, state.st_ino
