"""The process that owns the socket: answers at once, queues, and ends when its last client has left.

One thread, one event loop; the model is in `worker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dragoman.engine import gguf, memory
from dragoman.engine.channel import WorkerChannel
from dragoman.engine.place import Place
from dragoman.engine.protocol import LAST_FRAMES, MAX_LINE, Frame, decode, encode, failure
from dragoman.engine.turns import Priority, Turns

LINGER_SECONDS = 2.0
"""How long it outlives its last client: long enough for an editor that reloads, short enough to be gone within five seconds."""

GREETING_SECONDS = 4.0
"""How long a new engine waits for its first client, and a connection may take to say what it wants."""

LOG_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """What the engine shall load, and how."""

    model: Path
    n_ctx: int
    threads: int
    available_memory: int | None = None
    """Replaces the measured free memory, in bytes."""


@dataclass(eq=False, slots=True)
class Job:
    """One generation: a client's request and the way back to it."""

    identity: int
    request: Frame
    writer: asyncio.StreamWriter
    client: str
    priority: Priority
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, frame: Frame) -> None:
        """Pass a frame to the client."""
        if not self.finished.is_set():
            self.writer.write(encode(frame))
            if frame["type"] in LAST_FRAMES:
                self.finished.set()


class Front:
    """The engine as its clients see it."""

    def __init__(self, place: Place, plan: Plan) -> None:
        self._place = place
        self._plan = plan
        self._n_ctx = plan.n_ctx
        self._state = "loading"
        self._error: Frame | None = None
        self._worker: WorkerChannel | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._attached: set[asyncio.StreamWriter] = set()
        self._turns: Turns[Job] = Turns()
        self._running: Job | None = None
        self._identities = itertools.count(1)
        self._farewell: asyncio.TimerHandle | None = None
        self._stop = asyncio.Event()

    async def serve(self, on_listening: Callable[[], None]) -> None:
        """Serve until there is no reason to; the caller holds the lock."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._place.socket.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._accept, self._place.socket, limit=MAX_LINE)
        on_listening()
        self._schedule_farewell(GREETING_SECONDS)
        watch = asyncio.create_task(self._watch())
        try:
            await self._load()
            await self._stop.wait()
        finally:
            self._place.socket.unlink(missing_ok=True)
            server.close()
            watch.cancel()
            self._end_jobs(failure("died", "the engine is shutting down"))
            if self._worker is not None:
                await self._worker.aclose()
            for connection in list(self._connections):
                connection.cancel()
            await asyncio.gather(watch, *self._connections, return_exceptions=True)

    # -- the model -----------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        try:
            shape = gguf.read_shape(self._plan.model)
            size = self._plan.model.stat().st_size
        except (gguf.GgufError, OSError) as error:
            self._fail(failure("load_failed", f"{str(self._plan.model)!r} cannot be read: {error}"))
            return
        self._n_ctx = min(self._plan.n_ctx, shape.context_length or self._plan.n_ctx)
        required = memory.required_bytes(size, shape, self._n_ctx)
        available = self._plan.available_memory if self._plan.available_memory is not None else memory.available_bytes()
        if available is not None and available < required:
            self._fail(
                failure(
                    "out_of_memory",
                    f"loading {self._plan.model.name!r} takes {memory.describe(required)} of memory"
                    f" and {memory.describe(available)} is free.",
                    "Close something, or configure a model on another machine.",
                )
            )
            return
        arguments = [
            "--model",
            str(self._plan.model),
            "--n-ctx",
            str(self._n_ctx),
            "--threads",
            str(self._plan.threads),
        ]
        try:
            self._worker = await WorkerChannel.start(arguments, on_message=self._on_worker, on_end=self._on_worker_end)
        except OSError as error:
            self._fail(failure("load_failed", f"the embedded model's process cannot be started: {error}"))

    def _on_worker(self, message: Frame) -> None:
        match message:
            case {"state": "ready"}:
                self._state = "ready"
                self._tell_attached()
                self._next()
            case {"state": "failed", "error": error}:
                self._fail(error)
            case {"id": identity, "frame": frame} if self._running and self._running.identity == identity:
                self._running.send(frame)
            case {"id": identity, "done": True} if self._running and self._running.identity == identity:
                self._running.finished.set()
                self._running = None
                self._next()

    def _on_worker_end(self, status: int) -> None:
        """Say to all that the worker died on its own; the next call starts afresh."""
        if self._state != "failed" and not self._stop.is_set():
            reason = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
            if self._state == "loading":
                hint = f"Its log says why: {self._place.log}"
                self._fail(failure("load_failed", f"the embedded model's process died while loading ({reason}).", hint))
            else:
                hint = "The next request starts it again."
                self._fail(failure("died", f"the embedded model's process died ({reason}).", hint))

    def _fail(self, error: Frame) -> None:
        self._state, self._error = "failed", error
        self._end_jobs(error)
        self._tell_attached()
        if error["code"] == "died":
            self._stop.set()
        else:
            # Whoever started this engine has still to come and hear why.
            self._schedule_farewell(GREETING_SECONDS, attached_or_not=True)

    def _end_jobs(self, error: Frame) -> None:
        running, self._running = self._running, None
        for job in [*([running] if running else []), *self._turns.clear()]:
            job.send(error)

    def _next(self) -> None:
        """Start the next generation, or think of leaving when there is none."""
        if self._state == "ready" and self._running is None and self._worker is not None:
            self._running = self._turns.take()
            if self._running is not None:
                self._worker.send({"id": self._running.identity, "job": self._running.request})
        self._reconsider()

    # -- clients -------------------------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.get_running_loop().create_task(self._connect(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                line = await reader.readline()
            if line:
                await self._answer(line, reader, writer)
        except (TimeoutError, OSError, asyncio.LimitOverrunError):
            pass
        except ValueError as error:
            writer.write(encode(failure("rejected", f"bad request: {error}")))
        finally:
            writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = decode(line)
        match request.get("op"):
            case "info":
                writer.write(encode(self._info()))
                await writer.drain()
            case "attach":
                await self._attach(reader, writer)
            case "complete" | "chat" | "count":
                await self._generate(request, reader, writer)
            case other:
                raise ValueError(f"unknown op {other!r}")

    async def _attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._attached.add(writer)
        try:
            self._reconsider()
            writer.write(encode(self._info()))
            while await reader.read(1024):
                pass
        finally:
            self._attached.discard(writer)
            self._reconsider()

    async def _generate(self, request: Frame, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode({"type": "accepted"}))
        priority: Priority = "background" if request.get("priority") == "background" else "interactive"
        job = Job(next(self._identities), request, writer, str(request.get("client", "")), priority)
        if self._error is not None:
            job.send(self._error)
        else:
            self._turns.add(job)
            self._next()
        gone = asyncio.ensure_future(reader.read(1))
        finished = asyncio.ensure_future(job.finished.wait())
        try:
            await asyncio.wait({gone, finished}, return_when=asyncio.FIRST_COMPLETED)
            if finished.done():
                await writer.drain()
        finally:
            gone.cancel()
            finished.cancel()
            self._withdraw(job)
            # A read that ended with an error has said all it had to say: the client is gone.
            await asyncio.gather(gone, finished, return_exceptions=True)

    def _withdraw(self, job: Job) -> None:
        """Forget a job whose client has its answer or has left; a running one is stopped."""
        if (
            not self._turns.remove(job)
            and self._running is job
            and not job.finished.is_set()
            and self._worker is not None
        ):
            self._worker.send({"cancel": job.identity})
        job.finished.set()
        self._reconsider()

    def _tell_attached(self) -> None:
        for writer in self._attached:
            writer.write(encode(self._info()))

    def _info(self) -> Frame:
        info: Frame = {
            "type": "info",
            "state": self._state,
            "progress": self._progress(),
            "model": str(self._plan.model),
            "n_ctx": self._n_ctx,
            "threads": self._plan.threads,
            "pid": os.getpid(),
            "worker_pid": self._worker.pid if self._worker is not None else None,
            "clients": len(self._attached),
            "queued": len(self._turns),
            "free_slots": int(self._state == "ready" and self._running is None),
        }
        if self._error is not None:
            info["error"] = self._error
        return info

    def _progress(self) -> float:
        """How much of the file is in memory already, as a share; 1 when the model is loaded."""
        if self._state != "loading" or self._worker is None:
            return 1.0 if self._state == "ready" else 0.0
        return min(0.99, self._worker.resident_bytes() / max(1, self._plan.model.stat().st_size))

    # -- the end -------------------------------------------------------------------------------------------------------

    def _reconsider(self) -> None:
        """Stay while somebody is attached or waits for an answer, else go soon."""
        if self._state == "failed":
            return
        if self._attached or self._running is not None or len(self._turns):
            self._cancel_farewell()
        elif self._farewell is None:
            self._schedule_farewell(LINGER_SECONDS)

    def _schedule_farewell(self, seconds: float, *, attached_or_not: bool = False) -> None:
        self._cancel_farewell()

        def leave() -> None:
            self._farewell = None
            if attached_or_not or not self._attached:
                self._stop.set()

        self._farewell = asyncio.get_running_loop().call_later(seconds, leave)

    def _cancel_farewell(self) -> None:
        if self._farewell is not None:
            self._farewell.cancel()
            self._farewell = None

    async def _watch(self) -> None:
        """Keep the log short, tell of the loading's progress, and leave when the socket was taken away."""
        while True:
            await asyncio.sleep(0.25 if self._state == "loading" else 3.0)
            if self._state == "loading":
                self._tell_attached()
            _shorten_log()
            if not self._place.socket.exists():
                self._stop.set()


def _shorten_log() -> None:
    """Empty the log when it has grown too long; it is opened for appending, so writing goes on at its start."""
    with contextlib.suppress(OSError):
        state = os.fstat(1)
        if stat.S_ISREG(state.st_mode) and state.st_size > LOG_LIMIT_BYTES:
            os.ftruncate(1, 0)
