"""The bus in the process: who does something tells it, and storage, metrics and editors hear of it, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from dragoman.cancellation import cancel_and_wait

logger = logging.getLogger(__name__)

QUEUED: Final = 1_000
"""Events that wait for one listener: some seconds of a fast stream; a listener that is further behind loses the oldest."""

E = TypeVar("E")


class Subscription(Generic[E]):
    """One listener: its events in order, handled one after another in a task of its own."""

    def __init__(self, kind: type[E], listen: Callable[[E], Any], wanted: Callable[[E], bool], queued: int) -> None:
        self.kind = kind
        self.wanted = wanted
        self.lost = 0
        self._listen = listen
        self._waiting: deque[E] = deque()
        self._queued = queued
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def offer(self, event: E) -> None:
        """Queue an event; the oldest is lost where the listener is too far behind."""
        if self._is_closed:
            return
        if len(self._waiting) >= self._queued:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(event)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="event listener")

    async def _work(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            try:
                told = self._listen(event)
                if told is not None:
                    await told
            except Exception as error:  # noqa: BLE001 - a listener that fails harms nobody
                logger.warning("A listener to %s failed: %s", self.kind.__name__, type(error).__name__)

    async def drain(self) -> None:
        """Return when the listener has handled what waits for it."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def aclose(self) -> None:
        """Stop listening: what waits is dropped, what is being handled is cancelled."""
        self._is_closed = True
        self._waiting.clear()
        await cancel_and_wait(self._task)


class EventBus:
    """Hands events to those who listen for their type; publishing never waits and never fails. For one event loop."""

    def __init__(self, *, queued: int = QUEUED) -> None:
        self._queued = queued
        self._subscriptions: list[Subscription[Any]] = []

    def subscribe(
        self, kind: type[E], listen: Callable[[E], Any], *, wanted: Callable[[E], bool] = lambda _event: True
    ) -> Subscription[E]:
        """Call ``listen`` with every event of a type and its kinds; what it returns is awaited if it is not None.

        What is not ``wanted`` takes no place in the queue.
        """
        subscription = Subscription(kind, listen, wanted, self._queued)
        self._subscriptions.append(subscription)
        return subscription

    def publish(self, event: object) -> None:
        """Queue an event for each listener."""
        for subscription in self._subscriptions:
            if isinstance(event, subscription.kind) and subscription.wanted(event):
                subscription.offer(event)

    async def unsubscribe(self, subscription: Subscription[Any]) -> None:
        """End a subscription; nothing happens when it has ended already."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        await subscription.aclose()

    async def drain(self) -> None:
        """Return when every listener has handled what was published before."""
        for subscription in tuple(self._subscriptions):
            await subscription.drain()

    async def aclose(self) -> None:
        """End every subscription."""
        for subscription in tuple(self._subscriptions):
            await self.unsubscribe(subscription)
