"""Records that are written behind: none waits, none is lost while there is room, and what is dropped is counted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dragoman.errors import DatabaseLockedError, StorageError
from dragoman.storage.database import Database
from dragoman.storage.repositories.usage import UsageLedger, UsageRecord
from dragoman.storage.write_behind import WriteBehind
from tests.support.virtual_time import run_virtual

CALL = UsageRecord(datetime(2026, 1, 31, tzinfo=UTC), "ollama", "qwen", "chat", "ok", 1.0)


class Shelf:
    """Takes batches while `error` is None."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.error: Exception | None = None
        self.tries = 0

    async def write(self, batch: Sequence[int]) -> None:
        self.tries += 1
        await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error
        self.batches.append(list(batch))


def test_records_go_in_batches_in_their_order_after_a_while_or_when_there_are_enough() -> None:
    async def play() -> None:
        shelf = Shelf()
        queue = WriteBehind(shelf.write, batch=3, every_s=60)
        assert all(queue.put(number) for number in (1, 2))
        await asyncio.sleep(30)
        assert shelf.batches == []
        assert queue.put(3)
        await asyncio.sleep(1)
        assert shelf.batches == [[1, 2, 3]]
        queue.put(4)
        await asyncio.sleep(61)
        assert shelf.batches == [[1, 2, 3], [4]]
        await asyncio.sleep(3600)
        assert shelf.tries == 2
        await queue.aclose()
        assert (queue.written, queue.dropped) == (4, 0)

    run_virtual(play())


def test_closing_writes_what_waits_and_takes_no_more() -> None:
    async def play() -> None:
        shelf = Shelf()
        queue = WriteBehind(shelf.write, batch=2, every_s=60)
        for number in range(5):
            queue.put(number)
        await queue.aclose()
        assert shelf.batches == [[0, 1], [2, 3], [4]]
        assert not queue.put(9)
        assert (queue.written, queue.dropped) == (5, 1)
        assert len(asyncio.all_tasks()) == 1

    run_virtual(play())


def test_a_database_that_is_away_drops_only_what_has_no_room_and_gets_the_rest_later() -> None:
    async def play() -> None:
        shelf = Shelf()
        shelf.error = DatabaseLockedError("locked")
        queue = WriteBehind(shelf.write, items=4, batch=2, every_s=1)
        assert [queue.put(number) for number in range(6)] == [True, True, True, True, False, False]
        await asyncio.sleep(300)
        assert 10 < shelf.tries < 60
        shelf.error = None
        await asyncio.sleep(30)
        assert shelf.batches == [[0, 1], [2, 3]]
        assert (queue.written, queue.dropped, len(queue)) == (4, 2, 0)
        await queue.aclose()

    run_virtual(play())


def test_records_that_are_wrong_take_nothing_along() -> None:
    async def play() -> None:
        shelf = Shelf()
        shelf.error = ValueError("not a JSON value")
        queue = WriteBehind(shelf.write, batch=2, every_s=1)
        queue.put(0)
        await asyncio.sleep(5)
        shelf.error = None
        queue.put(1)
        await asyncio.sleep(5)
        assert shelf.batches == [[1]]
        assert (queue.written, queue.dropped) == (1, 1)
        await queue.aclose()

    run_virtual(play())


def test_closing_while_the_database_is_away_gives_up_in_time_and_counts() -> None:
    async def play() -> None:
        shelf = Shelf()
        shelf.error = DatabaseLockedError("locked")
        queue = WriteBehind(shelf.write)
        queue.put(1)
        before = asyncio.get_running_loop().time()
        await queue.aclose(limit_s=5)
        assert asyncio.get_running_loop().time() - before < 6
        assert (queue.written, queue.dropped) == (0, 1)

    run_virtual(play())


def test_records_that_can_never_be_kept_do_not_hold_up_the_others() -> None:
    async def play() -> None:
        shelf = Shelf()
        queue = WriteBehind(shelf.write, batch=2, every_s=1)
        shelf.error = StorageError("refused a statement")
        queue.put(1)
        await asyncio.sleep(2)
        shelf.error = None
        queue.put(2)
        await queue.flush()
        assert shelf.batches == [[2]]
        assert (queue.written, queue.dropped) == (1, 1)
        await queue.aclose()

    run_virtual(play())


async def test_usage_survives_a_database_that_is_locked_for_a_while(tmp_path: Path, empty: Database) -> None:
    refused = asyncio.Event()
    async with await Database.open(f"sqlite:///{tmp_path}/empty.db", busy_s=0.01) as impatient:

        async def add(batch: Sequence[UsageRecord]) -> None:
            try:
                await UsageLedger(impatient).add(batch)
            except DatabaseLockedError:
                refused.set()
                raise

        queue = WriteBehind(add, batch=10, every_s=0.01)
        other = sqlite3.connect(tmp_path / "empty.db")
        other.execute("BEGIN IMMEDIATE")
        for _ in range(25):
            queue.put(CALL)
        await refused.wait()
        other.close()
        await queue.aclose()
        assert (queue.written, queue.dropped) == (25, 0)
        assert len(await UsageLedger(empty).newest()) == 25
