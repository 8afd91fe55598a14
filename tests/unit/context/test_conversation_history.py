"""Messages that are saved while others are, cancelled halfway, and beside a cache that goes away: none is lost or overtaken."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.context import history as history_module
from dragoman.context.conversation import ConversationContext
from dragoman.context.history import History, HistoryMessage, MemoryHistory
from dragoman.context.turn import ContextLimits, Turn
from dragoman.errors import ProviderFailedError
from dragoman.models.base import ChatMessage, Image, ModelInfo, ToolCall
from tests.support.conversations import FickleHistory, Shelf
from tests.support.virtual_time import run_virtual

WINDOW = 3


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def texts(messages: Sequence[HistoryMessage]) -> list[str]:
    return [kept.message.content for kept in messages]


steps = st.lists(
    st.sampled_from(
        ["save", "save", "save", "save and cancel", "read", "cache away", "cache back", "another process saves"]
    ),
    min_size=1,
    max_size=25,
)


@given(steps=steps, seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_after_a_save_the_cache_is_what_the_repository_is(steps: list[str], seed: int) -> None:
    chance = random.Random(seed)

    async def live_through() -> None:
        shelf = Shelf(delay=lambda: chance.choice([0, 0, 1, 2, 5]))
        cache = FickleHistory(delay=lambda: chance.choice([0, 0, 1, 3]))
        history = History(shelf, cache)
        running: list[asyncio.Task[HistoryMessage]] = []
        done: list[str] = []
        for number, step in enumerate(steps):
            if step == "cache away":
                cache.away = True
            elif step == "cache back":
                cache.away = False
            elif step == "read":
                await history.live("c", WINDOW)
            elif step == "another process saves":
                await shelf.append("c", user(f"other {number}"))
            else:
                task = asyncio.create_task(history.save("c", user(str(number)), WINDOW))
                running.append(task)
                await asyncio.sleep(chance.choice([0, 0, 1, 4]))
                if step == "save and cancel":
                    task.cancel()
                else:
                    done.append(str(number))
        for task in running:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await history.save("c", user("last"), WINDOW)
        seen = await history.live("c", WINDOW)

        assert seen == tuple(shelf.live()[-len(seen) :])
        assert texts(seen)[-1] == "last"
        assert len(seen) == min(len(shelf.rows["c"]), 2 * WINDOW)
        saved = [text for text in texts(shelf.rows["c"]) if text in done]
        assert saved == done, "in the order in which they were saved, and each once"
        assert not history._locks

    run_virtual(live_through())


async def test_the_cache_is_asked_first_and_the_repository_once() -> None:
    shelf = Shelf.holding([user("one"), ChatMessage("assistant", "two")])
    history = History(shelf, MemoryHistory())

    together = await asyncio.gather(*(history.live("c", WINDOW) for _ in range(5)))
    await history.save("c", user("three"), WINDOW)

    assert texts(await history.live("c", WINDOW)) == ["one", "two", "three"]
    assert {tuple(texts(one)) for one in together} == {("one", "two")}
    assert shelf.readings == 1


async def test_what_is_cached_is_read_though_the_repository_is_away() -> None:
    shelf = Shelf.holding([user("one")])
    history = History(shelf, MemoryHistory())
    await history.live("c", WINDOW)
    shelf.failure = ProviderFailedError("the database is away")

    assert texts(await history.live("c", WINDOW)) == ["one"]
    with pytest.raises(ProviderFailedError):
        await history.live("another", WINDOW)


async def test_a_conversation_that_another_process_went_on_with_is_seen_after_half_a_minute() -> None:
    now = 0.0
    shelf = Shelf.holding([user("one")])
    history = History(shelf, MemoryHistory(clock=lambda: now))
    await history.live("c", WINDOW)
    await shelf.append("c", user("two"))
    before = await history.live("c", WINDOW)
    now = 31.0

    assert texts(before) == ["one"]
    assert texts(await history.live("c", WINDOW)) == ["one", "two"]


async def test_old_messages_are_archived_not_lost() -> None:
    shelf = Shelf()
    context = ConversationContext(shelf, MemoryHistory(), limits=ContextLimits(history_window=2))
    for number in range(9):
        await context.save_message("c", user(str(number)))

    assert texts(shelf.live()) == ["5", "6", "7", "8"]
    assert texts(shelf.rows["c"]) == [str(number) for number in range(9)]
    built = await context.build(Turn(ModelInfo("gpt-4o", "p"), user("and?"), "c"))
    assert [message.content for message in built.messages] == ["7", "8", "and?"]


async def test_a_long_run_keeps_its_question() -> None:
    shelf = Shelf()
    context = ConversationContext(shelf, MemoryHistory(), limits=ContextLimits(history_window=1))
    await context.save_message("c", user("old"))
    await context.save_message("c", user("do it"))
    for number in range(60):
        await context.save_message("c", ChatMessage("assistant", "", tool_calls=(ToolCall(f"c{number}", "f", "{}"),)))
        await context.save_message("c", ChatMessage("tool", str(number), tool_call_id=f"c{number}"))
    await context.forget("c")

    built = await context.build(Turn(ModelInfo("gpt-4o", "p"), conversation_id="c"))

    assert built.messages[0] == user("do it")
    assert len(built.messages) == 121
    assert "old" not in texts(shelf.live())


async def test_a_save_that_cannot_be_tidied_is_a_save() -> None:
    shelf = Shelf()
    history = History(shelf, MemoryHistory())
    shelf.failure = ProviderFailedError("the database is slow")
    saved = await history.save("c", user("one"), WINDOW)
    shelf.failure = None

    assert saved.seq == 1
    assert texts(await history.live("c", WINDOW)) == ["one"]


async def test_a_cache_that_stays_away_is_given_up_rather_than_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(history_module, "HISTORY_DOUBTED", 3)
    shelf, cache = Shelf(), FickleHistory()
    history = History(shelf, cache)
    await history.save("first", user("one"), WINDOW)
    cache.away = True
    for name in ("first", "a", "b", "c", "d"):
        await history.save(name, user("two"), WINDOW)
    cache.away = False

    assert texts(await history.live("first", WINDOW)) == ["one", "two"]
    assert len(history._doubted) <= 3
    assert sum("does not answer" in line for line in caplog.messages) == 1


async def test_memory_is_bounded_by_bytes() -> None:
    cache = MemoryHistory(most_bytes=10_000)
    for name in "abc":
        await cache.set(name, [HistoryMessage(1, user("x" * 1000))])
    await cache.get("a")
    await cache.append("c", HistoryMessage(2, ChatMessage("user", "", images=(Image("image/png", b"x" * 4000),))))
    await cache.set("huge", [HistoryMessage(1, user("x" * 5000))])

    assert await cache.get("a") is None or await cache.get("b") is None
    assert await cache.get("c") is not None or await cache.get("a") is not None
    assert await cache.get("huge") is None
    assert cache._bytes <= 10_000
    for name in "abc":
        await cache.invalidate(name)
    assert cache._bytes == 0
