"""A small HTTP/1.1 server for tests: enough protocol for a model client, and it knows who hung up and when."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


class HungUp(Exception):
    """The client closed the connection; ends the handler."""


@dataclass(slots=True)
class Request:
    """One request as it arrived; ``arrived`` is in monotonic seconds, comparable between processes of this machine."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    arrived: float = field(default_factory=time.monotonic)

    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other, each answered by the server's handler."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = asyncio.Event()
        self.gone_at: float | None = None
        self.opened_at = time.monotonic()
        self.by_us = False
        self._chunked = False

    # -- asyncio's side ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.append(self)
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._news.set()

    def eof_received(self) -> bool:
        self._note_gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._note_gone()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _note_gone(self) -> None:
        if not self.gone.is_set():
            self.gone_at = time.monotonic()
            self.gone.set()
        self._news.set()
        self._writable.set()

    # -- the handler's side --------------------------------------------------------------------------------------------

    async def send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        await self.send_body(json.dumps(value).encode(), status, "application/json", headers)

    async def send_body(
        self, body: bytes, status: int = 200, content_type: str = "text/plain", headers: dict[str, str] | None = None
    ) -> None:
        head = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
        await self.write(_head(status, head) + body)

    async def start_stream(self, content_type: str) -> None:
        self._chunked = True
        await self.write(_head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"}))

    async def send_piece(self, data: bytes) -> None:
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        self._chunked = False
        await self.write(b"0\r\n\r\n")

    async def write(self, data: bytes) -> None:
        if self.gone.is_set():
            raise HungUp
        self.transport.write(data)
        await self._writable.wait()

    async def pause(self, seconds: float | None) -> None:
        """Wait, for ever when None, but end at once with `HungUp` when the client hangs up."""
        if seconds is not None and seconds <= 0:
            if self.gone.is_set():
                raise HungUp
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), seconds)
        if self.gone.is_set():
            raise HungUp

    def cut(self) -> None:
        """Break the connection off as a dying server does."""
        self.by_us = True
        self.transport.abort()

    async def _serve(self) -> None:
        try:
            while (request := await self._next_request()) is not None:
                await self._server.handle(request, self)
                if request.headers.get("connection", "").lower() == "close":
                    break
        except HungUp:
            pass
        finally:
            if not self.gone.is_set():
                self.by_us = True
            self.transport.close()

    async def _next_request(self) -> Request | None:
        head = await self._until(lambda: 0 if self._buffer[:1] == b"\x16" else self._buffer.find(b"\r\n\r\n"))
        if self._buffer[:1] == b"\x16":
            # The hello of TLS: answered as plain HTTP servers do, which the client then cannot read.
            await self.send_body(b"plain HTTP only", 400)
            return None
        if head is None:
            return None
        lines = bytes(self._buffer[:head]).decode("latin-1").split("\r\n")
        del self._buffer[: head + 4]
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if await self._until(lambda: 0 if len(self._buffer) >= length else -1) is None:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        parts = urlsplit(target)
        return Request(method, parts.path, parse_qs(parts.query), headers, body)

    async def _until(self, found: Callable[[], int]) -> int | None:
        while (at := found()) < 0:
            if self.gone.is_set():
                return None
            self._news.clear()
            await self._news.wait()
        return at


class HttpServer:
    """Listens on loopback; hands each request with its connection to ``handle``."""

    def __init__(self, handle: Callable[[Request, Connection], Awaitable[None]]) -> None:
        self.handle = handle
        self.connections: list[Connection] = []
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> int:
        self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), host, port, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in self.connections:
            connection.by_us = connection.by_us or not connection.gone.is_set()
            connection.task.cancel()
            connection.transport.abort()
        results = await asyncio.gather(*(one.task for one in self.connections), return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        for result in results:
            if isinstance(result, Exception):
                raise result


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {'OK' if status < 400 else 'Error'}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
