"""A connection that is closed and stopped at the same time, as one of a cancelled transaction is, still ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dragoman.storage.database import Database
from dragoman.storage.sqlite_connection import connect
from tests.support.scene import WAIT_SECONDS


@pytest.mark.parametrize("stops", [1, 3])
async def test_closing_ends_though_it_was_stopped_meanwhile(tmp_path: Path, stops: int) -> None:
    connection = await connect(str(tmp_path / "some.sqlite"))
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    for _ in range(stops):
        connection.stop()
    await asyncio.wait_for(closing, WAIT_SECONDS)
    connection._thread.join(WAIT_SECONDS)
    assert not connection._thread.is_alive()


async def test_nothing_is_left_of_transactions_that_were_cancelled(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    database = await Database.open(f"sqlite:///{tmp_path / 'kept.sqlite'}")

    async def write() -> None:
        async with database.write() as connection:
            await connection.exec_driver_sql("SELECT 1")
            await asyncio.Event().wait()

    for turns in range(40):
        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_SECONDS)
        assert task.cancelled()
    await database.aclose()
    async with asyncio.timeout(WAIT_SECONDS):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)
