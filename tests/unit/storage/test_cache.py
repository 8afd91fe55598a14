"""The cache, in the process and in a real Redis: bounds, tenants, one computes, and Redis that dies and comes back."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from dragoman.errors import SettingsError
from dragoman.storage.cache import Cache, MemoryCache, open_cache, scope
from dragoman.storage.redis_cache import RedisCache
from dragoman.storage.single_flight import SingleFlight
from tests.support import tools
from tests.support.redis import RedisServer

ANSWERS = scope("answers", "tenant")


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    tools.require("redis")
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("shared_redis").url
    opened = open_cache(url)
    await opened.clear(ANSWERS)
    yield opened
    if isinstance(opened, RedisCache):
        assert not opened.is_away
    await opened.aclose()


# -- alike everywhere --------------------------------------------------------------------------------------------------


async def test_a_value_is_json_and_lives_for_its_time(cache: Cache) -> None:
    assert await cache.get(ANSWERS, "k") is None
    await cache.set(ANSWERS, "k", {"a": [1, None, "ü\0"]})
    assert await cache.get(ANSWERS, "k") == {"a": [1, None, "ü\0"]}
    await cache.set(ANSWERS, "k", "short", ttl_s=0.05)
    await asyncio.sleep(0.2)
    assert await cache.get(ANSWERS, "k") is None
    await cache.set(ANSWERS, "k", 1)
    await cache.set(ANSWERS, "k", None)
    assert await cache.get(ANSWERS, "k") is None
    for bad in (object(), float("nan"), b"bytes"):
        with pytest.raises(ValueError, match="JSON"):
            await cache.set(ANSWERS, "k", bad)


async def test_no_tenant_reads_or_clears_anothers_values(cache: Cache) -> None:
    mine, hers, wild = scope("answers", "me"), scope("answers", "me:x"), scope("answers", "*")
    for number, where in enumerate((mine, hers, wild)):
        await cache.set(where, "k", number)
    await cache.set(mine, "k:x*", "mine")
    assert [await cache.get(where, "k") for where in (mine, hers, wild)] == [0, 1, 2]
    await cache.clear(wild)
    await cache.delete(hers, "k:x*")
    assert [await cache.get(where, "k") for where in (mine, hers, wild)] == [0, 1, None]
    await cache.clear(mine)
    assert [await cache.get(mine, key) for key in ("k", "k:x*")] == [None, None]
    assert await cache.get(hers, "k") == 1


async def test_one_computes_and_the_others_wait_and_each_has_its_own_copy(cache: Cache) -> None:
    calls = 0

    async def compute() -> list[int]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return [1]

    values = await asyncio.gather(*(cache.get_or_compute(ANSWERS, "k", compute) for _ in range(20)))
    assert calls == 1
    values[0].append(2)
    assert values[1:] == [[1]] * 19
    assert await cache.get_or_compute(ANSWERS, "k", compute) == [1]
    assert calls == 1


async def test_a_failure_goes_to_all_who_wait_and_is_not_kept(cache: Cache) -> None:
    calls = 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        raise KeyError("no")

    results = await asyncio.gather(
        *(cache.get_or_compute(ANSWERS, "k", fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [KeyError] * 3
    assert calls == 1

    async def succeed() -> str:
        return "yes"

    assert await cache.get_or_compute(ANSWERS, "k", succeed) == "yes"


async def test_who_leaves_does_not_end_the_work_unless_nobody_waits_any_more(cache: Cache) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def compute() -> str:
        begun.set()
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            ended.set()
            raise
        return "done"

    first, second = (asyncio.create_task(cache.get_or_compute(ANSWERS, "k", compute)) for _ in range(2))
    await begun.wait()
    while [flight.passengers for flight in cache._flights._flights.values()] != [2]:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    first.cancel()
    assert await second == "done"
    assert not ended.is_set()

    begun.clear()
    alone = asyncio.create_task(cache.get_or_compute(ANSWERS, "other", compute))
    await begun.wait()
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    assert ended.is_set()
    # The lease was given back: the next one need not wait for it to run out.
    async with asyncio.timeout(5):
        assert await cache.get_or_compute(ANSWERS, "other", compute) == "done"


async def test_closing_ends_the_work(cache: Cache) -> None:
    other = open_cache() if isinstance(cache, MemoryCache) else RedisCache.at("redis://127.0.0.1:1/0")
    task = asyncio.create_task(other.get_or_compute(ANSWERS, "k", lambda: asyncio.sleep(60)))
    await asyncio.sleep(0.1)
    await other.aclose()
    with pytest.raises(asyncio.CancelledError):
        await task


# -- in the process ----------------------------------------------------------------------------------------------------


async def test_what_was_used_longest_ago_goes_first_and_memory_is_bounded() -> None:
    now = 0.0
    cache = MemoryCache(entries=3, size=10_000, clock=lambda: now)
    for key in "abc":
        await cache.set(ANSWERS, key, key)
    await cache.get(ANSWERS, "a")
    await cache.set(ANSWERS, "d", "d")
    assert [await cache.get(ANSWERS, key) for key in "abcd"] == ["a", None, "c", "d"]
    await cache.set(ANSWERS, "big", "x" * 9_000)
    await cache.set(ANSWERS, "bigger", "x" * 9_000)
    assert await cache.get(ANSWERS, "big") is None
    await cache.set(ANSWERS, "biggest", "x" * 20_000)
    assert await cache.get(ANSWERS, "biggest") is None
    assert await cache.get(ANSWERS, "bigger") is not None
    assert cache.size <= 10_000
    now = 301.0
    assert await cache.get(ANSWERS, "bigger") is None
    assert (len(cache), cache.size) == (0, 0)


async def test_a_flight_that_is_being_ended_takes_nobody_on_board() -> None:
    flights: SingleFlight[str] = SingleFlight()
    ending = asyncio.Event()

    async def slow_to_end() -> str:
        try:
            await asyncio.sleep(60)
        finally:
            ending.set()
            await asyncio.sleep(0.02)
        return "never"

    async def quick() -> str:
        return "new"

    task = asyncio.create_task(flights.run("k", slow_to_end))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await ending.wait()
    assert await flights.run("k", quick) == "new"
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(flights) == 0


# -- Redis -------------------------------------------------------------------------------------------------------------

OTHER = """
import asyncio, sys
from dragoman.storage.cache import open_cache

