"""What a model server's refusals mean: HTTP statuses and error bodies of several servers turned into typed errors.

No message holds a key or a prompt: both are cut out of what the server says, and the rest is cut short.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import Any

from dragoman.errors import (
    AuthenticationError,
    ContextOverflowError,
    ModelError,
    ModelNotFoundError,
    ProviderFailedError,
    RateLimitedError,
    RequestRejectedError,
    ToolsUnsupportedError,
)

MESSAGE_LIMIT = 300
"""Characters of a server's own words that are passed on; enough for a sentence, too little for a prompt."""

_OVERFLOW = re.compile(
    r"context[ _](?:length|size|window)|too many tokens|prompt is too long|input .{0,20}is too large|"
    r"maximum model length|context the overflows|too large for model with",
    re.IGNORECASE,
)
_OVERFLOW_NUMBERS = (
    re.compile(
        r"maximum context length is (?P<window>\d+).{0,80}?(?:requested|resulted in|is|has)\D{0,20}(?P<asked>\d+)"
    ),
    re.compile(r"\((?P<asked>\d+) tokens\).{0,60}context size \((?P<window>\d+)"),
    re.compile(r"\(length (?P<asked>\d+)\).{0,60}maximum model length of (?P<window>\d+)"),
    re.compile(r"first (?P<asked>\d+) tokens .{0,120}context length of (?:only )?(?P<window>\d+)"),
    re.compile(r"contains (?P<asked>\d+) tokens.{0,60}model with (?P<window>\d+) maximum"),
)
"""OpenAI's and vLLM's, llama.cpp's, vLLM's for prompts without a chat, LM Studio's, Mistral's."""

_EXCESS = re.compile(r"(?P<excess>\d+) tokens too (?:long|many)|too long by (?P<too>\d+) tokens")
"""How Dragoman's own gateway says it."""

_NO_TOOLS = re.compile(
    r"does(?: not|n't) support (?:tools|tool|function)|tools param requires|tool choice requires|"
    r"support(?:s)? tool use|tools? (?:calls?|calling|use)? ?(?:is|are) not (?:supported|enabled)|tools are not supported",
    re.IGNORECASE,
)
"""How servers refuse tools: Ollama, llama.cpp without its templates, vLLM without its parser, OpenRouter, others."""

_NO_PICTURES = re.compile(
    r"(?:image|vision|multimodal).{0,30}not supported|not support (?:image|vision)", re.IGNORECASE
)

_NOT_LOADED = re.compile(r"(?:could|can) ?not load model|failed to load model|no such file", re.IGNORECASE)
"""How LocalAI, which takes any name for a file's, says that there is no such model (or that it is broken)."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked for what: gives messages their names and keeps secrets out of them."""

    provider: str
    address: str
    model: str | None = None
    known_models: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    path: str = ""
    """The path that was asked, for whoever has a wrong address in the settings."""

    @property
    def place(self) -> str:
        """The provider as messages name it."""
        return f"provider {self.provider!r} at {self.address}"

    def clean(self, text: str) -> str:
        """Cut secrets out of foreign words and the rest short, on one line."""
        for secret in self.secrets:
            if secret and secret in text:
                text = text.replace(secret, "…")
        text = " ".join(text.split())
        return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT] + "…"


