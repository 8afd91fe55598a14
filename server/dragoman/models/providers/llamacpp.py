"""llama.cpp's own server: ``/completion`` with our own fill-in-the-middle prompt, ``/infill`` when the family is unknown."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from dragoman.errors import ContextOverflowError, ModelError, RequestRejectedError, StreamMalformedError
from dragoman.models.base import Capability, ChatRequest, Chunk, CompletionRequest, ModelInfo, Usage
from dragoman.models.profiles import guess_capabilities, stop_tokens
from dragoman.models.providers.answers import Step, relay
from dragoman.models.providers.embeddings import embed
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.messages import check_pictures, texts_of
from dragoman.models.providers.openai_wire import adapt, chat_body, has_token, read_chunk
from dragoman.models.providers.presets import Preset
from dragoman.models.providers.probabilities import entries_of
from dragoman.models.providers.provider import HttpProvider

HABITS: Final = Preset("llama.cpp", thinking="template")
"""Where its chat differs from OpenAI's."""

_OWN_PROPERTIES = ("default_generation_settings", "total_slots", "model_path")


class LlamaCppProvider(HttpProvider):
    """A llama.cpp server, by its root address; it serves one model in ``total_slots`` slots."""

    default_concurrency = 1

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._slots: int | None = None
        self._infills: dict[str, bool] = {}

    @property
    def max_concurrency(self) -> int:
        """What is stated, else the server's slots once they are known, else one."""
        return self.endpoint.max_concurrency or self._slots or self.default_concurrency

    async def ask_version(self, limit: float) -> str | None:
        """Return the server's build."""
        build = (await self._properties(limit)).get("build_info")
        return str(build) if build else None

    async def list_models(self) -> list[ModelInfo]:
        """Describe the loaded model."""
        properties = await self._properties(None)
        reply = await self.client.fetch("GET", "/v1/models")
        entries = reply.get("data") if isinstance(reply, dict) else None
        names = [str(entry["id"]) for entry in entries or () if isinstance(entry, dict) and "id" in entry]
        meta = next((entry.get("meta") for entry in entries or () if isinstance(entry, dict)), None) or {}
        path = str(properties.get("model_path") or "")
        names = [_shown(name) for name in names or [path or "default"]]
        settings = properties.get("default_generation_settings")
        window = settings.get("n_ctx") if isinstance(settings, dict) else None
        size = meta.get("size") if isinstance(meta, dict) else None
        infos = []
        for name in names:
            info = self._describe(name, path, properties, window, size)
            if "fim" not in info.capabilities and await self._can_infill(path):
                info = self._describe(name, path, properties, window, size, infill=True)
            infos.append(info)
        return infos

    def model(self, info: ModelInfo) -> LlamaCppModel:
        """Return the model to call; no I/O."""
        return LlamaCppModel(self, info)

    async def count_tokens(self, text: str) -> int:
        """Count the tokens of a text with the loaded model's own tokenizer."""
        reply = await self.client.fetch("POST", "/tokenize", {"content": text})
        tokens = reply.get("tokens") if isinstance(reply, dict) else None
        if not isinstance(tokens, list):
            raise StreamMalformedError(f"{self.client.asker().place} did not answer with tokens.")
        return len(tokens)

    async def _properties(self, limit: float | None) -> dict[str, Any]:
        properties = await self.client.fetch("GET", "/props", limit=limit)
        if not isinstance(properties, dict) or not any(key in properties for key in _OWN_PROPERTIES):
            hint = "Something else listens there; check base_url and kind."
            raise StreamMalformedError(f"{self.client.asker().place} is not a llama.cpp server.", hint=hint)
        slots = properties.get("total_slots")
        if isinstance(slots, int) and slots > 0:
            self._slots = slots
        return properties

    def _describe(
        self, name: str, path: str, properties: dict[str, Any], window: Any, size: Any, *, infill: bool = False
    ) -> ModelInfo:
        # An alias may hide the family; the file's name may tell it.
        guessed = guess_capabilities(name) | (guess_capabilities(path) & {"fim"} if path else frozenset())
        able: set[Capability] = set(guessed)
        if "embedding" not in able:
            able.add("json_schema")
        template = str(properties.get("chat_template") or "")
        if template and "embedding" not in able:
            able.add("chat")
        if "enable_thinking" in template or "<think>" in template:
            able.add("thinking")
        able.discard("vision")
        if (properties.get("modalities") or {}).get("vision"):
            able.add("vision")
        caps = properties.get("chat_template_caps")
        # Older servers tell nothing of it but the template, which speaks of tools where it knows any.
        if caps.get("supports_tools") if isinstance(caps, dict) else "tools" in template:
            able.add("tools")
        if infill:
            able.add("fim")
        return self.endpoint.describe(
            name,
            discovered=frozenset(able),
            context_window=window if isinstance(window, int) and window > 0 else None,
            size_bytes=size if isinstance(size, int) else None,
            alias=path,
        )

    async def _can_infill(self, path: str) -> bool:
        """Ask, once for each model, whether the vocabulary has fill-in-the-middle tokens; one without refuses at once."""
        if path not in self._infills:
            self._infills[path] = await self._try_infill()
        return self._infills[path]

    async def _try_infill(self) -> bool:
        body = {"input_prefix": "", "input_suffix": "", "n_predict": 0, "stream": False}
        try:
            await self.client.fetch("POST", "/infill", body, limit=self.endpoint.timeouts.connect)
        except ModelError:
            return False
        return True


