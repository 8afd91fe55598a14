"""A repository and a cache of conversations in this process, as slow and as broken as a test wants them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dragoman.context.conversation_tokens import MessageTokens
from dragoman.context.history import HistoryMessage, MemoryHistory
from dragoman.models.base import ChatMessage, Tool


@dataclass
class Shelf:
    """A `HistoryRepository`; ``delay`` gives the seconds before and behind each change, ``readings`` counts `last`."""

    delay: Callable[[], float] = lambda: 0.0
    rows: dict[str, list[HistoryMessage]] = field(default_factory=lambda: defaultdict(list))
    archived: dict[str, int] = field(default_factory=dict)
    readings: int = 0
    failure: Exception | None = None

    @classmethod
    def holding(cls, messages: Sequence[ChatMessage], name: str = "c") -> Shelf:
        shelf = cls()
        shelf.rows[name] = [HistoryMessage(seq, message) for seq, message in enumerate(messages, 1)]
        return shelf

    def live(self, name: str = "c") -> list[HistoryMessage]:
        return [row for row in self.rows[name] if row.seq >= self.archived.get(name, 0)]

    async def last(self, conversation_id: str, n: int) -> Sequence[HistoryMessage]:
        await asyncio.sleep(self.delay())
        if self.failure is not None:
            raise self.failure
        self.readings += 1
        found = self.live(conversation_id)[-n:]
        await asyncio.sleep(self.delay())
        return found

    async def append(
        self, conversation_id: str, message: ChatMessage, *, model: str | None = None, tokens: int | None = None
    ) -> HistoryMessage:
        await asyncio.sleep(self.delay())
        kept = HistoryMessage(len(self.rows[conversation_id]) + 1, message)
        self.rows[conversation_id].append(kept)
        await asyncio.sleep(self.delay())
        return kept

    async def archive_before(self, conversation_id: str, seq: int) -> None:
        await asyncio.sleep(self.delay())
        self.archived[conversation_id] = max(seq, self.archived.get(conversation_id, 0))
        await asyncio.sleep(self.delay())


class FickleHistory(MemoryHistory):
    """A cache that may be slow, and away: then every call fails and what it holds stays as it was."""

    def __init__(self, delay: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self.delay = delay
        self.away = False

    async def _reach(self) -> None:
        await asyncio.sleep(self.delay())
        if self.away:
            raise ConnectionError("the cache is away")

    async def get(self, conversation_id: str) -> tuple[HistoryMessage, ...] | None:
        await self._reach()
        return await super().get(conversation_id)

    async def set(self, conversation_id: str, messages: Sequence[HistoryMessage]) -> None:
        await self._reach()
        await super().set(conversation_id, messages)
        await asyncio.sleep(self.delay())

    async def append(self, conversation_id: str, message: HistoryMessage) -> None:
        await self._reach()
        await super().append(conversation_id, message)
        await asyncio.sleep(self.delay())


def cost(message: ChatMessage) -> int:
    """Return what a message costs where each character is a token."""
    calls = sum(1 + len(call.arguments) for call in message.tool_calls)
    return 1 + len(message.content) + calls + 50 * len(message.images)


class CharacterTokens(MessageTokens):
    """Counts `cost`, and nothing around the messages, so that a test can do the sum in its head."""

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin
        self.counted = 0

    async def count(self, messages: Sequence[ChatMessage]) -> list[int]:
        self.counted += len(messages)
        return [cost(message) for message in messages]

    async def count_frame(self, tools: Sequence[Tool] = ()) -> int:
        return 10 * len(tools)
