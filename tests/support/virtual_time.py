"""An event loop whose time jumps: an hour of typing runs in seconds, and the same way every time.

When nothing is ready the loop's clock moves to the next timer instead of waiting for it, so `asyncio.sleep`,
`call_later`, `asyncio.timeout` and events behave as ever, in an order that depends on nothing but the program.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE_S = 5.0
"""How long the loop waits in real time for a thread's call when no timer is left."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own that begins at 0 and costs no time."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Move the clock on."""
        self._now += seconds


class _Jumping(selectors.BaseSelector):
    """A selector that never waits for a timer: it moves the loop's clock to where the timer is due."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None:
            self._loop.jump(timeout)
            return []
        ready = self._real.select(_PATIENCE_S)
        if not ready:
            raise RuntimeError("Everything waits, and no timer is left that could end it.")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end in virtual time and return its result; leftover tasks are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
