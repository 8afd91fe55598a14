"""A run's messages are counted once, however often its steps read them, and come to what they always come to."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.agents.compaction import CountedOnce
from dragoman.context.conversation_tokens import MessageTokens
from dragoman.models.base import ChatMessage, ToolCall


async def test_what_was_counted_is_not_counted_again() -> None:
    asked: list[str] = []

    async def count(texts: Sequence[str]) -> list[int]:
        asked.extend(texts)
        return [len(text) for text in texts]

    plain = MessageTokens(count, margin=1.5)
    once = CountedOnce(plain)
    messages = [
        ChatMessage("user", "Mend it."),
        ChatMessage("assistant", "", tool_calls=(ToolCall("c1", "look", "{}"),)),
        ChatMessage("tool", "seen", tool_call_id="c1"),
        ChatMessage("assistant", "Mend it."),
    ]
    expected = await plain.count(messages)
    asked.clear()

    assert await once.count(messages[:2]) == expected[:2]
    assert await once.count(messages) == expected
    assert await once.count(messages[2:]) == expected[2:]
    assert len(asked) == 5, "four texts and a call, each once"
    assert once.margin == 1.5
    assert await once.count_frame() == await plain.count_frame()
