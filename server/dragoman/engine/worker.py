"""The process that holds the model: takes one job at a time from its front and streams frames back.

It ends when its front does: the front's end of the socket pair closes, or (during loading, when no Python code runs) the kernel
delivers the parent-death signal.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dragoman.engine.inference import LoadedModel, LoadError
from dragoman.engine.protocol import Frame, decode, encode, failure

_PR_SET_PDEATHSIG = 1


class Worker:
    """The loop between the socket pair and the model."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._jobs: queue.SimpleQueue[tuple[int, Frame]] = queue.SimpleQueue()
        self._cancelled = 0
        """The job that is not wanted any more; one at a time is here, so one number is enough."""

    def run(self, load: Callable[[], LoadedModel]) -> int:
        """Load the model, then serve jobs until the front is gone; returns the exit code when loading fails."""
        try:
            model = load()
        except LoadError as error:
            self._send({"state": "failed", "error": failure(error.code, str(error), error.hint)})
            return 1
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        self._send({"state": "ready"})
        while True:
            identity, job = self._jobs.get()
            self._serve(model, identity, job)

    def _serve(self, model: LoadedModel, identity: int, job: Frame) -> None:
        def emit(frame: Frame) -> bool:
            """Pass a frame on; True asks the model to stop."""
            if identity == self._cancelled:
                return True
            self._send({"id": identity, "frame": frame})
            return False

        if identity != self._cancelled:
            try:
                model.serve(job, emit)
            except Exception as error:  # noqa: BLE001 - whatever the library raises is this job's failure, not the process's
                emit(failure("internal", f"the inference library failed: {error!r}"))
        self._send({"id": identity, "done": True})

    def _send(self, message: Frame) -> None:
        try:
            self._channel.sendall(encode(message))
        except OSError:
            os._exit(0)

    def _receive(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._channel.makefile("rb") as lines:
            for line in lines:
                message = decode(line)
                if "cancel" in message:
                    self._cancelled = message["cancel"]
                else:
                    self._jobs.put((message["id"], message["job"]))
        # The main thread may be deep in native code: only this ends the process at once.
        os._exit(0)


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _offer_to_oom_killer() -> None:
    """When memory runs out, the kernel shall end this process and not the user's editor."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def main(arguments: list[str] | None = None) -> int:
    """Run the worker; started by `front` only."""
    parser = argparse.ArgumentParser(prog="dragoman-engine-worker")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--n-ctx", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options: Any = parser.parse_args(arguments)
    _die_with_parent(options.parent)
    _offer_to_oom_killer()
    with socket.socket(fileno=options.channel) as channel:
        return Worker(channel).run(lambda: LoadedModel(options.model, n_ctx=options.n_ctx, threads=options.threads))


if __name__ == "__main__":
    sys.exit(main())
