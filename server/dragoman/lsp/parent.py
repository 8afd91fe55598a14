"""The watch on the editor's process: when it ends, however it ends, so do we."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from dragoman.cancellation import TaskSet

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How often the process is looked for where the kernel does not tell; an orphan may live for twice that."""


def watch_parent(process_id: int, tasks: TaskSet, ended: Callable[[], None]) -> None:
    """Call ``ended`` once when the process ends.

    A process that cannot be seen at all is not watched: the client lives on another machine or in another container.
    """
    if not _is_alive(process_id):
        logger.info("the editor's process %s is not visible from here and is not watched", process_id)
        return
    tasks.start(_watch(process_id, ended), name=f"watch process {process_id}")


async def _watch(process_id: int, ended: Callable[[], None]) -> None:
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(process_id)
        except OSError as error:
            logger.debug("no descriptor for process %s (%s), looking for it instead", process_id, error)
        else:
            await _wait_readable(descriptor)
            ended()
            return
    while _is_alive(process_id):  # noqa: ASYNC110 - another process cannot set our events
        await asyncio.sleep(POLL_SECONDS)
    ended()


async def _wait_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _is_alive(process_id: int) -> bool:
    if sys.platform == "win32":
        import psutil

        return psutil.pid_exists(process_id)
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):  # The second: no process can have such a number.
        return False
    except OSError:
        return True  # It is there and belongs to somebody else.
    return True
