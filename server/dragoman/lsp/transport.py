"""Bytes between the client and the protocol: pipes, sockets and files, in order, without ever blocking the loop.

Messages are handed over in the reader's own callback, in order of arrival, so that a handler's first part runs before the
next message is even looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import socket
import stat
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from dragoman.lsp.framing import Framer, FramingError

logger = logging.getLogger(__name__)

Receive = Callable[[bytes | FramingError], None]
Lost = Callable[[], None]

_READ_SIZE = 1 << 18
MAX_UNREAD = 256 * 1024 * 1024
"""Bytes that may wait for a client that does not read; beyond, it is stuck for good and would take the memory with it."""

_FLUSH_SECONDS = 2.0
"""How long the last replies may take to leave when the server ends; a client that does not read them is gone or stuck."""


class Writer(Protocol):
    """Where the protocol writes whole messages; never blocks, keeps the order, drops silently after the client left."""

    def write(self, data: bytes) -> None:
        """Send or queue one message."""
        ...

    async def aclose(self) -> None:
        """Send what is queued, as far as the client takes it, and close."""
        ...


class Inbound:
    """Cuts what arrives into messages and hands each over; tells once when nothing more will come."""

    def __init__(self, receive: Receive, lost: Lost, leftover: bytes = b"") -> None:
        self._framer = Framer(leftover)
        self._receive = receive
        self._lost: Lost | None = lost
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Take in bytes and hand over every whole message among them."""
        self._framer.feed(data)
        while not self._closed and (message := self._framer.next()) is not None:
            self._receive(message)

    def close(self) -> None:
        """Hand over nothing any more: what stands behind ``exit`` is not read."""
        self._closed = True

    def end(self) -> None:
        """Tell that the client closed its side."""
        if self._lost is not None:
            lost, self._lost = self._lost, None
            lost()


class _InboundProtocol(asyncio.Protocol):
    """The asyncio side of a reading pipe, or of both directions of a socket."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound

    def data_received(self, data: bytes) -> None:
        self._inbound.feed(data)

    def eof_received(self) -> bool:
        self._inbound.end()
        return True  # Replies may still be on their way out.

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._inbound.end()


class _OutboundProtocol(asyncio.BaseProtocol):
    def __init__(self, lost: Lost) -> None:
        self._lost = lost
        self.closed = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.closed.done():
            self.closed.set_result(None)
        self._lost()


class AsyncWriter:
    """Writes to a pipe or socket through the loop."""

    def __init__(self, transport: asyncio.WriteTransport, closed: asyncio.Future[None]) -> None:
        self._transport = transport
        self._closed = closed

    def write(self, data: bytes) -> None:
        """Send or queue one message."""
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNREAD:
            logger.error("the client has left %s bytes unread and is given up", self._transport.get_write_buffer_size())
            self._transport.abort()

    async def aclose(self) -> None:
        """Send what is queued, within the limit, and close."""
        self._transport.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await asyncio.shield(self._closed)
        except TimeoutError:
            self._transport.abort()
            await self._closed


class ThreadWriter:
    """Writes to a regular file, terminal or Windows pipe from a thread of its own."""

    def __init__(self, descriptor: int, lost: Lost) -> None:
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unread = 0
        self._counting = threading.Lock()
        self._gone = False
        self._loop = asyncio.get_running_loop()
        self._lost = lost
        self._ended = asyncio.Event()
        threading.Thread(target=self._run, name="dragoman-lsp-output", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Queue one message."""
        if self._gone:
            return
        with self._counting:
            self._unread += len(data)
        if self._unread > MAX_UNREAD:
            logger.error("the client has left %s bytes unread and is given up", self._unread)
            self._gone = True
            self._loop.call_soon(self._lost)
            return
        self._queue.put(data)

    async def aclose(self) -> None:
        """Let the thread write what is queued, within the limit."""
        self._queue.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._ended.wait()

    def _run(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                remaining = memoryview(data)
                while remaining:
                    remaining = remaining[os.write(self._descriptor, remaining) :]
                with self._counting:
                    self._unread -= len(data)
        except OSError as error:
            logger.info("the client does not read any more: %s", error)
            self._gone = True
            _call_loop(self._loop, self._lost)
        finally:
            os.close(self._descriptor)
            _call_loop(self._loop, self._ended.set)


def _read_in_thread(descriptor: int, inbound: Inbound) -> None:
    """Read a regular file, terminal or Windows pipe in a thread; its bytes are handed over on the loop."""
    loop = asyncio.get_running_loop()

    def run() -> None:
        try:
            while data := os.read(descriptor, _READ_SIZE):
                _call_loop(loop, inbound.feed, data)
        except OSError as error:
            logger.info("the client cannot be read any more: %s", error)
        finally:
            os.close(descriptor)
            _call_loop(loop, inbound.end)

    threading.Thread(target=run, name="dragoman-lsp-input", daemon=True).start()


def _call_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *arguments: Any) -> None:
    with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is left to be told.
        loop.call_soon_threadsafe(function, *arguments)


def _loop_can_wait_for(descriptor: int) -> bool:
    """Tell whether the loop can watch a descriptor: pipes and sockets, but not files, and not a terminal.

    A terminal could be watched, but that makes it non-blocking for everybody who shares it, the user's shell included.
    """
    if sys.platform == "win32":
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _is_one_socket(input_fd: int, output_fd: int) -> bool:
    first, second = os.fstat(input_fd), os.fstat(output_fd)
    return stat.S_ISSOCK(first.st_mode) and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


class Connection:
    """Both directions to one client."""

    def __init__(self, writer: Writer, reading: asyncio.BaseTransport | None) -> None:
        self.writer = writer
        self._reading = reading

    async def aclose(self) -> None:
        """Stop reading, let the last replies out, close."""
        if self._reading is not None:
            self._reading.close()
        await self.writer.aclose()


class _SocketProtocol(_InboundProtocol):
    def __init__(self, inbound: Inbound, lost: Lost) -> None:
        super().__init__(inbound)
        self._lost = lost
        self.closed = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        super().connection_lost(exc)
        self._lost()


async def connect_socket(connected: socket.socket, inbound: Inbound, lost: Lost) -> Connection:
    """Connect a socket that carries both directions; takes it over."""
    connected.setblocking(False)
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: _SocketProtocol(inbound, lost), sock=connected)
    return Connection(AsyncWriter(transport, protocol.closed), None)


async def connect_stdio(input_fd: int, output_fd: int, inbound: Inbound, lost: Lost) -> Connection:
    """Connect the two private descriptors of the handshake; takes them over and closes them in the end."""
    loop = asyncio.get_running_loop()
    if _is_one_socket(input_fd, output_fd):
        os.close(output_fd)
        return await connect_socket(socket.socket(fileno=input_fd), inbound, lost)
    writer: Writer
    if _loop_can_wait_for(output_fd):
        transport, protocol = await loop.connect_write_pipe(
            lambda: _OutboundProtocol(lost), os.fdopen(output_fd, "wb", buffering=0)
        )
        writer = AsyncWriter(transport, protocol.closed)
    else:
        writer = ThreadWriter(output_fd, lost)
    if not _loop_can_wait_for(input_fd):
        _read_in_thread(input_fd, inbound)
        return Connection(writer, None)
    reading, _ = await loop.connect_read_pipe(lambda: _InboundProtocol(inbound), os.fdopen(input_fd, "rb", buffering=0))
    return Connection(writer, reading)
