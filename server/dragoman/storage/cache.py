"""Values that can be made again: in this process, or in Redis for several.

A `Cache` is a port; `open_cache` picks what is behind it from ``storage.cache_url``.
Values are JSON, never pickles, and a key belongs to a namespace and a tenant, so one caller never reads another's.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from dragoman.clock import Clock, monotonic
from dragoman.errors import SettingsError
from dragoman.storage.limits import CACHE_BYTES, CACHE_ENTRIES, CACHE_SECONDS
from dragoman.storage.single_flight import SingleFlight

ROOT = "dragoman"


class Cache(Protocol):
    """A place for values that can be made again; no call raises because the place is away.

    Every key stands in a scope (`scope`); a value is what JSON holds, and ValueError says when it is not.
    """

    async def get(self, scope: str, key: str) -> Any:
        """Return the value, None where there is none."""
        ...

    async def set(self, scope: str, key: str, value: Any, ttl_s: float = CACHE_SECONDS) -> None:
        """Keep a value for so many seconds; None is no value."""
        ...

    async def delete(self, scope: str, key: str) -> None:
        """Forget a value."""
        ...

    async def clear(self, scope: str) -> None:
        """Forget every value of a scope."""
        ...

    async def get_or_compute(
        self, scope: str, key: str, compute: Callable[[], Awaitable[Any]], ttl_s: float = CACHE_SECONDS
    ) -> Any:
        """Return the value, or compute and keep it: one computes, whoever asks meanwhile gets the same.

        What ``compute`` raises goes to all who wait for it, and nothing is kept.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def scope(namespace: str, tenant: str = "") -> str:
    """Return the scope of one kind of values of one tenant; no two pairs have the same."""
    return f"{namespace}:{_digest(tenant)[:32]}"


def open_cache(url: str = "memory://") -> Cache:
    """Return the cache at ``storage.cache_url``; connects to nothing yet.  Raises SettingsError."""
    if url == "memory://":
        return MemoryCache()
    if url.startswith(("redis://", "rediss://", "unix://")):
        from dragoman.storage.redis_cache import RedisCache

        return RedisCache.at(url)
    raise SettingsError(
        "'storage.cache_url' is no address of a cache.", hint="Use `memory://` or `redis://host:6379/0`."
    )


class MemoryCache:
    """A cache in this process: what was used longest ago goes when it is full."""

    def __init__(self, *, entries: int = CACHE_ENTRIES, size: int = CACHE_BYTES, clock: Clock = monotonic) -> None:
        self._most_entries = entries
        self._most_bytes = size
        self._clock = clock
        self._values: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._bytes = 0
        self._flights: SingleFlight[str | None] = SingleFlight()

    def __len__(self) -> int:
        return len(self._values)

    @property
    def size(self) -> int:
        """The bytes of all keys and values."""
        return self._bytes

    async def get(self, scope: str, key: str) -> Any:
        """Return the value, None where there is none."""
        name = full_key(scope, key)
        found = self._values.get(name)
        if found is None:
            return None
        if found[0] <= self._clock():
            self._forget(name)
            return None
        self._values.move_to_end(name)
        return json.loads(found[1])

    async def set(self, scope: str, key: str, value: Any, ttl_s: float = CACHE_SECONDS) -> None:
        """Keep a value for so many seconds."""
        name, text = full_key(scope, key), as_text(value)
        self._forget(name)
        if text is None or ttl_s <= 0 or len(name) + len(text) > self._most_bytes:
            return
        self._values[name] = (self._clock() + ttl_s, text)
        self._bytes += len(name) + len(text)
        while len(self._values) > self._most_entries or self._bytes > self._most_bytes:
            self._forget(next(iter(self._values)))

    async def delete(self, scope: str, key: str) -> None:
        """Forget a value."""
        self._forget(full_key(scope, key))

    async def clear(self, scope: str) -> None:
        """Forget every value of a scope."""
        prefix = full_key(scope, None)
        for name in [name for name in self._values if name.startswith(prefix)]:
            self._forget(name)

    def forget_all(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._bytes = 0

    async def get_or_compute(
        self, scope: str, key: str, compute: Callable[[], Awaitable[Any]], ttl_s: float = CACHE_SECONDS
    ) -> Any:
        """Return the value, or compute and keep it, once for all who ask meanwhile."""
        if (value := await self.get(scope, key)) is not None:
            return value

        async def fill() -> str | None:
            value = await compute()
            text = as_text(value)
            await self.set(scope, key, value, ttl_s)
            return text

        # Each gets a copy of its own: nobody changes what another one holds.
        text = await self._flights.run(full_key(scope, key), fill)
        return None if text is None else json.loads(text)

    async def aclose(self) -> None:
        """End what is still being computed, and forget everything."""
        await self._flights.aclose()
        self.forget_all()

    def _forget(self, name: str) -> None:
        if (old := self._values.pop(name, None)) is not None:
            self._bytes -= len(name) + len(old[1])


def full_key(scope: str, key: str | None) -> str:
    """Return the name under which a value lies, or with None what all names of the scope begin with.

    The key is hashed: whatever is in it, it cannot reach another scope, and nobody who looks at the cache reads it.
    """
    prefix = f"{ROOT}:{scope}:"
    return prefix if key is None else prefix + _digest(key)


def as_text(value: Any) -> str | None:
    """Return the value's JSON, None for None; raises ValueError for what JSON does not hold."""
    if value is None:
        return None
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a JSON value: {error}") from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
