"""A thousand streams at once through one model manager, from a real server over sockets: all end well, or leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import resource
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from dragoman.app import App
from dragoman.models.base import ChatMessage, ChatRequest
from dragoman.settings import LoadedSettings, Settings

WANTED = 1_000
SPARE_DESCRIPTORS = 200
KIB_PER_STREAM = 128
"""What a stream may add to this process: 24 were measured; the rest is for another allocator, and for coverage."""
MODEL = "fake-chat"
ASK = ChatRequest((ChatMessage("user", "Count."),), max_tokens=64)


def count_streams() -> int:
    """Return how many streams this machine lets a process hold open, a thousand at most; raises the soft limit for that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = WANTED + SPARE_DESCRIPTORS
    if soft < needed and (hard == resource.RLIM_INFINITY or hard > soft):
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return WANTED if soft == resource.RLIM_INFINITY else min(WANTED, soft - SPARE_DESCRIPTORS)


STREAMS = count_streams()
"""Shown in the tests' names, so that fewer are seen."""


class Server:
    """The fake model server in a process of its own: its processor time and its memory are not ours."""

    def __init__(self) -> None:
        script = {"models": [MODEL], "text": "one two ", "first_token_delay": 0.1, "token_delay": 0.5}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fake_model", "--with-stdin", "--script", json.dumps(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdout is not None
        self.url: str = json.loads(self._process.stdout.readline())["url"]

    async def ask(self, what: str, body: dict[str, Any] | None = None) -> Any:
        return await asyncio.to_thread(self._ask, what, body)

    def _ask(self, what: str, body: dict[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(f"{self.url}/_fake/{what}", data), timeout=60) as reply:
            return json.load(reply)

    async def wait_until_left(self, connections: int) -> dict[str, Any]:
        """Wait until nothing is generated and no more connections than these are open, beside the one that asks."""
        async with asyncio.timeout(60):
            while (log := await self.ask("log"))["in_flight"] or log["open_connections"] > connections + 1:
                await asyncio.sleep(0.1)
        assert isinstance(log, dict)
        return log

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@contextlib.asynccontextmanager
async def running(server: Server, providers: int) -> AsyncIterator[App]:
    """Dragoman with providers that are all the same server; patient, for a busy machine connects slowly."""
    patient = {"connect": 60, "first_token": 120, "idle": 120, "total": 240}
    sections = [
        {
            "name": f"p{number}",
            "kind": "openai",
            "base_url": f"{server.url}/v1",
            "max_concurrency": STREAMS,
            "timeouts": patient,
        }
        for number in range(providers)
    ]
    app = App(LoadedSettings(Settings.model_validate({"providers": sections})))
    yield app
    await app.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await server.wait_until_left(0)


@pytest.mark.parametrize("streams", [STREAMS])
async def test_all_streams_at_once_end_well_in_bounded_memory(server: Server, streams: int) -> None:
    async with running(server, 1) as app:
        await server.ask("script", {"endless": True})
        model = await app.models.for_role("chat")
        speaking = 0
        all_speak = asyncio.Event()

        async def listen(all_of_them: int) -> tuple[bool, bool]:
            nonlocal speaking
            text, finish = "", None
            async with aclosing(model.chat(ASK)) as stream:
                async for chunk in stream:
                    speaking += not text and bool(chunk.text)
                    text += chunk.text
                    finish = chunk.finish or finish
                    if speaking == all_of_them:
                        all_speak.set()
            return text.replace("one two ", "") == "", finish == "stop"

        async def listen_at_once(count: int) -> int:
            nonlocal speaking
            speaking = 0
            all_speak.clear()
            await server.ask("script", {"endless": True})
            tasks = [asyncio.create_task(listen(count)) for _ in range(count)]
            await all_speak.wait()
            held = psutil.Process().memory_info().rss
            # Only now may they end: they have all been open at the same time.
            await server.ask("script", {"endless": False})
            assert Counter(await asyncio.gather(*tasks)) == {(True, True): count}
            return held

        await listen_at_once(20)
        await server.ask("reset", {})
        gc.collect()
        before = psutil.Process().memory_info().rss
        held = await listen_at_once(streams)

        kib = (max(held, psutil.Process().memory_info().rss) - before) / 1024 / streams
        print(f"{kib:.1f} KiB a stream")
        assert kib <= KIB_PER_STREAM
        log = await server.ask("log")
        assert log["max_in_flight"] == streams
        assert sum(one["path"].endswith("/chat/completions") for one in log["requests"]) == streams
        (pool,) = app.models.router.pools()
        assert (pool.running, pool.waiting) == (0, 0)


@pytest.mark.parametrize("streams", [STREAMS])
async def test_a_storm_of_cancels_leaves_no_connection_open(server: Server, streams: int) -> None:
    chance = random.Random(5)
    async with running(server, 3) as app:
        model = await app.models.for_role("chat")
        await server.ask("script", {"endless": True})
        heard = Counter[int]()

        async def listen(number: int, enough: float) -> None:
            async with aclosing(model.chat(ASK)) as stream:
                async for _ in stream:
                    heard[number] += 1
                    if heard[number] >= enough:
                        return

        # Some have enough by themselves, the others are cancelled: before they are sent, before their first word, in the middle.
        tasks = [asyncio.create_task(listen(number, chance.choice([3, 1e9]))) for number in range(streams)]
        # How soon the first ones have enough is the machine's to say, so they are waited for.
        while not any(task.done() for task in tasks):
            await asyncio.sleep(0.01)
        rest = chance.sample(tasks, len(tasks))
        while rest:
            for task in rest[-50:]:
                task.cancel()
            del rest[-50:]
            await asyncio.sleep(0.02)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError, type(None)}

        # The providers' connections for their lists of models may stay; the generations' were all broken off.
        log = await server.wait_until_left(3)
        generations = [one for one in log["requests"] if one["path"].endswith("/chat/completions")]
        assert generations
        assert not any(one["finished"] for one in generations)
        for pool in app.models.router.pools():
            assert (pool.running, pool.waiting) == (0, 0)
        assert all(page.in_flight == 0 for page in app.models.router.book.snapshot())
