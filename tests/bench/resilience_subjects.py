"""Who asks the three servers: Dragoman's model manager, clients as one writes them in an hour, and a peer's router."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from dragoman.app import App
from dragoman.errors import CircuitOpenError, DragomanError, EndpointBusyError
from dragoman.models.balancing import StrategyName
from dragoman.models.base import ChatMessage, ChatRequest
from dragoman.models.metering import CallRecord
from dragoman.models.whole import answer_whole
from dragoman.settings import LoadedSettings, Settings
from tests.bench import resilience_litellm
from tests.bench.resilience_servers import MODEL

PROMPT = "Count to eight."
PATIENCE_S = 10.0
"""A caller who has no whole answer by then has gone: a failure, whoever's."""
FORGOTTEN_S = 5.0
"""How much longer a peer's reply, or its end, is waited for."""
AT_ONCE = 32
UNASKED = frozenset({CircuitOpenError.code, EndpointBusyError.code})
"""Outcomes of calls that never left for a server."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request: its text, and after how many seconds its first piece and its end; None for what did not come."""

    text: str
    first: float | None
    whole: float | None


class Subject(Protocol):
    """One way to ask."""

    attempts: list[tuple[float, int]] | None
    """When it asked which server, where it can tell: a closed port counts nothing."""

    async def ask(self, *, streamed: bool) -> Answer: ...


class Ours:
    """Three providers of the settings, all else at its default; the model is chosen anew for each request."""

    def __init__(self, app: App) -> None:
        self._models = app.models
        self.attempts: list[tuple[float, int]] | None = []
        self._offset = time.time() - time.monotonic()
        app.models.router.meter.listen(self._note)

    def _note(self, record: CallRecord) -> None:
        if record.outcome not in UNASKED and self.attempts is not None:
            self.attempts.append((record.at - self._offset, int(record.provider[1:])))

    async def ask(self, *, streamed: bool) -> Answer:
        began = time.monotonic()
        pieces: list[str] = []
        first = whole = None
        request = ChatRequest((ChatMessage("user", PROMPT),), max_tokens=64)
        with contextlib.suppress(DragomanError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                model = await self._models.for_role("chat")
                if streamed:
                    async with aclosing(model.chat(request)) as stream:
                        async for chunk in stream:
                            first = first or (time.monotonic() - began if chunk.text else None)
                            pieces.append(chunk.text)
                else:
                    pieces = [(await answer_whole(model, request)).text]
                whole = time.monotonic() - began
        return Answer("".join(pieces), first, whole)


class Naive:
    """One server at random; after a failure before the first piece, up to ``retries`` others at random."""

    def __init__(self, urls: Sequence[str], client: httpx.AsyncClient, retries: int) -> None:
        self._urls = urls
        self._client = client
        self._retries = retries
        self.attempts: list[tuple[float, int]] | None = []

    async def ask(self, *, streamed: bool) -> Answer:
        began = time.monotonic()
        pieces: list[str] = []
        first = whole = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(1 + self._retries):
                    try:
                        async with aclosing(self._pieces(streamed=streamed)) as stream:
                            async for piece in stream:
                                first = first or time.monotonic() - began
                                pieces.append(piece)
                        whole = time.monotonic() - began
                        break
                    except (httpx.HTTPError, ValueError, LookupError):
                        if pieces:
                            break
        return Answer("".join(pieces), first if streamed else None, whole)

    async def _pieces(self, *, streamed: bool) -> AsyncGenerator[str, None]:
        number = random.randrange(len(self._urls))
        if self.attempts is not None:
            self.attempts.append((time.monotonic(), number))
        body = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 64, "stream": streamed}
        url = f"{self._urls[number]}/chat/completions"
        if not streamed:
            reply = await self._client.post(url, json=body)
            yield reply.raise_for_status().json()["choices"][0]["message"]["content"]
            return
        async with self._client.stream("POST", url, json=body) as answer:
            answer.raise_for_status()
            ended = False
            async for line in answer.aiter_lines():
                if line == "data: [DONE]":
                    ended = True
                elif line.startswith("data: "):
                    choices = json.loads(line.removeprefix("data: "))["choices"]
                    if choices and (text := choices[0]["delta"].get("content")):
                        yield text
            if not ended:
                raise ValueError("the stream has no end")


class Peer:
    """LiteLLM's router in a process of its own, which measures there what the others measure here."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.attempts: list[tuple[float, int]] | None = None
        self._process = process
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._number = 0
        self._reader = asyncio.create_task(self._read())

    async def ask(self, *, streamed: bool) -> Answer:
        assert self._process.stdin is not None
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": self._number, "streamed": streamed}).encode() + b"\n")
        # It keeps to its callers' patience itself, if it can; a request that it forgets must not end the measurement.
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(answer, PATIENCE_S + FORGOTTEN_S)
        return Answer("", None, None)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            reply: dict[str, Any] = json.loads(line)
            answer = self._waiting.pop(reply["id"])
            if not answer.done():
                answer.set_result(Answer(reply["text"], reply["first"], reply["whole"]))

    async def aclose(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), FORGOTTEN_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader


NAMES = {
    "adaptive": "Dragoman, adaptive",
    "round_robin": "Dragoman, round robin",
    "retries": "httpx, a random one, 3 retries",
    "naive": "httpx, a random one",
    "litellm": resilience_litellm.LITELLM,
}


@contextlib.asynccontextmanager
async def opened(key: str, urls: Sequence[str]) -> AsyncIterator[Subject]:
    """Make the subject called ``key`` in `NAMES`, and close it."""
    if key in ("adaptive", "round_robin"):
        app = App(LoadedSettings(settings(urls, key)))  # type: ignore[arg-type]
        yield Ours(app)
        await app.aclose()
    elif key == "litellm":
        peer = Peer(await resilience_litellm.start(urls, MODEL, PROMPT, PATIENCE_S))
        yield peer
        await peer.aclose()
    else:
        everything = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(timeout=PATIENCE_S, limits=everything, trust_env=False) as client:
            yield Naive(urls, client, 3 if key == "retries" else 0)


def settings(urls: Sequence[str], strategy: StrategyName) -> Settings:
    """Return settings with a provider for each address, all with the same model."""
    providers = [
        {"name": f"p{number}", "kind": "openai", "base_url": url, "max_concurrency": AT_ONCE}
        for number, url in enumerate(urls)
    ]
    chat = {"models": {"strategy": strategy}, "providers": providers}
    return Settings.model_validate(chat)
