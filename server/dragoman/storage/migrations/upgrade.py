"""Brings a database to this version, once, however many processes open it at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from dragoman.errors import DatabaseLockedError, DatabaseTooNewError
from dragoman.file_lock import try_lock
from dragoman.storage.failures import explain_database, explain_file
from dragoman.storage.limits import ADVISORY_LOCK, BACKUPS_KEPT, BUSY_S, OPEN_LOCK_S, OPEN_LOCK_STEP_S
from dragoman.storage.migrations import REVISIONS, VERSION_TABLE

if TYPE_CHECKING:
    from dragoman.storage.addresses import DatabaseAddress
    from dragoman.storage.database import Database

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
BACKUP = ".bak"


async def bring_up_to_date(database: Database, *, to: str = REVISIONS[-1]) -> None:
    """Run the steps that are missing up to ``to``; raises DatabaseTooNewError and the other kinds of StorageError.

    A SQLite database is copied beside itself first, unless it is new.
    """
    if await _revision(database) == to:
        return
    async with _alone(database):
        path = database.address.path
        found = await _revision(database)
        if found == to:
            return
        if path is not None:
            await asyncio.to_thread(_prepare, database.address, path, found)
        async with database.write() as connection:
            if path is None:
                await connection.execute(text(f"SET LOCAL lock_timeout = '{int(OPEN_LOCK_S)}s'"))
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            await connection.run_sync(_upgrade, database.address.shown, to)


async def _revision(database: Database) -> str | None:
    """Return the step that the database is at, None for an empty one; raises DatabaseTooNewError."""
    async with database.read() as connection:
        return await connection.run_sync(_known_revision, database.address.shown)


def _known_revision(connection: Connection, shown: str) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant
    if found is None or found in REVISIONS:
        return found
    raise DatabaseTooNewError(
        f"The database {shown!r} is at revision {found!r}, and this Dragoman knows revisions up to {REVISIONS[-1]!r}.",
        found=str(found),
        known=REVISIONS[-1],
        hint="Use the newer version of Dragoman that wrote it, or set `storage.database_url` to another database.",
    )


def _upgrade(connection: Connection, shown: str, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    # Another process may have done it while we waited for the lock, and it may be a newer one.
    found = _known_revision(connection, shown)
    if found is not None and REVISIONS.index(found) >= REVISIONS.index(to):
        return
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    logger.info("database %r brought from revision %r to %r", shown, found, to)


def _use_wal(path: Path) -> None:
    """Let readers read while one writes; the file remembers it.  Raises sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Hold the lock of a SQLite file's openers; PostgreSQL has one of its own.  Raises StorageError."""
    path = database.address.path
    if path is None:
        yield
        return
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise explain_file(error, path) from error
    try:
        async with asyncio.timeout(OPEN_LOCK_S):
            while not try_lock(descriptor):  # noqa: ASYNC110 - no event tells when another process lets go
                await asyncio.sleep(OPEN_LOCK_STEP_S)
    except TimeoutError:
        os.close(descriptor)
        raise DatabaseLockedError(
            f"Another process has been opening the database {str(path)!r} for a minute.", hint="End it and try again."
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield
    finally:
        os.close(descriptor)


def _prepare(address: DatabaseAddress, path: Path, found: str | None) -> None:
    """Set up a SQLite file for a migration, and copy it unless it is new.  Raises StorageError."""
    try:
        _use_wal(path)
        if found is not None:
            _back_up(path, found)
    except OSError as error:
        raise explain_file(error, path) from error
    except sqlite3.Error as error:
        raise explain_database(error, address) from error


def _back_up(path: Path, revision: str) -> None:
    """Copy the database beside itself, whole or not at all, and drop the oldest copies."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = path.with_name(f"{path.name}.{stamp}.{revision}{BACKUP}")
    partial = target.with_suffix(".part")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        partial.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    for old in sorted(path.parent.glob(f"{glob.escape(path.name)}.*{BACKUP}"))[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)
