"""Any server that speaks OpenAI's protocol: ``/v1/models``, ``/v1/completions``, ``/v1/chat/completions``, ``/v1/embeddings``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from dragoman.errors import (
    ContextOverflowError,
    ModelError,
    ModelNotFoundError,
    RequestRejectedError,
    StreamMalformedError,
)
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo
from dragoman.models.profiles import stop_tokens
from dragoman.models.providers.answers import relay
from dragoman.models.providers.embeddings import embed
from dragoman.models.providers.http import HttpClient
from dragoman.models.providers.listings import read_entry
from dragoman.models.providers.messages import texts_of
from dragoman.models.providers.openai_wire import adapt, chat_body, common, find_quirk, has_token, read_chunk
from dragoman.models.providers.provider import HttpProvider


class OpenAIProvider(HttpProvider):
    """A server behind an address that ends in ``/v1``; also vLLM, LM Studio, hosted services and Dragoman's own gateway."""

    default_concurrency = 8

    async def ask_version(self, limit: float) -> str | None:
        """Ask for the list of models; the protocol tells no version."""
        _entries(await self.client.fetch("GET", "/models", limit=limit), self.client)
        return None

    async def list_models(self) -> list[ModelInfo]:
        """List the server's models; what it does not tell of their abilities is guessed."""
        entries = _entries(await self.client.fetch("GET", "/models"), self.client)
        native = await self._ask_lm_studio() if self.endpoint.preset == "lm-studio" else {}
        return [read_entry(self.endpoint, entry, native.get(entry["id"])) for entry in entries]

    async def _ask_lm_studio(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what LM Studio's own list says of its models, by name; older ones have none."""
        address = self.endpoint.base_url.removesuffix("/v1") + "/api/v0/models"
        try:
            reply = await self.client.fetch("GET", address, limit=self.endpoint.timeouts.connect)
            return {str(entry["id"]): entry for entry in _entries(reply, self.client)}
        except ModelError:
            return {}

    def model(self, info: ModelInfo) -> OpenAIModel:
        """Return the model to call; no I/O."""
        return OpenAIModel(self, info)


class OpenAIModel:
    """One model of an OpenAI-compatible server."""

    def __init__(self, provider: HttpProvider, info: ModelInfo) -> None:
        self._provider = provider
        self._info = info

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do, as far as its server has not refused it."""
        return self._provider.as_learnt(self._info)

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text; a suffix goes to the server, which must be one that fills in the middle by itself."""
        habits = self._provider.endpoint.habits
        body = {
            "model": self._info.name,
            "prompt": request.prompt,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            **common(request.stop, request.seed, habits),
        }
        if request.suffix is not None:
            body["suffix"] = request.suffix
        if request.logprobs and habits.logprobs:
            body["logprobs"] = 1
        stops = request.stop + stop_tokens(self._info.fim_family)
        path = habits.url(self._provider.endpoint.base_url, habits.fim_path or "/completions")
        secrets = (request.prompt, request.suffix or "")
        async with aclosing(self._call(path, body, stops, secrets, chat=False)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation; raises ToolsUnsupportedError at once where the server has refused tools before."""
        if request.tools:
            self._provider.check_tools(self._info)
        body = chat_body(self._info, request, self._provider.endpoint.habits)
        async with aclosing(
            self._call("/chat/completions", body, request.stop, texts_of(request), chat=True)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return await embed(self._provider, self._info.name, texts, path="/embeddings", shape="openai")

    async def _call(
        self, path: str, body: dict[str, Any], stops: tuple[str, ...], secrets: Sequence[str], *, chat: bool
    ) -> AsyncGenerator[Chunk, None]:
        """Make a call; a parameter that this server refuses is left out and the call made again, once for each.

        Some refuse without a name for what they refuse: then it is tried without the probabilities, which nobody needs.
        """
        client, name = self._provider.client, self._info.name
        quirks = self._provider.quirks_of(name)
        place = client.asker().place
        guessed = False
        while True:
            sent = adapt(body, quirks)
            objects = client.stream(path, sent, lines="sse", has_token=has_token, model=name, secrets=secrets)
            begun = False
            try:
                async with aclosing(relay(objects, read_chunk, stops=stops, place=place, chat=chat)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except ModelNotFoundError as error:
                raise await self._provider.explain(error, name) from error
            except RequestRejectedError as error:
                if begun or isinstance(error, ContextOverflowError):
                    raise
                self._provider.learn_tools(self._info, sent, error)
                quirk = find_quirk(error.message, sent)
                if quirk is None and "logprobs" in sent:
                    quirk, guessed = "logprobs", True
                if quirk is None:
                    if guessed:
                        # That was not it.
                        quirks.discard("logprobs")
                    raise
                quirks.add(quirk)
            else:
                return


def _entries(reply: Any, client: HttpClient) -> list[dict[str, Any]]:
    entries = reply.get("data") if isinstance(reply, dict) else reply
    if not isinstance(entries, list):
        hint = "Something else may listen there; check base_url."
        raise StreamMalformedError(f"{client.asker().place} did not answer with a list of models.", hint=hint)
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