async def main():
    cache = open_cache(sys.argv[1])
    async def compute():
        print("computing", flush=True)
        await asyncio.sleep(float(sys.argv[4]))
        return sys.argv[3]
    print(await cache.get_or_compute(sys.argv[2], "k", compute), flush=True)
    await cache.aclose()

asyncio.run(main())
"""


async def test_one_of_all_processes_computes(shared_redis: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        mine = open_cache(shared_redis.url)
        stack.push_async_callback(mine.aclose)
        await mine.clear(ANSWERS)
        other = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", OTHER, shared_redis.url, ANSWERS, "theirs", "0.3"), stdout=asyncio.subprocess.PIPE
        )
        assert other.stdout is not None
        assert await other.stdout.readline() == b"computing\n"

        async def compute() -> str:
            raise AssertionError("the other one computes")

        assert await mine.get_or_compute(ANSWERS, "k", compute) == "theirs"
        assert await other.stdout.readline() == b"theirs\n"
        assert await other.wait() == 0


async def test_a_process_that_dies_while_it_computes_holds_nobody_for_long(
    shared_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = open_cache(shared_redis.url)
    await mine.clear(ANSWERS)
    code = OTHER.replace(
        "import asyncio, sys", "import asyncio, sys, dragoman.storage.redis_cache as r; r.LEASE_S = 0.3"
    )
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, shared_redis.url, ANSWERS, "theirs", "60"), stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"computing\n"
    other.kill()
    await other.wait()

    async def compute() -> str:
        return "mine"

    assert await mine.get_or_compute(ANSWERS, "k", compute) == "mine"
    await mine.aclose()


async def test_redis_dies_and_comes_back_in_the_middle(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dragoman.storage.redis_cache")
    now = 0.0
    cache = RedisCache.at(redis.url.replace("redis://", "redis://:hunter2@"))
    cache._clock = cache._local._clock = lambda: now
    redis.kill()
    redis.start("--requirepass", "hunter2")
    calls = 0

    async def compute() -> str:
        nonlocal calls
        calls += 1
        return f"value {calls}"

    assert await cache.get_or_compute(ANSWERS, "k", compute) == "value 1"
    assert await cache.get_or_compute(ANSWERS, "k", compute) == "value 1"

    redis.kill()
    # It is not there: computed once in this process, kept in this process, and said once.
    assert await asyncio.gather(*(cache.get_or_compute(ANSWERS, "k", compute) for _ in range(5))) == ["value 2"] * 5
    assert await cache.get_or_compute(ANSWERS, "k", compute) == "value 2"
    await cache.set(ANSWERS, "while away", 1)
    await cache.delete(ANSWERS, "gone")
    await cache.clear(scope("sessions"))
    now = 10.0
    assert await cache.get(ANSWERS, "while away") == 1
    assert cache.is_away
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    redis.start("--requirepass", "hunter2")
    assert await cache.get(ANSWERS, "while away") == 1, "it is asked again only after a pause"
    now = 20.0
    assert await cache.get_or_compute(ANSWERS, "k", compute) == "value 3"
    assert not cache.is_away
    other = RedisCache.at(redis.url.replace("redis://", "redis://:hunter2@"))
    assert await other.get(ANSWERS, "k") == "value 3"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "hunter2" not in caplog.text
    await cache.aclose()
    await other.aclose()


async def test_what_was_deleted_while_redis_hung_is_not_read_afterwards(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.storage.redis_cache.REDIS_ANSWER_S", 0.05)
    now = 0.0
    cache = RedisCache.at(redis.url)
    cache._clock = lambda: now
    for key in ("kept", "deleted", "set"):
        await cache.set(ANSWERS, key, "old")
    sessions = scope("sessions", "*")
    await cache.set(sessions, "k", "old")
    with redis.paused():
        await cache.delete(ANSWERS, "deleted")
        assert cache.is_away
        await cache.set(ANSWERS, "set", "new")
        await cache.clear(sessions)
    now = 5.0
    assert [await cache.get(ANSWERS, key) for key in ("kept", "deleted", "set")] == ["old", None, None]
    assert await cache.get(sessions, "k") is None
    assert not cache.is_away
    await cache.aclose()


async def test_a_wrong_password_degrades_like_a_server_that_is_away(redis: RedisServer) -> None:
    redis.kill()
    redis.start("--requirepass", "right")
    cache = RedisCache.at(redis.url.replace("redis://", "redis://:wrong@"))

    async def compute() -> int:
        return 7

    assert await cache.get_or_compute(ANSWERS, "k", compute) == 7
    assert cache.is_away
    await cache.aclose()


async def test_a_value_that_somebody_else_wrote_counts_as_none(shared_redis: RedisServer) -> None:
    from redis.asyncio import Redis

    from dragoman.storage.cache import full_key

    cache = open_cache(shared_redis.url)
    client = Redis.from_url(shared_redis.url)
    await client.set(full_key(ANSWERS, "k"), b"\x80\x04 a pickle \xff")
    assert await cache.get(ANSWERS, "k") is None
    await client.aclose()
    await cache.aclose()


@pytest.mark.parametrize("url", ["", "memory", "http://x", "redis://localhost:port/0"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"storage\.cache_url"):
        open_cache(url)
