"""Conversations in a real database and a real cache: what goes in comes out, and a restart changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dragoman.context.conversation import ConversationContext
from dragoman.context.history import HistoryMessage
from dragoman.context.stored_history import SharedHistory, StoredHistory
from dragoman.context.turn import ContextLimits, Turn
from dragoman.errors import ContextOverflowError, DragomanError
from dragoman.models.base import ChatMessage, Image, ModelInfo, ToolCall
from dragoman.storage.cache import MemoryCache, scope
from dragoman.storage.database import Database
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.messages import NewMessage, StoredImage

MODEL = ModelInfo("qwen2.5-coder", "p", context_window=4096)
CALL = ToolCall("call_1", "read_file", '{"path":"a.py"}')
TALK = [
    ChatMessage("user", "what is this?\r\n\f", images=(Image("image/png", b"\x89PNG\0"),)),
    ChatMessage("assistant", "", tool_calls=(CALL,)),
    ChatMessage("tool", "🙂", tool_call_id="call_1"),
    ChatMessage("assistant", "a smile"),
]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(f"sqlite:///{tmp_path / 'd.db'}") as opened:
        yield opened


def context_over(database: Database, cache: MemoryCache, window: int = 10) -> ConversationContext:
    shared = SharedHistory(cache, scope("history"))
    return ConversationContext(StoredHistory(Conversations(database)), shared, limits=ContextLimits(4000, window))


async def test_a_conversation_goes_on_after_a_restart(database: Database) -> None:
    context = context_over(database, MemoryCache())
    for message in TALK:
        await context.save_message("c", message, model="m", tokens=3)
    warm = await context.build(Turn(MODEL, ChatMessage("user", "and?"), "c", "S"))
    cold = await context_over(database, MemoryCache()).build(Turn(MODEL, ChatMessage("user", "and?"), "c", "S"))

    assert list(warm.messages) == [ChatMessage("system", "S"), *TALK, ChatMessage("user", "and?")]
    assert cold == warm
    assert {(one.model, one.tokens) for one in await Conversations(database).last("c", 9)} == {("m", 3)}


async def test_what_is_older_than_twice_the_window_is_archived_in_whole_pairs(database: Database) -> None:
    context = context_over(database, MemoryCache(), window=1)
    for message in [*TALK, ChatMessage("user", "thanks")]:
        await context.save_message("c", message)
    kept = await Conversations(database).after("c", archived=True)

    assert [one.archived_at is None for one in kept] == [False, False, False, True, True]
    built = await context.build(Turn(MODEL, conversation_id="c"))
    assert [message.content for message in built.messages] == ["a smile", "thanks"]


async def test_two_processes_with_one_cache_see_each_others_messages_when_they_save(database: Database) -> None:
    cache = MemoryCache()
    one, other = context_over(database, cache), context_over(database, cache)
    for number in range(6):
        await (one, other)[number % 2].save_message("c", ChatMessage("user", str(number)))

    for context in (one, other):
        built = await context.build(Turn(MODEL, ChatMessage("user", "?"), "c"))
        assert [message.content for message in built.messages] == [*"012345", "?"]


async def test_a_gap_in_the_cache_is_no_history() -> None:
    cache = MemoryCache()
    shared = SharedHistory(cache, scope("history"))
    await shared.set("c", [HistoryMessage(1, TALK[0])])
    await shared.append("c", HistoryMessage(2, TALK[1]))
    assert await shared.get("c") == [HistoryMessage(1, TALK[0]), HistoryMessage(2, TALK[1])]
    await shared.append("c", HistoryMessage(4, TALK[3]))
    assert await shared.get("c") is None
    await cache.set(scope("history"), "c", [{"what": "another version wrote"}])
    assert await shared.get("c") is None


async def test_a_picture_that_was_put_away_comes_back_or_is_left_out(database: Database) -> None:
    async def read(name: str) -> bytes:
        if name != "there":
            raise DragomanError("gone")
        return b"bytes"

    conversations = Conversations(database)
    images = tuple(StoredImage("image/png", artifact=name) for name in ("there", "gone"))
    await conversations.append("c", NewMessage("user", "look", images=images))

    (with_artifacts,) = await StoredHistory(conversations, read).last("c", 5)
    (without,) = await StoredHistory(conversations).last("c", 5)
    assert with_artifacts.message.images == (Image("image/png", b"bytes"),)
    assert without.message.images == ()


async def test_the_budget_holds_over_a_real_history(database: Database) -> None:
    context = context_over(database, MemoryCache())
    for number in range(12):
        await context.save_message("c", ChatMessage(("user", "assistant")[number % 2], f"{number} word" * 300))
    built = await context.build(Turn(MODEL, ChatMessage("user", "?"), "c", "S"))
    with pytest.raises(ContextOverflowError) as raised:
        await context.build(Turn(MODEL, ChatMessage("user", "word " * 4000), "c", "S"))

    assert built.budget.prompt == 4096 - 1024
    assert 2000 < built.tokens <= built.budget.prompt
    assert built.messages[0].content == "S"
    assert 900 < (raised.value.excess or 0) < 1100
