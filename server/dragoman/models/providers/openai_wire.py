"""The words of OpenAI's protocol: what is asked, what is answered, and which parameters a server may do without."""

from __future__ import annotations

import re
from typing import Any, Final

from dragoman.errors import StreamBrokenError, StreamMalformedError
from dragoman.models.base import ChatRequest, FinishReason, ModelInfo, Usage
from dragoman.models.providers.answers import Step
from dragoman.models.providers.http import DONE
from dragoman.models.providers.messages import openai_choice, openai_messages, openai_tools
from dragoman.models.providers.presets import Preset, thinking_parameters
from dragoman.models.providers.probabilities import entries_of
from dragoman.models.providers.tool_calls import piece_of_function, pieces_of

STOP_LIMIT: Final = 4
"""Stop texts the protocol allows; all of them are looked for on our side too."""

_FINISHES: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "cancelled": "cancelled",
    "abort": "cancelled",
}

_TOKEN_FIELDS: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

_DISPENSABLE: Final = (
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "random_seed",
    "seed",
    "logprobs",
    "response_format",
    "chat_template_kwargs",
    "reasoning_effort",
    "reasoning",
    "thinking",
    # We look for the ends ourselves too.
    "stop",
)
"""Parameters that a call makes sense without."""


def chat_body(info: ModelInfo, request: ChatRequest, habits: Preset) -> dict[str, Any]:
    """Put a conversation into the protocol's words."""
    body: dict[str, Any] = {
        "model": info.name,
        "messages": openai_messages(request.messages),
        habits.limit_field: request.max_tokens,
        "temperature": request.temperature,
        **common(request.stop, request.seed, habits),
    }
    if request.tools:
        body["tools"] = openai_tools(request.tools)
        if request.tool_choice != "auto":
            body["tool_choice"] = openai_choice(request.tool_choice, required=habits.required)
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": dict(request.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if habits.schema == "json_object":
            body["response_format"] = {"type": "json_object"}
    if "thinking" in info.capabilities:
        body |= thinking_parameters(habits.thinking, request.thinking)
    return body


def common(stop: tuple[str, ...], seed: int | None, habits: Preset) -> dict[str, Any]:
    """Return what completions and chats have in common."""
    told: dict[str, Any] = {"stream": True}
    if habits.stream_usage:
        told["stream_options"] = {"include_usage": True}
    if stop:
        told["stop"] = list(stop[:STOP_LIMIT])
    if seed is not None:
        told[habits.seed_field] = seed
    return told


def adapt(body: dict[str, Any], quirks: set[str]) -> dict[str, Any]:
    """Leave out what the server refuses; the limit of tokens has two names, of which services want the one or the other."""
    adapted = {name: value for name, value in body.items() if name not in quirks}
    for name, other in _TOKEN_FIELDS.items():
        if name in body and name in quirks and other not in quirks:
            adapted[other] = body[name]
    return adapted


def find_quirk(message: str, body: dict[str, Any]) -> str | None:
    """Name the parameter that a refusal complains about, if the call makes sense without it."""
    if "response_format" in body and "json_schema" in message:
        return "response_format"
    words = set(re.findall(r"\w+", message))
    return next((name for name in _DISPENSABLE if name in body and name in words), None)


def has_token(value: dict[str, Any]) -> bool:
    """Whether a chunk ends the wait for the first token."""
    step = read_chunk(value)
    return bool(step.text or step.thinking or step.finish or step.calls)


def read_chunk(value: dict[str, Any]) -> Step:
    """Read one object of a stream, or a whole answer from a server that does not stream."""
    if value is DONE:
        return Step(finish="stop")
    usage = _usage(value.get("usage"))
    choices = value.get("choices")
    if not choices:
        return Step(usage=usage)
    choice = choices[0]
    if not isinstance(choice, dict):
        raise StreamMalformedError("a choice is not an object")
    delta = choice.get("delta") or choice.get("message") or {}
    reason = choice.get("finish_reason")
    if reason == "error":
        raise StreamBrokenError("The server ended its answer with an error.", hint="Ask again, or another model.")
    thinking, text = _content(delta.get("content"))
    return Step(
        text=choice.get("text") or text,
        thinking=_text(delta.get("reasoning_content")) or _text(delta.get("reasoning")) or thinking,
        finish=_FINISHES.get(reason, "stop") if reason else None,
        usage=usage,
        entries=entries_of(choice.get("logprobs")),
        calls=pieces_of(delta.get("tool_calls")) or piece_of_function(delta.get("function_call")),
    )


def _content(content: Any) -> tuple[str, str]:
    """Return reasoning and text of a message's content, which Mistral's reasoning models give in parts."""
    if not isinstance(content, list):
        return "", _text(content)
    parts = [part for part in content if isinstance(part, dict)]
    thought = [_content(part.get("thinking")) for part in parts if part.get("type") == "thinking"]
    return "".join(text for _, text in thought), "".join(_text(part.get("text")) for part in parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    # DeepSeek's name for it.
    cached = cached or value.get("prompt_cache_hit_tokens")
    return Usage(value.get("prompt_tokens") or 0, value.get("completion_tokens") or 0, cached or 0)
