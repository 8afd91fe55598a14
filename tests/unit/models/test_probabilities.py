"""What servers say about tokens, read from whatever they send."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import RequestRejectedError
from dragoman.models.base import LOWEST_LOGPROB, Chunk, CompletionRequest, ModelInfo, Token
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.probabilities import TokenReader, entries_of
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script

KINDS = ("openai", "llamacpp", "ollama")
ASK = CompletionRequest("x = ", max_tokens=20, logprobs=True)


async def answer(kind: Any, url: str, request: CompletionRequest = ASK) -> list[Chunk]:
    provider = make_provider(Endpoint("mine", kind, url))
    try:
        model = provider.model(ModelInfo("qwen2.5-coder:1.5b-base", "mine"))
        return [chunk async for chunk in model.complete(request)]
    finally:
        await provider.aclose()


def told(chunks: list[Chunk]) -> list[tuple[str, float]]:
    return [(token.text, token.logprob) for chunk in chunks for token in chunk.tokens]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def url_of(fake: FakeModel, kind: str) -> str:
    return fake.url + "/v1" if kind == "openai" else fake.url


@pytest.mark.parametrize("kind", KINDS)
async def test_every_token_comes_with_the_chunk_of_its_text(kind: str) -> None:
    async with FakeModel(Script(text="one two three", logprobs=[-0.5, 0, -2])) as fake:
        chunks = await answer(kind, url_of(fake, kind))
    assert told(chunks) == [("one", -0.5), (" two", 0.0), (" three", -2.0)]
    assert [chunk.text for chunk in chunks if chunk.tokens] == ["one", " two", " three"]


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_asked_for_what_is_not_wanted(kind: str) -> None:
    async with FakeModel(Script(text="one two", logprobs=[-0.5])) as fake:
        chunks = await answer(kind, url_of(fake, kind), replace(ASK, logprobs=False))
        (request,) = fake.generations
    assert text_of(chunks) == "one two"
    assert not told(chunks)
    assert not {"logprobs", "n_probs"} & request.body.keys()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_tells_none_answers_all_the_same(kind: str) -> None:
    async with FakeModel(Script(text="one two")) as fake:
        chunks = await answer(kind, url_of(fake, kind))
    assert text_of(chunks) == "one two"
    assert not told(chunks)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ([-math.inf], [LOWEST_LOGPROB] * 3),
        ([-3.4e38], [LOWEST_LOGPROB] * 3),
        ([1e-9], [0.0] * 3),
        ([math.nan], []),
        ([None], []),
        ([math.inf], []),
        # Behind an unknown one nothing can be aligned.
        ([-1, None, -1], [-1.0]),
    ],
)
async def test_odd_numbers_are_bounded_or_left_out(kind: str, sent: list[float | None], read: list[float]) -> None:
    async with FakeModel(Script(text="one two three", logprobs=sent)) as fake:
        chunks = await answer(kind, url_of(fake, kind))
    assert text_of(chunks) == "one two three"
    assert [logprob for _, logprob in told(chunks)] == read


@pytest.mark.parametrize("kind", KINDS)
async def test_tokens_of_text_that_is_held_back_are_not_lost(kind: str) -> None:
    script = Script(text="a ## b", token_size=1, logprobs=[-1])
    async with FakeModel(script) as fake:
        # The fake does not know this stop text by itself, so our side holds back what may become it.
        chunks = await answer(kind, url_of(fake, kind), replace(ASK, stop=("## c",)))
    assert text_of(chunks) == "a ## b"
    assert "".join(text for text, _ in told(chunks)) == "a ## b"
    ends = [sum(len(one.text) for one in chunks[: index + 1]) for index in range(len(chunks))]
    ahead = [
        sum(len(token.text) for one in chunks[: index + 1] for token in one.tokens) for index in range(len(chunks))
    ]
    assert all(token_end >= end for token_end, end in zip(ahead, ends, strict=True))


@asynccontextmanager
async def refusing(message: str, *, without: str) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Serve answers to whoever leaves the parameter ``without`` out, and ``message`` to all others."""
    seen: list[dict[str, Any]] = []

    async def handle(request: Request, connection: Connection) -> None:
        seen.append(request.json())
        if without in seen[-1]:
            await connection.send_json({"error": {"message": message}}, 400)
            return
        await connection.start_stream("text/event-stream")
        await connection.send_piece(b'data: {"choices": [{"text": "ok", "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
        await connection.end_stream()

    server = HttpServer(handle)
    try:
        yield f"http://127.0.0.1:{await server.start()}/v1", seen
    finally:
        await server.aclose()


@pytest.mark.parametrize("message", ["You may not request logprobs from this model", "Extra inputs are not permitted"])
async def test_a_server_that_refuses_to_tell_is_asked_once_without(message: str) -> None:
    async with refusing(message, without="logprobs") as (url, seen):
        provider = make_provider(Endpoint("mine", "openai", url))
        model = provider.model(ModelInfo("m", "mine"))
        for _ in range(2):
            assert text_of([chunk async for chunk in model.complete(ASK)]) == "ok"
        await provider.aclose()
    assert ["logprobs" in body for body in seen] == [True, False, False]


async def test_what_is_refused_for_another_reason_stays_refused_and_the_next_call_asks_again() -> None:
    async with refusing("No.", without="prompt") as (url, seen):
        provider = make_provider(Endpoint("mine", "openai", url))
        model = provider.model(ModelInfo("m", "mine"))
        for _ in range(2):
            with pytest.raises(RequestRejectedError, match=r"No\."):
                await anext(model.complete(ASK))
        await provider.aclose()
    assert ["logprobs" in body for body in seen] == [True, False, True, False]


def test_every_shape_of_a_server_is_read() -> None:
    new = {"content": [{"token": "a", "logprob": -1}, {"token": "b", "logprob": -2}]}
    old = {"tokens": ["a", "b"], "token_logprobs": [-1, -2]}
    for value in (new, old, new["content"]):
        assert list(entries_of(value)) == [("a", -1.0), ("b", -2.0)]
    ((text, logprob),) = entries_of([{"token": "a", "prob": 0.5}])
    assert (text, logprob) == ("a", pytest.approx(math.log(0.5)))
    assert list(entries_of([{"token": "a", "prob": 0}])) == [("a", LOWEST_LOGPROB)]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.just(10**400) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "tokens", "token_logprobs", "token", "logprob", "prob", "top_logprobs"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_anything_can_be_read(value: Any) -> None:
    for text, logprob in entries_of(value):
        assert isinstance(text, str)
        assert logprob is None or LOWEST_LOGPROB <= logprob <= 0


ENTRIES = st.lists(st.tuples(st.text("ab\n😀", max_size=3), st.sampled_from([-0.5, -1.0, None])), max_size=3)
STEPS = st.lists(st.tuples(st.text("ab\n😀", max_size=3), ENTRIES), max_size=6)


@given(STEPS, STEPS)
def test_behind_text_that_no_token_tells_of_there_are_no_more(before: Any, after: Any) -> None:
    reader = TokenReader()
    tokens = [token for text, entries in before for token in reader.take(text, entries)]
    assert all(LOWEST_LOGPROB <= token.logprob <= 0 for token in tokens)
    assert reader.take("text of nobody", []) == ()
    assert [reader.take(text, entries) for text, entries in after] == [()] * len(after)


@given(st.lists(st.text("ab\né漢😀", min_size=1, max_size=3), min_size=1, max_size=8), st.data())
def test_a_server_that_holds_text_back_is_aligned_token_by_token(texts: list[str], data: st.DataObject) -> None:
    """llama.cpp sends a token at once and its text when it is sure that no stop text begins there."""
    whole = "".join(texts)
    ends = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=len(texts) - 1, min_size=len(texts) - 1)))
    reached = [0]
    for index, end in enumerate([*ends, len(whole)]):
        # Never text before its token.
        reached.append(max(reached[-1], min(end, len("".join(texts[: index + 1])))))
    reached[-1] = len(whole)
    reader = TokenReader()
    found: list[Token] = []
    for (start, end), text in zip(pairwise(reached), texts, strict=True):
        found += reader.take(whole[start:end], [(text, -1.0)])
    assert [token.text for token in found] == texts


