"""The other side of the engine's socket: starts the engine, stays attached to it, and streams generations."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

from dragoman.engine.place import Place, PlaceError, find_place
from dragoman.engine.protocol import LAST_FRAMES, MAX_LINE, Frame, decode, encode

START_SECONDS = 30.0
"""From the first attempt until the socket answers; a loaded machine takes seconds to start an interpreter."""

RETRY_SECONDS = 5.0
"""How long a failed load is believed before it is tried again."""

INFO_SECONDS = 2.0
"""The engine's front does nothing but answer; longer means that the machine does not let it run."""

_EXIT_TAKEN = 3

Phase = Literal["idle", "starting", "loading", "ready", "failed"]


class EngineError(Exception):
    """The engine answered with an error, or cannot be reached; ``frame`` is the error as the protocol has it."""

    def __init__(self, code: str, message: str, hint: str = "", frame: Frame | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.frame = frame or {}

    @classmethod
    def from_frame(cls, frame: Frame) -> EngineError:
        """Make one of an ``error`` frame."""
        return cls(str(frame.get("code")), str(frame.get("message")), str(frame.get("hint", "")), frame)


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known of the engine, for a status bar; ``progress`` goes from 0 to 1 while it loads."""

    phase: Phase = "idle"
    progress: float = 0.0
    n_ctx: int | None = None
    pid: int | None = None
    worker_pid: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to start an engine that is not running; one that runs already keeps its own."""

    n_ctx: int = 4096
    threads: int | None = None
    runtime_dir: Path | None = None
    python: str = field(default_factory=lambda: sys.executable)
    available_memory: int | None = None
    """Replaces the measured free memory, in bytes."""


class EngineClient:
    """One model file's engine as seen by one server; attached from the first use until `aclose`."""

    def __init__(
        self, model: Path, options: EngineOptions | None = None, on_state: Callable[[EngineState], None] | None = None
    ) -> None:
        self._model = model
        self._options = options or EngineOptions()
        self._on_state = on_state
        self._state = EngineState()
        self._attaching: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._loaded = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._fault: EngineError | None = None
        self._fault_until = 0.0
        self._closed = False

    @property
    def state(self) -> EngineState:
        """What is known of the engine now; no I/O."""
        return self._state

    async def attach(self) -> None:
        """Make sure that the engine runs and knows this client; raises EngineError, does not wait for the model to load."""
        if self._closed:
            raise EngineError("died", "the connection to the engine was closed")
        if self._fault is not None and time.monotonic() < self._fault_until:
            raise self._fault
        if self._watching is not None and not self._watching.done():
            return
        if self._attaching is None or self._attaching.done():
            # One attempt serves all callers, and outlives a caller that is cancelled.
            self._attaching = asyncio.create_task(self._attach(), name="engine attach")
            self._attaching.add_done_callback(_retrieve)
        await asyncio.shield(self._attaching)

    async def wait_until_loaded(self) -> None:
        """Attach and wait until the model is in memory; raises EngineError."""
        await self.attach()
        await self._loaded.wait()
        if self._fault is not None:
            raise self._fault

    async def ask_info(self) -> Frame | None:
        """Return the ``info`` of a running engine, None when none answers; starts nothing."""
        try:
            async with asyncio.timeout(INFO_SECONDS), self._connection() as (reader, writer):
                writer.write(encode({"op": "info"}))
                return decode(await reader.readline())
        except (OSError, ValueError, TimeoutError, EngineError):
            return None

    async def stream(self, request: Frame) -> AsyncGenerator[Frame, None]:
        """Send a request and yield its frames; closing the generator cancels the generation. Raises EngineError."""
        request = {"client": f"{os.getpid()}-{id(self):x}", **request}
        for attempt in (1, 2):
            await self.attach()
            accepted = False
            try:
                async with self._connection() as (reader, writer):
                    writer.write(encode(request))
                    await writer.drain()
                    async for frame in _frames(reader):
                        if frame["type"] == "error":
                            raise EngineError.from_frame(frame)
                        if frame["type"] == "accepted":
                            accepted = True
                            continue
                        yield frame
                        if frame["type"] in LAST_FRAMES:
                            return
            except OSError:
                pass
            # The connection was cut. Before the engine took the request it is safe to ask again: it was on its way out.
            await self._detach()
            if accepted or attempt == 2:
                break
        raise EngineError(
            "died", "the embedded model's process ended during the answer.", "The next request starts it again."
        )

    async def aclose(self) -> None:
        """Let go of the engine; running streams end with a fault, and it ends by itself when nobody else is attached."""
        self._closed = True
        for writer in self._open:
            writer.transport.abort()
        attaching, self._attaching = self._attaching, None
        if attaching is not None:
            attaching.cancel()
            await asyncio.gather(attaching, return_exceptions=True)
        await self._detach()

    # -- the attached connection ---------------------------------------------------------------------------------------

    @property
    def _place(self) -> Place:
        try:
            return find_place(self._model, self._options.runtime_dir)
        except PlaceError as error:
            hint = "Set DRAGOMAN_RUNTIME_DIR to a folder of your own."
            raise EngineError("engine_unavailable", str(error), hint) from error

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
        reader, writer = await asyncio.open_unix_connection(self._place.socket, limit=MAX_LINE)
        self._open.add(writer)
        try:
            yield reader, writer
        finally:
            self._open.discard(writer)
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _attach(self) -> None:
        """Connect, starting the engine if nobody has; several servers may do this at once."""
        self._set_state(EngineState("starting"))
        self._fault = None
        self._loaded.clear()
        place = self._place
        deadline = time.monotonic() + START_SECONDS
        try:
            while not await self._greet():
                if time.monotonic() > deadline:
                    raise EngineError(
                        "engine_unavailable",
                        f"the embedded model's process did not answer within {START_SECONDS:.0f} s.",
                        f"Its log is {str(place.log)!r}.",
                    )
                if await self._launch(place) == _EXIT_TAKEN:
                    # Somebody else's is just starting, or ending.
                    await asyncio.sleep(0.05)
        except EngineError as fault:
            self._remember(fault)
            raise
        except BaseException:
            self._set_state(EngineState())
            raise

    async def _greet(self) -> bool:
        """Open the attached connection and start to follow it; False when nobody answers there."""
        stack = contextlib.AsyncExitStack()
        try:
            reader, writer = await stack.enter_async_context(self._connection())
            writer.write(encode({"op": "attach"}))
            first = await reader.readline()
        except OSError:
            first = b""
        except BaseException:
            await stack.aclose()
            raise
        if not first.endswith(b"\n"):
            await stack.aclose()
            return False
        self._watching = asyncio.create_task(self._watch(decode(first), reader, stack), name="engine watch")
        return True

    async def _watch(self, info: Frame, reader: asyncio.StreamReader, connection: contextlib.AsyncExitStack) -> None:
        """Hold the attached connection and follow the engine's state until it is cut."""
        try:
            async with connection:
                self._follow(info)
                async for frame in _frames(reader):
                    self._follow(frame)
        except (OSError, EngineError):
            pass
        finally:
            if self._state.phase != "failed":
                self._set_state(EngineState())
            if not self._loaded.is_set():
                self._fault = self._fault or EngineError("died", "the embedded model's process ended while it loaded.")
                self._loaded.set()

    def _follow(self, info: Frame) -> None:
        phase: Phase = info["state"]
        state = EngineState(phase, info["progress"], info["n_ctx"], info["pid"], info["worker_pid"])
        if phase == "failed":
            fault = EngineError.from_frame(info["error"])
            self._remember(fault)
            self._loaded.set()
            return
        self._set_state(state)
        if phase == "ready":
            self._loaded.set()

    def _remember(self, fault: EngineError) -> None:
        self._fault = fault
        self._fault_until = time.monotonic() + (0.0 if fault.code == "died" else RETRY_SECONDS)
        self._set_state(replace(self._state, phase="failed", problem=f"{fault.message} {fault.hint}".strip()))

    def _set_state(self, state: EngineState) -> None:
        if state != self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)

    async def _detach(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    # -- starting ------------------------------------------------------------------------------------------------------

    async def _launch(self, place: Place) -> int:
        """Start the engine and wait until its socket answers; returns 0, or 3 when another one holds the lock."""
        arguments = ["--socket", str(place.socket), "--model", str(self._model), "--n-ctx", str(self._options.n_ctx)]
        if self._options.threads is not None:
            arguments += ["--threads", str(self._options.threads)]
        if self._options.available_memory is not None:
            arguments += ["--available-memory", str(self._options.available_memory)]
        try:
            with _open_log(place) as log:
                process = await asyncio.create_subprocess_exec(
                    self._options.python,
                    "-P",  # The working directory may belong to anybody and holds no modules of ours.
                    "-m",
                    "dragoman.engine",
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=place.folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineError(
                "engine_unavailable", f"the embedded model's process cannot be started: {error}"
            ) from error
        try:
            async with asyncio.timeout(START_SECONDS):
                status = await process.wait()
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                return 0  # The caller's own deadline has passed too and says so.
            raise
        if status not in {0, _EXIT_TAKEN}:
            raise EngineError(
                "engine_unavailable",
                f"the embedded model's process ended at once (exit code {status}): {_last_line(place.log)}",
                f"Its log is {str(place.log)!r}.",
            )
        return status


async def _frames(reader: asyncio.StreamReader) -> AsyncGenerator[Frame, None]:
    """Yield frames until the connection is cut; raises EngineError for what is no frame."""
    while (line := await reader.readline()).endswith(b"\n"):
        try:
            frame = decode(line)
        except ValueError as error:
            raise EngineError("malformed", f"the engine sent something that is not the protocol: {error}") from error
        yield frame


def _open_log(place: Place) -> BinaryIO:
    """Open the log for appending, so that the engine can shorten it while it writes."""
    return os.fdopen(os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return lines[-1][:300]
    return "it left no message"


def _retrieve(task: asyncio.Task[None]) -> None:
    """Mark the task's error as seen: its callers may all have been cancelled."""
    if not task.cancelled():
        task.exception()
