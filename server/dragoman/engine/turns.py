"""Whose turn it is: interactive work before background work, and among equals the client served longest ago."""

from __future__ import annotations

from typing import Generic, Literal, Protocol, TypeVar

Priority = Literal["interactive", "background"]


class Waiting(Protocol):
    """Something that can stand in the queue."""

    @property
    def client(self) -> str:
        """Who asks."""
        ...

    @property
    def priority(self) -> Priority:
        """How urgent it is."""
        ...


T = TypeVar("T", bound=Waiting)


class Turns(Generic[T]):
    """The queue in front of the one generation that may run."""

    def __init__(self) -> None:
        self._waiting: list[T] = []
        self._served: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> None:
        """Put the item at the end."""
        self._waiting.append(item)

    def remove(self, item: T) -> bool:
        """Take the item out, wherever it stands; False when it is not there."""
        try:
            self._waiting.remove(item)
        except ValueError:
            return False
        return True

    def take(self) -> T | None:
        """Take out the item whose turn it is; None when nothing waits."""
        if not self._waiting:
            return None
        # min() keeps the first of equals, so one client's requests stay in order.
        item = min(self._waiting, key=lambda one: (one.priority == "background", self._served.get(one.client, 0)))
        self._waiting.remove(item)
        self._count += 1
        self._served.pop(item.client, None)
        self._served[item.client] = self._count
        while len(self._served) > 64:  # Clients come and go; the oldest would be served first anyway.
            self._served.pop(next(iter(self._served)))
        return item

    def clear(self) -> list[T]:
        """Empty the queue and return what stood in it."""
        waiting, self._waiting = self._waiting, []
        return waiting
