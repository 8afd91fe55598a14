"""A shim, not LocalAI: a real llama.cpp server behind the pages and error bodies that LocalAI documents. For tests only.

No package of LocalAI can be installed where the tests run, so what is its own is put in front of the real engine:
`/readyz`, `/version`, a gallery with jobs, and its way to refuse a model that it does not have.
All of OpenAI's protocol goes to the engine and comes back as it is; a client that hangs up closes the engine's connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tests.support.fake_http import Connection, HttpServer, HungUp, Request
from tests.support.fake_model import Script
from tests.support.fake_pulls import Jobs


@contextlib.asynccontextmanager
async def localai_shim(engine_url: str, name: str = "qwen2.5-coder-0.5b") -> AsyncIterator[str]:
    """Serve the engine at ``engine_url`` as the LocalAI model ``name``; yields the shim's root address."""
    server = HttpServer(_Shim(urlsplit(engine_url), name).handle)
    port = await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.aclose()


class _Shim:
    def __init__(self, engine: SplitResult, name: str) -> None:
        self._engine = engine
        self._name = name
        self._jobs = Jobs()

    async def handle(self, request: Request, connection: Connection) -> None:
        own = self._jobs.answer(Script(), request)
        if own is not None:
            await connection.send_json(own[1], own[0])
        elif request.path == "/v1/models":
            await connection.send_json({"object": "list", "data": [{"id": self._name, "object": "model"}]})
        elif not request.path.startswith("/v1/"):
            await connection.send_json(_error(404, "Not Found"), 404)
        elif (name := request.json().get("model")) != self._name:
            message = f"could not load model: rpc error: code = Unknown desc = no such file: {name}"
            await connection.send_json(_error(500, message), 500)
        else:
            await self._relay(request, connection)

    async def _relay(self, request: Request, connection: Connection) -> None:
        """Pass the engine's answer on as it comes; stop the engine as soon as the client hangs up."""
        work = asyncio.create_task(self._pump(request, connection))
        gone = asyncio.create_task(connection.gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError, HungUp):
                await work

    async def _pump(self, request: Request, connection: Connection) -> None:
        reader, writer = await asyncio.open_connection(self._engine.hostname, self._engine.port)
        try:
            head = f"POST {request.path} HTTP/1.1\r\nHost: {self._engine.netloc}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n\r\n"
            writer.write(head.encode() + request.body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split()[1] != b"200":
                said = json.loads(await reader.read())["error"]["message"]
                await connection.send_json(_error(500, f"rpc error: code = Internal desc = {said}"), 500)
                return
            await connection.write(answer)
            while data := await reader.read(65536):
                await connection.write(data)
            connection.transport.close()
        finally:
            writer.transport.abort()


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": ""}}
