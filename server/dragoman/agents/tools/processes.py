"""One child process and all that it starts: its output kept at both ends, and nothing of it left at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import TYPE_CHECKING

from dragoman.agents.limits import (
    COMMAND_DRAIN_S,
    COMMAND_GRACE_S,
    COMMAND_HEAD_BYTES,
    COMMAND_LOOK_MOST_S,
    COMMAND_LOOK_S,
    COMMAND_TAIL_BYTES,
)
from dragoman.cancellation import cancel_and_wait

if TYPE_CHECKING:
    import psutil

MARK = "DRAGOMAN_CALL"
"""A variable that only this call's processes have: it finds those that left their group."""

_PRIVATE = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|COOKIE|SESSION_|SIGNATURE|PRIVATE|_PAT$|_AUTH$|^AUTH|_DSN$|^DRAGOMAN_"
    r"|^SSH_|^GPG_|^GIT_ASKPASS$|^LD_PRELOAD$|^PYTHON(?:STARTUP|INSPECT)$|DATABASE_URL",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: ``code`` is negative for a signal; ``output`` is at most its beginning and its end."""

    code: int
    output: str
    bytes: int
    seconds: float
    timed_out: bool


def filtered_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without keys, tokens and doors to agents that hold them, by their names and by what they look like."""
    plain = {name: value for name, value in environ.items() if not _PRIVATE.search(name)}
    from dragoman.security.redaction import Redactor

    redactor = Redactor()
    lines = [f"{name}={value}".replace("\n", " ") for name, value in plain.items()]
    kept = {
        name: value
        for (name, value), line, redacted in zip(plain.items(), lines, redactor.redact_together(lines), strict=True)
        if line == redacted
    }
    # Nobody is there to answer, to page, or to see colours.
    return kept | {"GIT_TERMINAL_PROMPT": "0", "PAGER": "cat", "GIT_PAGER": "cat", "TERM": "dumb", "NO_COLOR": "1"}


class _Output(asyncio.SubprocessProtocol):
    """Keeps the beginning and the end of what comes; the middle is dropped as it comes."""

    def __init__(self, emit: Callable[[bytes], None], head: int, tail: int) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self.total = 0
        self._emit = emit
        self._room = head
        self._head = bytearray()
        self._keep = tail
        self._tail = bytearray()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - both are one pipe
        self.total += len(data)
        self._emit(data)
        if (room := self._room - len(self._head)) > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._keep:
            del self._tail[: -self._keep]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        if fd == 1 and not self.drained.done():
            self.drained.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def text(self) -> str:
        tail = self._tail[-self._keep :]
        missing = self.total - len(self._head) - len(tail)
        head = self._head.decode("utf-8", "replace")
        if missing <= 0:
            return (self._head + tail).decode("utf-8", "replace")
        return f"{head}\n[… {missing:,} bytes left out …]\n{tail.decode('utf-8', 'replace')}"


async def run_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109 - what a process has is no matter of the caller's
    emit: Callable[[bytes], None] = lambda _data: None,
    head: int = COMMAND_HEAD_BYTES,
    tail: int = COMMAND_TAIL_BYTES,
) -> Ended:
    """Run a program to its end, or for ``timeout`` seconds; raises OSError when it cannot be started.

    It reads nothing and belongs to no terminal.
    When this returns or is cancelled, every process that it started is gone, those included that left its group; only one that
    has left its group, its environment and a parent that ended, all between two looks of `Descendants`, is not found.
    """
    loop = asyncio.get_running_loop()
    mark = secrets.token_hex(16)
    began = time.monotonic()
    transport, protocol = await loop.subprocess_exec(
        lambda: _Output(emit, head, tail),
        *argv,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=cwd,
        env={**environment, MARK: mark},
        start_new_session=True,
    )
    timed_out = False
    pid = transport.get_pid()
    descendants = Descendants(pid)
    following = asyncio.create_task(_follow(descendants))
    try:
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(protocol.exited)
        except TimeoutError:
            timed_out = True
        if timed_out:
            await asyncio.to_thread(descendants.look)
            await _end_gently(pid, protocol)
        # What it left in its group: nobody else has got the group's number a moment after its end.
        _kill_group(pid)
        await asyncio.to_thread(kill_left, mark, descendants)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COMMAND_DRAIN_S):
                await asyncio.shield(protocol.drained)
    except BaseException:
        # A cancel: whoever waits shall not wait long, but nothing may be left either. The thread ends whatever comes.
        if not protocol.exited.done():
            # Not in a thread: whose children they were is not known any more a moment later.
            descendants.look()
            _kill_group(pid)
        await asyncio.shield(asyncio.gather(asyncio.to_thread(kill_left, mark, descendants), protocol.exited))
        raise
    finally:
        transport.close()
        await cancel_and_wait(following)
    code = transport.get_returncode()
    return Ended(
        code=code if code is not None else -int(getattr(signal, "SIGKILL", 9)),
        output=protocol.text(),
        bytes=protocol.total,
        seconds=time.monotonic() - began,
        timed_out=timed_out,
    )


async def _end_gently(pid: int, protocol: _Output) -> None:
    """Let a program end by itself, for a moment, and then kill it."""
    signal_group(pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(COMMAND_GRACE_S):
            await asyncio.shield(protocol.exited)
    _kill_group(pid)
    await asyncio.shield(protocol.exited)


def _kill_group(pid: int) -> None:
    signal_group(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def signal_group(pid: int, number: int) -> None:
    """Send a signal to every process of a group, if there are any."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


class Descendants:
    """The processes that come from one, as they were while their parents lived; each call takes some milliseconds."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._known: set[psutil.Process] = set()
        self._lock = threading.Lock()

    def look(self) -> None:
        """Note those that are there now."""
        import psutil

        with self._lock:
            found: set[psutil.Process] = set()
            with contextlib.suppress(psutil.Error, OSError):
                found.update(psutil.Process(self._pid).children(recursive=True))
            # What came from one that has lost its parent is no child of ours any more.
            for orphan in self._known - found:
                with contextlib.suppress(psutil.Error, OSError):
                    found.update((orphan, *orphan.children(recursive=True)))
            self._known = found

    def kill(self) -> bool:
        """Kill those that were noted, and what came from them since; False when none was left."""
        import psutil

        self.look()
        was_there = False
        for process in self._known:
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    was_there = True
        return was_there


async def _follow(descendants: Descendants) -> None:
    """Look again and again, less and less often, until it is cancelled."""
    pause = COMMAND_LOOK_S
    while True:
        await asyncio.sleep(pause)
        await asyncio.to_thread(descendants.look)
        pause = min(2 * pause, COMMAND_LOOK_MOST_S)


def kill_left(mark: str, descendants: Descendants) -> None:
    """Kill whatever has the mark or is known to descend, for it left its group.

    It may start others while it is looked for, so this goes on until a look finds none.
    """
    import psutil

    for _ in range(5):
        found = descendants.kill()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    found = True
        if not found:
            return
