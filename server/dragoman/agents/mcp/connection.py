"""One connection to a foreign tool server, over the protocol's own library.

This module and `stdio` import that library, which takes half a second of the processor; nothing else does, and these two are
imported by `servers` when a run first needs a server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CONNECTION_CLOSED,
    AudioContent,
    BlobResourceContents,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    Implementation,
    InputRequiredResult,
    ResourceLink,
    TextContent,
)
from pydantic import TypeAdapter, ValidationError

from dragoman import __version__
from dragoman.agents.mcp.announced import Announced, Answer, Listing, plain, vet
from dragoman.agents.mcp.limits import (
    CALL_S,
    GRACE_S,
    LIST_S,
    RESPONSE_BYTES,
    SAYING_CHARS,
    SERVER_TOOLS,
    START_S,
    TOOL_PAGES,
)
from dragoman.agents.mcp.stdio import Program
from dragoman.agents.tools.processes import filtered_environment
from dragoman.cancellation import cancel_and_wait
from dragoman.errors import ToolServerError
from dragoman.models.providers.endpoint import is_loopback
from dragoman.settings.sections import McpServerSettings

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

logger = logging.getLogger(__name__)

# What the library logs may hold what was sent and what came; what went wrong is said here, once, without that.
for _name in ("mcp.client", "mcp.shared"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)

T = TypeVar("T")


class LostError(ToolServerError):
    """The server has ended, or is not the one any more that was spoken to; a new connection may do better."""


class Connection:
    """A server that was reached, until it ends or this is closed; ``clean`` takes out of its words what no log may hold."""

    def __init__(self, name: str, settings: McpServerSettings, clean: Callable[[str], str]) -> None:
        self._name = name
        self._settings = settings
        self._program = Program(name, clean)
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._is_lost = False
        self._announced: tuple[list[Announced], bool] = ([], False)
        self._listing = Listing()

    @property
    def is_alive(self) -> bool:
        """Whether calls may be made."""
        return self._client is not None and not self._is_lost and not self._program.ended.is_set()

    async def open(self) -> None:
        """Start or reach the server, and agree on a version of the protocol; raises ToolServerError."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._serve(ready), name=f"mcp-{self._name}")
        try:
            await ready
        except asyncio.CancelledError:
            await cancel_and_wait(self._task)
            raise

    async def _serve(self, ready: asyncio.Future[None]) -> None:
        """Hold the connection; its library wants one task to open and to close it."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(START_S):
                    client = Client(
                        await self._transport(stack),
                        client_info=Implementation(name="dragoman", version=__version__),
                        cache=None,
                    )
                    self._client = await stack.enter_async_context(client)
                if not ready.done():
                    ready.set_result(None)
                await self._until_it_ends()
        except Exception as error:  # noqa: BLE001 - a foreign server can bring its library to raise anything
            if not ready.done():
                ready.set_exception(await self._failure(error, "could not be started", START_S))
            else:
                logger.debug("tool server %r: closing it raised %s", self._name, type(error).__name__)
        finally:
            self._is_lost = True
            if not ready.done():
                ready.cancel()

    async def _until_it_ends(self) -> None:
        waiting = [asyncio.create_task(one.wait()) for one in (self._closing, self._program.ended)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait(*waiting)

    async def _transport(self, stack: AsyncExitStack) -> AbstractAsyncContextManager[TransportStreams]:
        if self._settings.url is not None:
            client = httpx2.AsyncClient(
                headers=self._settings.headers,
                timeout=httpx2.Timeout(GRACE_S * 10, read=CALL_S),
                trust_env=not is_loopback(self._settings.url),
                event_hooks={"response": [_bound]},
            )
            return streamable_http_client(self._settings.url, http_client=await stack.enter_async_context(client))
        assert self._settings.command is not None
        environment = {**await asyncio.to_thread(filtered_environment, os.environ), **self._settings.env}
        return self._program.run((self._settings.command, *self._settings.args), environment)

    async def list_tools(self) -> Listing:
        """Ask which tools there are; raises ToolServerError."""
        tools: list[Announced] = []
        cursor: str | None = None
        client = self._alive()
        for _ in range(TOOL_PAGES):
            page = await self._ask(lambda at=cursor: client.list_tools(cursor=at), LIST_S)  # type: ignore[misc]
            tools += [
                Announced(
                    one.name,
                    one.description or one.title or "",
                    one.input_schema,
                    one.annotations is not None and one.annotations.read_only_hint is True,
                )
                for one in page.tools[: SERVER_TOOLS + 1]
            ]
            cursor = page.next_cursor
            if cursor is None or len(tools) > SERVER_TOOLS:
                break
        announced = (tools, cursor is not None)
        if announced != self._announced:
            self._listing = await asyncio.to_thread(vet, tools, more=cursor is not None)
            self._announced = announced
        return self._listing

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        """Make a call; raises ToolServerError, LostError among them. Cancelling it tells the server."""
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=dict(arguments)))
        session = self._alive().session
        # Not the client's own `call_tool`: it holds results against schemas that the server made up, however long that takes.
        result = await self._ask(lambda: session.send_request(request, _RESULT), CALL_S)
        if isinstance(result, InputRequiredResult):
            return Answer("The tool wants to ask the user something itself, which is not possible here.", failed=True)
        parts = [_text(one) for one in result.content]
        if not any(parts) and result.structured_content is not None:
            parts = [TypeAdapter(Any).dump_json(result.structured_content).decode()]
        return Answer("\n".join(filter(None, parts)), failed=bool(result.is_error))

    def _alive(self) -> Client:
        if not self.is_alive or self._client is None:
            raise LostError(f"The tool server {self._name!r} {self._last_words()}.")
        return self._client

    async def _ask(self, ask: Callable[[], Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await ask()
        except Exception as error:  # noqa: BLE001 - a foreign server can bring its library to raise anything
            raise await self._failure(error, "gave no answer", seconds) from None

    async def _failure(self, error: BaseException, what: str, seconds: float) -> ToolServerError:
        """Return an error with a sentence of what happened."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        closed = isinstance(error, MCPError) and error.code == CONNECTION_CLOSED
        if closed and self._settings.url is None:
            # Its last words may be on their way.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * GRACE_S):
                    await self._program.ended.wait()
        if self._program.fault or self._program.code is not None or closed:
            self._is_lost = True
            return LostError(f"The tool server {self._name!r} {self._last_words()}.")
        return ToolServerError(f"The tool server {self._name!r} {what}: {_reason(error, seconds, self._settings)}.")

    def _last_words(self) -> str:
        """Say how it ended, for a sentence."""
        program = self._program
        if program.fault:
            return f"was ended: it {program.fault}"
        if program.code is None:
            return "closed the connection"
        how = f"exit code {program.code}" if program.code >= 0 else f"signal {-program.code}"
        return f"ended with {how}" + (f"; the last it said was {program.saying!r}" if program.saying else "")

    async def aclose(self) -> None:
        """End it, its process and all connections to it."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=4 * GRACE_S)
            await cancel_and_wait(self._task)


def _reason(error: BaseException, seconds: float, settings: McpServerSettings) -> str:
    match error:
        case TimeoutError():
            return f"nothing came within {seconds:g} seconds"
        case FileNotFoundError():
            return f"there is no program {settings.command!r}"
        case PermissionError():
            return f"{settings.command!r} may not be run"
        case MCPError():
            return f"it says {plain(error.message)[:SAYING_CHARS]!r}"
        case httpx2.HTTPStatusError():
            return f"it answers with HTTP {error.response.status_code}"
        case httpx2.HTTPError():
            return f"{type(error).__name__}: {plain(str(error))[:SAYING_CHARS]}"
        case ValidationError():
            return "what it says is not the protocol"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return f"{type(error).__name__}: {plain(str(error))[:SAYING_CHARS]}"


def _text(part: object) -> str:
    """Return one piece of a result as text; what a model cannot read as text is named."""
    match part:
        case TextContent():
            return part.text
        case ImageContent():
            return f"[an image, {part.mime_type}, {len(part.data) * 3 // 4:,} bytes, is not shown]"
        case AudioContent():
            return f"[a sound, {part.mime_type}, {len(part.data) * 3 // 4:,} bytes, is not heard]"
        case ResourceLink():
            return f"[a resource: {part.uri}]"
        case EmbeddedResource(resource=BlobResourceContents() as blob):
            return f"[a resource, {blob.uri}, {len(blob.blob) * 3 // 4:,} bytes, is not shown]"
        case EmbeddedResource():
            return f"[{part.resource.uri}]\n{getattr(part.resource, 'text', '')}"
        case _:
            return "[something that cannot be shown]"


async def _bound(response: httpx2.Response) -> None:
    """Bound what an answer may have; the library would hold all of it in memory."""
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks off when it is too long."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for data in self._stream:
            total += len(data)
            if total > RESPONSE_BYTES:
                raise httpx2.ReadError(f"the answer has more than {RESPONSE_BYTES:,} bytes")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
