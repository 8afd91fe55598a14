"""The real model in its real process, as the language server uses it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from dragoman.engine.client import EngineState
from dragoman.errors import ContextOverflowError, OutOfMemoryError, ProviderFailedError
from dragoman.models.base import ChatMessage, ChatRequest, Chunk, CompletionRequest, ModelInfo
from dragoman.models.providers.embedded import EmbeddedModel, EmbeddedProvider
from dragoman.models.weights import DEFAULT_MODEL
from tests.support.weights import weights_dir  # noqa: F401 - a fixture

pytestmark = pytest.mark.model

PATIENCE = 60.0
TOTAL = CompletionRequest(
    prompt="def total(cart):\n    return sum(item['price'] * item['quantity'] for item in ",
    suffix=")\n\nprint(total([]))\n",
    max_tokens=8,
    stop=("\n",),
)
ENDLESS = CompletionRequest(prompt="one, two, three, four, five, six, seven,", max_tokens=2000)
LONG = CompletionRequest(prompt="".join(f"value_{n} = {n * 7}\n" for n in range(330)), max_tokens=4)
"""Some 3,500 tokens: tens of seconds of prompt evaluation."""


@pytest.fixture
async def provider(weights_dir: Path) -> AsyncIterator[EmbeddedProvider]:  # noqa: F811
    provider = EmbeddedProvider(data_dir=weights_dir, threads=1)
    yield provider
    await provider.aclose()


async def model_of(provider: EmbeddedProvider) -> EmbeddedModel:
    return provider.model(next(info for info in await provider.models() if info.name == DEFAULT_MODEL))


async def collect(model: EmbeddedModel, request: CompletionRequest) -> list[Chunk]:
    return [chunk async for chunk in model.complete(request)]


async def until(condition: Callable[[], bool]) -> float:
    """Wait for the condition and return how many seconds that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE
        await asyncio.sleep(0.05)
    return time.monotonic() - started


def cpu_seconds(provider: EmbeddedProvider) -> float:
    """Return what the engine's two processes have used so far."""
    total = 0.0
    for pid in (provider.state.pid, provider.state.worker_pid):
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


async def settle(provider: EmbeddedProvider) -> float:
    """Wait until the engine uses no more processor time; returns what it used until then."""
    started = time.monotonic()
    before, first = cpu_seconds(provider), cpu_seconds(provider)
    while time.monotonic() - started < PATIENCE:
        await asyncio.sleep(0.5)
        now = cpu_seconds(provider)
        if now - before < 0.05:
            return now - first
        before = now
    raise AssertionError("the engine goes on working for nobody")


