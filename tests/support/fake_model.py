"""A scripted fake model server: slow, cut, stalling, refusing or perfect, and it counts every connection and request.

In process: ``async with FakeModel(Script(text="hello")) as fake: fake.url``.
Out of process: ``python -m tests.support.fake_model --port 0 [--script JSON] [--oracle FILE]`` prints
``{"port": …, "url": …}``; then ``POST /_fake/script`` changes the behaviour, ``GET /_fake/log`` reads the counts,
``POST /_fake/reset`` clears them.
It ends at end of file on stdin when started with ``--with-stdin``, else at SIGTERM or SIGINT.
It speaks OpenAI's, llama.cpp's and Ollama's protocols at the same time, and LocalAI's pages where ``Script.dialects`` names
them; that field also narrows it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from tests.support.fake_answers import (
    Answer,
    answer_by_rules,
    answer_from_target,
    split_prompt,
    tokenize,
)
from tests.support.fake_dialects import (
    EMBEDDING_PATHS,
    GENERATION_PATHS,
    Piece,
    answer_question,
    calls_tools,
    refusal,
    said_last,
    stream_lines,
)
from tests.support.fake_http import Connection, HttpServer, HungUp, Request
from tests.support.fake_pulls import PULL_PATHS, Jobs, pull


@dataclass
class Script:
    """How the fake behaves; every field can be set over ``POST /_fake/script``. Times in seconds, counts in tokens."""

    text: str = "pass\n"
    """Said when no rule fits."""
    rules: list[list[str]] = field(default_factory=list)
    """[substring of the text before the cursor, what to say]; the first that fits."""
    oracle: str | None = None
    """The finished text of the file: the fake continues the prompt exactly as the file goes on."""
    thinking: str = ""
    """Said as reasoning before a chat answer."""
    think_tags: bool = False
    """Say it in the text, between marks, as servers do that know nothing of it."""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    """What a chat with tools calls, as {"name", "arguments"}, until the last message is a tool's result."""
    call_piece: int = 5
    """Characters of a call's arguments in one chunk, where the protocol streams them."""
    object_arguments: bool = False
    """OpenAI's dialect: send a call's arguments as an object in one piece, without an id or a number."""
    refuses: list[str] = field(default_factory=list)
    """Parameters that are refused, each in the words of the dialect."""
    loaded: list[dict[str, Any]] = field(default_factory=list)
    """What Ollama's /api/ps lists."""
    pull_steps: int | None = 3
    """Steps of a download; None for one that never ends."""
    pull_delay: float = 0.0
    first_token_delay: float = 0.0
    token_delay: float = 0.0
    token_size: int | None = None
    """Characters a token; None cuts at words."""
    cut_after: int | None = None
    """Break the connection after so many tokens."""
    close_after: int | None = None
    """End the reply properly after so many tokens, but without the end mark."""
    stall_after: int | None = None
    """Say nothing more after so many tokens, and hold the connection."""
    garbage_after: int | None = None
    """Send a chunk that is not JSON after so many tokens."""
    invalid_utf8_after: int | None = None
    """Send a chunk with broken UTF-8 after so many tokens."""
    error_after: int | None = None
    """Send an error object inside the stream after so many tokens."""
    logprobs: list[float | None] | None = None
    """Log-probabilities of the tokens, in turns, told to who asks for them; None for a server that knows nothing of them."""
    endless: bool = False
    """Repeat the answer until the client hangs up; ignores max_tokens."""
    silent: bool = False
    """Accept the request and never answer."""
    piece_bytes: int | None = None
    """Cut the stream into network pieces of so many bytes, splitting UTF-8 sequences too."""
    status: int | None = None
    """Refuse with this HTTP status."""
    fail_times: int | None = None
    """How often ``status`` applies; None for always."""
    retry_after: str | None = None
    error_message: str = "scripted failure"
    error_code: str | None = None
    """``context`` answers as for a prompt that is too long, each dialect in its own way."""
    redirect: str | None = None
    fault_scope: str = "generation"
    """``all`` lets status, silent and redirect hit listings and probes too."""
    ready: bool = True
    """False: llama.cpp's /health and /props answer 503 as while it loads its model."""
    api_key: str | None = None
    """The only key accepted; None accepts all."""
    models: list[str] = field(default_factory=lambda: ["qwen2.5-coder:1.5b-base"])
    strict_models: bool = False
    """Refuse unknown model names with 404."""
    capabilities: list[str] = field(default_factory=lambda: ["completion", "insert"])
    """What Ollama's /api/show lists."""
    family: str = "qwen2"
    context: int = 4096
    slots: int = 1
    dimensions: int = 96
    """Numbers in an embedding."""
    respect_max_tokens: bool = True
    dialects: list[str] = field(default_factory=lambda: ["openai", "llamacpp", "ollama"])


