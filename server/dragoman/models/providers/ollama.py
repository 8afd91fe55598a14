"""Ollama's own protocol: ``/api/tags`` and ``/api/show`` tell what a model can do, ``/api/generate`` and ``/api/chat`` run it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dragoman.errors import (
    ModelError,
    ModelNotFoundError,
    RequestRejectedError,
    StreamMalformedError,
    ToolsUnsupportedError,
)
from dragoman.models.base import Capability, ChatRequest, Chunk, CompletionRequest, FinishReason, ModelInfo, Usage
from dragoman.models.profiles import guess_capabilities, stop_tokens
from dragoman.models.providers.answers import Step, relay
from dragoman.models.providers.downloads import PullProgress, count_bytes
from dragoman.models.providers.embeddings import embed
from dragoman.models.providers.messages import check_pictures, ollama_messages, openai_tools, texts_of
from dragoman.models.providers.probabilities import entries_of
from dragoman.models.providers.provider import HttpProvider
from dragoman.models.providers.tool_calls import pieces_of

KEEP_ALIVE = "30m"
"""How long the server keeps a model loaded after a call: loading takes longer than a person waits for a suggestion."""
DEFAULT_WINDOW = 4096
"""Tokens of context a model gets when nobody says otherwise; Ollama cuts longer prompts at the front without a word."""
SHOW_AT_ONCE = 4

_ABILITIES: dict[str, Capability] = {
    "insert": "fim",
    "completion": "completion",
    "tools": "tools",
    "vision": "vision",
    "embedding": "embedding",
    "thinking": "thinking",
}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in the server's memory: bytes there and of them on a graphics card, and when it goes if nobody asks it.

    ``context_window`` is the one it was loaded with, in tokens; None on servers that do not tell.
    """

    name: str
    size_bytes: int | None = None
    card_bytes: int | None = None
    context_window: int | None = None
    until: datetime | None = None


class OllamaProvider(HttpProvider):
    """An Ollama server, by its root address."""

    async def ask_version(self, limit: float) -> str | None:
        """Return the server's version."""
        reply = await self.client.fetch("GET", "/api/version", limit=limit)
        if not isinstance(reply, dict) or not isinstance(reply.get("version"), str):
            raise StreamMalformedError(
                f"{self.client.asker().place} is not Ollama.",
                hint="Something else listens there; check base_url and kind.",
            )
        return str(reply["version"])

    async def list_models(self) -> list[ModelInfo]:
        """List the pulled models with the abilities the server tells."""
        reply = await self.client.fetch("GET", "/api/tags")
        entries = reply.get("models") if isinstance(reply, dict) else None
        if not isinstance(entries, list):
            raise StreamMalformedError(f"{self.client.asker().place} did not answer with a list of models.")
        gate = asyncio.Semaphore(SHOW_AT_ONCE)
        loaded = await self._ask_windows()
        named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._describe(entry, gate, loaded)) for entry in named]
        return [task.result() for task in tasks]

    @property
    def empty_hint(self) -> str:
        """How to get a first model."""
        return f"Get one: dragoman models pull NAME --provider {self.name}."

    @property
    def keep_alive(self) -> str | int:
        """How long the server is asked to keep a model after a call, as it takes it."""
        return _duration(self.endpoint.keep_alive or KEEP_ALIVE)

    async def loaded(self) -> list[LoadedModel]:
        """Return the models that the server has in its memory now; raises `ModelError`."""
        reply = await self.client.fetch("GET", "/api/ps", limit=self.endpoint.timeouts.connect)
        entries = reply.get("models") if isinstance(reply, dict) else None
        if not isinstance(entries, list):
            raise StreamMalformedError(f"{self.client.asker().place} did not say which models are loaded.")
        return [_loaded(entry) for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]

    async def _ask_windows(self) -> dict[str, int]:
        """Return the windows that models are loaded with: what is in force, whatever anybody set."""
        try:
            return {one.name: one.context_window for one in await self.loaded() if one.context_window}
        except ModelError:
            return {}

    async def _describe(
        self, entry: Mapping[str, Any], gate: asyncio.Semaphore, loaded: Mapping[str, int]
    ) -> ModelInfo:
        name = str(entry["name"])
        async with gate:
            try:
                shown = await self.client.fetch("POST", "/api/show", {"model": name}, model=name)
            except ModelError:
                # One broken model does not hide the others.
                shown = {}
        shown = shown if isinstance(shown, dict) else {}
        size = entry.get("size")
        told = shown.get("model_info")
        facts = told if isinstance(told, dict) else {}
        architecture = str(facts.get("general.architecture") or (entry.get("details") or {}).get("family") or "")
        return self.endpoint.describe(
            name,
            discovered=_abilities(name, architecture, shown.get("capabilities")),
            context_window=loaded.get(name)
            or _window(shown.get("parameters"), facts.get(f"{architecture}.context_length")),
            size_bytes=size if isinstance(size, int) else None,
            architecture=architecture,
        )

    def model(self, info: ModelInfo) -> OllamaModel:
        """Return the model to call; no I/O."""
        return OllamaModel(self, info)

    async def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        """Let the server download a model; yields its progress, ends when it is there, raises `ModelError`."""
        limits = replace(self.endpoint.timeouts, first_token=60.0, idle=120.0, total=24 * 3600.0)
        stream = self.client.stream(
            "/api/pull", {"model": name}, lines="ndjson", has_token=bool, model=name, limits=limits
        )
        status = ""
        async with aclosing(stream):
            async for value in stream:
                status = str(value.get("status", ""))
                yield PullProgress(status, count_bytes(value.get("completed")), count_bytes(value.get("total")))
        if status != "success":
            raise StreamMalformedError(f"{self.client.asker().place} ended the download of {name!r} at {status!r}.")


