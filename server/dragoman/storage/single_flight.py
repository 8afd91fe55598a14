"""One does the work, whoever asks meanwhile waits for the same result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dragoman.cancellation import cancel_and_wait

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    passengers: int = 0


class SingleFlight(Generic[T]):
    """Work under way by its key: each has one task, which ends when the last one who waits for it has left."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the work under way for ``key`` returns or raises; ``work`` begins where there is none.

        Cancelling one who waits ends the work only when nobody else waits for it.
        """
        flight = self._flights.get(key)
        if flight is None:
            task = asyncio.get_running_loop().create_task(_call(work), name="single-flight")
            flight = self._flights[key] = _Flight(task)
            task.add_done_callback(lambda _: self._landed(key, task))
        flight.passengers += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.passengers == 1:
                # Whoever asks from now on begins anew instead of boarding what is being ended.
                self._landed(key, flight.task)
                await cancel_and_wait(flight.task)
            raise
        finally:
            flight.passengers -= 1

    async def aclose(self) -> None:
        """End all work; those who wait are cancelled."""
        await cancel_and_wait(*[flight.task for flight in self._flights.values()])

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if task.done() and not task.cancelled():
            task.exception()  # It was raised where somebody waited; a task that nobody waits for any more says nothing.


async def _call(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
