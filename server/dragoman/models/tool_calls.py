"""Tools for models that know none: calls are written as JSON, held to a schema where that is possible, and checked.

`ToolCallingModel` goes around any chat model; one with tools of its own is left alone until it refuses them.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from dragoman.errors import ContextOverflowError, RequestRejectedError, ToolCallError, ToolsUnsupportedError
from dragoman.models.assembly import parse_arguments
from dragoman.models.base import (
    ChatMessage,
    ChatRequest,
    Chunk,
    CompletionRequest,
    FinishReason,
    Model,
    ModelInfo,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from dragoman.models.prompts import read_prompt
from dragoman.models.providers.answers import StopCutter
from dragoman.models.schemas import Schema
from dragoman.models.tool_replies import ReplyReader
from dragoman.models.tool_wording import Offer, build_schema, read_offer, render

REFUSALS: Final = 3
"""So many different schemas a server refuses before it is taken to know none: it may have stumbled over one tool's."""


class ToolCallingModel:
    """Gives a model the tools of a request, whether it has tools of its own or not; remembers what its server refused.

    The text for the user is handed on as it comes, thinking too.
    A call is handed on whole, once it is known to be one that can be made: there is no taking back half of one.
    A wrong call is told what is wrong with it, once; after that the stream raises ToolCallError.
    A server that takes tools and does not call the one that ``tool_choice`` demands, as small models behind llama.cpp do not,
    is made to by the form.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._has_tools = "tools" in model.info.capabilities
        self._obeys = True
        self._has_schemas = "json_schema" in model.info.capabilities
        self._refused: set[str] = set()

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do, tools included."""
        info = self._model.info
        return replace(info, capabilities=info.capabilities | {"tools"})

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        return self._model.complete(request)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation, with calls of the request's tools."""
        demands = bool(request.tools) and request.tool_choice not in {"auto", "none"}
        natively = self._has_tools and (self._obeys or not demands)
        spent: Usage | None = None
        if natively or not (request.tools or any(message.role == "tool" for message in request.messages)):
            begun = False
            stream = self._model.chat(request)
            chunks = _hold_until_called(stream, request.tool_choice) if demands and natively else stream
            try:
                async with aclosing(stream), aclosing(chunks):
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except ToolsUnsupportedError:
                if begun or not natively:
                    raise
                # Some take tools and only no demand that one be called.
                self._obeys = False
                self._has_tools = demands
            except _NotCalledError as error:
                self._obeys = False
                spent = error.usage
            else:
                return
        async with aclosing(self._chat_in_form(request, spent)) as stream:
            async for chunk in stream:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return await self._model.embed(texts)

    # -- by JSON -------------------------------------------------------------------------------------------------------

    async def _chat_in_form(self, request: ChatRequest, spent: Usage | None) -> AsyncGenerator[Chunk, None]:
        offer = read_offer(request)
        if not offer.tools and not offer.may_answer:
            raise RequestRejectedError(f"The tool choice {request.tool_choice!r} names no tool of the request.")
        messages = render(request, offer)
        if not offer.tools:
            async with aclosing(self._model.chat(replace(request, messages=messages, tools=()))) as stream:
                async for chunk in stream:
                    yield chunk
            return
        question = replace(request, messages=messages, tools=(), tool_choice="auto", stop=())
        schema = build_schema(offer, request.json_schema)
        turn = _Turn(offer, request.stop, usage=spent)
        while True:
            held = self._has_schemas and json.dumps(schema) not in self._refused
            asked = replace(question, json_schema=schema if held else None)
            try:
                async with aclosing(turn.read(self._model.chat(asked))) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except ContextOverflowError:
                raise
            except RequestRejectedError:
                if turn.begun or not held:
                    raise
                # It was taken to have schemas and has none, or not this one.
                self._refused.add(json.dumps(schema))
                self._has_schemas = len(self._refused) < REFUSALS
                continue
            turn.attempts += 1
            problem = await turn.judge()
            if problem is None:
                yield turn.last()
                return
            if turn.attempts > 1:
                raise problem
            question = replace(question, messages=question.messages + turn.object(problem))


class _NotCalledError(Exception):
    """A model with tools of its own did not call the tool that it had to."""

    def __init__(self, usage: Usage | None) -> None:
        super().__init__()
        self.usage = usage


