"""Writes what is measured behind those who measure: nobody waits for the database, and memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from dragoman.cancellation import cancel_and_wait
from dragoman.errors import (
    DatabaseLockedError,
    DatabaseRefusedError,
    DatabaseUnreachableError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
)
from dragoman.storage.limits import (
    WRITE_BEHIND_BATCH,
    WRITE_BEHIND_CLOSE_S,
    WRITE_BEHIND_ITEMS,
    WRITE_BEHIND_RETRY_MAX_S,
    WRITE_BEHIND_RETRY_S,
    WRITE_BEHIND_S,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

PASSING = (
    DatabaseLockedError,
    DatabaseRefusedError,
    DatabaseUnreachableError,
    StorageFullError,
    StorageReadOnlyError,
)
"""What may be over later, so the records wait; any other failure is the records' own, and they are dropped."""


class WriteBehind(Generic[T]):
    """A bounded queue in front of a slow write, emptied in batches by one task; `aclose` writes what is left.

    ``write`` keeps a batch as a whole or not at all, and raises StorageError.
    While it fails the records wait; when the queue is full, new ones are dropped and counted.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        *,
        items: int = WRITE_BEHIND_ITEMS,
        batch: int = WRITE_BEHIND_BATCH,
        every_s: float = WRITE_BEHIND_S,
    ) -> None:
        self._write = write
        self._items = items
        self._batch = batch
        self._every_s = every_s
        self._queue: deque[T] = deque()
        self._something = asyncio.Event()
        self._enough = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.dropped = 0
        """Records that were not kept: the queue was full, the database refused them, or it did not come back in time."""

        self.written = 0
        """Records that were kept."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, item: T) -> bool:
        """Queue a record; False when it was dropped instead.  Never waits; needs a running loop."""
        if self._closed or len(self._queue) >= self._items:
            self._drop(1)
            return False
        self._queue.append(item)
        self._something.set()
        if len(self._queue) >= self._batch:
            self._enough.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="write-behind")
        return True

    async def flush(self) -> None:
        """Write everything that waits now; raises StorageError when it cannot be written, and then it still waits."""
        while self._queue:
            await self._step()

    async def aclose(self, limit_s: float = WRITE_BEHIND_CLOSE_S) -> None:
        """Write what waits, try for up to ``limit_s`` seconds, and count what is left as dropped."""
        self._closed = True
        await cancel_and_wait(self._task)
        wait_s = min(WRITE_BEHIND_RETRY_S, limit_s / 10)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._queue:
                    try:
                        await self._step()
                    except StorageError:
                        await asyncio.sleep(wait_s)
        self._drop(len(self._queue))
        self._queue.clear()

    async def _run(self) -> None:
        wait_s = WRITE_BEHIND_RETRY_S
        failing = False
        while True:
            await self._something.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._enough.wait()
            try:
                await self.flush()
            except StorageError as error:
                if not failing:
                    logger.warning("records wait to be kept: %s", error)
                failing = True
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, WRITE_BEHIND_RETRY_MAX_S)
                continue
            if failing:
                logger.info("records are kept again")
            failing, wait_s = False, WRITE_BEHIND_RETRY_S

    async def _step(self) -> None:
        """Write one batch; it leaves the queue only once it is kept, or can never be."""
        async with self._writing:
            await self._write_batch()

    async def _write_batch(self) -> None:
        if not self._queue:
            # Who else flushed has written it.
            return
        batch = [self._queue[index] for index in range(min(self._batch, len(self._queue)))]
        try:
            await self._write(batch)
        except PASSING:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with these records, those behind them are to be kept
            logger.warning("%d records cannot be kept: %s", len(batch), error)
            self._drop(len(batch))
        else:
            self.written += len(batch)
        for _ in batch:
            self._queue.popleft()
        if not self._queue:
            self._something.clear()
        if len(self._queue) < self._batch:
            self._enough.clear()

    def _drop(self, count: int) -> None:
        if count and not self.dropped:
            logger.warning("records are dropped: more come than the database takes")
        self.dropped += count
