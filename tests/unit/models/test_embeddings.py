"""Vectors from every kind of server that makes them, and what is said where none come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dragoman.errors import (
    ContextOverflowError,
    ModelNotFoundError,
    NoModelError,
    ProviderFailedError,
    RequestRejectedError,
    StreamMalformedError,
)
from dragoman.models.base import Model, ModelInfo
from dragoman.models.manager import ModelManager
from dragoman.models.providers import make_provider
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.providers.embeddings import EMBED_BATCH
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.provider import HttpProvider
from dragoman.models.redacted import RedactedModel
from dragoman.models.selection import Source
from dragoman.security.redaction import Redactor
from tests.support.fake_answers import embed_words
from tests.support.fake_http import Request
from tests.support.fake_model import FakeModel, Script
from tests.support.llamacpp_server import running
from tests.support.weights import find_weights

NAME = "nomic-embed-text"
KINDS = {"openai": "/v1", "localai": "/v1", "llamacpp": "", "ollama": ""}


def provider_of(kind: Any, fake: FakeModel) -> HttpProvider:
    return make_provider(Endpoint("p", kind, fake.url + KINDS[kind]))


def model_of(provider: HttpProvider, name: str = NAME) -> Model:
    return provider.model(ModelInfo(name, "p", frozenset({"embedding"})))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_text_gets_its_own_vector_in_batches(kind: str) -> None:
    texts = [f"text number {number}" for number in range(2 * EMBED_BATCH + 3)]
    async with FakeModel(Script(models=[NAME])) as fake:
        provider = provider_of(kind, fake)
        vectors = await model_of(provider).embed(texts)
        none = await model_of(provider).embed([])
        await provider.aclose()
        asked = [request.body for request in fake.embeddings]

    assert vectors == [embed_words(text, 96) for text in texts]
    assert none == []
    assert [len(body["input"]) for body in asked] == [EMBED_BATCH, EMBED_BATCH, 3]
    assert {body["model"] for body in asked} == {NAME}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refusal_is_a_typed_error_without_the_text(kind: str) -> None:
    text = "a text that nobody shall see in a log"
    async with FakeModel(Script(status=500, error_message=f"cannot embed {text}")) as fake:
        provider = provider_of(kind, fake)
        with pytest.raises(ProviderFailedError) as raised:
            await model_of(provider).embed([text, "another"])
        await provider.aclose()

    assert "cannot embed" in str(raised.value)
    assert text not in str(raised.value)


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_an_unknown_model_comes_with_the_nearest_name(kind: str) -> None:
    async with FakeModel(Script(models=[NAME], strict_models=True)) as fake:
        provider = provider_of(kind, fake)
        with pytest.raises(ModelNotFoundError) as raised:
            await model_of(provider, "nomic-embd-text").embed(["x"])
        await provider.aclose()

    assert NAME in str(raised.value)


@pytest.mark.parametrize(
    "vectors",
    [[], [[1.0]], [[1.0], []], [[1.0], None], [[1.0], ["x"]], [[1.0], [math.inf]], [[1.0], [1.0, 2.0]], "text", None],
)
@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_what_are_no_vectors_is_an_error(kind: str, vectors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_script: Script, _request: Request) -> tuple[int, Any]:
        data = [{"embedding": one} for one in vectors] if isinstance(vectors, list) else vectors
        return 200, {"data": data} if kind == "openai" else {"embeddings": vectors}

    monkeypatch.setattr("tests.support.fake_model.answer_question", answer)
    async with FakeModel() as fake:
        provider = provider_of(kind, fake)
        with pytest.raises(StreamMalformedError):
            await model_of(provider).embed(["a", "b"])
        await provider.aclose()


async def test_a_model_elsewhere_embeds_no_secret() -> None:
    class Reader:
        info = ModelInfo(NAME, "far", frozenset({"embedding"}))
        read: Sequence[str] = ()

        async def embed(self, texts: Sequence[str]) -> list[list[float]]:
            self.read = texts
            return [[1.0] for _ in texts]

    reader = Reader()
    secret = "s3cr3tPw-9"
    vectors = await RedactedModel(reader, Redactor()).embed([f'db = "postgres://shop:{secret}@db/x"', "plain"])  # type: ignore[arg-type]

    assert vectors == [[1.0], [1.0]]
    assert secret not in reader.read[0]
    assert "DRAGOMAN_SECRET_" in reader.read[0]
    assert reader.read[1] == "plain"


async def test_the_embedded_model_says_that_it_makes_none() -> None:
    provider = EmbeddedProvider()
    with pytest.raises(RequestRejectedError) as raised:
        await provider.model(ModelInfo("small", "embedded")).embed(["x"])
    await provider.aclose()

    assert "models.roles.embedding" in str(raised.value)


async def test_who_has_models_but_none_for_embeddings_is_told_so() -> None:
    async with FakeModel(Script(dialects=["openai"], models=["qwen2.5-coder"])) as fake:
        manager = ModelManager([Source(provider_of("openai", fake), "detected")], {})
        with pytest.raises(NoModelError) as raised:
            await manager.for_role("embedding")
        await manager.aclose()

    assert "makes embeddings" in raised.value.message
    assert "embedding = true" in raised.value.hint


async def test_the_role_is_filled_by_a_model_whose_name_says_it() -> None:
    async with FakeModel(Script(dialects=["openai"], models=["qwen2.5-coder", NAME])) as fake:
        manager = ModelManager([Source(provider_of("openai", fake), "configured")], {})
        model = await manager.for_role("embedding")
        vectors = await model.embed(["x y"])
        await manager.aclose()

    assert model.info.name == NAME
    assert vectors == [embed_words("x y", 96)]


# -- a real server -----------------------------------------------------------------------------------------------------


@pytest.fixture
def weights() -> Path:
    (model,) = find_weights().rglob("*0.5b*.gguf")
    return model


@pytest.mark.model
@pytest.mark.parametrize(("kind", "tail"), [("llamacpp", ""), ("openai", "/v1")])
async def test_a_real_server_makes_vectors_and_says_when_a_text_is_too_long(
    weights: Path, kind: Any, tail: str
) -> None:
    with running(weights, embeddings=True) as url:
        provider = make_provider(Endpoint("p", kind, url + tail))
        model = model_of(provider)
        user, same, other = await model.embed(
            ["def load_user(): pass", "function loadUser() {}", "the weather is fine"]
        )
        with pytest.raises(ContextOverflowError):
            await model.embed(["word " * 900])
        (again,) = await model.embed(["def load_user(): pass"])
        await provider.aclose()

    assert len(user) == len(same) == len(other) > 100
    assert cosine(user, same) > cosine(user, other)
    assert cosine(user, again) > 0.99


@pytest.mark.model
async def test_a_real_server_that_only_writes_says_how_to_start_it(weights: Path) -> None:
    with running(weights) as url:
        provider = make_provider(Endpoint("p", "llamacpp", url))
        with pytest.raises(ProviderFailedError, match="--embeddings"):
            await model_of(provider).embed(["x"])
        await provider.aclose()


def cosine(first: list[float], second: list[float]) -> float:
    return sum(x * y for x, y in zip(first, second, strict=True)) / math.hypot(*first) / math.hypot(*second)
