"""What was found lately, a bounded number of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Remembers ``limit`` values; for one more, the one that was longest not asked for goes.

    One goes for each that comes: to forget them all at once takes as long as a question.
    """

    __slots__ = ("_limit", "_values")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key, default: Value) -> Value:
        """Return the value of ``key``, or ``default`` where there is none."""
        if key not in self._values:
            return default
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Key, value: Value) -> Value:
        """Remember a value and return it."""
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
        return value

    def forget(self, key: Key) -> None:
        """Forget one value, if it is there."""
        self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