def error_from_status(asker: Asker, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
    """Turn an HTTP refusal into the error to raise."""
    try:
        payload = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        payload = {} if text.lstrip().startswith("<") else {"error": text}
    return error_from_payload(asker, status, payload, headers)


def error_from_payload(asker: Asker, status: int, payload: Any, headers: Mapping[str, str] | None = None) -> ModelError:
    """Turn an error body, or an error object met inside a stream, into the error to raise."""
    detail = _detail(payload)
    said = asker.clean(detail.message)
    tail = f": {said}" if said else "."
    if detail.overflow and status in (400, 413, 422, 500):
        hint = "Send less context or raise the server's context size."
        return ContextOverflowError(f"The prompt is too long for {asker.place}{tail}", excess=detail.excess, hint=hint)
    if _NO_TOOLS.search(detail.message) and status in (400, 404, 422, 500, 501):
        hint = "It may be asked for its calls by a JSON schema instead."
        if "jinja" in detail.message:
            hint = "Start the server with --jinja, or let it be asked by a JSON schema."
        return ToolsUnsupportedError(f"{asker.place} refused the tools (HTTP {status}){tail}", hint=hint)
    if _NO_PICTURES.search(detail.message) and status in (400, 404, 422, 500, 501):
        return RequestRejectedError(
            f"{asker.place} refused the pictures (HTTP {status}){tail}", hint="Ask a model that sees them."
        )
    if status in (401, 403):
        hint = "Check api_key of this provider in the settings."
        return AuthenticationError(f"{asker.place} refused the key (HTTP {status}){tail}", hint=hint)
    if status in (404, 405):
        return _not_found(asker, status, detail, tail)
    if status == 429:
        wait = parse_retry_after((headers or {}).get("retry-after"))
        hint = f"It asks to wait {wait:g} s." if wait else ""
        return RateLimitedError(f"{asker.place} limits the rate of requests{tail}", retry_after=wait, hint=hint)
    if 300 <= status < 400:
        target = (headers or {}).get("location", "")
        hint = f"Set base_url to where it points: {asker.clean(target)}." if target else "Check base_url."
        return RequestRejectedError(f"{asker.place} redirects (HTTP {status}), which is not followed.", hint=hint)
    if status >= 500 or status == 408:
        loading = status == 503 and "load" in detail.message.lower()
        hint = "It is loading its model; this takes seconds to minutes." if loading else ""
        return ProviderFailedError(f"{asker.place} failed (HTTP {status}){tail}", hint=hint)
    return RequestRejectedError(f"{asker.place} rejected the request (HTTP {status}){tail}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known model name is nearest, as a sentence; empty when there is none."""
    names = list(known)
    lowered = {one.lower(): one for one in names}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.4)
    if close:
        return f"The nearest it has is {lowered[close[0]]!r}."
    return f"It has {', '.join(repr(one) for one in names[:5])}." if names else ""


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date; None for what is neither."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


@dataclass(frozen=True, slots=True)
class _Detail:
    message: str
    overflow: bool = False
    excess: int | None = None
    about_model: bool = False


def _detail(payload: Any) -> _Detail:
    error = payload.get("error", payload) if isinstance(payload, dict) else payload
    if not isinstance(error, dict):
        message, code, kind = str(error) if isinstance(error, str) else "", "", ""
        error = {}
    else:
        message = _first_text(error, "message", "detail", "error", "msg")
        code, kind = str(error.get("code", "")), str(error.get("type", ""))
    overflow = (
        "context_length_exceeded" in (code, kind)
        or code == "context_overflow"
        or kind == "exceed_context_size_error"
        or bool(_OVERFLOW.search(message))
    )
    about_model = code == "model_not_found" or "model" in message.lower()
    return _Detail(message, overflow, _excess(error, message) if overflow else None, about_model)


def _first_text(error: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = error.get(name)
        if isinstance(value, str):
            return value
        # Validators answer a list of complaints, each with the offending input: only their words are of use.
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "; ".join(_complaint(one) for one in value[:4] if isinstance(one, dict))
    return ""


def _complaint(told: Mapping[str, Any]) -> str:
    words, where = str(told.get("msg", "")), told.get("loc")
    names = [part for part in where if isinstance(part, str) and part != "body"] if isinstance(where, list) else []
    return f"{'.'.join(names)}: {words}" if names else words


def _excess(error: Mapping[str, Any], message: str) -> int | None:
    if isinstance(error.get("excess"), int):
        return int(error["excess"]) or None
    if (said := _EXCESS.search(message)) is not None:
        return int(said["excess"] or said["too"]) or None
    asked, window = error.get("n_prompt_tokens"), error.get("n_ctx")
    if not (isinstance(asked, int) and isinstance(window, int)):
        found = next((match for pattern in _OVERFLOW_NUMBERS if (match := pattern.search(message))), None)
        if found is None:
            return None
        asked, window = int(found["asked"]), int(found["window"])
    return max(asked - window, 0) or None


def _not_found(asker: Asker, status: int, detail: _Detail, tail: str) -> ModelError:
    if asker.model is not None and detail.about_model:
        hint = nearest(asker.model, asker.known_models)
        return ModelNotFoundError(f"{asker.place} has no model {asker.model!r}.", hint=hint)
    hint = "Check base_url: kinds 'openai' and 'localai' need the address that ends in /v1, others the server's root."
    tried = f" {asker.path!r}" if asker.path else ""
    return RequestRejectedError(f"{asker.place} has no such endpoint{tried} (HTTP {status}){tail}", hint=hint)


def is_missing_model(error: ModelError) -> bool:
    """Whether a failure is how LocalAI reports a model that it cannot find."""
    return bool(_NOT_LOADED.search(error.message))
