"""What the providers find out about servers and models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dragoman.errors import ModelError
from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint, StatedModel
from dragoman.models.providers.llamacpp import LlamaCppProvider
from dragoman.models.providers.localai import LocalAIProvider
from dragoman.models.providers.openai import OpenAIProvider
from dragoman.models.providers.provider import HttpProvider
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script


@asynccontextmanager
async def provider_of(url: str, kind: Any = "openai", **fields: Any) -> AsyncIterator[HttpProvider]:
    provider = make_provider(Endpoint("mine", kind, url, **fields))
    try:
        yield provider
    finally:
        await provider.aclose()


async def test_llamacpp_fills_in_by_itself_when_the_family_is_unknown() -> None:
    async with FakeModel(Script(models=["my-own-tune"], text="middle")) as fake:
        provider = LlamaCppProvider(Endpoint("x", "llamacpp", fake.url))
        for _ in range(2):
            (info,) = await provider.models()
            assert "fim" in info.capabilities
            assert info.fim_family is None
        # Asked once only: the question costs the server its cached prompt.
        assert [one.path for one in fake.generations] == ["/infill"]
        request = CompletionRequest("before", "after")
        assert "".join([chunk.text async for chunk in provider.model(info).complete(request)]) == "middle"
        body = fake.generations[-1].body
        assert (body["input_prefix"], body["input_suffix"]) == ("before", "after")
        await provider.aclose()


async def test_llamacpp_knows_its_slots_and_counts_tokens() -> None:
    async with FakeModel(Script(slots=3)) as fake:
        provider = LlamaCppProvider(Endpoint("x", "llamacpp", fake.url))
        assert provider.max_concurrency == 1
        await provider.probe()
        assert provider.max_concurrency == 3
        assert await provider.count_tokens("one two three") == 3
        await provider.aclose()
        stated = LlamaCppProvider(Endpoint("x", "llamacpp", fake.url, max_concurrency=2))
        await stated.models()
        assert stated.max_concurrency == 2
        await stated.aclose()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("/srv/models/qwen2.5-coder-3b-q8_0.gguf", "qwen2.5-coder-3b-q8_0"),
        ("C:\\models\\starcoder2-3b.GGUF", "starcoder2-3b"),
        ("org/name:tag", "org/name:tag"),
    ],
)
async def test_llamacpp_names_its_model_without_folders(written: str, shown: str) -> None:
    async with FakeModel(Script(models=[written])) as fake:
        provider = LlamaCppProvider(Endpoint("x", "llamacpp", fake.url))
        assert [info.name for info in await provider.models()] == [shown]
        await provider.aclose()


@pytest.mark.parametrize(
    ("properties", "able"),
    [
        ({"chat_template": "{{ messages }}"}, set()),
        ({"chat_template": "{% if tools %}{{ tools }}{% endif %}"}, {"tools"}),
        ({"chat_template": "{{ tools }}", "chat_template_caps": {"supports_tools": False}}, set()),
        ({"chat_template": "x", "chat_template_caps": {"supports_tools": True}}, {"tools"}),
        ({"chat_template": "{% if enable_thinking %}<think>{% endif %}"}, {"thinking"}),
        ({"chat_template": "x", "modalities": {"vision": True, "audio": False}}, {"vision"}),
    ],
)
async def test_llamacpp_tells_abilities_by_its_template_and_its_properties(properties: Any, able: set[str]) -> None:
    async def handle(request: Request, connection: Connection) -> None:
        told = {"default_generation_settings": {"n_ctx": 8192}, "model_path": "/m/llava.gguf", **properties}
        reply: Any = {"data": [{"id": "llava", "meta": {"n_ctx_train": 32768}}]}
        await connection.send_json(
            told if request.path == "/props" else reply, 404 if "infill" in request.path else 200
        )

    server = HttpServer(handle)
    try:
        async with provider_of(f"http://127.0.0.1:{await server.start()}", "llamacpp") as provider:
            (info,) = await provider.models()
            # Its name says that it sees; its server, which has no projector for it, knows better.
            assert info.capabilities & {"tools", "thinking", "vision"} == able
            assert info.context_window == 8192
    finally:
        await server.aclose()


async def test_localai_is_known_by_its_readiness_page() -> None:
    ready = True

    async def handle(request: Request, connection: Connection) -> None:
        known = request.path == "/readyz" and ready
        await connection.send_body(b"OK" if known else b"no", 200 if known else 404)

    server = HttpServer(handle)
    try:
        provider = LocalAIProvider(Endpoint("x", "localai", f"http://127.0.0.1:{await server.start()}"))
        assert (await provider.probe()).reachable
        ready = False
        assert not (await provider.probe()).reachable
        await provider.aclose()
    finally:
        await server.aclose()


@pytest.mark.parametrize(
    ("reply", "window"),
    [
        ({"data": [{"id": "m", "max_model_len": 8192}]}, 8192),
        ({"data": [{"id": "m", "context_length": 4096, "extra": None}]}, 4096),
        ({"data": [{"id": "m", "meta": {"n_ctx": 2048, "n_ctx_train": 32768}}]}, 2048),
        ([{"id": "m"}], None),
        ({"data": [{"id": "m"}, {"id": 7}, "odd"]}, None),
    ],
)
async def test_lists_of_models_come_in_several_shapes(reply: Any, window: int | None) -> None:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.send_json(reply)

    server = HttpServer(handle)
    try:
        provider = OpenAIProvider(Endpoint("x", "openai", f"http://127.0.0.1:{await server.start()}"))
        assert [(info.name, info.context_window) for info in await provider.models()] == [("m", window)]
        await provider.aclose()
    finally:
        await server.aclose()


@pytest.mark.parametrize("kind", ["openai", "llamacpp", "ollama"])
@pytest.mark.parametrize("reply", [{"data": None}, {"models": None}, "text", 7, None])
async def test_what_is_no_list_of_models_is_told(kind: Any, reply: Any) -> None:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.send_json(reply)

    server = HttpServer(handle)
    try:
        provider = make_provider(Endpoint("x", kind, f"http://127.0.0.1:{await server.start()}"))
        assert not (await provider.probe()).reachable
        with pytest.raises(ModelError):
            await provider.models()
        await provider.aclose()
    finally:
        await server.aclose()


async def test_stated_abilities_beat_what_the_server_says() -> None:
    stated = StatedModel(
        "qwen2.5-coder:1.5b-base", fim="suffix", context_window=999, abilities={"tools": True, "json_schema": False}
    )
    async with FakeModel() as fake:
        for kind in ("openai", "llamacpp", "ollama"):
            async with provider_of(fake.url, kind, models=(stated, StatedModel("extra"))) as provider:
                first, extra = await provider.models()
                assert first.context_window == 999
                assert first.fim_family is None
                assert {"fim", "tools"} <= first.capabilities
                assert "json_schema" not in first.capabilities
                assert extra.name == "extra"


async def test_a_server_without_a_list_of_models_offers_the_stated_ones() -> None:
    async with FakeModel(Script(dialects=[])) as fake:
        async with provider_of(fake.url, models=(StatedModel("a"),), default_model="b") as provider:
            assert [info.name for info in await provider.models()] == ["a", "b"]
        async with provider_of(fake.url) as bare:
            with pytest.raises(ModelError):
                await bare.models()


async def test_ollama_tells_abilities_and_the_window_in_force() -> None:
    script = Script(
        capabilities=["completion", "tools", "thinking"], models=["qwen3:4b"], family="qwen3", context=40960
    )
    async with FakeModel(script) as fake, provider_of(fake.url, "ollama") as provider:
        (info,) = await provider.models()
        assert info.capabilities == {"completion", "chat", "tools", "thinking", "json_schema"}
        assert info.context_window == 4096
        assert info.fim_family is None
        model = provider.model(info)
        assert [chunk async for chunk in model.chat(ChatRequest((ChatMessage("user", "x"),)))]
        body = fake.generations[-1].body
        assert body["think"] is False
        assert body["keep_alive"]
        assert "num_ctx" not in body["options"]
