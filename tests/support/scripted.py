"""A model in this process that says what a test wants, when it wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from dragoman.completion.policy import Target
from dragoman.completion.query import CompletionQuery, Trigger
from dragoman.errors import ModelError
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo


class Text:
    """A `TextView` over a plain string."""

    def __init__(self, text: str) -> None:
        self._lines = text.replace("\r\n", "\n").split("\n")

    @property
    def line_count(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> str:
        if not 0 <= index < len(self._lines):
            raise IndexError(index)
        return self._lines[index] + ("\n" if index + 1 < len(self._lines) else "")


def query_at(
    marked: str,
    *,
    language: str = "python",
    uri: str = "file:///w/a.py",
    trigger: Trigger = "automatic",
    version: int = 1,
) -> CompletionQuery:
    """Return the query for the place of ``‸`` in ``marked``."""
    before, after = marked.split("‸")
    line = before.count("\n")
    character = len(before) - before.rfind("\n") - 1
    return CompletionQuery(uri, language, version, Text(before + after), line, character, trigger)


@dataclass
class Call:
    """One generation as the model saw it."""

    request: CompletionRequest
    produced: int = 0
    closed: bool = False


@dataclass
class ScriptedModel:
    """Says ``pieces``, each after ``delay`` seconds; counts who asked and who hung up.

    ``gate`` holds the stream before the first piece until the test opens it.
    """

    pieces: Sequence[str] = ()
    delay: float = 0.0
    error: ModelError | None = None
    endless: bool = False
    gate: asyncio.Event | None = None
    calls: list[Call] = field(default_factory=list)
    info: ModelInfo = field(
        default_factory=lambda: ModelInfo("fake-coder", "fake", frozenset({"completion", "fim"}), 4096, None, "qwen")
    )

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        call = Call(request)
        self.calls.append(call)
        try:
            if self.gate is not None:
                await self.gate.wait()
            for piece in self.pieces:
                await asyncio.sleep(self.delay)
                call.produced += 1
                yield Chunk(piece)
            if self.error is not None:
                raise self.error
            while self.endless:
                await asyncio.sleep(0.005)
            yield Chunk(finish="stop")
        finally:
            call.closed = True

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        raise AssertionError("completion never chats")

    @property
    def running(self) -> int:
        return sum(not call.closed for call in self.calls)


@dataclass
class OneTarget:
    """Always the same model."""

    model: ScriptedModel
    is_local: bool = True
    max_concurrency: int = 1
    failures: list[ModelError] = field(default_factory=list)
    missing: ModelError | None = None

    async def completion_target(self) -> Target:
        if self.missing is not None:
            raise self.missing
        return Target(self.model, "fake", self.is_local, small=False, max_concurrency=self.max_concurrency)

    def report_failure(self, provider: str, error: ModelError) -> None:
        self.failures.append(error)