@pytest.mark.parametrize("half", ["", "�"])
def test_a_character_of_several_tokens_belongs_to_the_last_of_them(half: str) -> None:
    reader = TokenReader()
    found = [
        *reader.take("x = '", [("x = '", -0.1)]),
        *reader.take("", []),
        *reader.take("😀", [(half, -0.7)]),
        *reader.take("'", [("'", -0.2)]),
    ]
    assert [(token.text, token.logprob) for token in found] == [("x = '", -0.1), ("😀", -0.7), ("'", -0.2)]


def test_the_engines_frames_hold_what_is_read_and_no_more() -> None:
    from dragoman.engine.inference import _Stream

    frames: list[dict[str, Any]] = []
    stream = _Stream(lambda frame: bool(frames.append(frame)))
    entry = {"id": 7, "token": "to", "bytes": [116, 111], "logprob": -0.5, "top_logprobs": [{"id": 7}]}
    stream.take({"choices": [{"text": "to", "logprobs": {"content": [entry]}, "finish_reason": None}]})
    # A token whose text the library holds back is told at once.
    stream.take({"choices": [{"text": "", "logprobs": {"content": [entry]}, "finish_reason": None}]})
    stream.take({"choices": [{"text": "", "logprobs": None, "finish_reason": "stop"}], "timings": {}})
    told = [{"token": "to", "logprob": -0.5}]
    assert [frame.get("logprobs") for frame in frames] == [told, told, None]
    assert [frame["type"] for frame in frames] == ["text", "text", "end"]
    assert json.dumps(frames)
