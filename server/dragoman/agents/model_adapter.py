"""The one place that knows pydantic-ai: its loop of answers and tool calls, over a model and tools of ours.

Imported when the first run starts, never before.
A call travels through it unread (its name and its JSON as the model wrote them), so that faults are judged and worded by us.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pydantic_ai
from pydantic_ai import Agent, RunContext, ToolDefinition
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import AbstractToolset
from pydantic_ai.toolsets.abstract import ToolsetTool
from pydantic_ai.usage import RequestUsage, UsageLimits
from pydantic_core import SchemaValidator, core_schema

from dragoman.models.base import ChatMessage, Image, ToolCall, Usage

# At a terminal it would put an advertisement between a question and its answer.
pydantic_ai.BANNER_ENABLED = False

Ask = Callable[[tuple[ChatMessage, ...]], Awaitable[tuple[ChatMessage, Usage]]]
"""Answers a conversation, as a message of the assistant."""

Call = Callable[[ToolCall], Awaitable[str]]
"""Makes a call and returns what the model is told of it."""

_ANY_CALL = "call"
_VALIDATOR = SchemaValidator(core_schema.any_schema())


async def converse(messages: Sequence[ChatMessage], ask: Ask, call: Call) -> str:
    """Let model and tools take turns until the model answers without a call; returns that answer.

    What ``ask`` and ``call`` raise ends it; so does cancelling, at once.
    """
    agent: Agent[None, str] = Agent(_AskedModel(ask), toolsets=[_Calls(call)], output_type=str)
    # The limits are ours, and looked at before each answer.
    limits = UsageLimits(request_limit=None)
    result = await agent.run(message_history=[_to_theirs(message) for message in messages], usage_limits=limits)
    return result.output


class _AskedModel(Model):
    """Answers through ``ask``."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._ask = ask

    @property
    def model_name(self) -> str:
        return "dragoman"

    @property
    def system(self) -> str:
        return "dragoman"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,  # noqa: ARG002 - settings are ours
        model_request_parameters: ModelRequestParameters,  # noqa: ARG002 - so are the tools
    ) -> ModelResponse:
        answer, usage = await self._ask(tuple(ours for message in messages for ours in _to_ours(message)))
        response = _to_theirs(answer)
        assert isinstance(response, ModelResponse)
        response.usage = RequestUsage(input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens)
        return response


class _Calls(AbstractToolset[None]):
    """One tool that takes every call, one after another: an edit must see what the one before it did."""

    def __init__(self, call: Call) -> None:
        self._call = call

    @property
    def id(self) -> str | None:
        return "dragoman"

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:  # noqa: ARG002
        definition = ToolDefinition(name=_ANY_CALL, sequential=True)
        return {_ANY_CALL: ToolsetTool(toolset=self, tool_def=definition, max_retries=0, args_validator=_VALIDATOR)}

    async def call_tool(
        self,
        name: str,  # noqa: ARG002 - the call says which
        tool_args: dict[str, Any],
        ctx: RunContext[None],
        tool: ToolsetTool[None],  # noqa: ARG002
    ) -> str:
        return await self._call(ToolCall(ctx.tool_call_id or "", tool_args["name"], tool_args["arguments"]))


def _to_theirs(message: ChatMessage) -> ModelMessage:
    if message.role == "assistant":
        parts: list[Any] = [TextPart(message.content)] if message.content or not message.tool_calls else []
        parts += [
            ToolCallPart(_ANY_CALL, {"name": call.name, "arguments": call.arguments}, call.id)
            for call in message.tool_calls
        ]
        return ModelResponse(parts=parts)
    if message.role == "tool":
        return ModelRequest(parts=[ToolReturnPart(_ANY_CALL, message.content, message.tool_call_id or "")])
    if message.images:
        shown = [BinaryContent(image.data, media_type=image.media_type) for image in message.images]
        return ModelRequest(parts=[UserPromptPart([message.content, *shown])])
    return ModelRequest(parts=[UserPromptPart(message.content)])


def _to_ours(message: ModelMessage) -> list[ChatMessage]:
    if isinstance(message, ModelResponse):
        text = "".join(part.content for part in message.parts if isinstance(part, TextPart))
        calls = tuple(
            ToolCall(part.tool_call_id, part.args_as_dict()["name"], part.args_as_dict()["arguments"])
            for part in message.parts
            if isinstance(part, ToolCallPart)
        )
        return [ChatMessage("assistant", text, tool_calls=calls)]
    ours: list[ChatMessage] = []
    for part in message.parts:
        if isinstance(part, ToolReturnPart):
            ours.append(ChatMessage("tool", part.model_response_str(), tool_call_id=part.tool_call_id))
        elif isinstance(part, UserPromptPart):
            content = [part.content] if isinstance(part.content, str) else part.content
            text = "".join(one for one in content if isinstance(one, str))
            images = tuple(Image(one.media_type, one.data) for one in content if isinstance(one, BinaryContent))
            ours.append(ChatMessage("user", text, images=images))
    return ours
