"""The cache of several processes, in Redis: it may go away at any time, and then this process caches for itself.

Redis is asked again after a pause that grows, and one call at a time; when it is back it is first told what was changed
meanwhile, so nobody reads a value that was deleted while it was away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self

from dragoman.clock import Clock, monotonic
from dragoman.errors import SettingsError
from dragoman.storage.addresses import shown_cache_address
from dragoman.storage.cache import ROOT, MemoryCache, as_text, full_key
from dragoman.storage.limits import (
    CACHE_SECONDS,
    LEASE_S,
    LEASE_STEP_S,
    REDIS_ANSWER_S,
    REDIS_CONNECT_S,
    REDIS_CONNECTIONS,
    REDIS_MISSED,
    REDIS_RETRY_MAX_S,
    REDIS_RETRY_S,
)
from dragoman.storage.single_flight import SingleFlight

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_RENEW = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_LEASE = ":lease"
_AWAY: Any = object()


class RedisCache:
    """A cache in Redis, with one in the process behind it for when Redis is away."""

    def __init__(self, client: Redis, shown: str, *, clock: Clock = monotonic) -> None:
        self._client = client
        self._shown = shown
        self._clock = clock
        self._local = MemoryCache(clock=clock)
        self._flights: SingleFlight[str | None] = SingleFlight()
        self._away = False
        self._asking = False
        self._ask_again = 0.0
        self._pause_s = REDIS_RETRY_S
        self._missed: set[str] = set()
        """Keys, and beginnings of keys that end in ``*``, that changed while Redis was away."""

    @classmethod
    def at(cls, url: str) -> Self:
        """Return a cache for the address; connects at the first call.  Raises SettingsError."""
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise SettingsError(
                "'storage.cache_url' names Redis, and its client is not installed.",
                hint="Run: pip install 'dragoman[gateway]'",
            ) from None
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=REDIS_CONNECTIONS,
                timeout=REDIS_ANSWER_S,
                socket_connect_timeout=REDIS_CONNECT_S,
                socket_timeout=REDIS_ANSWER_S,
                # Once, at once: a connection of the pool may be from before the server's restart.
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError:
            raise SettingsError(
                "'storage.cache_url' is no address of a Redis server.", hint="Use `redis://host:6379/0`."
            ) from None
        return cls(Redis.from_pool(pool), shown_cache_address(url))

    @property
    def is_away(self) -> bool:
        """Whether Redis did not answer the last time that it was asked."""
        return self._away

    # -- values --------------------------------------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Any:
        """Return the value, None where there is none."""
        name = full_key(scope, key)
        text = await self._ask(lambda: self._client.get(name))
        if text is _AWAY:
            return await self._local.get(scope, key)
        return _value(text)

    async def set(self, scope: str, key: str, value: Any, ttl_s: float = CACHE_SECONDS) -> None:
        """Keep a value for so many seconds."""
        name, text = full_key(scope, key), as_text(value)
        if text is None or ttl_s <= 0:
            await self.delete(scope, key)
            return
        if await self._ask(lambda: self._client.set(name, text, px=max(1, int(ttl_s * 1000)))) is _AWAY:
            self._miss(name)
            await self._local.set(scope, key, value, ttl_s)

    async def delete(self, scope: str, key: str) -> None:
        """Forget a value."""
        name = full_key(scope, key)
        if await self._ask(lambda: self._client.delete(name)) is _AWAY:
            self._miss(name)
            await self._local.delete(scope, key)

    async def clear(self, scope: str) -> None:
        """Forget every value of a scope."""
        pattern = _escaped(full_key(scope, None)) + "*"
        if await self._ask(lambda: self._delete_all(pattern)) is _AWAY:
            self._miss(pattern)
            await self._local.clear(scope)

    async def get_or_compute(
        self, scope: str, key: str, compute: Callable[[], Awaitable[Any]], ttl_s: float = CACHE_SECONDS
    ) -> Any:
        """Return the value, or compute and keep it: one of all processes does, the others wait for it."""
        if (value := await self.get(scope, key)) is not None:
            return value
        # One of this process first, so only one of it talks to the others.
        text = await self._flights.run(full_key(scope, key), lambda: self._fill(scope, key, compute, ttl_s))
        return _value(text)

    async def aclose(self) -> None:
        """End what is still being computed, and close every connection."""
        await self._flights.aclose()
        await self._local.aclose()
        await self._client.aclose(close_connection_pool=True)

    # -- one computes --------------------------------------------------------------------------------------------------

    async def _fill(self, scope: str, key: str, compute: Callable[[], Awaitable[Any]], ttl_s: float) -> str | None:
        lease = full_key(scope, key) + _LEASE
        token = secrets.token_hex(16)
        milliseconds = int(LEASE_S * 1000)
        while True:
            got = await self._ask(lambda: self._client.set(lease, token, nx=True, px=milliseconds))
            # Another one may have finished between our look and the lease.
            if (found := await self.get(scope, key)) is not None:
                if got and got is not _AWAY:
                    await self._ask(lambda: self._client.eval(_RELEASE, 1, lease, token))
                return as_text(found)
            if got:
                break
            await asyncio.sleep(LEASE_STEP_S)
        if got is _AWAY:
            return await self._computed(scope, key, compute, ttl_s)
        async with self._renewed(lease, token, milliseconds):
            return await self._computed(scope, key, compute, ttl_s)

    async def _computed(self, scope: str, key: str, compute: Callable[[], Awaitable[Any]], ttl_s: float) -> str | None:
        value = await compute()
        text = as_text(value)
        await self.set(scope, key, value, ttl_s)
        return text

    @contextlib.asynccontextmanager
    async def _renewed(self, lease: str, token: str, milliseconds: int) -> AsyncIterator[None]:
        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE_S / 3)
                await self._ask(lambda: self._client.eval(_RENEW, 1, lease, token, str(milliseconds)))

        task = asyncio.get_running_loop().create_task(renew(), name="cache-lease")
        try:
            yield
        finally:
            task.cancel()
            # Also after a failure or a cancel: the others need not wait until the lease runs out.
            release = asyncio.ensure_future(self._ask(lambda: self._client.eval(_RELEASE, 1, lease, token)))
            await asyncio.gather(task, release, return_exceptions=True)

    # -- Redis comes and goes ------------------------------------------------------------------------------------------

    async def _ask(self, call: Callable[[], Any]) -> Any:
        """Return what Redis answers, `_AWAY` when it does not."""
        from redis.exceptions import RedisError

        if self._away and (self._asking or self._clock() < self._ask_again):
            return _AWAY
        returning = self._away
        self._asking = self._asking or returning
        try:
            if returning:
                await self._make_up()
            answer = await call()
            if returning:
                # What others changed meanwhile; nothing is awaited between the last of it and the word that Redis is back.
                await self._make_up()
                self._returned()
        except (RedisError, OSError) as error:
            self._failed(error, returning=returning)
            return _AWAY
        finally:
            if returning:
                self._asking = False
        return answer

    def _returned(self) -> None:
        self._away = False
        self._local.forget_all()
        logger.info("the cache %s is back", self._shown)

    def _failed(self, error: Exception, *, returning: bool) -> None:
        if not self._away:
            # The kind only: a message may hold what the address holds.
            logger.warning(
                "the cache %s does not answer (%s): caching in this process until it does",
                self._shown,
                type(error).__name__,
            )
            self._away = True
            self._pause_s = REDIS_RETRY_S
        elif returning:
            self._pause_s = min(2 * self._pause_s, REDIS_RETRY_MAX_S)
        self._ask_again = self._clock() + self._pause_s

    def _miss(self, name: str) -> None:
        self._missed.add(name)
        if len(self._missed) > REDIS_MISSED:
            self._missed = {f"{ROOT}:*"}

    async def _make_up(self) -> None:
        """Tell Redis what changed while it was away; what it does not take stays to be told."""
        while self._missed:
            name = self._missed.pop()
            try:
                await (self._delete_all(name) if name.endswith("*") else self._client.delete(name))
            except BaseException:
                self._miss(name)
                raise

    async def _delete_all(self, pattern: str) -> int:
        """Delete every key that the pattern fits, a batch at a time, and return how many."""
        count = 0
        batch: list[bytes] = []
        async for name in self._client.scan_iter(match=pattern, count=500):
            batch.append(name)
            if len(batch) == 500:
                count += await self._client.delete(*batch)
                batch.clear()
        return count + (await self._client.delete(*batch) if batch else 0)


def _value(text: Any) -> Any:
    """Return what a text says; one that is not ours counts as nothing."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\" else character for character in text)
