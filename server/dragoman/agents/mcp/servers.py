"""All foreign tool servers of the settings: each started when a run first needs it, kept, and ended with its owner."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from dragoman.agents.mcp.announced import Answer, Listing
from dragoman.agents.mcp.limits import PATIENCE_S, RESTARTS, RETRY_S, STEADY_S
from dragoman.cancellation import TaskSet
from dragoman.errors import ToolServerError
from dragoman.extras import MCP_HINT, has_mcp
from dragoman.models.providers.endpoint import is_loopback
from dragoman.settings.sections import McpServerSettings, McpSettings, SecuritySettings

if TYPE_CHECKING:
    from dragoman.agents.mcp.connection import Connection
    from dragoman.security.redaction import Redactor

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of one server, for a person; ``problem`` is a sentence, empty while all is well."""

    name: str
    kind: Literal["command", "url"]
    where: str
    state: Literal["idle", "starting", "running", "failed"]
    tools: int | None
    problem: str


class McpServer:
    """One server; use it from one event loop."""

    def __init__(
        self, name: str, settings: McpServerSettings, *, trusted: bool, redactor: Callable[[], Redactor | None]
    ) -> None:
        self.name = name
        self.settings = settings
        self.is_trusted = trusted
        """Whether the user believes what it says of its tools."""
        self.listing = Listing()
        """What it offered last."""
        self.problem = ""
        """Why it cannot be used, or what is wrong with it, as a sentence; foreign words may be in it."""
        self._redactor = redactor
        self._connection: Connection | None = None
        self._tasks = TaskSet()
        self._opening: asyncio.Task[None] | None = None
        self._again_at = 0.0
        self._losses = 0
        self._opened_at: float | None = None

    @property
    def is_remote(self) -> bool:
        """Whether what goes there leaves this machine, as far as its address tells."""
        return self.settings.url is not None and not is_loopback(self.settings.url)

    @property
    def redactor(self) -> Redactor | None:
        """What finds secrets in what goes there; None where nothing is to be hidden.  Its first use takes a moment."""
        return self._redactor() if self.is_remote else None

    @property
    def fault(self) -> str:
        """What is wrong in its settings, as a sentence; empty when nothing is."""
        command, url = (self.settings.command or "").strip(), self.settings.url
        if bool(command) == (url is not None):
            return f"The tool server {self.name!r} needs either a 'command' or a 'url'."
        if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
            return f"The address of the tool server {self.name!r} is no http(s) URL."
        if not has_mcp():
            return f"The tool server {self.name!r} needs the package 'mcp'. {MCP_HINT}"
        return ""

    def state(self) -> ServerState:
        """Return what is known of it now; starts nothing."""
        where = self.settings.command or ""
        if self.settings.url is not None:
            # A key may stand in what follows the host.
            where = f"{urlsplit(self.settings.url).scheme}://{urlsplit(self.settings.url).hostname or ''}"
        running = self._connection is not None and self._connection.is_alive
        problem = self.fault or self.problem
        return ServerState(
            self.name,
            "command" if self.settings.url is None else "url",
            where,
            "running" if running else "starting" if self._opening is not None else "failed" if problem else "idle",
            len(self.listing.tools) if running else None,
            problem,
        )

    async def list_tools(self) -> Listing:
        """Return what it offers now, having started it if need be; raises ToolServerError, soon where it does not answer."""
        try:
            connection = await self._connected()
            self.listing = await connection.list_tools()
        except ToolServerError as error:
            self.problem = str(error)
            raise
        faults = self.listing.faults
        self.problem = f"The tool server {self.name!r} {'; it '.join(faults[:3])}." if faults else ""
        return self.listing

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Make a call; raises ToolServerError.  A call during which the server ended is not made again by itself."""
        connection = await self._connected()
        try:
            return await connection.call(tool, arguments)
        except ToolServerError as error:
            if not connection.is_alive:
                self.problem = str(error)
                hint = "It may have done what was asked, or a part of it. "
                hint += "The next call starts it again." if self._may_restart else "It is not started again."
                raise ToolServerError(error.message, hint=hint) from None
            raise

    @property
    def _may_restart(self) -> bool:
        steady = self._opened_at is not None and asyncio.get_running_loop().time() - self._opened_at > STEADY_S
        return steady or self._losses < RESTARTS

    async def _connected(self) -> Connection:
        """Return the connection, made if need be; a server that starts slowly goes on starting when this gives up."""
        if self.fault:
            raise ToolServerError(self.fault)
        if self._connection is not None and self._connection.is_alive:
            return self._connection
        if self._opening is None:
            self._check_start()
            self._opening = self._tasks.start(self._open(), name=f"mcp-{self.name}-open")
        opening = self._opening
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(opening)
        except TimeoutError:
            raise ToolServerError(
                f"The tool server {self.name!r} is still starting after {PATIENCE_S:g} seconds.",
                hint="Go on without it.",
            ) from None
        if self._connection is None or not self._connection.is_alive:
            raise ToolServerError(self.problem or f"The tool server {self.name!r} ended as soon as it had started.")
        return self._connection

    def _check_start(self) -> None:
        """Count a start after an end; raises ToolServerError where it is not started now."""
        if self._opened_at is not None:
            if not self._may_restart:
                raise ToolServerError(
                    f"The tool server {self.name!r} ended again after it had been started again, and is left alone now.",
                    hint=self.problem,
                )
            self._losses = self._losses + 1 if self._losses < RESTARTS else RESTARTS
            self._opened_at = None
        elif asyncio.get_running_loop().time() < self._again_at:
            raise ToolServerError(self.problem)

    async def _open(self) -> None:
        """Start it; what goes wrong is kept as its problem."""
        try:
            old, self._connection = self._connection, None
            if old is not None:
                await old.aclose()
            # Half a second of imports must not hold up whoever types.
            module = await asyncio.to_thread(import_module, "dragoman.agents.mcp.connection")
            connection: Connection = module.Connection(self.name, self.settings, self._clean)
            await connection.open()
            self._connection, self.problem = connection, ""
            self._opened_at = asyncio.get_running_loop().time()
        except ToolServerError as error:
            self.problem = str(error)
            self._again_at = asyncio.get_running_loop().time() + RETRY_S
            logger.warning("%s", error)
        finally:
            self._opening = None

    def _clean(self, text: str) -> str:
        """Return a line of the server's without the values that it was given, for a log."""
        for value in (*self.settings.env.values(), *self.settings.headers.values()):
            if len(value) > 3:
                text = text.replace(value, "[…]")
        return text

    async def aclose(self) -> None:
        """End it."""
        await self._tasks.aclose()
        if self._connection is not None:
            await self._connection.aclose()


