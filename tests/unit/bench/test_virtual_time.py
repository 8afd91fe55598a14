"""Virtual time: timers fire in their order, at once, and the clock says what they were set to."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.support.virtual_time import VirtualLoop, run_virtual

HOUR = 3600.0


def test_an_hour_of_sleep_takes_no_time_and_shows_on_the_clock() -> None:
    async def sleep() -> float:
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time() - begun

    assert run_virtual(sleep()) == pytest.approx(HOUR)


def test_timers_fire_in_the_order_of_their_times_whoever_set_them() -> None:
    async def race() -> list[str]:
        fired: list[str] = []

        async def wait(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            fired.append(name)

        asyncio.get_running_loop().call_later(2.0, fired.append, "two")
        asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + 4.0, fired.append, "four")
        await asyncio.gather(wait("five", 5.0), wait("three", 3.0), wait("one", 1.0))
        return fired

    assert run_virtual(race()) == ["one", "two", "three", "four", "five"]


def test_a_timeout_ends_a_wait_at_its_time_and_an_event_ends_it_before() -> None:
    async def wait() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await asyncio.Event().wait()
        timed_out = loop.time()
        event = asyncio.Event()
        loop.call_later(10.0, event.set)
        async with asyncio.timeout(30.0):
            await event.wait()
        return timed_out, loop.time()

    assert run_virtual(wait()) == (pytest.approx(30.0), pytest.approx(40.0))


def test_every_run_is_the_same() -> None:
    async def interleave() -> list[tuple[float, int]]:
        seen: list[tuple[float, int]] = []

        async def step(number: int) -> None:
            for _ in range(20):
                await asyncio.sleep(0.1 + number / 7)
                seen.append((asyncio.get_running_loop().time(), number))

        await asyncio.gather(*(step(number) for number in range(5)))
        return seen

    assert run_virtual(interleave()) == run_virtual(interleave())


def test_a_thread_still_reaches_the_loop() -> None:
    async def hear() -> str:
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(heard.set_result, "hello"))
        thread.start()
        try:
            return await heard
        finally:
            thread.join()

    assert run_virtual(hear()) == "hello"


def test_waiting_for_what_never_comes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.virtual_time._PATIENCE_S", 0.0)

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer is left"):
        run_virtual(wait())


def test_the_clock_begins_at_zero() -> None:
    loop = VirtualLoop()
    try:
        assert loop.time() == 0.0
    finally:
        loop.close()
