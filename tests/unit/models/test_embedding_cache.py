"""Vectors are asked for once, in batches, and only what can be computed with is kept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import ProviderFailedError, StreamMalformedError
from dragoman.models import embedding_cache
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo
from dragoman.models.embedding_cache import BATCH_TEXTS, CachedEmbedder, EmbeddingCache, SharedVectors
from dragoman.models.manager import ModelManager
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.selection import Source, Wishes
from dragoman.settings.sections import RoleSettings
from dragoman.storage.cache import MemoryCache, scope
from tests.support.fake_answers import embed_words
from tests.support.fake_model import FakeModel, Script


class Scripted:
    """Makes vectors of a text's letters; counts what it was asked."""

    def __init__(self, name: str = "nomic-embed-text", numbers: int = 3) -> None:
        self.info = ModelInfo(name, "p", frozenset({"embedding"}))
        self.numbers = numbers
        self.asked: list[list[str]] = []
        self.answers: list[Any] = []
        self.fails_at: int | None = None
        self.gate: asyncio.Event | None = None
        self.ended = 0

    def vector(self, text: str) -> list[float]:
        return [len(text) + at + 0.1 for at in range(self.numbers)]

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.fails_at == len(self.asked):
                raise ProviderFailedError("no")
            return self.answers.pop(0) if self.answers else [self.vector(text) for text in texts]
        finally:
            self.ended += 1

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk(request.prompt, finish="stop")

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk("chat", finish="stop")


class Store:
    """A second place that may be away."""

    def __init__(self) -> None:
        self.kept: dict[str, Sequence[float]] = {}
        self.away = False

    async def get_many(self, keys: Sequence[str]) -> list[Sequence[float] | None]:
        if self.away:
            raise ConnectionError("away")
        return [self.kept.get(key) for key in keys]

    async def set_many(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        if self.away:
            raise ConnectionError("away")
        self.kept.update(vectors)


@given(
    calls=st.lists(st.lists(st.text(max_size=3) | st.sampled_from(["a", "b", "\ud800"]), max_size=40), max_size=5),
    most=st.sampled_from([0, 600, 10_000_000]),
)
@settings(max_examples=60, deadline=None)
def test_each_text_has_its_own_vector_and_is_asked_for_once(calls: list[list[str]], most: int) -> None:
    model = Scripted()
    cache = EmbeddingCache(most_bytes=most)
    embedder = CachedEmbedder(model, cache)

    for texts in calls:
        assert asyncio.run(embedder.embed(texts)) == [model.vector(text) for text in texts]
        assert cache.bytes <= most

    asked = [text for batch in model.asked for text in batch]
    assert all(0 < len(batch) <= BATCH_TEXTS for batch in model.asked)
    assert all(len(set(batch)) == len(batch) for batch in model.asked)
    if most > 1000:
        assert sorted(asked) == sorted({text for texts in calls for text in texts})


async def test_batches_are_bounded_by_tokens_and_a_long_text_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_cache, "BATCH_TOKENS", 100)
    model = Scripted()
    texts = ["a" * 100, "b" * 100, "c" * 100, "d" * 900, "e"]
    await CachedEmbedder(model, EmbeddingCache()).embed(texts)

    assert [[text[0] for text in batch] for batch in model.asked] == [["a", "b"], ["c"], ["d"], ["e"]]


async def test_what_came_before_a_failure_is_kept() -> None:
    model = Scripted()
    model.fails_at = 2
    embedder = CachedEmbedder(model, EmbeddingCache())
    texts = [str(number) for number in range(BATCH_TEXTS + 5)]
    with pytest.raises(ProviderFailedError):
        await embedder.embed(texts)

    assert await embedder.embed(texts) == [model.vector(text) for text in texts]
    assert [len(batch) for batch in model.asked] == [BATCH_TEXTS, 5, 5]


async def test_a_cancel_reaches_the_model_at_once() -> None:
    model = Scripted()
    model.gate = asyncio.Event()
    embedder = CachedEmbedder(model, EmbeddingCache())
    task = asyncio.create_task(embedder.embed(["a"]))
    while not model.asked:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.ended == 1
    model.gate.set()

    assert await embedder.embed(["a"]) == [model.vector("a")]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [[1.0]],
        [[1.0], []],
        [[1.0], [math.nan]],
        [[1.0], [-math.inf]],
        [[1.0], ["x"]],
        [[1.0], None],
        [[1.0], [10**400]],
        [[1.0], [1.0, 2.0]],
        [[1.0], [1.0], [1.0]],
    ],
)
async def test_what_is_no_vector_is_refused_and_not_kept(answer: Any) -> None:
    model = Scripted()
    model.answers = [answer]
    cache = EmbeddingCache()
    embedder = CachedEmbedder(model, cache)
    with pytest.raises(StreamMalformedError, match="'p' answered with"):
        await embedder.embed(["a", "b"])

    assert len(cache) == 0
    assert await embedder.embed(["a", "b"]) == [model.vector("a"), model.vector("b")]


