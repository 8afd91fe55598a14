"""One suite for every way to a model: the scripted fake, a real llama.cpp server, and the shim of Ollama before it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from dragoman.errors import ContextOverflowError, ModelNotFoundError
from dragoman.models.base import (
    LOWEST_LOGPROB,
    ChatMessage,
    ChatRequest,
    Chunk,
    CompletionRequest,
    Model,
    ModelInfo,
)
from dragoman.models.profiles import format_fim
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint, StatedModel, Timeouts
from dragoman.models.providers.provider import HttpProvider
from tests.support.fake_model import FakeModel, Script
from tests.support.llamacpp_server import running
from tests.support.ollama_shim import shim

FAKES = ("openai", "llamacpp", "ollama")
REALS = ("real-openai", "real-llamacpp", "real-ollama-shim")
PREFIX = "def add(first, second):\n    return "
SUFFIX = "\n\n\nprint(add(1, 2))\n"
PATIENT = Timeouts(connect=10, first_token=120, idle=120, total=240)


@dataclass
class Place:
    """A provider under test and what is known about its server."""

    provider: HttpProvider
    url: str
    engine: str | None = None
    fake: FakeModel | None = None

    async def model(self) -> Model:
        info = (await self.provider.models())[0]
        return self.provider.model(info)

    async def wait_until_idle(self) -> None:
        """Wait until the server works for nobody any more; far below the time the whole answer would take."""
        if self.fake is not None:
            await self.fake.wait_for(lambda fake: fake.in_flight == 0)
            return
        async with httpx.AsyncClient(base_url=self.engine or self.url, timeout=60, trust_env=False) as client:
            async with asyncio.timeout(60):
                while any(slot["is_processing"] for slot in (await client.get("/slots")).json()):
                    await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """A real llama.cpp server with the real weights, one for all tests."""
    from tests.support.weights import find_weights

    (model,) = find_weights().rglob("*0.5b*.gguf")
    with running(model) as url:
        yield url


@pytest.fixture
def engine_url(place_name: str, request: pytest.FixtureRequest) -> str | None:
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
async def place(place_name: str, engine_url: str | None) -> AsyncIterator[Place]:
    how = place_name
    async with contextlib.AsyncExitStack() as stack:
        if how in FAKES:
            fake = await stack.enter_async_context(FakeModel(Script(text="first + second", token_size=3)))
            found = Place(make_provider(Endpoint("here", how, fake.url)), fake.url, fake=fake)  # type: ignore[arg-type]
        else:
            assert engine_url is not None
            url = engine_url
            if how == "real-ollama-shim":
                url = await stack.enter_async_context(shim(engine_url))
            kind = how.split("-")[1]
            stated: tuple[StatedModel, ...] = ()
            if kind == "openai":
                name = (await make_names(url))[0]
                stated = (StatedModel(name, fim="qwen"),)
            endpoint = Endpoint("here", kind, url, timeouts=PATIENT, models=stated)  # type: ignore[arg-type]
            found = Place(make_provider(endpoint), url, engine=engine_url)
        yield found
        await found.provider.aclose()
        if found.fake is not None:
            await found.fake.wait_for(lambda fake: fake.open_connections == 0)


async def make_names(url: str) -> list[str]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        return [entry["id"] for entry in (await client.get("/v1/models")).json()["data"]]


async def collect(model: Model, request: CompletionRequest) -> list[Chunk]:
    return [chunk async for chunk in model.complete(request)]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def fim(**changes: Any) -> CompletionRequest:
    return replace(CompletionRequest(format_fim("qwen", PREFIX, SUFFIX), max_tokens=16, stop=("\n",)), **changes)


async def test_probe_and_models_tell_what_is_there(place: Place) -> None:
    status = await place.provider.probe()
    assert status.reachable
    assert not status.problem
    infos = await place.provider.models()
    assert len(infos) == 1
    assert {"completion", "fim"} <= infos[0].capabilities
    assert infos[0].context_window
    assert infos[0].provider == "here"
    assert place.provider.is_local
    assert place.provider.max_concurrency >= 1


async def test_tokens_come_with_their_probabilities_and_make_up_the_text(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(logprobs=[-0.25, -1.5])
    model = await place.model()
    chunks = await collect(model, fim(logprobs=True))
    tokens = [token for chunk in chunks for token in chunk.tokens]
    # The stop text's own token may follow.
    assert "".join(token.text for token in tokens).startswith(text_of(chunks))
    assert len(tokens) > 1
    assert all(LOWEST_LOGPROB <= token.logprob <= 0 for token in tokens)
    assert len({token.logprob for token in tokens}) > 1
    assert not any(chunk.tokens for chunk in await collect(model, fim()))


async def test_a_completion_streams_in_order_and_ends_with_its_finish(place: Place) -> None:
    chunks = await collect(await place.model(), fim())
    assert [chunk.finish for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish in ("stop", "length")
    assert "first + second" in text_of(chunks)
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens > 0
    assert usage.prompt_tokens > 0


async def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(place: Place) -> None:
    chunks = await collect(await place.model(), fim(stop=("second", "nowhere")))
    assert text_of(chunks).rstrip() == "first +"
    assert chunks[-1].finish == "stop"


async def test_more_stop_texts_than_a_protocol_allows_are_all_kept(place: Place) -> None:
    stops = ("§1", "§2", "§3", "§4", "§5", "second")
    chunks = await collect(await place.model(), fim(stop=stops))
    assert text_of(chunks).rstrip() == "first +"
    assert chunks[-1].finish == "stop"


async def test_max_tokens_ends_the_answer_as_too_long(place: Place) -> None:
    chunks = await collect(await place.model(), fim(max_tokens=2, stop=()))
    assert chunks[-1].finish == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 2


# llama.cpp's /v1/completions drops the suffix: it is not among the servers that may be stated to take one.
@among(*FAKES, "real-llamacpp", "real-ollama-shim")
async def test_a_suffix_goes_to_the_servers_own_fill_in(place: Place) -> None:
    chunks = await collect(await place.model(), CompletionRequest(PREFIX, SUFFIX, max_tokens=12, stop=("\n",)))
    assert "first" in text_of(chunks)
    if place.fake is not None:
        call = place.fake.generations[-1]
        assert (call.prefix, call.suffix) == (PREFIX, SUFFIX)


async def test_a_chat_answers(place: Place) -> None:
    messages = (ChatMessage("system", "Answer with one word."), ChatMessage("user", "What is 1+1?"))
    model = await place.model()
    chunks = [chunk async for chunk in model.chat(ChatRequest(messages, max_tokens=8, temperature=0))]
    assert text_of(chunks)
    assert chunks[-1].finish in ("stop", "length")
    if place.fake is not None:
        sent = place.fake.generations[-1].body["messages"]
        assert [one["role"] for one in sent] == ["system", "user"]


async def test_a_chat_keeps_to_a_schema(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(text='{"word": "yes"}')
    schema = {
        "type": "object",
        "properties": {"word": {"enum": ["yes", "no"]}},
        "required": ["word"],
        "additionalProperties": False,
    }
    request = ChatRequest((ChatMessage("user", "Is water wet?"),), max_tokens=24, temperature=0, json_schema=schema)
    model = await place.model()
    text = text_of([chunk async for chunk in model.chat(request)])
    assert json.loads(text)["word"] in ("yes", "no")
    if place.fake is not None:
        body = place.fake.generations[-1].body
        sent = body["format"] if place.provider.kind == "ollama" else body["response_format"]["json_schema"]["schema"]
        assert sent == schema


@pytest.mark.parametrize("way", ["aclose", "cancel", "cancel before the first token"])
async def test_whoever_stops_reading_stops_the_server(place: Place, way: str) -> None:
    if place.fake is not None:
        place.fake.configure(endless=True, token_delay=0.01)
        if "before" in way:
            place.fake.configure(first_token_delay=3600.0)
    model = await place.model()
    # The longest answer the window has room for: it takes a real engine far longer than the wait below allows.
    request = fim(prompt="1 2 3 4 5 6 7 8 9 ", max_tokens=1500, stop=())
    started = time.monotonic()
    if way == "aclose":
        stream = model.complete(request)
        await anext(stream)
        await stream.aclose()
    else:
        first = asyncio.Event()

        async def read() -> None:
            async for _ in model.complete(request):
                first.set()

        reader = asyncio.create_task(read())
        if "before" not in way:
            await first.wait()
        elif place.fake is not None:
            await place.fake.wait_for(lambda fake: fake.in_flight == 1)
        else:
            await asyncio.sleep(0.3)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    await place.wait_until_idle()
    if place.fake is not None:
        call = place.fake.generations[-1]
        assert call.hung_up
        assert call.hung_up_at is not None
        assert call.hung_up_at >= started


# Ollama cuts a long prompt itself.
@among(*FAKES, "real-openai", "real-llamacpp")
async def test_a_prompt_beyond_the_window_is_told_with_its_excess(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(status=400, error_code="context")
    prompt = "a b c d " * 3000
    with pytest.raises(ContextOverflowError) as caught:
        await collect(await place.model(), fim(prompt=prompt))
    assert caught.value.excess is None or caught.value.excess > 500
    assert prompt not in str(caught.value)


# A llama.cpp server answers with its one model to any name.
@among("openai", "ollama", "real-ollama-shim")
async def test_an_unknown_model_is_told_with_the_nearest_name(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(strict_models=True)
    known = (await place.provider.models())[0].name
    unknown = place.provider.model(ModelInfo(known.replace("coder", "codr"), "here"))
    with pytest.raises(ModelNotFoundError) as caught:
        await collect(unknown, fim())
    assert repr(known) in caught.value.hint
    # Without a list read before, it is read for the sake of the message.
    place.provider.client.known_models = ()
    with pytest.raises(ModelNotFoundError, match="nearest"):
        await collect(unknown, fim())


@among(*FAKES)
async def test_calls_one_after_the_other_share_a_connection(place: Place) -> None:
    model = await place.model()
    assert place.fake is not None
    before = place.fake.connections
    for _ in range(5):
        await collect(model, fim())
    assert place.fake.connections == before
