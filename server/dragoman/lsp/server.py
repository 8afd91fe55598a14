"""The language server of one client: pygls' server with our protocol, our table of features and our transports."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import cattrs

from dragoman.lsp.lean import drop_sources, types  # isort: skip - before anything else imports lsprotocol
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from dragoman import __version__
from dragoman.lsp.client import EditorClient
from dragoman.lsp.features import FEATURES
from dragoman.lsp.handshake import Handshake
from dragoman.lsp.protocol import Protocol
from dragoman.lsp.services import ServicesFactory
from dragoman.lsp.session import Session
from dragoman.lsp.transport import Connection, Inbound, connect_socket, connect_stdio
from dragoman.lsp.upkeep import QUIET_S, Upkeep
from dragoman.monitoring import bug

logger = logging.getLogger(__name__)
drop_sources()

CLOSE_SECONDS = 5.0
"""How long each part may take to close before the process ends without it."""


class Server(LanguageServer):
    """One client's server; `run` serves a connection and returns the exit code."""

    protocol: Protocol

    def __init__(self, services_factory: ServicesFactory) -> None:
        super().__init__("dragoman", __version__, protocol_cls=Protocol, converter_factory=converter)
        self.client = EditorClient(self.protocol)
        self.session = Session(services_factory(self.client), self.client, self)
        self.client.attach(self.session)
        self._exit_code: asyncio.Future[int] | None = None
        self._inbound: Inbound | None = None
        self.upkeep = Upkeep(lambda: self.protocol.quiet_for() >= QUIET_S)
        self.protocol.on_message = self.upkeep.heard
        self.session.documents.on_close = self.upkeep.soon
        for feature in FEATURES:
            self.protocol.table[feature.method] = feature
            self.feature(feature.method)(functools.partial(feature.handler, self.session))

    # -- what handlers may ask of the door -----------------------------------------------------------------------------

    def initialized(self) -> None:
        """Let requests in."""
        self.protocol.initialized = True

    def begin_shutdown(self) -> None:
        """Answer what is open and refuse what still comes."""
        self.protocol.begin_shutdown()

    @property
    def is_shut_down(self) -> bool:
        """Whether ``shutdown`` was processed."""
        return self.protocol.is_shut_down

    def stop(self, exit_code: int, reason: str) -> None:
        """End `run` with this exit code; the first reason counts."""
        if self._exit_code is not None and not self._exit_code.done():
            logger.info("the language server ends with %s: %s", exit_code, reason)
            self._exit_code.set_result(exit_code)
            if self._inbound is not None:
                self._inbound.close()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what pygls itself reports; it never pops up in the editor."""
        bug.report("pygls reported an error", source=getattr(source, "__name__", str(source)), error=error)

    # -- one connection ------------------------------------------------------------------------------------------------

    async def run_stdio(self, handshake: Handshake) -> int:
        """Serve the client of a handshake and return the process's exit code."""

        async def connect(inbound: Inbound) -> Connection:
            return await connect_stdio(handshake.input_fd, handshake.output_fd, inbound, self._lost)

        return await self._run(connect, handshake)

    async def run_socket(self, connected: socket.socket) -> int:
        """Serve one connected client and return the process's exit code."""

        async def connect(inbound: Inbound) -> Connection:
            return await connect_socket(connected, inbound, self._lost)

        return await self._run(connect, None)

    async def _run(self, connect: Callable[[Inbound], Awaitable[Connection]], handshake: Handshake | None) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report_loop_error)
        self._exit_code = loop.create_future()
        self.upkeep.begin()
        leftover = handshake.leftover if handshake is not None else b""
        inbound = self._inbound = Inbound(self.protocol.receive, self._lost, leftover)
        connection = await connect(inbound)
        self.protocol.connect(connection.writer)
        try:
            with self._signals(loop):
                if handshake is not None:
                    self.protocol.replay_initialize(handshake.initialize)
                    inbound.feed(b"")
                return await self._exit_code
        finally:
            await self._close(connection)

    def _lost(self) -> None:
        self.stop(1, "the client is gone")

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """End in good order when the system or a terminal says so."""
        if sys.platform == "win32":
            yield
            return
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in wanted:
            loop.add_signal_handler(number, self.stop, 1, f"signal {number}")
        try:
            yield
        finally:
            for number in wanted:
                loop.remove_signal_handler(number)

    async def _close(self, connection: Connection) -> None:
        self.upkeep.close()
        # All at once: requests and tasks are cancelled before the services close, but a request that will not end must not
        # keep the services from closing the connections to the models.
        await asyncio.gather(
            _close_part("requests", self.protocol.aclose),
            _close_part("tasks", self.session.tasks.aclose),
            _close_part("services", self.session.services.aclose),
        )
        await connection.aclose()


async def _close_part(what: str, close: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await close()
    except TimeoutError:
        logger.warning("the %s did not close within %s seconds", what, CLOSE_SECONDS)
    except Exception as error:  # noqa: BLE001 - the process ends all the same
        bug.report("a part did not close", what=what, error=error)


def converter() -> cattrs.Converter:
    """Return pygls' converter, which lets both numberings of the inline-completion trigger kind through."""
    made: cattrs.Converter = default_converter()  # type: ignore[no-untyped-call]
    made.register_structure_hook(types.InlineCompletionTriggerKind, lambda value, _kind: int(value))
    return made


def _report_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    bug.report("unhandled error in the event loop", what=context.get("message"), error=context.get("exception"))


def create_server(services_factory: ServicesFactory) -> Server:
    """Build the server for one client; the services start with the client's ``initialized``."""
    return Server(services_factory)


async def serve_stdio(services_factory: ServicesFactory, handshake: Handshake) -> int:
    """Serve the client whose ``initialize`` was answered early, until it leaves; returns the exit code."""
    return await create_server(services_factory).run_stdio(handshake)


async def serve_tcp(services_factory: ServicesFactory, host: str, port: int) -> int:
    """Wait for one client at an address, serve it until it leaves, and return the exit code.

    The address is written to stderr, so that port 0 can be used; an address that cannot be bound is a sentence there and 1.
    """
    loop = asyncio.get_running_loop()
    shown = f"[{host}]" if ":" in host else host
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        sys.stderr.write(f"dragoman lsp: cannot listen on {shown}:{port}: {error.strerror or error}.\n")
        return 1
    with listening:
        listening.setblocking(False)
        bound_host, bound_port = listening.getsockname()[:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        sys.stderr.write(f"Dragoman's language server listens on {shown}:{bound_port}.\n")
        sys.stderr.flush()
        connected, _ = await loop.sock_accept(listening)
    return await create_server(services_factory).run_socket(connected)
