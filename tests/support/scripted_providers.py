"""Providers without a server: they have the models that a test says, and these say who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from dragoman.errors import ModelError
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo, ProviderStatus


class Said:
    """A model that says who it is; it fails as often as it is told."""

    def __init__(self, info: ModelInfo, failures: Sequence[ModelError] = ()) -> None:
        self.info = info
        self.failures = list(failures)
        self.asked = 0
        self.embedded: list[str] = []

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        return self._say()

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        return self._say()

    async def _say(self) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        yield Chunk(f"{self.info.provider}/{self.info.name}")
        yield Chunk(finish="stop")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded += texts
        return [[1.0] for _ in texts]


@dataclass
class Place:
    """A provider that has what the test says."""

    name: str
    has: dict[str, frozenset[str]] = field(default_factory=dict)
    up: bool = True
    kind: str = "openai"
    is_local: bool = True
    max_concurrency: int = 1
    asked: int = 0
    closed: bool = False
    window: int | None = None
    said: dict[str, Said] = field(default_factory=dict)

    async def probe(self) -> ProviderStatus:
        self.asked += 1
        await asyncio.sleep(0)
        return ProviderStatus(self.up, problem="" if self.up else f"{self.name!r} does not answer.", hint="Start it.")

    async def models(self) -> list[ModelInfo]:
        return self.infos()

    def infos(self) -> list[ModelInfo]:
        """What it has."""
        return [ModelInfo(name, self.name, able, self.window) for name, able in self.has.items()]  # type: ignore[arg-type]

    def fail(self, name: str, *errors: ModelError) -> None:
        """Let its model ``name`` answer the next calls with these errors."""
        (info,) = (one for one in self.infos() if one.name == name)
        self.model(info)
        self.said[name].failures = list(errors)

    def model(self, info: ModelInfo) -> Model:
        if info.name not in self.said:
            self.said[info.name] = Said(info)
        return self.said[info.name]

    async def aclose(self) -> None:
        self.closed = True