def _shown(name: str) -> str:
    """Return a model's name without the folders and the ending of its file: the server goes by none of them."""
    plain = name.replace("\\", "/").rpartition("/")[2] if name.lower().endswith(".gguf") else name
    return plain[: -len(".gguf")] if plain.lower().endswith(".gguf") else plain


class LlamaCppModel:
    """The model of a llama.cpp server."""

    def __init__(self, provider: LlamaCppProvider, info: ModelInfo) -> None:
        self._provider = provider
        self._info = info

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do, as far as its server has not refused it."""
        return self._provider.as_learnt(self._info)

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text; the server keeps the prompt's state, so that the next keystroke's prompt costs its end only."""
        body: dict[str, Any] = {
            "model": self._info.name,
            "n_predict": request.max_tokens,
            "temperature": request.temperature,
            "stop": list(request.stop),
            "cache_prompt": True,
            "stream": True,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.logprobs:
            # The chosen token's own probability comes along with any number above zero.
            body["n_probs"] = 1
        if request.suffix is None:
            path = "/completion"
            body["prompt"] = request.prompt
        else:
            path = "/infill"
            body |= {"input_prefix": request.prompt, "input_suffix": request.suffix, "prompt": ""}
        client = self._provider.client
        secrets = (request.prompt, request.suffix or "")
        objects = client.stream(path, body, lines="sse", has_token=_has_token, model=self._info.name, secrets=secrets)
        stops = request.stop + stop_tokens(self._info.fim_family)
        async with aclosing(relay(objects, _read, stops=stops, place=client.asker().place)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation; tools need a server that uses its templates (``--jinja``), which else refuses them."""
        check_pictures(self._info, request)
        if request.tools:
            self._provider.check_tools(self._info)
        name, client = self._info.name, self._provider.client
        body = chat_body(self._info, request, HABITS) | {"stop": list(request.stop), "cache_prompt": True}
        quirks = self._provider.quirks_of(name)
        while True:
            sent = adapt(body, quirks)
            objects = client.stream(
                "/v1/chat/completions",
                sent,
                lines="sse",
                has_token=has_token,
                model=name,
                secrets=texts_of(request),
            )
            chunks = relay(objects, read_chunk, stops=request.stop, place=client.asker().place, chat=True)
            try:
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield chunk
            except RequestRejectedError as error:
                if isinstance(error, ContextOverflowError):
                    raise
                self._provider.learn_tools(self._info, sent, error)
                if "chat_template_kwargs" not in sent or "chat_template_kwargs" not in error.message:
                    raise
                quirks.add("chat_template_kwargs")
            else:
                return

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text; only a server that was started for embeddings makes any."""
        return await embed(self._provider, self._info.name, texts, path="/v1/embeddings", shape="openai")


def _has_token(value: dict[str, Any]) -> bool:
    return bool(value.get("content") or value.get("stop"))


def _read(value: dict[str, Any]) -> Step:
    text = value.get("content") or ""
    entries = entries_of(value.get("completion_probabilities"))
    if not value.get("stop"):
        return Step(text, entries=entries)
    timings = value.get("timings")
    cached = timings.get("cache_n") if isinstance(timings, dict) else 0
    usage = Usage(value.get("tokens_evaluated") or 0, value.get("tokens_predicted") or 0, cached or 0)
    limited = value.get("stop_type") == "limit" or value.get("stopped_limit")
    return Step(text, finish="length" if limited else "stop", usage=usage, entries=entries)
