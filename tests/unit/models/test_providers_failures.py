"""Everything that goes wrong between us and a model server, each as its own typed error, with no secret in it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dragoman import errors
from dragoman.errors import ModelError
from dragoman.models.base import ChatMessage, ChatRequest, Chunk, CompletionRequest, ModelInfo
from dragoman.models.providers import make_provider
from dragoman.models.providers.endpoint import Endpoint, Timeouts
from dragoman.models.providers.failures import Asker, error_from_payload, error_from_status, parse_retry_after
from dragoman.models.providers.ollama import OllamaProvider
from dragoman.models.providers.provider import HttpProvider
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script
from tests.support.tools import require

KEY = "sk-very-secret-0123456789"
PROMPT = "def very_private_function(customer):\n    return "
KINDS = ("openai", "llamacpp", "ollama")
PATIENT = Timeouts(connect=30, first_token=30, idle=30, total=60)
"""A busy machine must not run into a limit that a test is not about."""
HASTY_START = replace(PATIENT, first_token=0.3)
HASTY_MIDDLE = replace(PATIENT, idle=0.3)
HASTY_WHOLE = replace(PATIENT, total=0.5)


@asynccontextmanager
async def provider_of(url: str, kind: Any = "openai", **fields: Any) -> AsyncIterator[HttpProvider]:
    provider = make_provider(Endpoint("mine", kind, url, api_key=KEY, **{"timeouts": PATIENT, **fields}))
    try:
        yield provider
    finally:
        await provider.aclose()


@asynccontextmanager
async def served(handle: Callable[[Request, Connection], Awaitable[None]], **how: Any) -> AsyncIterator[int]:
    server = HttpServer(handle)
    try:
        yield await server.start(**how)
    finally:
        await server.aclose()


@asynccontextmanager
async def faked(kind: str, /, **script: Any) -> AsyncIterator[tuple[FakeModel, HttpProvider]]:
    timeouts = script.pop("timeouts", PATIENT)
    async with FakeModel(Script(**script)) as fake, provider_of(fake.url, kind, timeouts=timeouts) as provider:
        yield fake, provider


async def call(provider: HttpProvider, name: str = "qwen2.5-coder:1.5b-base", **request: Any) -> list[Chunk]:
    model = provider.model(ModelInfo(name, "mine", fim_family="qwen"))
    return [chunk async for chunk in model.complete(CompletionRequest(PROMPT, **request))]


async def failure(provider: HttpProvider, **request: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await call(provider, **request)
    assert KEY not in str(caught.value)
    assert PROMPT not in str(caught.value)
    return caught.value


# -- statuses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, errors.RequestRejectedError),
        (401, errors.AuthenticationError),
        (403, errors.AuthenticationError),
        (408, errors.ProviderFailedError),
        (422, errors.RequestRejectedError),
        (429, errors.RateLimitedError),
        (500, errors.ProviderFailedError),
        (502, errors.ProviderFailedError),
        (503, errors.ProviderFailedError),
    ],
)
async def test_a_refusal_becomes_its_error(kind: str, status: int, expected: type[ModelError]) -> None:
    message = f"no, {KEY} may not ask {PROMPT}"
    async with faked(kind, status=status, error_message=message) as (fake, provider):
        error = await failure(provider)
        assert type(error) is expected
        assert "'mine'" in error.message
        assert f"HTTP {status}" in error.message or status == 429
        assert "no, … may not ask …" in error.message
        assert len(fake.generations) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_missing_model_and_a_missing_endpoint_are_told_apart(kind: str) -> None:
    async with faked(kind, status=404, error_message="model 'x' not found") as (_, provider):
        assert type(await failure(provider)) is errors.ModelNotFoundError
    async with faked(kind, dialects=[]) as (_, provider):
        error = await failure(provider)
        assert type(error) is errors.RequestRejectedError
        assert "base_url" in error.hint


async def test_a_rate_limit_says_how_long_to_wait() -> None:
    async with faked("openai", status=429, retry_after="7") as (_, provider):
        error = await failure(provider)
        assert isinstance(error, errors.RateLimitedError)
        assert error.retry_after == 7


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_retry_after("1.5", now) == 1.5
    assert parse_retry_after("-3", now) == 0
    assert parse_retry_after(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90
    assert parse_retry_after(format_datetime(now - timedelta(seconds=90), usegmt=True), now) == 0
    assert parse_retry_after("soon", now) is None
    assert parse_retry_after(None, now) is None


@pytest.mark.parametrize(
    ("payload", "excess"),
    [
        ({"error": {"type": "exceed_context_size_error", "message": "x", "n_prompt_tokens": 5000, "n_ctx": 4096}}, 904),
        ({"error": {"code": "context_length_exceeded", "message": "too long"}}, None),
        ({"message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."}, 904),
        ({"error": {"message": "request (12001 tokens) exceeds the available context size (2048 tokens)"}}, 9953),
        ({"error": "input length exceeds the context length"}, None),
        ({"error": {"message": "input (901 tokens) is too large to process. increase the physical batch size"}}, None),
    ],
)
def test_a_prompt_that_is_too_long_is_told_in_many_ways(payload: Any, excess: int | None) -> None:
    error = error_from_payload(Asker("mine", "http://x"), 400, payload)
    assert isinstance(error, errors.ContextOverflowError)
    assert error.excess == excess


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><h1>502</h1></html>", b"\xff\xfe", b"[1]", b'{"detail": [{"msg": "bad", "input": "P"}]}', b"null"],
)
def test_any_body_of_a_refusal_can_be_read(body: bytes) -> None:
    error = error_from_status(Asker("mine", "http://x"), 502, body, {})
    assert type(error) is errors.ProviderFailedError
    assert "html" not in error.message
    assert '"P"' not in error.message


def test_a_long_refusal_is_cut_short() -> None:
    error = error_from_status(Asker("mine", "http://x"), 400, b"word " * 10_000, {})
    assert len(error.message) < 500


async def test_a_redirect_is_told_and_the_key_does_not_follow_it() -> None:
    async with FakeModel() as other, faked("openai", redirect=other.url) as (_, provider):
        error = await failure(provider)
        assert type(error) is errors.RequestRejectedError
        assert other.url in error.hint
        assert other.connections == 0


async def test_a_refused_parameter_is_left_out_once_and_for_all() -> None:
    seen: list[dict[str, Any]] = []

    async def handle(request: Request, connection: Connection) -> None:
        body = request.json()
        seen.append(body)
        for name in ("stream_options", "max_tokens"):
            if name in body:
                await connection.send_json({"error": {"message": f"Unsupported parameter: '{name}'"}}, 400)
                return
        await connection.start_stream("text/event-stream")
        await connection.send_piece(b'data: {"choices": [{"text": "ok", "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
        await connection.end_stream()

    async with served(handle) as port, provider_of(f"http://127.0.0.1:{port}/v1") as provider:
        model = provider.model(ModelInfo("m", "mine"))
        for _ in range(2):
            request = ChatRequest((ChatMessage("user", "x"),), max_tokens=7)
            assert "".join([chunk.text async for chunk in model.chat(request)]) == "ok"
    assert len(seen) == 4
    assert seen[-1]["max_completion_tokens"] == 7


# -- connections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_listening_is_told(kind: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with provider_of(f"http://127.0.0.1:{bound.getsockname()[1]}", kind) as provider:
            error = await failure(provider)
            assert type(error) is errors.ProviderUnreachableError
            assert "nothing listens there" in error.message
            assert error.hint
            status = await provider.probe()
            assert not status.reachable
            assert "nothing listens there" in status.problem
            with pytest.raises(errors.ProviderUnreachableError):
                await provider.models()


async def test_an_unknown_host_is_told() -> None:
    async with provider_of("http://no-such-host.invalid/v1") as provider:
        error = await failure(provider)
        assert type(error) is errors.ProviderUnreachableError
        assert "host name is not known" in error.message


async def test_plain_http_where_tls_is_expected_is_told() -> None:
    async with FakeModel() as fake, provider_of(fake.url.replace("http:", "https:") + "/v1") as provider:
        error = await failure(provider)
        assert type(error) is errors.ProviderUnreachableError
        assert "TLS failed" in error.message
        assert "http://" in error.hint


async def test_a_certificate_of_ones_own_needs_its_ca_file(tmp_path: Path) -> None:
    require("openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(request: Request, connection: Connection) -> None:
        await connection.send_json({"data": [{"id": "m"}]})

    async with served(answer, tls=context) as port:
        url = f"https://127.0.0.1:{port}/v1"
        async with provider_of(url) as stranger:
            with pytest.raises(errors.ProviderUnreachableError, match="certificate is not trusted") as caught:
                await stranger.models()
            assert "ca_file" in caught.value.hint
        async with provider_of(url, ca_file=str(certificate)) as friend:
            assert [info.name for info in await friend.models()] == ["m"]
        async with provider_of(url, ca_file=str(tmp_path / "missing.pem")) as broken:
            with pytest.raises(errors.ProviderUnreachableError) as caught:
                await broken.models()
            assert "ca_file" in caught.value.hint


async def test_loopback_never_goes_through_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeModel() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with faked("openai") as (fake, provider):
            await call(provider)
            assert fake.connections == 1
            assert proxy.connections == 0
        # A remote address does go through it: the fake answers in the remote's place.
        async with provider_of("http://models.invalid/v1") as remote:
            assert await call(remote)
            assert proxy.requests[-1].headers["host"] == "models.invalid"


async def test_a_stated_proxy_is_used_for_everything() -> None:
    async with FakeModel() as proxy, provider_of("http://models.invalid/v1", proxy=proxy.url) as provider:
        assert (await provider.probe()).reachable
        assert await provider.models()
        assert await call(provider)
        assert len(proxy.requests) == 3
        assert not provider.is_local


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("script", "timeouts", "phase"),
    [
        ({"silent": True}, HASTY_START, "first_token"),
        ({"first_token_delay": 3600.0}, HASTY_START, "first_token"),
        ({"stall_after": 2, "text": "a b c d e"}, HASTY_MIDDLE, "idle"),
        ({"endless": True, "token_delay": 0.02}, HASTY_WHOLE, "total"),
        ({"silent": True}, HASTY_WHOLE, "total"),
    ],
)
async def test_each_limit_has_its_phase_and_closes_the_connection(
    kind: str, script: dict[str, Any], timeouts: Timeouts, phase: str
) -> None:
    async with faked(kind, **script, timeouts=timeouts) as (fake, provider):
        error = await failure(provider)
        assert isinstance(error, errors.ModelTimeoutError)
        assert error.phase == phase
        await fake.wait_for(lambda fake: fake.in_flight == 0)
        assert fake.generations[-1].hung_up


async def test_a_server_that_does_not_accept_runs_into_the_connect_limit() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # A backlog of one is filled; the kernel lets further ones wait for ever.
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with provider_of(f"http://127.0.0.1:{port}/v1", timeouts=Timeouts(connect=0.4)) as provider:
            error = await failure(provider)
            assert isinstance(error, errors.ModelTimeoutError)
            assert error.phase == "connect"
            assert not (await provider.probe()).reachable
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_probe_of_a_silent_server_ends_and_never_raises(kind: str) -> None:
    timeouts = Timeouts(connect=0.3)
    async with faked(kind, silent=True, fault_scope="all", timeouts=timeouts) as (_, provider):
        status = await provider.probe()
        assert not status.reachable
        assert "did not answer" in status.problem or "longer" in status.problem
        assert status.hint


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_key_and_a_loading_model_are_there_with_a_problem(kind: str) -> None:
    async with faked(kind, status=401, fault_scope="all") as (_, provider):
        status = await provider.probe()
        assert status.reachable
        assert "refused the key" in status.problem
        assert "api_key" in status.hint
    async with faked("llamacpp", ready=False) as (_, provider):
        status = await provider.probe()
        assert status.reachable
        assert "loading" in status.hint


@pytest.mark.parametrize(("kind", "other"), [("llamacpp", "ollama"), ("ollama", "llamacpp"), ("openai", "ollama")])
async def test_something_else_on_the_port_is_not_taken_for_a_model_server(kind: str, other: str) -> None:
    async with faked(kind, dialects=[other]) as (_, provider):
        status = await provider.probe()
        assert not status.reachable
        assert status.hint


# -- streams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"cut_after": 0}, errors.StreamBrokenError),
        ({"cut_after": 2}, errors.StreamBrokenError),
        ({"close_after": 2}, errors.StreamBrokenError),
        ({"garbage_after": 1}, errors.StreamMalformedError),
        ({"invalid_utf8_after": 1}, errors.StreamMalformedError),
        ({"error_after": 1}, errors.ProviderFailedError),
    ],
)
async def test_a_broken_stream_becomes_its_error(kind: str, script: dict[str, int], expected: type[ModelError]) -> None:
    async with faked(kind, text="a b c d e f", **script) as (fake, provider):
        assert type(await failure(provider)) is expected
        await fake.wait_for(lambda fake: fake.open_connections <= 1)
        fake.configure(**dict.fromkeys(script))
        assert "".join(chunk.text for chunk in await call(provider)) == "a b c d e f"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 3, 7])
async def test_pieces_of_any_size_give_the_same_text(kind: str, size: int) -> None:
    text = "größe = “𝄞” + '数値'\n"
    async with faked(kind, text=text, piece_bytes=size, token_size=1) as (_, provider):
        assert "".join(chunk.text for chunk in await call(provider)) == text


async def test_a_server_that_does_not_stream_is_understood() -> None:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.send_json({"choices": [{"text": "whole", "finish_reason": "length"}], "usage": {}})

    async with served(handle) as port, provider_of(f"http://127.0.0.1:{port}/v1") as provider:
        chunks = await call(provider)
        assert [chunk.text for chunk in chunks] == ["whole", ""]
        assert chunks[-1].finish == "length"


@pytest.mark.parametrize("kind", KINDS)
async def test_special_tokens_end_an_answer_and_are_never_shown(kind: str) -> None:
    async with faked(kind, text="return 1<|endoftext|>def other", token_size=2) as (_, provider):
        chunks = await call(provider)
        assert "".join(chunk.text for chunk in chunks) == "return 1"
        assert chunks[-1].finish == "stop"


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_reasoning_is_kept_apart_from_the_answer(kind: str) -> None:
    async with faked(kind, thinking="hm, well", text="yes") as (_, provider):
        model = provider.model(ModelInfo("m", "mine"))
        chunks = [chunk async for chunk in model.chat(ChatRequest((ChatMessage("user", "x"),)))]
        assert "".join(chunk.thinking for chunk in chunks) == "hm, well"
        assert "".join(chunk.text for chunk in chunks) == "yes"


# -- the provider's life -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_closing_a_provider_ends_its_running_calls_with_an_error(kind: str) -> None:
    async with faked(kind, endless=True, token_delay=0.01) as (fake, provider):
        running = asyncio.create_task(call(provider))
        await fake.wait_for(lambda fake: fake.in_flight == 1 and fake.generations[-1].tokens > 2)
        await provider.aclose()
        with pytest.raises(ModelError):
            await running
        await fake.wait_for(lambda fake: fake.open_connections == 0)
        with pytest.raises(errors.ProviderUnreachableError, match="closed"):
            await call(provider)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_storm_of_cancelled_calls_leaves_nothing_behind(kind: str) -> None:
    async with faked(kind, endless=True, token_delay=0.005) as (fake, provider):
        before = len(asyncio.all_tasks())
        for round_number in range(40):
            running = asyncio.create_task(call(provider))
            await asyncio.sleep(0.001 * (round_number % 7))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        await fake.wait_for(lambda fake: fake.in_flight == 0)
        await fake.wait_for(lambda fake: fake.open_connections == 0)
        # Each connection of the server has a task of its own in this process; they all have ended by now.
        async with asyncio.timeout(20):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)


async def test_keys_and_prompts_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with faked("openai", cut_after=1) as (fake, provider):
        await failure(provider)
        assert fake.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    ours = [record for record in caplog.records if record.name.startswith(("dragoman", "httpx", "httpcore"))]
    assert not [record for record in ours if KEY in record.getMessage() or PROMPT in record.getMessage()]
    assert KEY not in repr(provider.endpoint)


async def test_ollama_pulls_with_progress() -> None:
    async def handle(request: Request, connection: Connection) -> None:
        assert request.json() == {"model": "m"}
        await connection.start_stream("application/x-ndjson")
        await connection.send_piece(b'{"status":"pulling manifest"}\n{"status":"pulling","total":10,"completed":4}\n')
        await connection.send_piece(b'{"status":"success"}\n' if first else b'{"error":"no such model"}\n')
        await connection.end_stream()

    first = True
    async with served(handle) as port:
        provider = OllamaProvider(Endpoint("mine", "ollama", f"http://127.0.0.1:{port}"))
        steps = [(step.status, step.completed, step.total) async for step in provider.pull("m")]
        assert steps == [("pulling manifest", None, None), ("pulling", 4, 10), ("success", None, None)]
        first = False
        with pytest.raises(ModelError, match="no such model"):
            [step async for step in provider.pull("m")]
        await provider.aclose()
