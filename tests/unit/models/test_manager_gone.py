"""A provider that goes away and comes back is noticed within seconds, and only it is asked for that."""

from __future__ import annotations

import asyncio

from dragoman.limits import CATALOGUE_GONE_SECONDS, CATALOGUE_SECONDS
from dragoman.models.manager import ModelManager
from dragoman.models.selection import Source
from tests.support.scripted_endpoint import settle
from tests.support.scripted_providers import Place

CHAT = frozenset({"completion", "chat"})


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def able(manager: ModelManager) -> list[str]:
    """Return who can chat, once what the question has started is done."""
    await manager.choose("chat")
    await settle()
    return [one.source.provider.name for one in manager.current("chat").able]


async def test_one_that_is_gone_is_looked_for_alone_until_it_is_back() -> None:
    clock = Clock()
    stays, goes = Place("stays", {"talker": CHAT}), Place("goes", {"talker": CHAT})
    never = Place("never", up=False)
    manager = ModelManager([Source(stays), Source(goes), Source(never)], {}, clock)
    changes: list[float] = []
    manager.on_change = lambda: changes.append(clock.now)
    assert await able(manager) == ["stays", "goes"]

    goes.up = False
    manager.invalidate()
    assert await able(manager) == ["stays"]
    assert [one.asked for one in (stays, goes, never)] == [2, 2, 2]

    clock.now += CATALOGUE_GONE_SECONDS / 2
    assert await able(manager) == ["stays"]
    assert goes.asked == 2, "not at once"
    clock.now += CATALOGUE_GONE_SECONDS
    assert await able(manager) == ["stays"]
    assert await able(manager) == ["stays"]
    assert goes.asked == 3, "once, not for every request"
    assert len(changes) == 2, "nothing has changed"

    goes.up = True
    clock.now += CATALOGUE_GONE_SECONDS + 0.1
    assert await able(manager) == ["stays", "goes"]
    assert [one.asked for one in (stays, goes, never)] == [2, 4, 2], "who was never there is not waited for"
    assert len(changes) == 3
    clock.now += CATALOGUE_GONE_SECONDS + 0.1
    assert await able(manager) == ["stays", "goes"]
    assert goes.asked == 4
    await manager.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_looking_for_one_puts_off_no_whole_reading() -> None:
    clock = Clock()
    stays, goes = Place("stays", {"talker": CHAT}), Place("goes", {"talker": CHAT})
    manager = ModelManager([Source(stays), Source(goes)], {}, clock)
    await manager.refresh()
    goes.up = False
    await manager.refresh()
    began = clock.now
    while clock.now <= began + CATALOGUE_SECONDS + CATALOGUE_GONE_SECONDS:
        clock.now += CATALOGUE_GONE_SECONDS + 0.1
        await able(manager)
    assert stays.asked == 3
    await manager.aclose()
