"""The front's end of the line to its worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dragoman.engine.protocol import MAX_LINE, Frame, decode, encode


class WorkerChannel:
    """A running worker and the socket pair to it."""

    def __init__(self, process: subprocess.Popen[bytes], writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._writer = writer
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, arguments: list[str], *, on_message: Callable[[Frame], None], on_end: Callable[[int], None]
    ) -> WorkerChannel:
        """Start a worker; ``on_end`` gets its exit code when it ends by itself."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "dragoman.engine.worker"]
        channel = ["--channel", str(theirs.fileno()), "--parent", str(os.getpid())]
        environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
        with theirs:
            # It starts in no time and the front has nothing else to do yet.
            process = subprocess.Popen(  # noqa: ASYNC220
                [*command, *channel, *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
        self = cls(process, writer)
        self._reading = asyncio.create_task(self._read(reader, on_message, on_end))
        return self

    @property
    def pid(self) -> int:
        """The worker's process number."""
        return self._process.pid

    def resident_bytes(self) -> int:
        """Return how much memory the worker holds, 0 where the system does not say."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def send(self, message: Frame) -> None:
        """Pass a message; a dead worker is noticed by the reading side."""
        self._writer.write(encode(message))

    async def aclose(self) -> None:
        """End the worker; it holds nothing that needs saving."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()
        self._process.kill()
        self._process.wait()

    async def _read(
        self, reader: asyncio.StreamReader, on_message: Callable[[Frame], None], on_end: Callable[[int], None]
    ) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                on_message(decode(line))
        # Its end of the line is closed: it is ending, or has ended already.
        on_end(await asyncio.to_thread(self._process.wait))
