"""A chat model in this process that says what a test wants, and counts who asked and who hung up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dragoman.errors import ModelError
from dragoman.models.base import Capability, ChatRequest, Chunk, CompletionRequest, FinishReason, ModelInfo, Usage


def split(text: str, places: Sequence[int]) -> list[str]:
    """Cut a text at ``places``, counted round and round its length."""
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(borders)]


@dataclass(frozen=True)
class Cut:
    """An answer that ends for another reason than that it is done."""

    text: str
    finish: FinishReason = "length"


Line = str | Cut | ModelError | tuple[Chunk, ...]
"""An answer: a text, a text with its own end, an error, or the chunks themselves."""


@dataclass
class ScriptedChat:
    """Gives one of ``answers`` to each request, in pieces of ``size`` characters; after the last it says nothing more, for ever."""

    answers: Sequence[Line]
    able: frozenset[Capability] = frozenset({"chat"})
    size: int = 3
    requests: list[ChatRequest] = field(default_factory=list)
    running: int = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("talker", "scripted", self.able, 4096)

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk(request.prompt, finish="stop")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text))] for text in texts]

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        self.running += 1
        try:
            if len(self.requests) > len(self.answers):
                await asyncio.get_running_loop().create_future()
            match self.answers[len(self.requests) - 1]:
                case ModelError() as error:
                    raise error
                case tuple() as chunks:
                    for chunk in chunks:
                        yield chunk
                case answer:
                    cut = answer if isinstance(answer, Cut) else Cut(answer, "stop")
                    for start in range(0, len(cut.text), self.size):
                        await asyncio.sleep(0)
                        yield Chunk(cut.text[start : start + self.size])
                    yield Chunk(finish=cut.finish, usage=Usage(10, len(cut.text), 0))
        finally:
            self.running -= 1
