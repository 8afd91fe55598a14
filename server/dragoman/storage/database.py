"""The database: one file for a user, a PostgreSQL server for a team, and the same code for both.

`Database.open` brings it to this version's tables; `read` and `write` are transactions.
Repositories take the database and speak in frozen values; nobody else sees a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from dragoman.errors import DatabaseLockedError
from dragoman.storage.addresses import DatabaseAddress, database_address
from dragoman.storage.failures import explain_database, explain_file
from dragoman.storage.limits import BUSY_S, CONNECTION_WAIT_S, MORE_CONNECTIONS, READERS
from dragoman.storage.sqlite_connection import connect

WRITES = "dragoman_writes"
"""The execution option of a connection that writes."""


class Database:
    """An open database of this version; `aclose` ends every connection."""

    def __init__(self, address: DatabaseAddress, *, busy_s: float = BUSY_S) -> None:
        self.address = address
        self.engine: AsyncEngine = _engine(address, busy_s)
        # SQLite has one writer: those of this process wait here, in order, instead of in SQLite's own sleep.
        self._writer: asyncio.Lock | None = asyncio.Lock() if address.path is not None else None

    @classmethod
    async def open(cls, url: str | None = None, *, busy_s: float = BUSY_S) -> Self:
        """Open the database at ``url`` (None: the user's own file), made or migrated if need be.

        Raises SettingsError for an address that is none, DatabaseTooNewError, and the other kinds of StorageError.
        """
        from dragoman.storage.migrations.upgrade import bring_up_to_date

        database = cls(database_address(url), busy_s=busy_s)
        try:
            if database.address.path is not None:
                await asyncio.to_thread(_make_file, database.address.path)
            await bring_up_to_date(database)
        except BaseException:
            await database.aclose()
            raise
        return database

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one state of the database; raises StorageError."""
        async with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose work is kept as a whole at the end, or not at all; raises StorageError.

        Never within another one: on SQLite it would wait for itself.
        """
        async with self._translated(), self._writer or contextlib.nullcontext(), self.engine.connect() as connection:
            await connection.execution_options(**{WRITES: True})
            async with connection.begin():
                yield connection

    @contextlib.asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except PoolTimeoutError:
            raise DatabaseLockedError(
                f"The database {self.address.shown!r} has no connection free.", hint="Try again."
            ) from None
        except StatementError as error:
            # A value that its column's type refuses is the caller's fault, not the database's.
            if isinstance(error.orig, ValueError):
                raise error.orig from None
            raise explain_database(error, self.address) from error.orig
        except SQLAlchemyError as error:
            raise explain_database(error, self.address) from error

    async def check(self) -> None:
        """Ask the database for a sign of life; raises StorageError."""
        async with self.read() as connection:
            await connection.exec_driver_sql("SELECT 1")

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _engine(address: DatabaseAddress, busy_s: float) -> AsyncEngine:
    common: dict[str, Any] = {
        "pool_size": READERS,
        "max_overflow": MORE_CONNECTIONS,
        "pool_timeout": CONNECTION_WAIT_S,
        "hide_parameters": True,  # Statements' values are what people wrote; they stay out of logs and errors.
    }
    if address.path is None:
        # A prepared statement belongs to one server connection, which pgbouncer gives to somebody else.
        return create_async_engine(address.url, pool_pre_ping=True, connect_args={"prepare_threshold": None}, **common)
    arguments = {"timeout": busy_s, "async_creator_fn": connect}
    engine = create_async_engine(address.url, connect_args=arguments, **common)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver begins transactions when it sees fit; we do, so that a reader sees one state and a writer has the lock at once.
    connection.isolation_level = None
    # SQLite's own lower() knows ASCII only, so a search would find less than in PostgreSQL.
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _make_file(path: Path) -> None:
    """Make an empty file that only its user can read: it will hold conversations.  Raises StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise explain_file(error, path) from error
