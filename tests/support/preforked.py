"""Server processes that begin with their imports already done: most of a short test's time would go into those.

One nursery process (`python -m tests.support.preforked`) has imported everything and forks itself for each `Preforked`.
The child is a process like any other: its own pipes, its own environment, its own end, down to the interpreter's exit.
What depends on a cold start (the early answer, the import budget) is tested with processes of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
MODULES = ("tests.support.scripted_lsp", "tests.support.plain_pygls")
HAVE_FORK = hasattr(os, "fork") and hasattr(socket, "AF_UNIX")

_nursery: tuple[subprocess.Popen[bytes], socket.socket] | None = None


class Preforked:
    """A child that runs a module's `main`, with the part of `subprocess.Popen`'s interface that tests use."""

    def __init__(self, module: str, arguments: list[str], *, env: dict[str, str], piped: bool, log: IO[bytes]) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        theirs_in, ours_in = os.pipe() if piped else (os.dup(nothing), None)
        ours_out, theirs_out = os.pipe() if piped else (None, os.dup(nothing))
        report, theirs_report = os.pipe()
        os.close(nothing)
        self.stdin = None if ours_in is None else os.fdopen(ours_in, "wb", buffering=0)
        self.stdout = None if ours_out is None else os.fdopen(ours_out, "rb", buffering=0)
        self._report = os.fdopen(report, "rb", buffering=0)
        given = [theirs_in, theirs_out, log.fileno(), theirs_report]
        order = json.dumps({"module": module, "argv": arguments, "env": env}).encode()
        socket.send_fds(_connect(), [len(order).to_bytes(4, "big") + order], given)
        for descriptor in (theirs_in, theirs_out, theirs_report):
            os.close(descriptor)
        self.pid = int(self._line())
        self.returncode: int | None = None

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            byte = self._report.read(1)
            assert byte, "the nursery is gone"
            line += byte
        return line

    def poll(self) -> int | None:
        """Return the exit code, None while the child runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self._learn()
        return self.returncode

    def wait(self) -> int:
        """Wait for the child's end and return its exit code."""
        if self.returncode is None:
            self._learn()
        assert self.returncode is not None
        return self.returncode

    def _learn(self) -> None:
        self.returncode = int(self._line())
        self._report.close()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _connect() -> socket.socket:
    global _nursery
    if _nursery is None or _nursery[0].poll() is not None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.preforked", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        _nursery = process, ours
        atexit.register(_disconnect, process, ours)
    return _nursery[1]


def _disconnect(process: subprocess.Popen[bytes], ours: socket.socket) -> None:
    ours.close()
    process.wait()


# -- the nursery ---------------------------------------------------------------------------------------------------------


def _receive(orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Take one order and its descriptors (input, output, errors, report) off the wire; None at its end."""
    head, given, _, _ = socket.recv_fds(orders, 4, 4)
    if not head:
        return None
    wanted = int.from_bytes(head, "big")
    body = bytearray()
    while len(body) < wanted:
        body += orders.recv(wanted - len(body))
    return json.loads(body), given


def _reap(reports: dict[int, int]) -> None:
    """Tell the exit code of every child that has ended."""
    for pid, report in list(reports.items()):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            with contextlib.suppress(BrokenPipeError):
                os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(reports.pop(pid))


def _serve(orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork a child for each order; returns the order in the child, and None in the nursery when its owner is gone."""
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reports: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            _reap(reports)
        if orders not in ready:
            continue
        order = _receive(orders)
        pid = os.fork() if order is not None else None
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (awake, wake, *reports.values()):
                os.close(descriptor)
            orders.close()
            return order
        if order is None or pid is None:
            for child in reports:
                os.kill(child, signal.SIGKILL)
            return None
        for descriptor in order[1][:3]:
            os.close(descriptor)
        reports[pid] = order[1][3]
        os.write(reports[pid], b"%d\n" % pid)


def main() -> int:
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("dragoman.lsp.server")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = _serve(socket.socket(fileno=int(sys.argv[1])))
    if order is None:
        return 0
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wanted, given = order
    for target, descriptor in enumerate(given[:3]):
        os.dup2(descriptor, target)
    for descriptor in given:
        os.close(descriptor)
    os.environ.update(wanted["env"])
    sys.argv = [wanted["module"], *wanted["argv"]]
    return int(sys.modules[wanted["module"]].main() or 0)


if __name__ == "__main__":
    sys.exit(main())
