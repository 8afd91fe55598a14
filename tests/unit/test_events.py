"""The bus: every listener hears everything in order, none waits for another, and a failing one harms nobody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dragoman.events import EventBus


@dataclass(frozen=True)
class Told:
    number: int


@dataclass(frozen=True)
class ToldMore(Told):
    pass


async def test_each_listener_hears_its_kind_in_order_however_slow_another_is() -> None:
    bus = EventBus()
    quick: list[int] = []
    slow: list[int] = []
    gate = asyncio.Event()

    async def wait(event: ToldMore) -> None:
        await gate.wait()
        slow.append(event.number)

    bus.subscribe(Told, lambda event: quick.append(event.number))
    bus.subscribe(ToldMore, wait)
    for event in (Told(1), ToldMore(2), Told(3), ToldMore(4)):
        bus.publish(event)
    bus.publish("nobody's")
    for _ in range(5):
        await asyncio.sleep(0)
    assert (quick, slow) == ([1, 2, 3, 4], [])

    gate.set()
    await bus.drain()
    assert slow == [2, 4]
    await bus.aclose()


async def test_a_listener_that_fails_goes_on_and_so_do_the_others() -> None:
    bus = EventBus()
    heard: list[int] = []

    def fail(event: Told) -> None:
        heard.append(event.number)
        raise ValueError("no")

    bus.subscribe(Told, fail)
    bus.subscribe(Told, lambda event: heard.append(10 * event.number))
    bus.publish(Told(1))
    bus.publish(Told(2))
    await bus.drain()

    assert sorted(heard) == [1, 2, 10, 20]
    await bus.aclose()


async def test_who_is_too_far_behind_loses_the_oldest_and_that_is_counted() -> None:
    bus = EventBus(queued=2)
    heard: list[int] = []
    subscription = bus.subscribe(Told, lambda event: heard.append(event.number))
    for number in range(5):
        bus.publish(Told(number))
    await bus.drain()

    assert (heard, subscription.lost) == ([3, 4], 3)
    await bus.aclose()


async def test_after_the_end_nothing_is_heard_and_nothing_runs() -> None:
    bus = EventBus()
    heard: list[int] = []

    async def never(event: Told) -> None:
        heard.append(event.number)
        await asyncio.Event().wait()

    subscription = bus.subscribe(Told, never)
    bus.publish(Told(1))
    await asyncio.sleep(0)
    before = len(asyncio.all_tasks())
    await bus.unsubscribe(subscription)
    bus.publish(Told(2))
    subscription.offer(Told(3))
    await asyncio.sleep(0)

    assert heard == [1]
    assert len(asyncio.all_tasks()) == before - 1
