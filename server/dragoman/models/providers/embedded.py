"""The model that comes with the install: a provider in front of the engine's socket."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from dragoman.engine.client import EngineClient, EngineError, EngineOptions, EngineState
from dragoman.errors import (
    ContextOverflowError,
    EngineUnavailableError,
    ModelError,
    ModelNotFoundError,
    OutOfMemoryError,
    ProviderFailedError,
    RequestRejectedError,
    StreamMalformedError,
    ToolsUnsupportedError,
    WeightsError,
)
from dragoman.models.base import (
    Capability,
    ChatRequest,
    Chunk,
    CompletionRequest,
    ModelInfo,
    ProviderStatus,
    Token,
    Usage,
)
from dragoman.models.profiles import family_of, format_fim
from dragoman.models.providers.failures import nearest
from dragoman.models.providers.messages import check_pictures, openai_messages
from dragoman.models.providers.probabilities import TokenReader, entries_of
from dragoman.models.providers.thinking import ThinkSplitter
from dragoman.models.weights import DEFAULT_MODEL, InstalledModel, WeightsStore

OnState = Callable[[EngineState], None]

INSTALL_HINT = "Run: pip install xllamacpp"

_LIBRARY = "xllamacpp"


class EmbeddedProvider:
    """Models on this disk, run by one engine process per model file that all servers of the user share.

    ``model`` is a weights name, the path of a GGUF file, or None for every installed model.
    Nothing is started before the first call or `warm_up`; a died engine is started again by the next call.
    """

    kind = "embedded"
    is_local = True
    max_concurrency = 1

    def __init__(
        self,
        name: str = "embedded",
        *,
        model: str | Path | None = None,
        data_dir: Path | None = None,
        runtime_dir: Path | None = None,
        python: str | None = None,
        n_ctx: int = 4096,
        threads: int | None = None,
        available_memory: int | None = None,
        on_state: OnState | None = None,
    ) -> None:
        self.name = name
        self.store = WeightsStore(data_dir)
        self.on_state = on_state
        """Called with every change of the state, for a status bar."""
        self._wanted = model
        self._options = EngineOptions(n_ctx, threads, runtime_dir, python or sys.executable, available_memory)
        self._engines: dict[str, tuple[Path, EngineClient]] = {}
        self._state = EngineState()

    @property
    def state(self) -> EngineState:
        """What the engine is doing (idle, starting, loading with progress, ready, failed with a problem); no I/O."""
        return self._state

    async def probe(self) -> ProviderStatus:
        """Say whether the library and a model are there; asks a running engine how fast it answers, and starts none."""
        started = time.perf_counter()
        try:
            found = await self._installed()
        except ModelError as error:
            return ProviderStatus(reachable=False, version=_library_version(), problem=error.message, hint=error.hint)
        latency = None
        for model in found:
            _, engine = self._engines.get(model.name, (None, None))
            if engine is not None and engine.state.phase == "ready" and await engine.ask_info() is not None:
                latency = (time.perf_counter() - started) * 1000
        if self._state.phase == "failed":
            # The next call starts it anew, so it counts as reachable.
            return ProviderStatus(reachable=True, version=_library_version(), problem=self._state.problem)
        return ProviderStatus(reachable=True, latency_ms=latency, version=_library_version())

    async def models(self) -> list[ModelInfo]:
        """List the installed models; raises WeightsError when there is none, EngineUnavailableError without the library."""
        return [self._describe(model) for model in await self._installed()]

    def model(self, info: ModelInfo) -> EmbeddedModel:
        """Return the model to call; no I/O."""
        return EmbeddedModel(self, info)

    async def warm_up(self, name: str | None = None, prefix: str = "") -> ModelInfo:
        """Start the engine, wait until the model is loaded, and let it read ``prefix``; raises `ModelError`.

        ``prefix`` is the beginning of a prompt to come: what it holds is then in the model's cache.
        """
        installed = await self._installed()
        wanted = name or installed[0].name
        engine = await self.engine(wanted)
        try:
            await engine.wait_until_loaded()
        except EngineError as fault:
            raise _error_of(fault, wanted) from fault
        if prefix:
            request = {"op": "complete", "prompt": prefix, "max_tokens": 1, "priority": "background"}
            async with aclosing(self.stream(wanted, request)) as frames:
                async for _ in frames:
                    pass
        return next(self._describe(model) for model in installed if model.name == wanted)

    async def count_tokens(self, text: str, name: str | None = None) -> int:
        """Count the text's tokens with the model's own vocabulary; raises `ModelError`."""
        wanted = name or (await self._installed())[0].name
        async with aclosing(self.stream(wanted, {"op": "count", "text": text})) as frames:
            async for frame in frames:
                return int(frame["tokens"])
        raise StreamMalformedError(f"The embedded model {wanted!r} did not count.")

    async def aclose(self) -> None:
        """Let go of the engines; running calls end with an error."""
        engines, self._engines = self._engines, {}
        for _, engine in engines.values():
            await engine.aclose()

    # -- for the models ------------------------------------------------------------------------------------------------

    async def engine(self, name: str) -> EngineClient:
        """Return the connection to the model's engine, not necessarily open; raises WeightsError."""
        _, engine = self._engines.get(name, (None, None))
        if engine is not None and engine.state.phase in {"starting", "loading", "ready"}:
            return engine
        # It is (or may be) down: before a start, the file has to be what it should be.
        installed = await self._installed()
        model = next((model for model in installed if model.name == name), None)
        if model is None:
            hint = f"{nearest(name, [one.name for one in installed])} Or run: dragoman models pull {name}"
            raise ModelNotFoundError(f"The embedded provider has no model {name!r}.", hint=hint)
        current = self._engines.get(name)
        if current is not None and current[0] == model.path:
            return current[1]
        if engine is not None:
            await engine.aclose()
        engine = EngineClient(model.path, self._options, self._follow)
        self._engines[name] = (model.path, engine)
        return engine

    async def stream(self, name: str, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Send a request to the model's engine and yield its frames; raises `ModelError`."""
        engine = await self.engine(name)
        try:
            async with aclosing(engine.stream(request)) as frames:
                async for frame in frames:
                    yield frame
        except EngineError as fault:
            raise _error_of(fault, name) from fault

    def _follow(self, state: EngineState) -> None:
        self._state = state
        if self.on_state is not None:
            self.on_state(state)

    async def _installed(self) -> list[InstalledModel]:
        if sys.platform == "win32":
            raise EngineUnavailableError(
                "The embedded model needs Unix sockets, which this system does not offer to Python.",
                hint="Use Ollama or a llama.cpp server.",
            )
        if self._options.python == sys.executable and importlib.util.find_spec(_LIBRARY) is None:
            raise EngineUnavailableError("The embedded model's inference library is not installed.", hint=INSTALL_HINT)
        if isinstance(self._wanted, Path):
            return [_own_file(self._wanted)]
        if self._wanted is not None:
            return [await self.store.find(self._wanted)]
        installed = await self.store.installed()
        healthy = [model for model in installed if model.health == "ok"]
        if not healthy:
            # The error says whether it is missing or damaged.
            healthy = [await self.store.find(installed[0].name if installed else DEFAULT_MODEL)]
        return healthy

    def _describe(self, model: InstalledModel) -> ModelInfo:
        family = model.entry.fim_family if model.entry is not None else family_of(model.name)
        abilities: set[Capability] = {"completion", "chat", "json_schema"}
        if family is not None:
            abilities.add("fim")
        _, engine = self._engines.get(model.name, (None, None))
        window = (engine.state.n_ctx if engine is not None else None) or self._options.n_ctx
        return ModelInfo(model.name, self.name, frozenset(abilities), window, model.bytes, family)


class EmbeddedModel:
    """One installed model."""

    def __init__(self, provider: EmbeddedProvider, info: ModelInfo) -> None:
        self._provider = provider
        self._info = info

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self._info

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text; a suffix goes into the family's template."""
        prompt = request.prompt
        if request.suffix is not None:
            if self._info.fim_family is None:
                raise RequestRejectedError(f"The model {self._info.name!r} cannot fill in the middle.")
            prompt = format_fim(self._info.fim_family, prompt, request.suffix)
        body: dict[str, Any] = {"op": "complete", "prompt": prompt, "priority": request.priority} | _sampling(request)
        if request.logprobs:
            body["logprobs"] = 1
        return self._chunks(body)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation, after the completions that wait.

        Tools are not offered to the model, which writes its calls as it likes: raises ToolsUnsupportedError unless
        ``tool_choice`` is ``none``. A JSON schema binds it to the letter.
        """
        check_pictures(self._info, request)
        if request.tools and request.tool_choice != "none":
            raise ToolsUnsupportedError(
                f"The embedded model {self._info.name!r} does not call tools.",
                hint="Ask for the call by a JSON schema instead.",
            )
        messages = openai_messages(request.messages)
        body: dict[str, Any] = {"op": "chat", "messages": messages, "priority": "background"} | _sampling(request)
        if request.json_schema is not None:
            body["json_schema"] = dict(request.json_schema)
        splitter = ThinkSplitter()
        async with aclosing(self._chunks(body)) as chunks:
            async for chunk in chunks:
                thinking, text = splitter.feed(chunk.text)
                if chunk.finish is not None:
                    last_thinking, last_text = splitter.end()
                    thinking, text = thinking + last_thinking, text + last_text
                if text or thinking or chunk.thinking or chunk.finish is not None:
                    yield replace(chunk, text=text, thinking=chunk.thinking + thinking)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:  # noqa: ARG002 - the protocol's signature
        """Refuse: a model made for writing makes vectors that say little."""
        raise RequestRejectedError(
            f"The embedded model {self._info.name!r} makes no embeddings.",
            hint="Name a model of a server that does under models.roles.embedding.",
        )

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        reader = TokenReader()
        tokens: tuple[Token, ...] = ()
        async with aclosing(self._provider.stream(self._info.name, body)) as frames:
            async for frame in frames:
                match frame:
                    case {"type": "text", "text": text}:
                        thinking = frame.get("thinking", "")
                        tokens += reader.take(text, entries_of(frame.get("logprobs")))
                        if text or thinking:
                            told, tokens = tokens, ()
                            yield Chunk(text=text, thinking=thinking, tokens=told)
                    case {"type": "end", "finish": finish, "usage": usage}:
                        counts = Usage(usage["prompt"], usage["completion"], usage["cached"])
                        yield Chunk(finish=finish, usage=counts, tokens=tokens)


def _sampling(request: CompletionRequest | ChatRequest) -> dict[str, Any]:
    return {
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "temperature": request.temperature,
        "seed": request.seed,
    }


def _own_file(path: Path) -> InstalledModel:
    """Describe a file that the user named by its path: it is taken as it is."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise WeightsError(f"The model file {str(path)!r} cannot be read: {error.strerror}.") from error
    return InstalledModel(path.stem, path, size, "")


def _library_version() -> str | None:
    from importlib import metadata

    try:
        return metadata.version(_LIBRARY)
    except metadata.PackageNotFoundError:
        return None


def _error_of(fault: EngineError, name: str) -> ModelError:
    message = f"The embedded model {name!r}: {fault.message}"
    match fault.code:
        case "out_of_memory":
            return OutOfMemoryError(message, hint=fault.hint)
        case "engine_unavailable" | "load_failed":
            return EngineUnavailableError(message, hint=fault.hint)
        case "context_overflow":
            return ContextOverflowError(message, excess=fault.frame.get("excess"), hint=fault.hint)
        case "rejected":
            return RequestRejectedError(message, hint=fault.hint)
        case "malformed":
            return StreamMalformedError(message, hint=fault.hint)
        case _:
            return ProviderFailedError(message, hint=fault.hint)
