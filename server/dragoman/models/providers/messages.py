"""Conversations in the words of the protocols: texts, pictures, tools, calls of tools and their results."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from dragoman.errors import RequestRejectedError
from dragoman.models.base import ChatMessage, ChatRequest, Image, ModelInfo, Tool, ToolCall


def check_pictures(info: ModelInfo, request: ChatRequest) -> None:
    """Refuse pictures for a model that sees none; raises RequestRejectedError."""
    if "vision" not in info.capabilities and any(message.images for message in request.messages):
        raise RequestRejectedError(
            f"The model {info.name!r} of provider {info.provider!r} sees no pictures.",
            hint="Ask one that does, or state vision = true for it if it does.",
        )


def texts_of(request: ChatRequest) -> tuple[str, ...]:
    """Return the texts of a conversation, to be kept out of error messages."""
    return tuple(message.content for message in request.messages if message.content)


# -- OpenAI's words ----------------------------------------------------------------------------------------------------


def openai_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Return the messages as ``/v1/chat/completions`` takes them."""
    return [_openai_message(message) for message in messages]


def _openai_message(message: ChatMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        pictures = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in message.images]
        told["content"] = [*([{"type": "text", "text": message.content}] if message.content else []), *pictures]
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        told["content"] = message.content or None
    if message.tool_call_id is not None:
        told["tool_call_id"] = message.tool_call_id
    return told


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{b64encode(image.data).decode('ascii')}"


def openai_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Return the definitions of tools; Ollama takes the same."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


def openai_choice(choice: str, *, required: str = "required") -> str | dict[str, Any]:
    """Return which tool is to be called; ``required`` is the service's word for "any of them"."""
    if choice in ("auto", "none"):
        return choice
    return required if choice == "required" else {"type": "function", "function": {"name": choice}}


# -- Ollama's words ----------------------------------------------------------------------------------------------------


def ollama_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Return the messages as ``/api/chat`` takes them: a result of a tool goes by the tool's name, older servers know no ids."""
    names: dict[str, str] = {}
    told = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls}
        told.append(_ollama_message(message, names))
    return told


def _ollama_message(message: ChatMessage, names: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        told["images"] = [b64encode(image.data).decode("ascii") for image in message.images]
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "function": {"index": at, "name": call.name, "arguments": arguments_of(call)}}
            for at, call in enumerate(message.tool_calls)
        ]
    if message.tool_call_id is not None:
        told["tool_call_id"] = message.tool_call_id
        if message.tool_call_id in names:
            told["tool_name"] = names[message.tool_call_id]
    return told


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments as an object; what the model garbled is kept under a name of its own."""
    try:
        value = json.loads(call.arguments or "{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"arguments": call.arguments}
