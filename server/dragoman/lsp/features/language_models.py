"""The models that an editor may lend to its other extensions: ``dragoman/models`` and ``dragoman/answer``, requests of our own.

``dragoman/models`` answers ``{models: [{name, provider, maxInputTokens, maxOutputTokens, tools, vision, chosen}]}``; the one
that is ``chosen`` is what chats are answered by.
``dragoman/answer`` takes ``{messages, model?, tools?, toolChoice?, maxTokens?, partialResultToken?}`` and answers
``{text, toolCalls, finish, usage}``.  A message is ``{role, content, images?: [{mediaType, data}], toolCalls?: [{id, name,
arguments}], toolCallId?}``, pictures in base64 and a call's arguments in JSON; a tool is ``{name, description, parameters}``.
With a token the answer's pieces go out as ``$/progress``, each ``{text}`` or ``{toolCall}``, and the reply has them no more.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, cast

from dragoman.lsp.failures import INVALID_PARAMS, RequestError
from dragoman.lsp.session import Session
from dragoman.models.assembly import Assembly, parse_arguments
from dragoman.models.base import ChatMessage, ChatRequest, Image, Tool, ToolCall

MODELS = "dragoman/models"
ANSWER = "dragoman/answer"

ROLES = ("system", "user", "assistant", "tool")

MOST_TOKENS = 8192
"""Of one answer; more than this nobody waits for."""


async def models(session: Session, _params: Any) -> dict[str, Any]:
    """Answer with the models that can chat."""
    return {"models": list(await session.services.models())}


async def answer(session: Session, params: Any) -> dict[str, Any]:
    """Have a model go on with a conversation as it is, without an agent; ends with the request."""
    request, name, token = _read_request(params)
    assembly = Assembly()
    async with aclosing(session.services.answer(request, name)) as chunks:
        async for chunk in chunks:
            assembly.feed(chunk)
            if token is not None and chunk.text:
                session.client.notify("$/progress", {"token": token, "value": {"text": chunk.text}})
    whole = assembly.answer()
    for one in whole.tool_calls:
        parse_arguments(one)
    calls = [{"id": one.id, "name": one.name, "arguments": one.arguments} for one in whole.tool_calls]
    if token is not None:
        for call in calls:
            session.client.notify("$/progress", {"token": token, "value": {"toolCall": call}})
    usage = whole.usage
    return {
        "text": whole.text if token is None else "",
        "toolCalls": calls if token is None else [],
        "finish": whole.finish,
        "usage": None
        if usage is None
        else {"promptTokens": usage.prompt_tokens, "completionTokens": usage.completion_tokens},
    }


def _read_request(params: Any) -> tuple[ChatRequest, str | None, int | str | None]:
    """Return what is asked, of which model, and under which token the pieces go out; raises RequestError."""
    if not isinstance(params, Mapping) or not isinstance(params.get("messages"), list) or not params["messages"]:
        raise RequestError(INVALID_PARAMS, f"{ANSWER!r} needs 'messages', a list with at least one.")
    try:
        messages = tuple(_message(one) for one in params["messages"])
        tools = tuple(
            Tool(_text(one, "name"), _text(one, "description", ""), _mapping(one, "parameters"))
            for one in params.get("tools") or ()
        )
    except (TypeError, KeyError, ValueError) as error:
        raise RequestError(INVALID_PARAMS, f"{ANSWER!r} was sent something malformed: {error}.") from None
    name, token, limit = params.get("model"), params.get("partialResultToken"), params.get("maxTokens", MOST_TOKENS)
    choice = params.get("toolChoice", "auto")
    if not (name is None or isinstance(name, str)) or not (token is None or isinstance(token, (int, str))):
        raise RequestError(INVALID_PARAMS, f"{ANSWER!r} needs 'model' to be a name, where there is one.")
    if not isinstance(limit, int) or limit < 1 or not isinstance(choice, str):
        raise RequestError(INVALID_PARAMS, f"{ANSWER!r} needs 'maxTokens' to be a number of at least 1.")
    request = ChatRequest(messages, max_tokens=min(limit, MOST_TOKENS), tools=tools, tool_choice=choice)
    return request, name or None, token


def _message(raw: Any) -> ChatMessage:
    role = _text(raw, "role")
    if role not in ROLES:
        raise ValueError(f"there is no role {role!r}, only {', '.join(ROLES)}")
    images = tuple(Image(_text(one, "mediaType"), _decode(_text(one, "data"))) for one in raw.get("images") or ())
    calls = tuple(
        ToolCall(_text(one, "id"), _text(one, "name"), _text(one, "arguments")) for one in raw.get("toolCalls") or ()
    )
    return ChatMessage(
        cast("Any", role), _text(raw, "content", ""), images, calls, _text(raw, "toolCallId", "") or None
    )


def _text(raw: Any, key: str, default: str | None = None) -> str:
    value = raw.get(key, default) if isinstance(raw, Mapping) else None
    if not isinstance(value, str):
        raise TypeError(f"{key!r} is not a text")
    return value


def _mapping(raw: Any, key: str) -> Mapping[str, Any]:
    value = raw.get(key, {})
    if not isinstance(value, Mapping):
        raise TypeError(f"{key!r} is not an object")
    return value


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("a picture is not in base64") from None
