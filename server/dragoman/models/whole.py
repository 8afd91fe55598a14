"""Whole answers: a stream put together, for callers that show nothing before the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dragoman.models.base import Chunk, FinishReason, Model, ToolCall, Usage
from dragoman.models.wrapper import Request, open_stream


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a model said to one request; ``usage`` is None where the server does not tell it."""

    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish: FinishReason = "stop"


@runtime_checkable
class AnswersWhole(Protocol):
    """A model that can do more for a whole answer than put its stream together: begin again after a cut in the middle."""

    async def answer(self, request: Request) -> Answer:
        """Return the whole answer; raises `ModelError`."""
        ...


async def answer_whole(model: Model, request: Request) -> Answer:
    """Ask ``model`` for a whole answer; raises `ModelError`.

    Retries and other endpoints mend even what breaks in the middle, where they are the outermost wrappers of the model.
    """
    if isinstance(model, AnswersWhole):
        return await model.answer(request)
    return await collect(open_stream(model, request))


async def collect(stream: AsyncGenerator[Chunk, None]) -> Answer:
    """Put a stream together; it is closed however this ends."""
    text: list[str] = []
    thinking: list[str] = []
    calls: dict[int, tuple[str, str, list[str]]] = {}
    usage: Usage | None = None
    finish: FinishReason = "stop"
    async with aclosing(stream):
        async for chunk in stream:
            text.append(chunk.text)
            thinking.append(chunk.thinking)
            for delta in chunk.tool_calls:
                key, name, pieces = calls.get(delta.index, ("", "", []))
                pieces.append(delta.arguments)
                calls[delta.index] = (key or delta.id, name or delta.name, pieces)
            usage = chunk.usage or usage
            finish = chunk.finish or finish
    called = tuple(ToolCall(key, name, "".join(pieces)) for _, (key, name, pieces) in sorted(calls.items()))
    return Answer("".join(text), "".join(thinking), called, usage, finish)