async def _hold_until_called(stream: AsyncGenerator[Chunk, None], choice: str) -> AsyncGenerator[Chunk, None]:
    """Pass on thinking at once and text with the first call; raises _NotCalledError when that is another one, or none."""
    text: list[str] = []
    async for chunk in stream:
        if chunk.tool_calls:
            if choice not in {"required", chunk.tool_calls[0].name}:
                raise _NotCalledError(chunk.usage)
            yield replace(chunk, text="".join([*text, chunk.text]))
            break
        text.append(chunk.text)
        if chunk.finish is not None:
            raise _NotCalledError(chunk.usage)
        if chunk.thinking:
            yield Chunk(thinking=chunk.thinking)
    async for chunk in stream:
        yield chunk


@dataclass
class _Turn:
    """One answer of a model, the second attempt included."""

    offer: Offer
    stops: tuple[str, ...]
    attempts: int = 0
    begun: bool = False
    finish: FinishReason = "stop"
    usage: Usage | None = None
    call: ToolCall | None = None

    def __post_init__(self) -> None:
        self._reader = ReplyReader()
        self._cutter = StopCutter(self.stops)

    async def read(self, stream: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
        """Yield what can be handed on at once: thinking, and the text for the user; closes the stream when enough was said."""
        self._reader = ReplyReader()
        self.begun = False
        usage: Usage | None = None
        async with aclosing(stream):
            async for chunk in stream:
                self.begun = True
                text = self._pass_on(self._reader.feed(chunk.text))
                usage = chunk.usage or usage
                if chunk.finish is not None:
                    self.finish = chunk.finish
                    text += self._pass_on(self._reader.end())
                    self.usage = _add(self.usage, usage)
                if text or chunk.thinking:
                    yield Chunk(text, chunk.thinking)
                if self._cutter.stopped:
                    self.finish = "stop"
                    return
                if self._reader.is_call and self._reader.goes_on:
                    # What a model writes behind its call is what it imagines to be the result.
                    return

    async def judge(self) -> ToolCallError | None:
        """Return what is wrong with the answer; None for a call that can be made, which is then in ``call``, and for a text."""
        reader = self._reader
        if self._cutter.stopped:
            return None
        if reader.trouble:
            reason = "it was cut off, because it was too long" if self.finish == "length" else reader.trouble
            return ToolCallError(reader.tool, reason)
        if not reader.is_call:
            return None if self.offer.may_answer else ToolCallError("", "it answered instead of calling one")
        tool = self.offer.find(reader.tool)
        if tool is None:
            names = ", ".join(repr(one.name) for one in self.offer.tools)
            return ToolCallError(reader.tool, f"there is no such tool; there are {names}")
        call = ToolCall(f"call_{secrets.token_hex(8)}", tool.name, reader.arguments)
        try:
            arguments = parse_arguments(call)
        except ToolCallError as error:
            return error
        problem = (await asyncio.to_thread(Schema, tool.parameters)).check(arguments)
        if problem is not None:
            return ToolCallError(tool.name, f"of its arguments at {problem.path}, {problem.reason}")
        self.call = call
        return None

    def object(self, problem: ToolCallError) -> tuple[ChatMessage, ...]:
        """Return the messages that tell the model what is wrong with its answer."""
        said = (ChatMessage("assistant", self._reader.said),) if self._reader.said.strip() else ()
        reason = f"the call of the tool {problem.tool!r}: {problem.reason}" if problem.tool else problem.reason
        return (*said, ChatMessage("user", read_prompt("tools_repair", reason=reason)))

    def last(self) -> Chunk:
        """Return the chunk that ends the answer."""
        if self.call is None:
            return Chunk(self._cutter.end(), finish=self.finish, usage=self.usage)
        delta = ToolCallDelta(0, self.call.id, self.call.name, self.call.arguments)
        return Chunk(self._cutter.end(), finish="tool_calls", usage=self.usage, tool_calls=(delta,))

    def _pass_on(self, text: str) -> str:
        return self._cutter.feed(text) if text and self.offer.may_answer else ""


def _add(first: Usage | None, second: Usage | None) -> Usage | None:
    if first is None or second is None:
        return first or second
    return Usage(
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        first.cached_tokens + second.cached_tokens,
    )
