"""Memory goes back to the system when nobody waits, and only then; the server imports no more of the types than it uses."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from dragoman.lsp import upkeep
from dragoman.lsp.documents import DocumentStore
from dragoman.lsp.upkeep import MESSAGES, Upkeep


class Knot:
    """Refers to itself, so that only a collection ends it."""

    itself: Knot


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(upkeep, "QUIET_S", 0.005)
    monkeypatch.setattr(upkeep, "EVERY_S", 0.02)
    yield
    gc.unfreeze()


async def until(keeper: Upkeep, turns: int) -> None:
    async with asyncio.timeout(20):
        while keeper.turns < turns:
            await asyncio.sleep(0.005)


async def test_it_waits_for_quiet_and_then_collects() -> None:
    quiet = False
    keeper = Upkeep(lambda: quiet)
    keeper.soon()
    keeper.soon()
    await asyncio.sleep(0.1)
    assert keeper.turns == 0
    knot = Knot()
    knot.itself = knot
    seen = weakref.ref(knot)
    del knot
    quiet = True
    await until(keeper, 1)
    assert seen() is None
    await asyncio.sleep(0.1)
    assert keeper.turns == 1


async def test_a_thousand_closed_documents_are_one_turn_and_a_later_one_another() -> None:
    keeper = Upkeep(lambda: True)
    store = DocumentStore()
    store.on_close = keeper.soon
    for number in range(1000):
        store.open(f"file:///{number}", "python", 1, "text")
        store.close(f"file:///{number}")
    assert not store.close("file:///0")
    await until(keeper, 1)
    await asyncio.sleep(0.1)
    assert keeper.turns == 1
    store.open("file:///again", "python", 1, "text")
    store.close("file:///again")
    await until(keeper, 2)


async def test_much_typing_is_a_reason_too() -> None:
    keeper = Upkeep(lambda: True)
    for _ in range(MESSAGES - 1):
        keeper.heard()
    await asyncio.sleep(0.05)
    assert keeper.turns == 0
    keeper.heard()
    await until(keeper, 1)


async def test_what_is_imported_at_the_start_is_left_out_of_collections_and_closing_ends_all() -> None:
    frozen = gc.get_freeze_count()
    keeper = Upkeep(lambda: True)
    keeper.begin()
    assert gc.get_freeze_count() > frozen + 10_000
    keeper.close()
    keeper.soon()
    await asyncio.sleep(0.05)
    assert keeper.turns == 0


def test_the_servers_types_have_no_methods_that_nobody_calls() -> None:
    code = (
        "import attrs; define = attrs.define\n"
        "import dragoman.lsp.server, linecache\n"
        "from lsprotocol import types\n"
        "assert attrs.define is define\n"
        "assert '__repr__' not in vars(types.InitializeParams) and '__eq__' not in vars(types.InitializeParams)\n"
        "assert types.Position(1, 2) == types.Position(1, 2) < types.Position(1, 3)\n"
        "assert not [name for name in linecache.cache if 'lsprotocol' in name]\n"
        "print('lean')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "lean\n"
