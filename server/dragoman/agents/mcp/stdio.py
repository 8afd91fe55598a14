"""A server that is a program: messages are lines of its output, and nothing of it is left at the end.

The protocol's own library has a transport for this too; this one bounds what a server may say, ends what left its group,
and gives it an environment without keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from dragoman.agents.mcp.limits import (
    GRACE_S,
    MESSAGE_BYTES,
    SAYING_CHARS,
    STDERR_LINE_CHARS,
    STDERR_LINES,
    WINDOW_BYTES,
    WINDOW_MESSAGES,
    WINDOW_S,
)
from dragoman.agents.tools.processes import MARK, Descendants, kill_left, signal_group
from dragoman.cancellation import cancel_and_wait

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

logger = logging.getLogger(__name__)


class Program:
    """One server's process; ``clean`` takes out of its words what must not be in a log."""

    def __init__(self, name: str, clean: Callable[[str], str]) -> None:
        self.fault = ""
        """What it did wrong, so that it was ended; empty while it has not."""
        self.saying = ""
        """The last line that it said beside the protocol."""
        self.ended = asyncio.Event()
        """Set when it says nothing any more."""
        self.code: int | None = None
        """Its exit code, negative for a signal; None before."""
        self._name = name
        self._clean = clean
        self._logged = 0
        self._window = (0.0, 0, 0)

    @asynccontextmanager
    async def run(self, argv: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[TransportStreams]:
        """Start it and yield the streams of its messages; raises OSError when it cannot be started.

        It starts in the user's own folder: in a workspace, a stranger's files would stand in the way of what a command means.
        When this is left, its process and all that it started are gone, but for what left its group, its environment and a
        parent that ended before.
        """
        mark = secrets.token_hex(16)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(limit=MESSAGE_BYTES, loop=loop),
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=Path.home(),
            env={**environment, MARK: mark},
            start_new_session=True,
        )
        process = Process(transport, protocol, loop)
        came, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, goes = anyio.create_memory_object_stream[SessionMessage](0)
        reading = self._start(self._read(process, came), "read")
        tasks = (
            reading,
            self._start(self._watch(protocol, transport, reading), "watch"),
            self._start(self._write(process, goes), "write"),
            self._start(self._listen(process), "listen"),
        )
        try:
            yield incoming, outgoing
        finally:
            ending = asyncio.ensure_future(self._end(process, protocol, mark))
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                # Whoever waits shall not wait long, but nothing may be left either.
                _kill(process.pid)
                await asyncio.shield(ending)
                raise
            finally:
                await cancel_and_wait(*tasks)
                # Whoever inherited its pipes keeps them open.
                transport.close()
                for stream in (came, incoming, outgoing, goes):
                    stream.close()

    def _start(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=f"mcp-{self._name}-{what}")

    @staticmethod
    async def _end(process: Process, protocol: _Protocol, mark: str) -> None:
        """Close its input, which asks it to end, and see that it does."""
        assert process.stdin is not None
        descendants = Descendants(process.pid)
        await asyncio.to_thread(descendants.look)
        with contextlib.suppress(OSError):
            process.stdin.close()
        if not await protocol.ends():
            signal_group(process.pid, signal.SIGTERM)
            await protocol.ends()
        # The group's number is nobody else's for as long as anything is left in it, and a moment after that.
        _kill(process.pid)
        await protocol.ends()
        await asyncio.to_thread(kill_left, mark, descendants)

    async def _watch(
        self, protocol: _Protocol, transport: asyncio.SubprocessTransport, reading: asyncio.Task[None]
    ) -> None:
        """Wait for its end and tell of it, even where something that it started keeps its output open."""
        await protocol.exited.wait()
        self.code = transport.get_returncode()
        await asyncio.wait([reading], timeout=GRACE_S)
        await cancel_and_wait(reading)
        self.ended.set()

    async def _read(self, process: Process, came: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        assert process.stdout is not None
        try:
            async with came:
                while line := await process.stdout.readline():
                    if not self._is_bearable(len(line)):
                        self.fault = f"sent more than {WINDOW_MESSAGES:,} messages within {WINDOW_S:g} seconds"
                        break
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError:
                        # Many a server prints a greeting.
                        self._log(line)
                        continue
                    await came.send(SessionMessage(message))
        except ValueError:
            self.fault = f"sent a message of more than {MESSAGE_BYTES:,} bytes"
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # It, or whoever read, is gone.
        # One that says nothing any more is of no use, and one that says too much does harm.
        _kill(process.pid)

    def _is_bearable(self, size: int) -> bool:
        """Count a line, and tell whether there were not too many of late."""
        now = asyncio.get_running_loop().time()
        began, lines, total = self._window
        if now - began > WINDOW_S:
            began, lines, total = now, 0, 0
        self._window = (began, lines + 1, total + size)
        return lines < WINDOW_MESSAGES and total + size <= WINDOW_BYTES

    async def _write(self, process: Process, goes: MemoryObjectReceiveStream[SessionMessage]) -> None:
        assert process.stdin is not None
        # When it reads no more its output ends too, and with that every call.
        with contextlib.suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with goes:
                async for one in goes:
                    text = one.message.model_dump_json(by_alias=True, exclude_unset=True)
                    process.stdin.write(text.encode() + b"\n")
                    await process.stdin.drain()

    async def _listen(self, process: Process) -> None:
        assert process.stderr is not None
        while data := await process.stderr.read(65_536):
            for line in data.splitlines():
                self._log(line)

    def _log(self, line: bytes) -> None:
        """Note what it says beside the protocol; a flood is noted no longer."""
        if self._logged > STDERR_LINES:
            return
        text = self._clean(line[:STDERR_LINE_CHARS].decode("utf-8", "replace").strip())
        if not text:
            return
        self.saying = text[:SAYING_CHARS]
        self._logged += 1
        if self._logged > STDERR_LINES:
            text = "it says more than anybody reads; nothing of it is noted any longer"
        logger.info("tool server %r: %s", self._name, text)


class _Protocol(SubprocessStreamProtocol):
    """Tells of a process's end when it is there, and not only when its pipes are closed too."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()

    async def ends(self) -> bool:
        """Wait a moment for the end; False when there was none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self.exited.wait()
        return self.exited.is_set()


def _kill(pid: int) -> None:
    signal_group(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
