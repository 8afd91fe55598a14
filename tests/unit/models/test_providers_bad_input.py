"""Wrong addresses, web pages, dead proxies, prompts that are too long: each says what was tried and what to do."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dragoman import errors
from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest, ModelInfo
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.failures import Asker, error_from_payload
from dragoman.models.providers.provider import HttpProvider
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script

KINDS = ("openai", "localai", "llamacpp", "ollama")
PAGE = b"<!doctype html><html><title>A router</title></html>"
CHATS = {"ollama": "/api/chat"}


@asynccontextmanager
async def provider_of(url: str, kind: Any, **more: Any) -> AsyncIterator[HttpProvider]:
    provider = make_provider(Endpoint("mine", kind, url, **more))
    try:
        yield provider
    finally:
        await provider.aclose()


@asynccontextmanager
async def web_server(status: int) -> AsyncIterator[str]:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.send_body(PAGE, status, "text/html; charset=utf-8")

    server = HttpServer(handle)
    try:
        yield f"http://127.0.0.1:{await server.start()}"
    finally:
        await server.aclose()


async def chat_failure(provider: HttpProvider, name: str = "m") -> errors.ModelError:
    with pytest.raises(errors.ModelError) as caught:
        async for _ in provider.model(ModelInfo(name, "mine")).chat(ChatRequest((ChatMessage("user", "x"),))):
            pass
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_a_web_page_is_no_answer(kind: str) -> None:
    async with web_server(200) as url, provider_of(url, kind) as provider:
        error = await chat_failure(provider)
        assert type(error) is errors.StreamMalformedError
        assert f"{CHATS.get(kind, '/v1/chat/completions')!r} with a web page" in error.message
        status = await provider.probe()
        assert not status.reachable
        assert "web page" in status.problem
        assert "base_url" in status.hint
        with pytest.raises(errors.StreamMalformedError, match="web page"):
            await provider.models()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [404, 405])
async def test_a_wrong_address_says_which_path_was_tried(kind: str, status: int) -> None:
    async with web_server(status) as url, provider_of(f"{url}/wrong", kind) as provider:
        error = await chat_failure(provider)
        assert type(error) is errors.RequestRejectedError
        tried = {"ollama": "/wrong/api/chat", "llamacpp": "/wrong/v1/chat/completions"}
        assert repr(tried.get(kind, "/wrong/chat/completions")) in error.message
        assert f"HTTP {status}" in error.message
        assert "base_url" in error.hint
        assert "<" not in str(error)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_dead_proxy_is_told_as_the_proxys_fault(kind: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with provider_of("http://models.invalid", kind, proxy=proxy) as provider:
            error = await chat_failure(provider)
            assert type(error) is errors.ProviderUnreachableError
            assert f"its proxy {proxy}" in error.message
            assert "proxy" in error.hint
            assert "proxy" in (await provider.probe()).problem


async def test_a_proxys_password_is_not_shown() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = f"http://user:secret-word@127.0.0.1:{bound.getsockname()[1]}"
        async with provider_of("http://models.invalid", "openai", proxy=proxy) as provider:
            assert "secret-word" not in str(await chat_failure(provider))


@pytest.mark.parametrize("kind", ["openai", "localai", "ollama"])
async def test_a_server_without_models_says_how_to_get_one(kind: str) -> None:
    script = Script(models=[], strict_models=True, dialects=["openai", "localai", "ollama"])
    async with FakeModel(script) as fake, provider_of(fake.url, kind) as provider:
        assert await provider.models() == []
        error = await chat_failure(provider)
        assert type(error) is errors.ModelNotFoundError
        assert "no models at all" in error.hint
        assert kind == "openai" or "dragoman models pull NAME --provider mine" in error.hint


@pytest.mark.parametrize(
    ("payload", "excess"),
    [
        (
            {
                "object": "error",
                "message": "The decoder prompt (length 5000) is longer than the maximum model length of 4096",
            },
            904,
        ),
        (
            {
                "error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded "
                "with context length of only 4096 tokens, which is not enough."
            },
            904,
        ),
        (
            {"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"},
            7232,
        ),
        (
            {
                "error": {
                    "message": "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 "
                    "tokens (39000 of text input, 1000 in the output)."
                }
            },
            7232,
        ),
        (
            {
                "error": {
                    "code": "context_overflow",
                    "message": "The message is too long by 77 tokens.",
                    "request_id": "r",
                }
            },
            77,
        ),
        ({"error": {"code": "context_overflow", "message": "too long", "excess": 78}}, 78),
    ],
)
def test_services_say_by_how_much_a_prompt_is_too_long(payload: Any, excess: int) -> None:
    error = error_from_payload(Asker("mine", "http://x"), 400, payload)
    assert isinstance(error, errors.ContextOverflowError)
    assert error.excess == excess
    assert error.hint


async def test_a_refused_picture_is_the_requests_fault_and_not_the_servers() -> None:
    message = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    error = error_from_payload(Asker("mine", "http://x"), 500, {"error": {"code": 500, "message": message}})
    assert type(error) is errors.RequestRejectedError
    assert error.hint


async def test_a_validator_names_what_it_does_not_like_and_shows_no_prompt() -> None:
    detail = [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user'", "input": "private text"}]
    error = error_from_payload(Asker("mine", "http://x"), 422, {"detail": detail})
    assert "messages.role: Input should be 'user'" in error.message
    assert "private" not in str(error)


async def test_a_localai_model_that_is_there_and_cannot_be_loaded_is_no_unknown_one() -> None:
    script = Script(dialects=["openai", "localai"], status=500, error_message="could not load model: out of memory")
    async with FakeModel(script) as fake, provider_of(fake.url, "localai") as provider:
        model = provider.model((await provider.models())[0])
        with pytest.raises(errors.ProviderFailedError):
            async for _ in model.complete(CompletionRequest("x")):
                pass