class McpServers:
    """The servers of the settings by name; making it starts none."""

    def __init__(self, settings: McpSettings, security: SecuritySettings) -> None:
        self._security = security
        self._redactor: Redactor | None = None
        self.servers = {
            name: McpServer(name, one, trusted=name in settings.trusted, redactor=self._load_redactor)
            for name, one in settings.servers.items()
        }
        """Each by its name."""

    def _load_redactor(self) -> Redactor | None:
        if not self._security.redact:
            return None
        from dragoman.security.redaction import Redactor

        if self._redactor is None:
            self._redactor = Redactor([re.compile(pattern) for pattern in self._security.redact_extra])
        return self._redactor

    @property
    def names(self) -> tuple[str, ...]:
        """The servers' names, whether or not they can be used."""
        return tuple(self.servers)

    def states(self) -> tuple[ServerState, ...]:
        """Return what is known of each; starts nothing."""
        return tuple(one.state() for one in self.servers.values())

    async def reach(self, names: Iterable[str]) -> tuple[McpServer, ...]:
        """Start those of the names that do not run, ask all for their tools, and return those that answered."""
        servers = tuple(self.servers[name] for name in names)
        results = await asyncio.gather(*(one.list_tools() for one in servers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, ToolServerError):
                raise result
        return tuple(one for one, result in zip(servers, results, strict=True) if isinstance(result, Listing))

    async def aclose(self) -> None:
        """End all of them."""
        await asyncio.gather(*(one.aclose() for one in self.servers.values()))
