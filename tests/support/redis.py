"""A real Redis 7 for tests, which can be killed and started again at the same address in the middle of one."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import tools

START_LIMIT_S = 20.0


class RedisServer:
    """A server on loopback that keeps nothing; a context manager that ends it."""

    def __init__(self) -> None:
        self._program = tools.install("redis")
        self._folder = Path(tempfile.mkdtemp(prefix="dragoman-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, *options: str) -> None:
        """Start the server, and return when it answers."""
        assert self._process is None
        command = [str(self._program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *options]
        self._process = subprocess.Popen(
            [*command, "--appendonly", "no", "--dir", str(self._folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                raise RuntimeError("redis-server does not start")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self._process is not None:
            # Also where it is paused: only this signal ends it then.
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the server hold its connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
