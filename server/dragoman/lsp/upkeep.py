"""Gives memory back to the system in moments when nobody waits for anything.

CPython and the C library keep what was freed, in the hope of using it again: without this, an editor that closes a thousand
files has a server that stays as large as it was.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

QUIET_S = 1.0
"""Nothing was heard and nothing was asked for so long: the user pauses, and some milliseconds are nobody's."""
EVERY_S = 5.0
"""At most this often, however many files are closed one after the other."""
MESSAGES = 2000
"""After so many messages there is something to give back even if no file was closed."""


class Upkeep:
    """Collects garbage and trims the heap when asked to, as soon as it is quiet; a timer at most, never a task."""

    def __init__(self, is_quiet: Callable[[], bool]) -> None:
        self._is_quiet = is_quiet
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._heard = 0
        self._closed = False
        self.turns = 0
        """How often memory was given back."""

    def begin(self) -> None:
        """Take everything imported so far out of every later collection, which makes those a hundred times shorter."""
        gc.freeze()
        self.soon()

    def heard(self) -> None:
        """Count a message."""
        self._heard += 1
        if self._heard >= MESSAGES:
            self._heard = 0
            self.soon()

    def soon(self) -> None:
        """Give memory back at the next quiet moment."""
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time() + QUIET_S, self._next), self._turn)

    def close(self) -> None:
        """Do nothing any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        self._timer = None
        if not self._is_quiet():
            self.soon()
            return
        self._next = asyncio.get_running_loop().time() + EVERY_S
        self.turns += 1
        began = time.perf_counter()
        found = gc.collect()
        if self.turns == 1:
            # What the services have imported by now stays too.
            gc.freeze()
        _trim_heap()
        logger.debug("upkeep: %s objects, %.1f ms", found, (time.perf_counter() - began) * 1000)


def _trim_heap() -> None:
    """Let the C library return its free pages; only glibc keeps them, and only it has this call."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
