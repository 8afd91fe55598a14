"""A model in this process that plays a script, call by call; counts who asked, who runs and who was closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from dragoman.errors import ModelError
from dragoman.models.base import ChatMessage, ChatRequest, Chunk, CompletionRequest, ModelInfo, Prices, Usage
from dragoman.models.wrapper import Request

GHOST = CompletionRequest("def f(")
INDEXING = CompletionRequest("def f(", priority="background")
CHAT = ChatRequest((ChatMessage("user", "Hello?"),))


@dataclass(frozen=True)
class Turn:
    """What one call does: waits, says its pieces, then fails, hangs or ends well."""

    pieces: Sequence[str] = ("a", "b")
    first_after: float = 0.0
    between: float = 0.0
    error: ModelError | None = None
    hangs: bool = False
    usage: Usage | None = None


@dataclass
class ScriptedEndpoint:
    """Plays ``turns`` one after the other; the last one again and again."""

    turns: Sequence[Turn] = (Turn(),)
    name: str = "m"
    provider: str = "p"
    prices: Prices | None = None
    asked: list[Request] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    running: int = 0
    peak: int = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, self.provider, frozenset({"completion", "chat", "fim"}), 4096, prices=self.prices)

    @property
    def calls(self) -> int:
        return len(self.operations)

    def _next(self) -> Turn:
        return self.turns[min(self.calls, len(self.turns) - 1)]

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        return self._play(request)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        return self._play(request)

    async def _play(self, request: Request) -> AsyncGenerator[Chunk, None]:
        turn = self._next()
        self.asked.append(request)
        self.operations.append("stream")
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await asyncio.sleep(turn.first_after)
            for piece in turn.pieces:
                yield Chunk(piece)
                await asyncio.sleep(turn.between)
            if turn.hangs:
                await asyncio.Event().wait()
            if turn.error is not None:
                raise turn.error
            yield Chunk(finish="stop", usage=turn.usage)
        finally:
            self.running -= 1

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        turn = self._next()
        self.operations.append("vectors")
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await asyncio.sleep(turn.first_after)
            if turn.error is not None:
                raise turn.error
            return [[float(len(text))] for text in texts]
        finally:
            self.running -= 1


async def read(stream: AsyncGenerator[Chunk, None]) -> str:
    """Return all that a stream says."""
    return "".join([chunk.text async for chunk in stream])


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(8):
        await asyncio.sleep(0)