@dataclass
class Exchange:
    """One request as it went; times are monotonic seconds of this machine, None for what did not happen."""

    number: int
    connection: int
    method: str
    path: str
    body: Any
    headers: dict[str, str]
    arrived: float
    prefix: str = ""
    suffix: str = ""
    first_token: float | None = None
    tokens: int = 0
    ended: float | None = None
    finished: bool = False
    hung_up: bool = False
    hung_up_at: float | None = None
    status: int = 200


class FakeModel:
    """The server with its script and its log."""

    def __init__(self, script: Script | None = None, answer: Answer | None = None) -> None:
        self.script = script or Script()
        self.answer = answer
        self.requests: list[Exchange] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self._news = asyncio.Event()
        self.jobs = Jobs()
        self._server = HttpServer(self._handle)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Connections ever opened."""
        return len(self._server.connections)

    @property
    def open_connections(self) -> int:
        return sum(not one.gone.is_set() for one in self._server.connections)

    @property
    def embeddings(self) -> list[Exchange]:
        """The requests that asked for vectors."""
        return [one for one in self.requests if one.path in EMBEDDING_PATHS]

    @property
    def generations(self) -> list[Exchange]:
        """The requests that asked for text."""
        return [one for one in self.requests if one.path in GENERATION_PATHS]

    async def start(self, port: int = 0) -> None:
        self.port = await self._server.start(port)

    async def aclose(self) -> None:
        await self._server.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def wait_for(self, condition: Any, timeout: float = 20.0) -> None:
        """Wait until ``condition(self)`` holds; asked again whenever something happens here."""
        async with asyncio.timeout(timeout):
            while not condition(self):
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.05)

    def log(self) -> dict[str, Any]:
        """Everything counted, as ``GET /_fake/log`` answers it."""
        return {
            "now": time.monotonic(),
            "connections": self.connections,
            "open_connections": self.open_connections,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "requests": [asdict(one) for one in self.requests],
        }

    def reset(self) -> None:
        """Forget the counts; what is in flight stays counted as in flight."""
        self.requests = []
        self.max_in_flight = self.in_flight

    def configure(self, **changes: Any) -> None:
        """Set fields of the script; an unknown one is an error."""
        unknown = changes.keys() - {one.name for one in fields(Script)}
        if unknown:
            raise ValueError(f"unknown script fields: {sorted(unknown)}")
        for name, value in changes.items():
            setattr(self.script, name, value)

    # -- requests ------------------------------------------------------------------------------------------------------

    async def _handle(self, request: Request, connection: Connection) -> None:
        if request.path.startswith("/_fake/"):
            await self._control(request, connection)
            return
        exchange = self._record(request, connection)
        try:
            await self._serve(request, connection, exchange)
            exchange.finished = True
        except HungUp:
            exchange.hung_up = not connection.by_us
            exchange.hung_up_at = connection.gone_at if exchange.hung_up else None
            raise
        finally:
            exchange.ended = time.monotonic()
            if request.path in GENERATION_PATHS:
                self.in_flight -= 1
            self._news.set()

    def _record(self, request: Request, connection: Connection) -> Exchange:
        try:
            body = request.json()
        except ValueError:
            body = request.body.decode(errors="replace")
        exchange = Exchange(
            number=len(self.requests),
            connection=self._server.connections.index(connection),
            method=request.method,
            path=request.path,
            body=body,
            headers=request.headers,
            arrived=request.arrived,
        )
        self.requests.append(exchange)
        if request.path in GENERATION_PATHS:
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self._news.set()
        return exchange

    async def _control(self, request: Request, connection: Connection) -> None:
        if request.path == "/_fake/script":
            try:
                self.configure(**request.json())
            except ValueError as error:
                await connection.send_json({"error": str(error)}, 400)
                return
        elif request.path == "/_fake/reset":
            self.reset()
        await connection.send_json(self.log() if request.path == "/_fake/log" else {"ok": True})

    async def _serve(self, request: Request, connection: Connection, exchange: Exchange) -> None:
        script = self.script
        if request.path in GENERATION_PATHS or request.path in EMBEDDING_PATHS or script.fault_scope == "all":
            if script.silent:
                await connection.pause(None)
            if script.redirect:
                await connection.send_body(b"", 307, headers={"Location": script.redirect + request.path})
                return
            if script.status is not None and script.fail_times != 0:
                if script.fail_times is not None:
                    script.fail_times -= 1
                exchange.status = script.status
                headers = {"Retry-After": script.retry_after} if script.retry_after else {}
                await connection.send_json(refusal(script, request.path), script.status, headers)
                return
        if script.api_key and request.headers.get("authorization") != f"Bearer {script.api_key}":
            exchange.status = 401
            await connection.send_json({"error": {"message": "Invalid API Key", "type": "authentication_error"}}, 401)
            return
        if request.path in PULL_PATHS and "ollama" in script.dialects:
            await pull(script, request, connection)
            return
        own = self.jobs.answer(script, request) if "localai" in script.dialects else None
        reply = own or answer_question(script, request)
        if reply is not None:
            exchange.status = reply[0]
            await connection.send_json(reply[1], reply[0])
            return
        await self._generate(request.json(), connection, exchange)

    async def _generate(self, body: dict[str, Any], connection: Connection, exchange: Exchange) -> None:
        script = self.script
        chat = "messages" in body
        prompt = said_last(body) if chat else body.get("input_prefix") or body.get("prompt", "")
        exchange.prefix, exchange.suffix = split_prompt(prompt, body.get("suffix") or body.get("input_suffix"))
        streamed = bool(body.get("stream", exchange.path.startswith("/api/")))
        lines = stream_lines(script, exchange.path, body)
        if not streamed:
            text = "".join([piece.text async for piece in self._pieces(body, connection, exchange, chat=chat)])
            await connection.send_json(lines.whole(text))
            return
        await connection.start_stream(lines.content_type)
        async for piece in self._pieces(body, connection, exchange, chat=chat):
            for line in lines.render(piece):
                await self._send(line, connection)
        await connection.end_stream()

    async def _pieces(
        self, body: dict[str, Any], connection: Connection, exchange: Exchange, *, chat: bool
    ) -> AsyncGenerator[Piece, None]:
        """Walk through the scripted answer, with its pauses and accidents; the last piece carries ``finish``."""
        script = self.script
        tokens, finish = self._tokens(body, exchange)
        await connection.pause(script.first_token_delay)
        if chat and script.thinking and script.think_tags:
            tokens = [*tokenize(f"<think>\n{script.thinking}\n</think>\n\n"), *tokens]
        elif chat and script.thinking:
            yield Piece(thinking=script.thinking)
        if chat and script.tool_calls and calls_tools(body):
            for at, call in enumerate(script.tool_calls):
                yield Piece(call=(at, call["name"], json.dumps(call["arguments"])))
            yield Piece(finish="tool_calls", count=len(tokens))
            return
        while True:
            for token in tokens:
                count = exchange.tokens
                if script.cut_after == count:
                    connection.cut()
                    raise HungUp
                if script.close_after == count:
                    return
                if script.stall_after == count:
                    await connection.pause(None)
                for accident in ("garbage", "invalid_utf8", "error"):
                    if getattr(script, f"{accident}_after") == count:
                        yield Piece(accident=accident)
                exchange.tokens += 1
                exchange.first_token = exchange.first_token or time.monotonic()
                self._news.set()
                told = script.logprobs[count % len(script.logprobs)] if script.logprobs else None
                yield Piece(text=token, logprob=told)
                # Even without a delay the loop gets its turn, so that a hang-up is seen at once.
                await (connection.pause(script.token_delay) if script.token_delay else asyncio.sleep(0))
            if not script.endless:
                break
        if script.close_after is None or script.close_after > exchange.tokens:
            yield Piece(finish=finish, count=exchange.tokens)

    def _tokens(self, body: dict[str, Any], exchange: Exchange) -> tuple[list[str], str]:
        script = self.script
        options = body.get("options", {})
        answer = self.answer or (
            answer_from_target(script.oracle)
            if script.oracle is not None
            else answer_by_rules([(needle, text) for needle, text in script.rules], script.text)
        )
        text = answer(exchange.prefix, exchange.suffix)
        for stop in body.get("stop") or options.get("stop") or []:
            text = text.partition(stop)[0]
        size = script.token_size
        tokens = tokenize(text) if size is None else [text[i : i + size] for i in range(0, len(text), size)]
        limits = (body.get(name) for name in ("max_tokens", "max_completion_tokens", "n_predict"))
        limit = next((limit for limit in limits if limit), options.get("num_predict"))
        if limit and limit > 0 and script.respect_max_tokens and not script.endless and len(tokens) > limit:
            return tokens[:limit], "length"
        return tokens, "stop"

    async def _send(self, line: bytes, connection: Connection) -> None:
        size = self.script.piece_bytes or len(line)
        for start in range(0, len(line), size):
            await connection.send_piece(line[start : start + size])
            if size < len(line):
                await asyncio.sleep(0)


async def _run(port: int, script: Script, *, with_stdin: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_stdin:
        loop.add_reader(sys.stdin, lambda: stop.set() if not os.read(0, 4096) else None)
    fake = FakeModel(script)
    await fake.start(port)
    sys.stdout.write(json.dumps({"port": fake.port, "url": fake.url}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await fake.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted fake model server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="{}", help="fields of Script as JSON")
    parser.add_argument("--oracle", type=Path, help="file whose text is the perfect model's answer")
    parser.add_argument("--with-stdin", action="store_true", help="end when stdin ends")
    arguments = parser.parse_args()
    script = Script(**json.loads(arguments.script))
    if arguments.oracle:
        script.oracle = arguments.oracle.read_text(encoding="utf-8")
    asyncio.run(_run(arguments.port, script, with_stdin=arguments.with_stdin))


if __name__ == "__main__":
    main()
