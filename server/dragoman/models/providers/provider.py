"""What the HTTP providers have in common: their place, their probe and their list of models."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress

from dragoman.errors import (
    AuthenticationError,
    ModelError,
    ModelNotFoundError,
    ProviderFailedError,
    RateLimitedError,
    RequestRejectedError,
    StreamMalformedError,
)
from dragoman.models.base import Model, ModelInfo, ProviderStatus
from dragoman.models.providers.failures import nearest
from dragoman.models.providers.http import Endpoint, HttpClient, preload


class HttpProvider(ABC):
    """A model server behind HTTP; subclasses know one protocol each."""

    default_concurrency = 2
    """Generations at the same time when neither settings nor server say: one for the keyboard, one for a chat."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.client = HttpClient(endpoint)

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
        return infos

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
        """Give an unknown model's error the name of the nearest one there is."""
        if error.hint:
            return error
        with suppress(ModelError, TimeoutError):
            async with asyncio.timeout(self.endpoint.timeouts.connect):
                await self.models()
        return ModelNotFoundError(error.message, hint=nearest(model, self.client.known_models))