def is_gone(pid: int | None) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_it_fills_in_the_middle(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    assert provider.state.phase == "idle"
    chunks = await collect(model, TOTAL)
    assert "".join(chunk.text for chunk in chunks).startswith("cart")
    assert [chunk.finish for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.prompt_tokens > 20
    assert 0 < usage.completion_tokens <= 8
    again = await collect(model, TOTAL)
    assert again[-1].usage is not None
    assert again[-1].usage.cached_tokens >= usage.prompt_tokens - 1
    assert provider.state.phase == "ready"


async def test_it_tells_the_probability_of_every_token(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    chunks = await collect(model, replace(TOTAL, stop=(")\n",), logprobs=True))
    tokens = [token for chunk in chunks for token in chunk.tokens]
    assert "".join(token.text for token in tokens).startswith("".join(chunk.text for chunk in chunks))
    # The words stand twice before it: it is sure of the first.
    assert -1.0 < tokens[0].logprob <= 0.0
    assert not any(chunk.tokens for chunk in await collect(model, TOTAL))


async def test_the_model_says_what_it_is(provider: EmbeddedProvider) -> None:
    (info,) = [info for info in await provider.models() if info.name == DEFAULT_MODEL]
    assert info.capabilities == {"completion", "chat", "fim", "json_schema"}
    assert (info.fim_family, info.context_window, info.provider) == ("qwen", 4096, "embedded")
    status = await provider.probe()
    assert status.reachable
    assert status.latency_ms is None
    assert provider.state == EngineState()
    warm = await provider.warm_up()
    assert isinstance(warm, ModelInfo)
    status = await provider.probe()
    assert status.latency_ms is not None
    assert await provider.count_tokens("hello world") == 2


async def test_loading_is_told_as_it_goes(weights_dir: Path) -> None:  # noqa: F811
    states: list[EngineState] = []
    provider = EmbeddedProvider(data_dir=weights_dir, threads=1, on_state=states.append)
    await provider.warm_up()
    await provider.aclose()
    phases = [state.phase for state in states]
    assert phases[0] == "starting"
    assert phases.index("loading") < phases.index("ready")
    assert phases[-1] == "idle"


async def test_a_warm_up_reads_the_beginning_of_the_prompt(provider: EmbeddedProvider) -> None:
    prefix = "# A module about shopping carts and what is in them.\n" * 4
    await provider.warm_up(prefix=prefix)
    chunks = await collect(await model_of(provider), CompletionRequest(prefix + "x =", max_tokens=2))
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.cached_tokens >= 40


async def test_an_answer_keeps_to_a_schema(provider: EmbeddedProvider) -> None:
    schema = {
        "type": "object",
        "properties": {"severity": {"enum": ["error", "warning"]}, "line": {"type": "integer"}},
        "required": ["severity", "line"],
        "additionalProperties": False,
    }
    question = ChatMessage("user", "Line 2 divides by zero. Report it as JSON.")
    model = await model_of(provider)
    text = ""
    async for chunk in model.chat(ChatRequest((question,), max_tokens=48, temperature=0.0, json_schema=schema)):
        text += chunk.text
    answer = json.loads(text)
    assert set(answer) == {"severity", "line"}
    assert answer["severity"] in {"error", "warning"}


async def test_a_prompt_beyond_the_window_is_refused_with_the_excess(provider: EmbeddedProvider) -> None:
    with pytest.raises(ContextOverflowError) as caught:
        await collect(await model_of(provider), CompletionRequest("x = 1\n" * 1200))
    assert caught.value.excess is not None
    assert 1500 < caught.value.excess < 3000


async def test_leaving_a_stream_stops_the_generation(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    seen = 0
    async with aclosing(model.complete(ENDLESS)) as chunks:
        async for _ in chunks:
            seen += 1
            if seen == 5:
                break
    used = await settle(provider)
    print(f"after the cancel of a generation: {used:.2f} CPU-seconds")
    # Two thousand tokens would take a minute.
    assert used < 5
    assert (await collect(model, TOTAL))[-1].finish is not None


async def test_cancelling_the_task_stops_the_evaluation_of_a_prompt(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    await provider.warm_up()
    before = cpu_seconds(provider)
    asking = asyncio.create_task(collect(model, LONG))
    await until(lambda: cpu_seconds(provider) - before > 0.5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    used = await settle(provider)
    print(f"after the cancel of a prompt: {used:.2f} CPU-seconds")
    # The whole prompt would take more than thirty.
    assert used < 5
    chunks = await collect(model, TOTAL)
    assert "".join(chunk.text for chunk in chunks).startswith("cart")


async def test_a_request_whose_client_left_never_runs(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    await provider.warm_up()
    async with aclosing(model.complete(ENDLESS)) as running:
        await anext(running)
        waiting = [asyncio.create_task(collect(model, LONG)) for _ in range(5)]
        queued: dict[str, Any] = {}
        while queued.get("queued") != 5:
            queued = await (await provider.engine(DEFAULT_MODEL)).ask_info() or {}
            await asyncio.sleep(0.02)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        while queued.get("queued") != 0:
            queued = await (await provider.engine(DEFAULT_MODEL)).ask_info() or {}
            await asyncio.sleep(0.02)
    assert await settle(provider) < 5


async def test_typing_goes_before_a_waiting_chat(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    await provider.warm_up()
    order: list[str] = []

    async def chat() -> None:
        async for chunk in model.chat(ChatRequest((ChatMessage("user", "Say hello."),), max_tokens=4)):
            if chunk.finish:
                order.append("chat")

    async def type_key() -> None:
        await collect(model, TOTAL)
        order.append("key")

    async with aclosing(model.complete(ENDLESS)) as running:
        await anext(running)
        tasks = [asyncio.create_task(chat())]
        await asyncio.sleep(0.2)
        tasks.append(asyncio.create_task(type_key()))
        await asyncio.sleep(0.2)
    await asyncio.gather(*tasks)
    assert order == ["key", "chat"]


@pytest.mark.parametrize("which", ["pid", "worker_pid"])
async def test_a_killed_engine_breaks_the_stream_and_the_next_call_works(
    provider: EmbeddedProvider, which: str
) -> None:
    model = await model_of(provider)
    with pytest.raises(ProviderFailedError) as caught:  # noqa: PT012
        async for _ in model.complete(ENDLESS):
            psutil.Process(getattr(provider.state, which)).kill()
    assert DEFAULT_MODEL in caught.value.message
    assert (await collect(model, TOTAL))[-1].finish == "stop"


async def test_nothing_of_a_killed_engine_is_left(provider: EmbeddedProvider) -> None:
    await provider.warm_up()
    worker = provider.state.worker_pid
    psutil.Process(provider.state.pid).kill()
    await until(lambda: is_gone(worker))
    await until(lambda: provider.state.phase == "idle")


async def test_short_memory_is_one_clear_error(weights_dir: Path) -> None:  # noqa: F811
    provider = EmbeddedProvider(data_dir=weights_dir, available_memory=300 * 1024 * 1024)
    with pytest.raises(OutOfMemoryError, match=r"takes \d+ MiB of memory and 300 MiB is free"):
        await collect(await model_of(provider), TOTAL)
    assert provider.state.phase == "failed"
    assert "300 MiB" in (await provider.probe()).problem
    await provider.aclose()


async def test_closing_the_provider_ends_a_running_call(provider: EmbeddedProvider) -> None:
    model = await model_of(provider)
    stream = model.complete(ENDLESS)
    await anext(stream)
    await provider.aclose()
    with pytest.raises(ProviderFailedError):
        await collect_rest(stream)


async def collect_rest(stream: Any) -> None:
    async for _ in stream:
        pass


# -- several servers ---------------------------------------------------------------------------------------------------

SERVER = """
import asyncio, sys
from pathlib import Path
from dragoman.models.providers.embedded import EmbeddedProvider

async def main():
    provider = EmbeddedProvider(data_dir=Path(sys.argv[1]), threads=1)
    await provider.warm_up()
    print(provider.state.pid, provider.state.worker_pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@asynccontextmanager
async def servers(
    count: int, data_dir: Path
) -> AsyncIterator[list[tuple[asyncio.subprocess.Process, tuple[int, int]]]]:
    """Run processes that hold a warm provider each; yields them with the engine's process numbers."""
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, str(data_dir), stdout=asyncio.subprocess.PIPE, env=os.environ
        )
        for _ in range(count)
    ]
    try:
        found = []
        for process in started:
            assert process.stdout is not None
            words = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).split()
            found.append((process, (int(words[0]), int(words[1]))))
        yield found
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_two_servers_share_one_engine_that_ends_with_the_last(weights_dir: Path) -> None:  # noqa: F811
    async with servers(2, weights_dir) as ((first, pids), (second, others)):
        assert pids == others
        engine = psutil.Process(pids[0])
        assert any("dragoman-engine" in part for part in engine.cmdline())
        first.kill()
        await first.wait()
        await asyncio.sleep(4)
        assert not is_gone(pids[0])
        second.kill()
        await second.wait()
        took = await until(lambda: is_gone(pids[0]) and is_gone(pids[1]))
        print(f"the engine was gone {took:.2f} s after its last client was killed")