class OllamaModel:
    """One model of an Ollama server."""

    def __init__(self, provider: OllamaProvider, info: ModelInfo) -> None:
        self._provider = provider
        self._info = info

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do, as far as its server has not refused it."""
        return self._provider.as_learnt(self._info)

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text: raw when the prompt carries the family's tokens, else with the server's own template."""
        body = self._body(request.stop, request.max_tokens, request.temperature, request.seed)
        body["prompt"] = request.prompt
        if request.suffix is None:
            body["raw"] = True
        else:
            body["suffix"] = request.suffix
            body |= self._think(thinking=False)
        if request.logprobs:
            # Known since version 0.12.11; older ones ignore it.
            body["logprobs"] = True
        stops = request.stop + stop_tokens(self._info.fim_family)
        secrets = (request.prompt, request.suffix or "")
        async with aclosing(self._call("/api/generate", body, stops, secrets)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation.

        The server cannot be made to call a tool: a ``tool_choice`` that demands one raises ToolsUnsupportedError unasked.
        """
        check_pictures(self._info, request)
        body = self._body(request.stop, request.max_tokens, request.temperature, request.seed)
        body["messages"] = ollama_messages(request.messages)
        # Else a conversation that is too long loses its beginning without a word; older servers cut it all the same.
        body["truncate"] = False
        body |= self._think(thinking=request.thinking)
        if request.json_schema is not None:
            body["format"] = dict(request.json_schema)
        if request.tools and request.tool_choice != "none":
            self._check_choice(request)
            body["tools"] = openai_tools(request.tools)
        async with aclosing(self._call("/api/chat", body, request.stop, texts_of(request), chat=True)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _check_choice(self, request: ChatRequest) -> None:
        self._provider.check_tools(self._info)
        if request.tool_choice != "auto":
            raise ToolsUnsupportedError(
                f"{self._provider.client.asker().place} cannot be made to call a tool, only be offered some.",
                hint="Ask for the call by a JSON schema instead.",
            )

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text; the server cuts one that is too long for the model."""
        more = {"keep_alive": self._provider.keep_alive}
        return await embed(self._provider, self._info.name, texts, path="/api/embed", shape="ollama", more=more)

    def _body(self, stop: tuple[str, ...], max_tokens: int, temperature: float, seed: int | None) -> dict[str, Any]:
        options: dict[str, Any] = {"num_predict": max_tokens, "temperature": temperature}
        if stop:
            options["stop"] = list(stop)
        if seed is not None:
            options["seed"] = seed
        stated = self._provider.endpoint.stated(self._info.name)
        if stated is not None and stated.context_window:
            # Only when stated, and then always the same: another size makes the server load the model again.
            options["num_ctx"] = stated.context_window
        keep_alive = self._provider.keep_alive
        return {"model": self._info.name, "stream": True, "keep_alive": keep_alive, "options": options}

    def _think(self, *, thinking: bool) -> dict[str, Any]:
        # A model that cannot think refuses the parameter.
        return {"think": thinking} if "thinking" in self._info.capabilities else {}

    async def _call(
        self, path: str, body: dict[str, Any], stops: tuple[str, ...], secrets: Sequence[str], *, chat: bool = False
    ) -> AsyncGenerator[Chunk, None]:
        client, name = self._provider.client, self._info.name
        objects = client.stream(path, body, lines="ndjson", has_token=_has_token, model=name, secrets=secrets)
        try:
            async with aclosing(relay(objects, _read, stops=stops, place=client.asker().place, chat=chat)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ModelNotFoundError as error:
            raise await self._provider.explain(error, name) from error
        except RequestRejectedError as error:
            self._provider.learn_tools(self._info, body, error)
            raise


def _has_token(value: dict[str, Any]) -> bool:
    step = _read(value)
    return bool(step.text or step.thinking or step.finish or step.calls)


def _read(value: dict[str, Any]) -> Step:
    message = value.get("message")
    said = message if isinstance(message, dict) else {}
    text = value.get("response") or said.get("content") or ""
    thinking = value.get("thinking") or said.get("thinking") or ""
    entries = entries_of(value.get("logprobs"))
    calls = pieces_of(said.get("tool_calls"))
    if not value.get("done"):
        return Step(text, thinking, entries=entries, calls=calls)
    usage = Usage(value.get("prompt_eval_count") or 0, value.get("eval_count") or 0)
    finish: FinishReason = "length" if value.get("done_reason") == "length" else "stop"
    return Step(text, thinking, finish, usage, entries, calls)


def _loaded(entry: Mapping[str, Any]) -> LoadedModel:
    size, card, window = (entry.get(name) for name in ("size", "size_vram", "context_length"))
    return LoadedModel(
        str(entry["name"]),
        size if isinstance(size, int) else None,
        card if isinstance(card, int) else None,
        window if isinstance(window, int) and window > 0 else None,
        _moment(entry.get("expires_at")),
    )


def _moment(text: Any) -> datetime | None:
    # Nine digits of a second are more than Python reads.
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text) if isinstance(text, str) else ""
    try:
        return datetime.fromisoformat(trimmed)
    except ValueError:
        return None


def _duration(text: str) -> str | int:
    """Return a duration as the server takes it: a bare number, such as -1 for ever, must not be a text."""
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _abilities(name: str, architecture: str, told: Any) -> frozenset[Capability] | None:
    if not isinstance(told, list):
        return None
    able = {_ABILITIES[one] for one in told if one in _ABILITIES}
    guessed = guess_capabilities(name, architecture)
    if "completion" in able:
        able.add("json_schema")
        able |= guessed & {"chat"}
        # A model imported from a file has no template with a suffix; its own tokens still work in a raw prompt.
        able |= guessed & {"fim"}
    return frozenset(able)


def _window(parameters: Any, trained: Any) -> int | None:
    """Return the window in force: what the model file sets, else the server's default, never more than it was trained on."""
    found = re.search(r"^num_ctx\s+(\d+)", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    window = int(found[1]) if found else DEFAULT_WINDOW
    return min(window, trained) if isinstance(trained, int) else window
