"""Any server that speaks OpenAI's protocol: ``/v1/models``, ``/v1/completions``, ``/v1/chat/completions``, ``/v1/embeddings``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from dragoman.errors import ModelNotFoundError, RequestRejectedError, StreamMalformedError
from dragoman.models.base import Capability, ChatRequest, Chunk, CompletionRequest, FinishReason, ModelInfo, Usage
from dragoman.models.profiles import guess_capabilities, stop_tokens
from dragoman.models.providers.answers import Step, relay
from dragoman.models.providers.embeddings import embed
from dragoman.models.providers.http import DONE, HttpClient
from dragoman.models.providers.probabilities import entries_of
from dragoman.models.providers.provider import HttpProvider

STOP_LIMIT = 4
"""Stop texts the protocol allows; all of them are looked for on our side too."""

_FINISHES: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "cancelled": "cancelled",
    "abort": "cancelled",
}
_WINDOW_KEYS = ("max_model_len", "n_ctx", "context_length", "max_context_length", "context_window", "n_ctx_train")
"""What servers call the window in their list of models, the one in force before the one trained on."""


class OpenAIProvider(HttpProvider):
    """A server behind an address that ends in ``/v1``; also LocalAI, vLLM, LM Studio and hosted services."""

    default_concurrency = 8

    async def ask_version(self, limit: float) -> str | None:
        """Ask for the list of models; LocalAI is asked by its own readiness page."""
        if self.kind == "localai":
            await self.client.fetch_text(self.endpoint.base_url.removesuffix("/v1") + "/readyz", limit=limit)
        else:
            _entries(await self.client.fetch("GET", "/models", limit=limit), self.client)
        return None

    async def list_models(self) -> list[ModelInfo]:
        """List the server's models; what it does not tell of their abilities is guessed."""
        entries = _entries(await self.client.fetch("GET", "/models"), self.client)
        return [self._describe(entry) for entry in entries]

    def _describe(self, entry: dict[str, Any]) -> ModelInfo:
        name = str(entry["id"])
        able: set[Capability] = set(guess_capabilities(name))
        if "chat" in able:
            # Taken to have both until it refuses: callers fall back by the refusal.
            able |= {"tools", "json_schema"}
        meta = entry.get("meta")
        told = {**entry, **meta} if isinstance(meta, dict) else entry
        window = next((value for key in _WINDOW_KEYS if isinstance(value := told.get(key), int)), None)
        size = told.get("size")
        return self.endpoint.describe(
            name,
            discovered=frozenset(able),
            context_window=window,
            size_bytes=size if isinstance(size, int) else None,
        )

    def model(self, info: ModelInfo) -> OpenAIModel:
        """Return the model to call; no I/O."""
        return OpenAIModel(self, info)


class OpenAIModel:
    """One model of an OpenAI-compatible server."""

    def __init__(self, provider: HttpProvider, info: ModelInfo) -> None:
        self._provider = provider
        self._info = info
        self._quirks: set[str] = set()

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self._info

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text; a suffix goes to the server, which must be one that fills in the middle by itself."""
        body = {
            "model": self._info.name,
            "prompt": request.prompt,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            **_common(request.stop, request.seed),
        }
        if request.suffix is not None:
            body["suffix"] = request.suffix
        if request.logprobs:
            body["logprobs"] = 1
        stops = request.stop + stop_tokens(self._info.fim_family)
        async with aclosing(self._call("/completions", body, stops, request.prompt)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        body = chat_body(self._info.name, request)
        secret = request.messages[-1].content if request.messages else ""
        async with aclosing(self._call("/chat/completions", body, request.stop, secret)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return await embed(self._provider, self._info.name, texts, path="/embeddings", shape="openai")

    async def _call(
        self, path: str, body: dict[str, Any], stops: tuple[str, ...], secret: str
    ) -> AsyncGenerator[Chunk, None]:
        """Make a call; a parameter that this server refuses is left out and the call made again, once for each.

        Some refuse without a name for what they refuse: then it is tried without the probabilities, which nobody needs.
        """
        client, name = self._provider.client, self._info.name
        guessed = False
        while True:
            objects = client.stream(
                path, adapt(body, self._quirks), lines="sse", has_token=has_token, model=name, secret=secret
            )
            begun = False
            try:
                async with aclosing(relay(objects, read_chunk, stops=stops, place=client.asker().place)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except ModelNotFoundError as error:
                raise await self._provider.explain(error, name) from error
            except RequestRejectedError as error:
                sent = adapt(body, self._quirks)
                quirk = None if begun else find_quirk(error.message, sent)
                if quirk is None and not begun and "logprobs" in sent:
                    quirk, guessed = "logprobs", True
                if quirk is None:
                    if guessed:
                        # That was not it.
                        self._quirks.discard("logprobs")
                    raise
                self._quirks.add(quirk)
            else:
                return


def chat_body(name: str, request: ChatRequest) -> dict[str, Any]:
    """Put a conversation into the protocol's words."""
    body = {
        "model": name,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        **_common(request.stop, request.seed),
    }
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": dict(request.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _common(stop: tuple[str, ...], seed: int | None) -> dict[str, Any]:
    common: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    if stop:
        common["stop"] = list(stop[:STOP_LIMIT])
    if seed is not None:
        common["seed"] = seed
    return common


def adapt(body: dict[str, Any], quirks: set[str]) -> dict[str, Any]:
    """Leave out what the server refuses; the limit of tokens has a second name that newer services want."""
    adapted = {name: value for name, value in body.items() if name not in quirks}
    if "max_tokens" in quirks:
        adapted["max_completion_tokens"] = body["max_tokens"]
    return adapted


def find_quirk(message: str, body: dict[str, Any]) -> str | None:
    """Name the parameter that a refusal complains about, if the call makes sense without it."""
    for name in ("stream_options", "max_tokens", "temperature", "seed", "logprobs"):
        if name in body and name in message:
            return name
    return None


def has_token(value: dict[str, Any]) -> bool:
    """Whether a chunk ends the wait for the first token."""
    step = read_chunk(value)
    return bool(step.text or step.thinking or step.finish)


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
        raise StreamMalformedError("a chunk's choice is not an object")
    delta = choice.get("delta") or choice.get("message") or {}
    reason = choice.get("finish_reason")
    return Step(
        text=choice.get("text") or delta.get("content") or "",
        thinking=delta.get("reasoning_content") or delta.get("reasoning") or "",
        finish=_FINISHES.get(reason, "stop") if reason else None,
        usage=usage,
        entries=entries_of(choice.get("logprobs")),
    )


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(value.get("prompt_tokens") or 0, value.get("completion_tokens") or 0, cached or 0)


def _entries(reply: Any, client: HttpClient) -> list[dict[str, Any]]:
    entries = reply.get("data") if isinstance(reply, dict) else reply
    if not isinstance(entries, list):
        hint = "Something else may listen there; check base_url."
        raise StreamMalformedError(f"{client.asker().place} did not answer with a list of models.", hint=hint)
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
