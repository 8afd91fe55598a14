"""Models that servers fetch and keep in memory: Ollama's downloads, loads and windows, LocalAI's gallery, the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dragoman.errors import ModelNotFoundError, ProviderFailedError, StreamMalformedError
from dragoman.models.base import ChatMessage, ChatRequest
from dragoman.models.providers import localai
from dragoman.models.providers.downloads import Puller, PullProgress
from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.localai import LocalAIProvider
from dragoman.models.providers.ollama import OllamaProvider
from dragoman.models.providers.openai import OpenAIProvider
from tests.support.fake_http import Connection, HttpServer, Request
from tests.support.fake_model import FakeModel, Script
from tests.support.fake_pulls import JOB
from tests.support.interrupts import heed_interrupts

MODEL = "qwen2.5-coder-0.5b-instruct"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask LocalAI how far its job is without waiting: the fake is a step further each time."""
    monkeypatch.setattr(localai, "POLL_S", 0.0)


@asynccontextmanager
async def served(kind: Any, **script: Any) -> AsyncIterator[tuple[FakeModel, Any]]:
    dialects = ["openai", "localai"] if kind == "localai" else ["ollama"]
    async with FakeModel(Script(dialects=dialects, **script)) as fake:
        provider = (LocalAIProvider if kind == "localai" else OllamaProvider)(Endpoint("mine", kind, fake.url))
        yield fake, provider
        await provider.aclose()
        await fake.wait_for(lambda fake: fake.open_connections == 0)


async def steps_of(provider: Puller, name: str) -> list[PullProgress]:
    async with aclosing(provider.pull(name)) as steps:
        return [step async for step in steps]


# -- Ollama ------------------------------------------------------------------------------------------------------------


