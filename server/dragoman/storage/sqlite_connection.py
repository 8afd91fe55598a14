"""A connection to SQLite that ends, whoever ends it and however often."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from typing import Any

import aiosqlite


class StoppingConnection(aiosqlite.Connection):
    """Stops its thread once.

    A cancelled transaction has its connection closed and stopped at the same time; the driver's own `stop` waits a second time
    for a thread that is gone, for ever, and with it everything that waits for the transaction: a process did not end.
    """

    _is_stopped = False

    def stop(self) -> asyncio.Future[Any] | None:
        """Stop the thread behind what is queued; None, with nothing to wait for, when that was done before."""
        if self._is_stopped:
            return None
        self._is_stopped = True
        return super().stop()


def connect(database: str, **arguments: Any) -> StoppingConnection:
    """Return a connection to be awaited; the arguments are those of `sqlite3.connect`."""
    connection = StoppingConnection(partial(sqlite3.connect, database, **arguments), iter_chunk_size=64)
    # A statement that runs on must not keep the process; SQLAlchemy does the same for connections that it makes.
    connection._thread.daemon = True
    return connection
