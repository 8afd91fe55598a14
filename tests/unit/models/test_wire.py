"""The connections to a model server: used again when whole, closed at once when not, and none is lost."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from dragoman.models.providers.endpoint import Endpoint
from dragoman.models.providers.transport import Requests
from dragoman.models.providers.wire import Wire
from tests.support.fake_http import Connection, HttpServer, Request

Handle = Callable[[Request, Connection], Awaitable[None]]


class Client:
    """A wire with the requests that Dragoman makes."""

    def __init__(self, wire: Wire, server: HttpServer, port: int) -> None:
        self.wire = wire
        self.server = server
        self.port = port
        self.requests = Requests(Endpoint("mine", "openai", f"http://127.0.0.1:{port}"))

    async def open(self, path: str = "/", host: str = "127.0.0.1") -> httpx.Response:
        request = self.requests.make("POST", f"http://{host}:{self.port}{path}", b"{}")
        return await self.wire.handle_async_request(request)

    async def read(self, path: str = "/", host: str = "127.0.0.1") -> bytes:
        response = await self.open(path, host)
        try:
            return await response.aread()
        finally:
            await response.aclose()

    @property
    def open_connections(self) -> int:
        return sum(not one.gone.is_set() for one in self.server.connections)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def client(
    handle: Handle, *, keep: int = 8, keep_s: float = 60.0, host: str = "127.0.0.1"
) -> AsyncIterator[Client]:
    server = HttpServer(handle)
    port = await server.start(host=host)
    wire = Wire(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), connect_s=30.0, keep=keep, keep_s=keep_s)
    try:
        yield Client(wire, server, port)
    finally:
        await wire.aclose()
        await server.aclose()


async def say_ok(request: Request, connection: Connection) -> None:
    await connection.send_body(b"ok")


async def speak(request: Request, connection: Connection) -> None:
    await connection.start_stream("text/plain")
    while True:
        await connection.send_piece(b"word ")
        await connection.pause(0.005)


async def test_a_connection_is_used_again_after_a_whole_response() -> None:
    async with client(say_ok) as one:
        for _ in range(3):
            assert await one.read() == b"ok"
        assert len(one.server.connections) == 1


async def test_responses_at_the_same_time_have_connections_of_their_own_and_only_some_are_kept() -> None:
    async with client(say_ok, keep=2) as one:
        responses = [await one.open() for _ in range(5)]
        assert len(one.server.connections) == 5
        for response in responses:
            assert await response.aread() == b"ok"
            await response.aclose()
        await one.until(lambda: one.open_connections == 2)


async def test_a_body_that_is_left_closes_its_connection_at_once() -> None:
    async with client(speak) as one:
        response = await one.open()
        assert await anext(aiter(response.stream))
        await response.aclose()
        await one.until(lambda: one.open_connections == 0)


async def test_a_released_body_gives_its_connection_back_when_it_ends_soon() -> None:
    ending = asyncio.Event()

    async def handle(request: Request, connection: Connection) -> None:
        await connection.start_stream("text/plain")
        await connection.send_piece(b"[DONE]")
        await ending.wait()
        await connection.end_stream()

    async with client(handle) as one:
        response = await one.open()
        assert await anext(aiter(response.stream)) == b"[DONE]"
        response.extensions["release"](30.0)
        await response.aclose()
        assert one.open_connections == 1
        ending.set()
        await one.until(lambda: len(one.wire._idle) == 1)
        assert await one.read() == b"[DONE]"
        assert len(one.server.connections) == 1


async def test_a_released_body_that_goes_on_is_closed() -> None:
    async with client(speak) as one:
        response = await one.open()
        response.extensions["release"](0.02)
        await one.until(lambda: one.open_connections == 0)


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with client(say_ok, keep_s=0.02) as one:
        await one.read()
        await one.until(lambda: one.open_connections == 0)


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    async with client(say_ok) as one:
        await one.read()
        one.server.connections[0].cut()
        await one.until(lambda: not one.wire._idle)
        assert await one.read() == b"ok"


async def test_a_request_that_crosses_the_servers_closing_is_sent_again() -> None:
    """The server reads the second request on its connection and closes without a word, as one that has just timed out."""
    seen: list[int] = []

    async def handle(request: Request, connection: Connection) -> None:
        index = connection._server.connections.index(connection)
        if index in seen:
            connection.cut()
            return
        seen.append(index)
        await connection.send_body(b"ok")

    async with client(handle) as one:
        assert await one.read() == b"ok"
        assert await one.read() == b"ok"
        assert seen == [0, 1]


async def test_a_server_that_closes_a_fresh_connection_is_not_asked_again() -> None:
    asked = 0

    async def handle(request: Request, connection: Connection) -> None:
        nonlocal asked
        asked += 1
        connection.cut()

    async with client(handle) as one:
        with pytest.raises(httpx.TransportError):
            await one.read()
        assert asked == 1


async def test_a_server_that_speaks_unasked_loses_its_connection() -> None:
    async with client(say_ok) as one:
        await one.read()
        one.server.connections[0].transport.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await one.until(lambda: one.open_connections == 0)
        assert await one.read() == b"ok"


async def test_a_body_ends_with_its_connection_where_the_server_says_no_length() -> None:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        connection.transport.close()

    async with client(handle) as one:
        assert await one.read() == b"all of it"
        assert await one.read() == b"all of it"
        assert len(one.server.connections) == 2


async def test_what_came_before_a_break_is_read_before_the_error() -> None:
    async def handle(request: Request, connection: Connection) -> None:
        await connection.start_stream("text/plain")
        await connection.send_piece(b"half")
        connection.transport.close()

    async with client(handle) as one:
        response = await one.open()
        pieces = aiter(response.stream)
        assert await anext(pieces) == b"half"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(pieces)
        await response.aclose()


async def test_a_server_that_is_faster_than_its_reader_is_made_to_wait() -> None:
    size = 32 * 1024 * 1024

    async def handle(request: Request, connection: Connection) -> None:
        await connection.send_body(b"x" * size)

    async with client(handle) as one:
        response = await one.open()
        connection = next(iter(one.wire._connections))
        await one.until(lambda: connection._paused)
        assert sum(map(len, connection._reader.pieces)) < 2 * 1024 * 1024  # type: ignore[union-attr]
        assert len(await response.aread()) == size
        await response.aclose()
        assert await one.read() == b"x" * size
        assert len(one.server.connections) == 1


async def test_closing_ends_every_reader_with_an_error() -> None:
    async with client(speak) as one:
        response = await one.open()

        async def read_on() -> None:
            async for _ in response.stream:  # type: ignore[union-attr]
                pass

        reading = asyncio.create_task(read_on())
        await one.wire.aclose()
        with pytest.raises(httpx.TransportError):
            await reading
        with pytest.raises(httpx.ConnectError, match="closed"):
            await one.open()
        await one.until(lambda: one.open_connections == 0)


async def test_a_call_cancelled_at_any_moment_leaves_no_connection() -> None:
    async with client(speak) as one:
        for number in range(60):
            call = asyncio.create_task(one.read(host="localhost" if number % 2 else "127.0.0.1"))
            for _ in range(number // 2 % 12):
                await asyncio.sleep(0)
            if number % 5 == 0:
                await asyncio.sleep(0.002)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        await one.until(lambda: one.open_connections == 0 and not one.wire._connections)


async def test_a_name_is_tried_at_each_of_its_addresses() -> None:
    """`localhost` is ::1 for many; a server on 127.0.0.1 alone is found all the same."""
    async with client(say_ok) as one:
        assert await one.read(host="localhost") == b"ok"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being told")
@pytest.mark.parametrize("silent_first", [True, False])
async def test_the_address_that_answers_wins_over_one_that_does_not(
    silent_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with two addresses, of which one takes no connection: its queue is full, as behind a broken route."""
    with socket.socket() as full:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        server = HttpServer(say_ok)
        await server.start(port)
        order = ["127.0.0.2", "127.0.0.1"] if silent_first else ["127.0.0.1", "127.0.0.2"]

        async def both(*_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in order]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
        wire = Wire(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), connect_s=30.0, keep=1, keep_s=60.0)
        response = await wire.handle_async_request(httpx.Request("GET", f"http://two.invalid:{port}/"))
        assert await response.aread() == b"ok"
        await response.aclose()
        assert len(wire._connections) == 1
        await wire.aclose()
        await server.aclose()
        for filler in fillers:
            filler.close()


async def test_a_name_where_nobody_listens_at_any_address_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        wire = Wire(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), connect_s=30.0, keep=1, keep_s=1.0)
        request = httpx.Request("GET", f"http://localhost:{bound.getsockname()[1]}/")
        with pytest.raises(httpx.ConnectError) as caught:
            await wire.handle_async_request(request)
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)
        await wire.aclose()


def test_a_password_in_the_address_is_sent_as_one_and_never_beside_a_key() -> None:
    endpoint = Endpoint("mine", "openai", "http://me:word@host:8080", api_key="key", headers={"user-agent": "mine"})
    request = Requests(endpoint).make("GET", "http://me:word@host:8080/v1/models", None)

    assert request.headers["authorization"] == "Basic bWU6d29yZA=="
    assert request.headers["host"] == "host:8080"
    assert request.headers.get_list("user-agent") == ["mine"]
    assert "content-length" not in request.headers