async def test_another_model_by_the_same_name_makes_everything_anew() -> None:
    model, cache, store = Scripted(), EmbeddingCache(), Store()
    embedder = CachedEmbedder(model, cache, store)
    await embedder.embed(["a", "b", "old"])
    model.numbers = 5

    assert await embedder.embed(["a", "b", "c"]) == [model.vector(text) for text in "abc"]
    assert model.asked == [["a", "b", "old"], ["c"], ["a", "b"]]
    assert len(cache) == 3
    assert await embedder.embed(["c", "a"]) == [model.vector("c"), model.vector("a")]
    assert sorted(len(vector) for vector in store.kept.values()) == [3, 5, 5, 5]
    assert len(model.asked) == 3


async def test_vectors_of_two_models_are_kept_apart_and_callers_own_theirs() -> None:
    cache = EmbeddingCache()
    one, other = Scripted("one"), Scripted("other", numbers=2)
    (mine,) = await CachedEmbedder(one, cache).embed(["a"])
    mine[0] = -1.0

    assert await CachedEmbedder(other, cache).embed(["a"]) == [other.vector("a")]
    assert await CachedEmbedder(one, cache).embed(["a", "a"]) == [one.vector("a")] * 2
    cache.forget("p", "one")
    assert len(cache) == 1


async def test_what_was_used_longest_ago_makes_room() -> None:
    model = Scripted(numbers=10)
    cache = EmbeddingCache(most_bytes=1000)
    embedder = CachedEmbedder(model, cache)
    for texts in (["a"], ["b"], ["c"], ["a"], ["d"]):
        await embedder.embed(texts)
    asked = len(model.asked)
    await embedder.embed(["a", "c", "d"])

    assert len(model.asked) == asked
    await embedder.embed(["b"])
    assert len(model.asked) == asked + 1


async def test_a_second_place_answers_before_the_model_and_may_be_away(caplog: pytest.LogCaptureFixture) -> None:
    model, store = Scripted(), Store()
    await CachedEmbedder(model, EmbeddingCache(), store).embed(["a", "b"])
    fresh = CachedEmbedder(model, EmbeddingCache(), store)
    assert await fresh.embed(["b", "c"]) == [model.vector("b"), model.vector("c")]
    store.away = True
    assert await CachedEmbedder(model, EmbeddingCache(), store).embed(["a", "d"]) == [
        model.vector("a"),
        model.vector("d"),
    ]
    assert await fresh.embed(["e"]) == [model.vector("e")]
    store.away = False
    store.kept = {key: [math.nan] for key in store.kept}

    assert model.asked == [["a", "b"], ["c"], ["a", "d"], ["e"]]
    assert await CachedEmbedder(model, EmbeddingCache(), store).embed(["a"]) == [model.vector("a")]
    assert not any("'a'" in line for line in caplog.messages)


async def test_the_second_place_may_be_the_storage_rooms_cache() -> None:
    model, cache = Scripted(), MemoryCache()
    for texts in (["a", "b"], ["b", "a", "c"]):
        embedder = CachedEmbedder(model, EmbeddingCache(), SharedVectors(cache, scope("vectors")))
        assert await embedder.embed(texts) == [model.vector(text) for text in texts]
    assert model.asked == [["a", "b"], ["c"]]


async def test_everything_else_goes_to_the_model_itself() -> None:
    embedder = CachedEmbedder(Scripted(), EmbeddingCache())
    assert [chunk.text async for chunk in embedder.complete(CompletionRequest("x"))] == ["x"]
    assert [chunk.text async for chunk in embedder.chat(ChatRequest(()))] == ["chat"]
    assert embedder.info.name == "nomic-embed-text"


async def test_nomic_embed_text_is_preferred_and_cached_over_a_real_connection() -> None:
    models = ["all-minilm-embed:latest", "nomic-embed-text:latest"]
    wishes = {"embedding": Wishes(RoleSettings().embedding)}
    async with FakeModel(Script(models=models, capabilities=["embedding"])) as fake:
        provider = make_provider(Endpoint("ollama", "ollama", fake.url))
        manager = ModelManager([Source(provider, "detected")], wishes)
        embedder = CachedEmbedder(await manager.for_role("embedding"), EmbeddingCache())
        first = await embedder.embed(["x y"])
        second = await embedder.embed(["x y", "z"])
        asked = [request.body for request in fake.embeddings]
        await manager.aclose()

    assert first == [embed_words("x y", 96)]
    assert second == [embed_words("x y", 96), embed_words("z", 96)]
    assert [body["input"] for body in asked] == [["x y"], ["z"]]
    assert {body["model"] for body in asked} == {"nomic-embed-text:latest"}