async def test_ollama_says_what_is_loaded_until_when_and_with_which_window() -> None:
    loaded = [
        {
            "name": "qwen2.5-coder:1.5b-base",
            "size": 2_000_000_000,
            "size_vram": 1_500_000_000,
            "context_length": 16384,
            "expires_at": "2026-01-01T00:30:00.123456789+02:00",
        },
        {"name": "other:latest", "expires_at": "soon"},
        {"nameless": True},
    ]
    async with served("ollama", loaded=loaded) as (_, provider):
        first, second = await provider.loaded()
        assert (first.size_bytes, first.card_bytes, first.context_window) == (2_000_000_000, 1_500_000_000, 16384)
        assert first.until == datetime(2026, 1, 1, 0, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
        assert first.until < datetime(2026, 1, 1, tzinfo=UTC)
        assert (second.name, second.until, second.context_window) == ("other:latest", None, None)
        # What it was loaded with is what is in force, whatever its file says.
        assert [info.context_window for info in await provider.models()] == [16384]


@pytest.mark.parametrize(("stated", "sent"), [(None, "30m"), ("1h30m", "1h30m"), ("-1", -1), ("0", 0)])
async def test_ollama_keeps_models_for_as_long_as_stated(stated: str | None, sent: Any) -> None:
    async with FakeModel() as fake:
        provider = OllamaProvider(Endpoint("mine", "ollama", fake.url, keep_alive=stated))
        model = provider.model((await provider.models())[0])
        assert [chunk async for chunk in model.chat(ChatRequest((ChatMessage("user", "x"),)))]
        assert fake.generations[-1].body["keep_alive"] == sent
        assert len(await model.embed(["x"])) == 1
        assert fake.embeddings[-1].body["keep_alive"] == sent
        await provider.aclose()


async def test_giving_up_a_download_of_ollama_closes_its_connection() -> None:
    async with served("ollama", pull_steps=None, pull_delay=0.01, models=[]) as (fake, provider):
        async with aclosing(provider.pull("m")) as steps:
            async for step in steps:
                if step.total:
                    break
        await fake.wait_for(lambda fake: fake.requests[-1].hung_up)


# -- LocalAI -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [MODEL, f"localai@{MODEL}"])
async def test_localai_installs_from_its_gallery_with_progress(name: str) -> None:
    async with served("localai") as (fake, provider):
        assert isinstance(provider, Puller)
        steps = await steps_of(provider, name)
        assert [step.status for step in steps] == ["processing"] * 3 + ["completed"]
        assert [step.completed for step in steps[:3]] == [int((n * 100 + 0.5) * 1024**2) for n in (1, 2, 3)]
        assert {step.total for step in steps[:3]} == {1024**3}
        assert fake.requests[0].body == {"id": name}
        # There is no connection of its own that a job would need.
        assert fake.connections == 1
        assert not fake.jobs.cancelled


async def test_giving_up_an_installation_cancels_its_job() -> None:
    async with served("localai", pull_steps=None) as (fake, provider):

        async def install() -> None:
            async for _ in provider.pull(MODEL):
                pass

        running = asyncio.create_task(install())
        await fake.wait_for(lambda fake: fake.jobs.step > 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await fake.wait_for(lambda fake: fake.jobs.cancelled)


async def test_a_name_that_the_gallery_does_not_have_is_told_with_the_nearest() -> None:
    async with served("localai") as (_, provider):
        assert MODEL in await provider.gallery()
        with pytest.raises(ModelNotFoundError, match="gallery") as caught:
            await steps_of(provider, "localai@qwen2.5-codr-0.5b")
        assert repr(MODEL) in caught.value.hint


@pytest.mark.parametrize(
    ("status", "reply", "error"),
    [
        (200, {"processed": True, "error": {}, "message": "error: no space left"}, ProviderFailedError),
        (200, {"processed": False, "cancelled": True, "message": ""}, ProviderFailedError),
        (200, ["odd"], StreamMalformedError),
        (500, {"error": {"code": 500, "message": "could not find any status for ID"}}, ProviderFailedError),
    ],
)
async def test_a_job_that_fails_is_told(status: int, reply: Any, error: type[Exception]) -> None:
    async def handle(request: Request, connection: Connection) -> None:
        if request.path == "/models/apply":
            await connection.send_json({"uuid": JOB})
        else:
            await connection.send_json(reply, status)

    server = HttpServer(handle)
    try:
        provider = LocalAIProvider(Endpoint("mine", "localai", f"http://127.0.0.1:{await server.start()}"))
        with pytest.raises(error) as caught:
            await steps_of(provider, "m")
        assert "mine" in str(caught.value)
        await provider.aclose()
    finally:
        await server.aclose()


async def test_localai_tells_its_version_and_others_fetch_nothing() -> None:
    async with served("localai") as (fake, provider):
        assert (await provider.probe()).version == "v0.0.0-fake"
        fake.configure(ready=False)
        status = await provider.probe()
        assert status.problem
    assert not isinstance(OpenAIProvider(Endpoint("x", "openai", "http://localhost")), Puller)


# -- the command line --------------------------------------------------------------------------------------------------


def configure(fake: FakeModel, kind: str) -> None:
    folder = Path(os.environ["DRAGOMAN_CONFIG_DIR"])
    url = f"{fake.url}/v1" if kind == "localai" else fake.url
    (folder / "config.toml").write_text(f"[[providers]]\nname = 'mine'\nkind = '{kind}'\nbase_url = '{url}'\n")


async def pull(*arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "dragoman", "models", "pull", *arguments, "--provider", "mine"]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, preexec_fn=heed_interrupts
    )


@pytest.mark.parametrize("kind", ["ollama", "localai"])
async def test_the_command_prints_progress_line_by_line_for_programs(kind: str) -> None:
    dialects = ["openai", "localai", "ollama"]
    async with FakeModel(Script(dialects=dialects, models=[MODEL], pull_steps=1)) as fake:
        configure(fake, kind)
        process = await pull(MODEL, "--json")
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, errors
    *steps, last = [json.loads(line) for line in output.splitlines()]
    assert last == {"name": MODEL, "provider": "mine"}
    assert len(steps) >= 2
    assert all(step.keys() == {"status", "completed", "total"} for step in steps)
    assert any(step["total"] for step in steps)


async def test_an_interrupt_ends_the_download_and_its_connection() -> None:
    async with FakeModel(Script(dialects=["ollama"], models=[MODEL], pull_steps=None, pull_delay=0.02)) as fake:
        configure(fake, "ollama")
        process = await pull(MODEL)
        await fake.wait_for(lambda fake: any(one.path == "/api/pull" for one in fake.requests), 60)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 130
        assert b"Traceback" not in errors
        assert output == b""
        await fake.wait_for(lambda fake: fake.open_connections == 0)
        assert fake.requests[-1].hung_up
