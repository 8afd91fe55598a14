"""httpx's transport for endpoints without a proxy: HTTP/1.1 connections straight on asyncio, kept alive, closed at once.

httpx's own brings httpcore, anyio and a lock per connection and sends head and body apart: four times the processor time.
Nothing that lasts is a task: a connection is a protocol object that its `Wire` owns, with a timer at most.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from itertools import zip_longest
from typing import Self

import httpx

from dragoman.models.providers.http11 import MalformedResponseError, ResponseReader, request_head

BUFFER = 64 * 1024
"""Bytes read at once; one buffer serves all connections, for what is read is taken out of it at once."""
UNREAD_LIMIT = 1024 * 1024
"""Bytes of a body that may wait for their reader before the server is made to wait."""
HAPPY_EYEBALLS_S = 0.25
"""A name's second address is tried after this time (RFC 8305): `localhost` may mean ::1, where nobody listens."""

Origin = tuple[str, str, int]


class Wire(httpx.AsyncBaseTransport):
    """All connections to one endpoint; `aclose` closes every one."""

    def __init__(self, tls: ssl.SSLContext, *, connect_s: float, keep: int, keep_s: float) -> None:
        self._tls = tls
        self._connect_s = connect_s
        self._keep = keep
        self._keep_s = keep_s
        self._connections: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._closed = False
        self.buffer = memoryview(bytearray(BUFFER))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, body unread; raises httpx's `TransportError` family.

        ``extensions["release"]`` of the response gives the connection back without waiting for the body's last bytes.
        """
        if self._closed:
            raise httpx.ConnectError("the client is closed", request=request)
        url = request.url
        data = request_head(request.method.encode(), url.raw_path, request.headers.raw) + await request.aread()
        tls = url.scheme == "https"
        origin = (url.scheme, url.host, url.port or (443 if tls else 80))
        while (connection := self._take(origin)) is not None:
            try:
                return await self._exchange(connection, request, data)
            except _ReusedTooLateError:
                # The server closed it while it was idle, and our request crossed that: it was never read.
                continue
        return await self._exchange(await self._connect(origin, request), request, data)

    async def aclose(self) -> None:
        """Close every connection; whoever still reads from one gets an error."""
        self._closed = True
        connections, self._idle = list(self._connections), []
        for connection in connections:
            connection.abort()
        if connections:
            await asyncio.wait([connection.lost for connection in connections])

    async def _exchange(self, connection: _Connection, request: httpx.Request, data: bytes) -> httpx.Response:
        try:
            reader = await connection.ask(request, data)
        except BaseException:
            connection.abort()
            raise
        stream = _Body(connection, request)
        return httpx.Response(
            reader.status, headers=reader.headers, stream=stream, extensions={"release": stream.release}
        )

    # -- connections ---------------------------------------------------------------------------------------------------

    def _take(self, origin: Origin) -> _Connection | None:
        """Return an idle connection, the one used last."""
        for connection in reversed(self._idle):
            if connection.origin == origin and connection.reserve():
                self._idle.remove(connection)
                return connection
        return None

    async def _connect(self, origin: Origin, request: httpx.Request) -> _Connection:
        try:
            async with asyncio.timeout(self._connect_s):
                connection = await self._reach_first(origin, await _addresses(origin))
        except TimeoutError as error:
            raise httpx.ConnectTimeout("", request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        if self._closed:
            # Meanwhile.
            connection.abort()
            raise httpx.ConnectError("the client is closed", request=request)
        return connection

    async def _reach_first(self, origin: Origin, addresses: list[str]) -> _Connection:
        """Try one address after the other, the next one before the last has failed; the first that answers wins.

        asyncio does the same (``happy_eyeballs_delay``), but on Python 3.11 a cancel leaves its sockets open.
        """
        waiting = deque(addresses)
        tried: dict[asyncio.Task[None], _Connection] = {}
        winner: _Connection | None = None
        errors: list[BaseException] = []
        try:
            while winner is None and (waiting or len(errors) < len(tried)):
                if waiting:
                    connection = _Connection(self, origin)
                    tried[asyncio.create_task(self._reach(connection, waiting.popleft()))] = connection
                pending = [task for task in tried if not task.done()]
                limit = HAPPY_EYEBALLS_S if waiting else None
                await asyncio.wait(pending, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                done = [task for task in tried if task.done()]
                errors = [error for task in done if (error := task.exception()) is not None]
                winner = next((tried[task] for task in done if task.exception() is None), None)
        finally:
            try:
                await _end(tried)
            except asyncio.CancelledError:
                winner = None
                raise
            finally:
                for connection in tried.values():
                    if connection is not winner:
                        connection.abort()
        if winner is None:
            # Of several reasons, the one that says most: somebody answered, or somebody said no.
            telling = (error for error in errors if isinstance(error, ssl.SSLError | ConnectionRefusedError))
            raise next(telling, errors[0])
        return winner

    async def _reach(self, connection: _Connection, address: str) -> None:
        scheme, host, port = connection.origin
        loop = asyncio.get_running_loop()
        if scheme == "https":
            await loop.create_connection(lambda: connection, address, port, ssl=self._tls, server_hostname=host)
        else:
            await loop.create_connection(lambda: connection, address, port)

    def opened(self, connection: _Connection) -> None:
        """Own a connection from its first moment on."""
        self._connections.add(connection)

    def gone(self, connection: _Connection) -> None:
        """Forget a connection that is closed."""
        self._connections.discard(connection)
        self.unused(connection)

    def unused(self, connection: _Connection) -> None:
        """Never use a connection again."""
        if connection in self._idle:
            self._idle.remove(connection)

    def keep(self, connection: _Connection) -> bool:
        """Keep a connection whose response is complete; False when it is not wanted."""
        if self._closed:
            return False
        self._idle.append(connection)
        if len(self._idle) > self._keep:
            self._idle.pop(0).abort()
        return True

    @property
    def keep_s(self) -> float:
        """Seconds for which an idle connection is kept."""
        return self._keep_s


class _ReusedTooLateError(Exception):
    """A kept connection was closed by the server before a byte of the response came."""


class _Connection(asyncio.BufferedProtocol):
    """One connection: idle in its wire's list, or answering one request."""

    def __init__(self, wire: Wire, origin: Origin) -> None:
        self.origin = origin
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wire = wire
        self._transport: asyncio.Transport | None = None
        self._reader: ResponseReader | None = None
        self._news: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._used = False
        self._paused = False
        self._unread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._released = False
        self._aborted = False

    # -- what the loop tells -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._wire.opened(self)
        if self._aborted:
            transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self._wire.buffer

    def buffer_updated(self, nbytes: int) -> None:
        reader = self._reader
        if reader is None:
            # Nobody asked: a server says why it closes an idle connection, or it is no HTTP server.
            self.abort()
            return
        try:
            reader.feed(self._wire.buffer[:nbytes])
        except MalformedResponseError as error:
            self._fail(error)
            self.abort()
            return
        self._unread += nbytes
        if self._unread > UNREAD_LIMIT and not reader.complete and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._released and reader.complete:
            # This was the end that its reader did not wait for.
            self._give_back()
        self._wake()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._fail(exc)
        self._end()
        self._disarm()
        self._wire.gone(self)
        if not self.lost.done():
            self.lost.set_result(None)

    def _end(self) -> None:
        if self._reader is not None and not self._reader.complete and self._error is None:
            try:
                self._reader.end()
            except MalformedResponseError as error:
                self._fail(error)
        self._wake()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # -- one exchange --------------------------------------------------------------------------------------------------

    def reserve(self) -> bool:
        """Take this connection out of its rest; False when it is closed or about to be."""
        self._disarm()
        return self._transport is not None and not self._transport.is_closing() and self._error is None

    async def ask(self, request: httpx.Request, data: bytes) -> ResponseReader:
        """Send a request and return the reader of its response, head read."""
        assert self._transport is not None
        reader = self._reader = ResponseReader()
        reused, self._used, self._unread = self._used, True, 0
        self._transport.write(data)
        while not reader.status:
            self._raise(request, late=reused and not reader.begun)
            await self._wait()
        return reader

    async def read(self, request: httpx.Request) -> bytes:
        """Return the next bytes of the body, empty at its end."""
        reader = self._reader
        assert reader is not None
        while not reader.pieces:
            if reader.complete:
                return b""
            self._raise(request, late=False)
            await self._wait()
        if len(reader.pieces) == 1:
            piece = reader.pieces.popleft()
        else:
            piece = b"".join(reader.pieces)
            reader.pieces.clear()
        self._unread = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece

    def _raise(self, request: httpx.Request, *, late: bool) -> None:
        closed = self._transport is None or self._transport.is_closing()
        if self._error is None and not closed:
            return
        if late and not self._aborted:
            raise _ReusedTooLateError
        problem = self._error or "the connection is closed"
        if isinstance(self._error, OSError):
            raise httpx.ReadError(str(problem), request=request) from self._error
        raise httpx.RemoteProtocolError(str(problem), request=request) from self._error

    async def _wait(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    # -- its end -------------------------------------------------------------------------------------------------------

    def release(self, patience: float) -> None:
        """Let a response's reader go: keep the connection when the response ends within ``patience`` seconds, else close it."""
        reader = self._reader
        if reader is None:
            return
        if reader.complete:
            self._give_back()
        elif patience > 0 and self._error is None:
            self._released = True
            self._timer = asyncio.get_running_loop().call_later(patience, self.abort)
        else:
            self.abort()

    def _give_back(self) -> None:
        reader, self._reader, self._released = self._reader, None, False
        usable = reader is not None and reader.keeps_alive and not reader.leftover and self.reserve()
        if not usable or not self._wire.keep(self):
            self.abort()
            return
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._timer = asyncio.get_running_loop().call_later(self._wire.keep_s, self.abort)

    def abort(self) -> None:
        """Close at once, whatever goes on."""
        self._aborted = True
        self._disarm()
        if self._transport is not None:
            self._transport.abort()
        self._wire.unused(self)
        self._wake()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Body(httpx.AsyncByteStream):
    """A response's body; closing it before its end closes the connection."""

    def __init__(self, connection: _Connection, request: httpx.Request) -> None:
        self._connection: _Connection | None = connection
        self._request = request

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._connection.read(self._request) if self._connection is not None else b""
        if not piece:
            raise StopAsyncIteration
        return piece

    def release(self, patience: float) -> None:
        """Read no more, and let the connection be used again when the body ends within ``patience`` seconds."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release(patience)

    async def aclose(self) -> None:
        """Give the connection back when the body was read to its end, else close it."""
        self.release(0.0)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel what still runs and wait for its end; unlike `cancel_and_wait` it lets a cancel of the caller through."""
    running = [task for task in tasks if task.cancel()]
    if running:
        await asyncio.wait(running)
    for task in running:
        # An error of an attempt that nobody waits for any more is nobody's.
        _ = task.cancelled() or task.exception()


async def _addresses(origin: Origin) -> list[str]:
    """Return the addresses of a host in the system's order, families taking turns."""
    _, host, port = origin
    with suppress(ValueError):
        return [str(ip_address(host))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append(str(address[0]))
    turns = zip_longest(*families.values())
    return list(dict.fromkeys(address for turn in turns for address in turn if address is not None))
