"""What the HTTP providers have in common: their place, their probe and their list of models."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dragoman.errors import (
    AuthenticationError,
    ModelError,
    ModelNotFoundError,
    ProviderFailedError,
    RateLimitedError,
    RequestRejectedError,
    StreamMalformedError,
    ToolsUnsupportedError,
)
from dragoman.models.base import Capability, Model, ModelInfo, ProviderStatus
from dragoman.models.providers.failures import nearest
from dragoman.models.providers.http import Endpoint, HttpClient, preload

_LOST: Final[Mapping[str, Capability]] = {"tools": "tools", "response_format": "json_schema"}
"""Parameters whose refusal tells what a model cannot do after all."""

_INSTEAD: Final = "It may be asked for its calls by a JSON schema instead."


class HttpProvider(ABC):
    """A model server behind HTTP; subclasses know one protocol each."""

    default_concurrency = 2
    """Generations at the same time when neither settings nor server say: one for the keyboard, one for a chat."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.client = HttpClient(endpoint)
        self._quirks: dict[str, set[str]] = {}

    @property
    def name(self) -> str:
        """The provider's name in the settings."""
        return self.endpoint.name

    @property
    def kind(self) -> str:
        """Its protocol."""
        return self.endpoint.kind

    @property
    def is_local(self) -> bool:
        """Whether text sent there stays on this machine."""
        return self.endpoint.is_local

    @property
    def max_concurrency(self) -> int:
        """How many generations may run there at the same time."""
        return self.endpoint.max_concurrency or self.default_concurrency

    async def aclose(self) -> None:
        """Close every connection; running calls end with an error."""
        await self.client.aclose()

    async def probe(self) -> ProviderStatus:
        """Ask whether a server of this kind is there; never raises, returns within the connect limit.

        ``reachable`` with a ``problem`` is one that answers but cannot be used now: a refused key, a model still loading.
        """
        limit = self.endpoint.timeouts.connect
        await preload()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(limit):
                version = await self.ask_version(limit)
        except TimeoutError:
            problem = f"provider {self.name!r} at {self.endpoint.address} did not answer within {limit:g} s."
            return ProviderStatus(
                reachable=False, problem=problem, hint="Check that it runs, or raise timeouts.connect."
            )
        except ModelError as error:
            there = isinstance(error, (AuthenticationError, RateLimitedError, ProviderFailedError))
            return ProviderStatus(reachable=there, problem=error.message, hint=error.hint)
        except Exception as error:  # noqa: BLE001 - a probe answers whatever happens
            return ProviderStatus(reachable=False, problem=f"provider {self.name!r} cannot be probed: {error}")
        return ProviderStatus(reachable=True, latency_ms=(time.perf_counter() - started) * 1000, version=version)

    async def models(self) -> list[ModelInfo]:
        """List the models it has now; when the list cannot be read, the ones stated in the settings. Raises `ModelError`."""
        try:
            infos = await self.list_models()
        except (RequestRejectedError, StreamMalformedError, ProviderFailedError):
            infos = self._stated()
            if not infos:
                raise
        known = {info.name for info in infos}
        infos += [info for info in self._stated() if info.name not in known and self.endpoint.stated(info.name)]
        self.client.known_models = tuple(info.name for info in infos)
        return [self.as_learnt(info) for info in infos]

    @property
    def empty_hint(self) -> str:
        """What to do when the server lists no model."""
        hint = self.endpoint.habits.empty_hint or "Load one there, or name one under models of this provider."
        return hint.replace("PROVIDER", self.name)

    # -- what calls taught of the server -------------------------------------------------------------------------------

    def quirks_of(self, model: str) -> set[str]:
        """Return the parameters that were refused for a model; to be added to, and to be left out of every further call."""
        return self._quirks.setdefault(model, set())

    def as_learnt(self, info: ModelInfo) -> ModelInfo:
        """Return what the model can do without what its server has refused for it."""
        lost = {ability for name, ability in _LOST.items() if name in self._quirks.get(info.name, ())}
        return replace(info, capabilities=info.capabilities - lost) if lost & info.capabilities else info

    def check_tools(self, info: ModelInfo) -> None:
        """Raise ToolsUnsupportedError when the server has refused tools for this model before."""
        if "tools" in self._quirks.get(info.name, ()):
            raise ToolsUnsupportedError(
                f"The model {info.name!r} of provider {self.name!r} does not call tools.",
                hint=_INSTEAD,
            )

    def learn_tools(self, info: ModelInfo, body: Mapping[str, Any], error: RequestRejectedError) -> None:
        """Remember that tools were refused, if that is what ``error`` says of the call; then raise ToolsUnsupportedError."""
        if "tools" not in body or not (isinstance(error, ToolsUnsupportedError) or "tool" in error.message.lower()):
            return
        if not ("tool_choice" in body and "tool_choice" in error.message):
            # Else the model may call tools and only not be told which: nothing is learnt of the others.
            self.quirks_of(info.name).add("tools")
        raise ToolsUnsupportedError(error.message, hint=error.hint or _INSTEAD) from error

    def _stated(self) -> list[ModelInfo]:
        names = [model.name for model in self.endpoint.models]
        if self.endpoint.default_model and self.endpoint.default_model not in names:
            names.append(self.endpoint.default_model)
        return [self.endpoint.describe(name) for name in names]

    @abstractmethod
    def model(self, info: ModelInfo) -> Model:
        """Return the model to call; no I/O."""

    @abstractmethod
    async def ask_version(self, limit: float) -> str | None:
        """Return the server's version, None when it tells none; raises `ModelError` when it is not of this kind."""

    @abstractmethod
    async def list_models(self) -> list[ModelInfo]:
        """Ask the server for its models."""

    async def explain(self, error: ModelNotFoundError, model: str) -> ModelNotFoundError:
        """Give an unknown model's error the name of the nearest one there is, or say how to get one where there is none."""
        if error.hint:
            return error
        try:
            async with asyncio.timeout(self.endpoint.timeouts.connect):
                await self.models()
        except (ModelError, TimeoutError):
            return error
        hint = nearest(model, self.client.known_models) or f"It has no models at all. {self.empty_hint}"
        return ModelNotFoundError(error.message, hint=hint)
