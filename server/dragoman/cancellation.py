"""How Dragoman ends work that nobody wants any more.

Cancellation is ``asyncio`` cancellation: whoever owns a task cancels it and awaits its end.
Nobody swallows ``CancelledError``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel the tasks and return when each has ended; their own results and errors are dropped."""
    pending = [task for task in tasks if task is not None and not task.done()]
    for task in pending:
        task.cancel()
    for task in pending:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


class TaskSet:
    """Background tasks with one owner: held strongly while they run, ended when the owner closes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the owner has closed: nothing can be started any more."""
        return self._closed

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run ``work`` until it ends or the owner closes; raises RuntimeError after `aclose`."""
        if self._closed:
            work.close()
            raise RuntimeError(f"cannot start {name!r}: its owner is closed")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The loop's exception handler reports it as a bug: a background task has nobody else to tell.
            task.get_loop().call_exception_handler(
                {"message": f"background task {task.get_name()!r} failed", "exception": error, "task": task}
            )

    async def aclose(self) -> None:
        """End every task and wait until all have ended."""
        self._closed = True
        await cancel_and_wait(*self._tasks)
