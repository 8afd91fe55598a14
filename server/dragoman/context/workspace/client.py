"""The server's side of the index: starts its process, asks it, keeps it alive, ends it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dragoman.cancellation import TaskSet, cancel_and_wait
from dragoman.context.workspace.outbox import Outbox
from dragoman.context.workspace.place import index_file
from dragoman.context.workspace.protocol import HEADER_BYTES, Message, body_length, decode, encode
from dragoman.errors import IndexUnavailableError, WorkspaceIndexError
from dragoman.limits import (
    INDEX_BACKOFF_S,
    INDEX_CLOSE_S,
    INDEX_CONGESTION_BYTES,
    INDEX_RESTART_WINDOW_S,
    INDEX_RESTARTS,
)

logger = logging.getLogger(__name__)


class IndexClient:
    """One workspace's index as its server sees it; use it from one event loop.

    ``excludes`` are the editor's own glob patterns; ``watch`` says that nobody else reports changed files,
    ``trusted`` that git may be run in the workspace.
    ``on_event`` gets every event of the index, ``on_start`` is called whenever a process has started, also after a crash:
    what the old one knew of open documents has to be said again.
    """

    def __init__(
        self,
        root: Path,
        *,
        excludes: Sequence[str] = (),
        watch: bool = False,
        trusted: bool = False,
        on_event: Callable[[Message], None] | None = None,
        on_start: Callable[[], None] | None = None,
        python: str = sys.executable,
    ) -> None:
        self._root = root
        self._start: dict[str, Any] = {"excludes": list(excludes), "watch": watch, "trusted": trusted, "near": []}
        self._on_event = on_event
        self._on_start = on_start
        self._python = python
        self._process: asyncio.subprocess.Process | None = None
        self._tasks = TaskSet()
        self._supervisor: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._outbox = Outbox()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._starts: deque[float] = deque(maxlen=INDEX_RESTARTS)
        self._problem = ""
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def problem(self) -> str:
        """Why there is no process, as a sentence; "" while there is one."""
        return self._problem

    async def start(self) -> None:
        """Start the index if it does not run; it is started again when it crashes.  Does not wait for its first answer."""
        if self._closed:
            raise IndexUnavailableError("The index of the workspace is closed.")
        if self._supervisor is None or self._supervisor.done():
            self._supervisor = self._tasks.start(self._supervise(), name="index process")

    async def call(self, method: str, params: Message | None = None, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Ask a question and return its answer; starts the index if need be.  ``timeout`` is in seconds.

        Raises IndexUnavailableError when there is no process to answer, it dies or is too slow, and WorkspaceIndexError when it
        answers with an error.
        """
        await self.start()
        if self._problem:
            raise IndexUnavailableError(self._problem)
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        self._send({"id": number, "method": method, "params": params or {}})
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise IndexUnavailableError(f"The index did not answer {method!r} within {timeout} s.") from None
        finally:
            if self._pending.pop(number, None) is not None and not self._outbox.withdraw(number):
                self.notify("cancel", {"id": number})

    def notify(self, method: str, params: Message | None = None) -> None:
        """Tell the index something; never waits, and says nothing to an index that does not run."""
        params = params or {}
        if method == "near":
            self._start["near"] = list(params.get("folders", ()))
        elif method == "excludes":
            self._start["excludes"] = list(params.get("patterns", ()))
        if self._supervisor is not None and not self._closed and not self._problem:
            self._send({"method": method, "params": params})

    async def aclose(self) -> None:
        """End the index and everything it started; calls under way fail."""
        self._closed = True
        process = self._process
        try:
            if process is not None and process.stdin is not None:
                process.stdin.close()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(INDEX_CLOSE_S):
                        await process.wait()
        finally:
            await self._tasks.aclose()

    # -- the process ---------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start the process, pass on what it says, and start it again when it ends unasked."""
        try:
            while not self._closed:
                await self._run_once()
                if not self._closed:
                    await asyncio.sleep(self._back_off())
                    self._problem = ""
        finally:
            self._fail_pending("The index was closed.")

    async def _run_once(self) -> None:
        self._starts.append(time.monotonic())
        try:
            process = await self._spawn()
        except OSError as error:
            self._give_up_for_now(f"The index cannot be started: {error.strerror or error}.")
            return
        last_words = asyncio.create_task(_read_last_words(process.stderr), name="index stderr")
        try:
            self._process = process
            self._greet()
            await self._receive(process)
            await _end(process, patience=INDEX_CLOSE_S)
            await asyncio.wait([last_words], timeout=INDEX_CLOSE_S)
            if not self._closed:
                words = last_words.result() if last_words.done() else ""
                self._give_up_for_now(f"The index ended unexpectedly (exit code {process.returncode}).", words)
        finally:
            # Reached by a cancel too, and then nothing may be left of it.
            self._process = None
            await _end(process)
            await asyncio.wait([last_words], timeout=INDEX_CLOSE_S)
            await cancel_and_wait(last_words)

    async def _spawn(self) -> asyncio.subprocess.Process:
        file = await asyncio.to_thread(index_file, self._root)
        return await asyncio.create_subprocess_exec(
            self._python,
            "-P",  # The working directory may belong to anybody and holds no modules of ours.
            "-m",
            "dragoman.context",
            *("--name", "dragoman-index", "--root", str(self._root), "--index", str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._root.anchor or None,
        )

    def _greet(self) -> None:
        """Say what every new process must know first; what was said meanwhile follows."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(encode({"method": "start", "params": self._start}))
        if self._on_start is not None:
            self._on_start()
        self._flush()

    async def _receive(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                length = body_length(await process.stdout.readexactly(HEADER_BYTES))
                self._take(decode(await process.stdout.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            return
        except ValueError as error:
            logger.error("the index sent something that is not the protocol: %s", error)  # noqa: TRY400 - the text says it all

    def _take(self, message: Message) -> None:
        if "event" in message:
            if message["event"] == "log":
                logging.getLogger(message["logger"]).log(message["level"], "%s", message["message"])
            elif self._on_event is not None:
                self._on_event(message)
            return
        answer = self._pending.pop(message.get("id", 0), None)
        if answer is None or answer.done():
            return  # Nobody waits for it any more.
        if (error := message.get("error")) is not None:
            answer.set_exception(WorkspaceIndexError(str(error.get("message"))))
        else:
            answer.set_result(message.get("result"))

    def _give_up_for_now(self, problem: str, last_words: str = "") -> None:
        logger.warning("%s%s", problem, f" Its last words: {last_words}" if last_words else "")
        self._problem = problem
        self._fail_pending(problem)

    def _fail_pending(self, problem: str) -> None:
        self._outbox.clear()
        pending, self._pending = self._pending, {}
        for answer in pending.values():
            if not answer.done():
                answer.set_exception(IndexUnavailableError(problem))

    def _back_off(self) -> float:
        """Return how many seconds to wait before the next start."""
        now = time.monotonic()
        recent = [start for start in self._starts if now - start < INDEX_RESTART_WINDOW_S]
        if len(recent) == self._starts.maxlen:
            return INDEX_RESTART_WINDOW_S - (now - recent[0])
        return INDEX_BACKOFF_S * 2.0 ** (len(recent) - 1) if recent else 0.0

    # -- writing -------------------------------------------------------------------------------------------------------

    def _send(self, message: Message) -> None:
        self._outbox.put(message)
        self._flush()

    def _flush(self) -> None:
        """Write what the pipe takes now; a task writes the rest."""
        while self._outbox:
            stdin = self._process.stdin if self._process is not None else None
            if stdin is None or stdin.is_closing():
                return
            if stdin.transport.get_write_buffer_size() > INDEX_CONGESTION_BYTES:
                if (self._sender is None or self._sender.done()) and not self._closed:
                    self._sender = self._tasks.start(self._flush_later(stdin), name="index writer")
                return
            stdin.write(encode(self._outbox.take()))

    async def _flush_later(self, stdin: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await stdin.drain()
        asyncio.get_running_loop().call_soon(self._flush)


async def _read_last_words(stream: asyncio.StreamReader | None) -> str:
    """Read standard error to its end and return the last line."""
    assert stream is not None
    last = b""
    with contextlib.suppress(OSError):
        while piece := await stream.read(65_536):
            last = (last + piece)[-2_000:]
    lines = last.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


async def _end(process: asyncio.subprocess.Process, patience: float = 0.0) -> None:
    """Make sure that the process is gone, at once or after so many seconds."""
    if patience:
        # To kill one that is ending takes its exit code away from who waits for it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await process.wait()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()
