"""Every way to a model, for the conformance suite: the scripted fake in each dialect, a real llama.cpp server, shims of Ollama and
LocalAI in front of it (labelled as such), and the embedded engine.

A test module imports the fixtures `embedded`, `engine`, `engine_url`, `place_name` and `place`;
`among` narrows a test to some of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo, Provider
from dragoman.models.providers import make_provider
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.providers.endpoint import Endpoint, StatedModel, Timeouts
from tests.support.fake_model import FakeModel, Script
from tests.support.llamacpp_server import running
from tests.support.localai_shim import localai_shim
from tests.support.ollama_shim import shim
from tests.support.weights import find_weights

FAKES = ("openai", "llamacpp", "ollama", "localai")
REALS = ("real-openai", "real-llamacpp", "real-ollama-shim", "real-localai-shim", "embedded")
PATIENT = Timeouts(connect=10, first_token=120, idle=120, total=240)


@dataclass
class Place:
    """A provider under test and what is known about its server."""

    provider: Provider
    engine: str | None = None
    fake: FakeModel | None = None

    async def model(self) -> Model:
        return self.provider.model((await self.provider.models())[0])

    async def model_with(self, *abilities: str) -> Model:
        """The model as one that can do more than its server says."""
        info = (await self.provider.models())[0]
        return self.provider.model(replace(info, capabilities=info.capabilities | set(abilities)))  # type: ignore[arg-type]

    async def unknown(self, name: str) -> Model:
        return self.provider.model(ModelInfo(name, "here"))

    async def wait_until_idle(self) -> None:
        """Wait until the server works for nobody any more; far below the time the whole answer would take."""
        if self.fake is not None:
            await self.fake.wait_for(lambda fake: fake.in_flight == 0)
        elif isinstance(self.provider, EmbeddedProvider):
            engine = await self.provider.engine((await self.provider.models())[0].name)
            async with asyncio.timeout(60):
                while not (info := await engine.ask_info()) or not info["free_slots"]:
                    await asyncio.sleep(0.05)
        else:
            assert self.engine is not None
            async with httpx.AsyncClient(base_url=self.engine, timeout=60, trust_env=False) as client:
                async with asyncio.timeout(60):
                    while any(slot["is_processing"] for slot in (await client.get("/slots")).json()):
                        await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """A real llama.cpp server with the real weights, one for all tests of a module."""
    (model,) = find_weights().rglob("*0.5b*.gguf")
    with running(model) as url:
        yield url


@pytest.fixture(scope="session")
def embedded() -> Iterator[Callable[[], EmbeddedProvider]]:
    """The embedded engine, kept running between the tests of a module: makes providers in front of it."""
    weights = find_weights()
    runtime = Path(tempfile.mkdtemp(prefix="dragoman-"))

    def make() -> EmbeddedProvider:
        return EmbeddedProvider("here", data_dir=weights, runtime_dir=runtime, threads=1, n_ctx=2048)

    done = threading.Event()

    async def keep() -> None:
        provider = make()
        await provider.warm_up()
        await asyncio.to_thread(done.wait)
        await provider.aclose()

    keeper = threading.Thread(target=lambda: asyncio.run(keep()), name="engine's keeper")
    keeper.start()
    yield make
    done.set()
    keeper.join()
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture
def engine_url(place_name: str, request: pytest.FixtureRequest) -> Any:
    """The real engine's address, or what makes a provider in front of the embedded one; None for a fake."""
    if place_name == "embedded":
        return request.getfixturevalue("embedded")
    return request.getfixturevalue("engine") if place_name in REALS else None


def among(*names: str) -> pytest.MarkDecorator:
    """Run a test against these servers only: the others cannot be in the situation it is about."""
    return pytest.mark.parametrize("place_name", [_parameter(name) for name in names], indirect=True)


def _parameter(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.model) if name in REALS else name


@pytest.fixture(params=[_parameter(name) for name in (*FAKES, *REALS)])
def place_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def place(place_name: str, engine_url: Any) -> AsyncIterator[Place]:
    async with contextlib.AsyncExitStack() as stack:
        if place_name in FAKES:
            found = await _fake(place_name, stack)
        elif place_name == "embedded":
            found = Place(engine_url())
        else:
            found = await _real(place_name, engine_url, stack)
        yield found
        await found.provider.aclose()
        if found.fake is not None:
            await found.fake.wait_for(lambda fake: fake.open_connections == 0)


async def _fake(kind: str, stack: contextlib.AsyncExitStack) -> Place:
    script = Script(text="first + second", token_size=3)
    if kind == "localai":
        script.dialects = ["openai", "localai"]
    fake = await stack.enter_async_context(FakeModel(script))
    return Place(make_provider(Endpoint("here", kind, fake.url)), fake=fake)  # type: ignore[arg-type]


async def _real(how: str, url: str, stack: contextlib.AsyncExitStack) -> Place:
    engine = url
    if how == "real-ollama-shim":
        url = await stack.enter_async_context(shim(url))
    elif how == "real-localai-shim":
        url = await stack.enter_async_context(localai_shim(url))
    kind: Any = how.split("-")[1]
    stated: tuple[StatedModel, ...] = ()
    if kind == "openai":
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            name = (await client.get("/v1/models")).json()["data"][0]["id"]
        stated = (StatedModel(name, fim="qwen"),)
    endpoint = Endpoint("here", kind, url, timeouts=PATIENT, models=stated)
    return Place(make_provider(endpoint), engine=engine)


async def collect(model: Model, request: CompletionRequest | ChatRequest) -> list[Chunk]:
    """Return every chunk of an answer."""
    stream = model.chat(request) if isinstance(request, ChatRequest) else model.complete(request)
    return [chunk async for chunk in stream]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)
