"""A stream's chunks put together again: one whole answer, with the tool calls that came in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from dragoman.errors import StreamBrokenError, StreamMalformedError, ToolCallError
from dragoman.models.base import Chunk, FinishReason, ToolCall, ToolCallDelta, Usage
from dragoman.models.json_text import load_json


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a model said to one request; ``usage`` is None where the server does not tell it.

    ``tool_calls`` are in the order of their indices in the stream.
    """

    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish: FinishReason = "stop"


class Assembly:
    """Takes chunks in and keeps what they say, until the last one has come."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        if chunk.text:
            self._text.append(chunk.text)
        if chunk.thinking:
            self._thinking.append(chunk.thinking)
        for delta in chunk.tool_calls:
            self._calls.setdefault(delta.index, _Call()).feed(delta)
        self._finish = chunk.finish or self._finish
        self._usage = chunk.usage or self._usage

    def answer(self) -> Answer:
        """Return the whole answer; raises StreamBrokenError when its end did not come, StreamMalformedError for a nameless call."""
        if self._finish is None:
            raise StreamBrokenError("The answer ended before it was finished.")
        calls = tuple(self._calls[index].join(index) for index in sorted(self._calls))
        return Answer("".join(self._text), "".join(self._thinking), calls, self._usage, self._finish)


class _Call:
    """One tool call in the making; its first id and name count, for some servers repeat them in every piece."""

    def __init__(self) -> None:
        self._id = ""
        self._name = ""
        self._arguments: list[str] = []

    def feed(self, delta: ToolCallDelta) -> None:
        self._id = self._id or delta.id
        self._name = self._name or delta.name
        self._arguments.append(delta.arguments)

    def join(self, index: int) -> ToolCall:
        if not self._name:
            raise StreamMalformedError(f"Tool call {index} of the answer has no name.")
        return ToolCall(self._id or f"call_{index}", self._name, "".join(self._arguments))


async def gather_answer(stream: AsyncGenerator[Chunk, None]) -> Answer:
    """Read a stream to its end and return the whole answer; closes the stream, also when it is cancelled.

    Raises what the stream raises, and as `Assembly.answer`.
    """
    assembly = Assembly()
    async with aclosing(stream):
        async for chunk in stream:
            assembly.feed(chunk)
    return assembly.answer()


def parse_arguments(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments; no text at all counts as no arguments. Raises ToolCallError for what is no JSON object."""
    if not call.arguments.strip():
        return {}
    try:
        value = load_json(call.arguments)
    except ValueError as error:
        raise ToolCallError(call.name, f"its arguments are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ToolCallError(call.name, "its arguments are not a JSON object")
    return value
