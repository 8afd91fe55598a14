"""One suite for every way to a model: completions. Chats, with all that belongs to them, are in `test_providers_chat`."""

# ruff: noqa: F811 - fixtures are arguments
from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from dragoman.errors import ContextOverflowError, ModelNotFoundError, RequestRejectedError
from dragoman.models.base import LOWEST_LOGPROB, CompletionRequest
from dragoman.models.profiles import format_fim
from dragoman.models.providers.provider import HttpProvider
from tests.support.model_places import (  # noqa: F401 - fixtures among them
    FAKES,
    Place,
    among,
    collect,
    embedded,
    engine,
    engine_url,
    place,
    place_name,
    text_of,
)

PREFIX = "def add(first, second):\n    return "
SUFFIX = "\n\n\nprint(add(1, 2))\n"


def fim(**changes: Any) -> CompletionRequest:
    return replace(CompletionRequest(format_fim("qwen", PREFIX, SUFFIX), max_tokens=16, stop=("\n",)), **changes)


async def test_probe_and_models_tell_what_is_there(place: Place) -> None:
    status = await place.provider.probe()
    assert status.reachable
    assert not status.problem
    infos = await place.provider.models()
    assert {"completion", "fim"} <= infos[0].capabilities
    # LocalAI tells nothing of it.
    assert infos[0].context_window or place.provider.kind in ("openai", "localai")
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
@among("openai", "llamacpp", "ollama", "localai", "real-llamacpp", "real-ollama-shim", "embedded")
async def test_a_suffix_goes_to_the_servers_own_fill_in(place: Place) -> None:
    chunks = await collect(await place.model(), CompletionRequest(PREFIX, SUFFIX, max_tokens=12, stop=("\n",)))
    assert "first" in text_of(chunks)
    if place.fake is not None:
        call = place.fake.generations[-1]
        assert (call.prefix, call.suffix) == (PREFIX, SUFFIX)


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
@among(*FAKES, "real-openai", "real-llamacpp", "real-localai-shim", "embedded")
async def test_a_prompt_beyond_the_window_is_told_with_its_excess(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(status=400, error_code="context")
    prompt = "a b c d " * 3000
    with pytest.raises(ContextOverflowError) as caught:
        await collect(await place.model(), fim(prompt=prompt))
    # Ollama says nothing of numbers.
    assert (caught.value.excess or 0) > 500 or place.provider.kind == "ollama"
    assert prompt not in str(caught.value)


# A llama.cpp server answers with its one model to any name.
@among("openai", "ollama", "localai", "real-ollama-shim", "real-localai-shim", "embedded")
async def test_an_unknown_model_is_told_with_the_nearest_name(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(strict_models=True)
    known = (await place.provider.models())[0].name
    unknown = await place.unknown(known.replace("coder", "codr"))
    with pytest.raises(ModelNotFoundError) as caught:
        await collect(unknown, fim())
    assert repr(known) in caught.value.hint
    # Without a list read before, it is read for the sake of the message.
    if isinstance(place.provider, HttpProvider):
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


@among(*FAKES)
async def test_texts_become_vectors_in_their_order(place: Place) -> None:
    texts = [f"def load_user_{at}(): ..." for at in range(20)]
    model = await place.model()
    vectors = await model.embed(texts)
    assert len({len(vector) for vector in vectors}) == 1
    assert vectors == [(await model.embed([text]))[0] for text in texts]
    assert place.fake is not None
    # Two batches, and one call for each alone.
    assert len(place.fake.embeddings) == 2 + len(texts)


@among("embedded")
async def test_the_embedded_engine_makes_no_vectors(place: Place) -> None:
    with pytest.raises(RequestRejectedError) as caught:
        await (await place.model()).embed(["x"])
    assert caught.value.hint
