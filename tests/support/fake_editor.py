"""An editor reduced to bytes: it sends what a test says and fails when something unexpected comes back.

`expect_…` and `await_…` wait generously and return at once when the message is there.
On a failed expectation, and at a bad end, the server's log is part of the error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal, Self

from tests.support.preforked import HAVE_FORK, Preforked

Message = dict[str, Any]
Transport = Literal["stdio", "tcp"]

Server = Literal["scripted_lsp", "plain_pygls"]

ROOT = Path(__file__).parents[2]
SCRIPTED = [sys.executable, "-m", "tests.support.scripted_lsp"]
DRAGOMAN = [sys.executable, "-m", "dragoman", "lsp"]
PATIENCE = 60.0
INLINE = {"textDocument": {"inlineCompletion": {"dynamicRegistration": True}}}


def frame(message: Any) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


class FakeEditor:
    """One connection to one server process of its own."""

    def __init__(self, process: subprocess.Popen[bytes] | Preforked, log: Path) -> None:
        self.process = process
        self.log_file = log
        self.unread: list[Message] = []
        self.ignored = {"dragoman/status", "window/logMessage"}
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.expected_bugs = 0
        self.eof = False
        self._arrived = asyncio.Event()
        self._next_id = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._input: asyncio.BaseTransport | None = None

    # -- begin and end -------------------------------------------------------------------------------------------------

    @classmethod
    async def launch(
        cls,
        transport: Transport = "stdio",
        command: list[str] | None = None,
        env: dict[str, str] | None = None,
        server: Server = "scripted_lsp",
    ) -> Self:
        """Start ``command`` as a process from scratch, or ``server`` as one that has its imports behind it."""
        arguments = ["--stdio"] if transport == "stdio" else ["--tcp", "127.0.0.1:0"]
        piped = transport == "stdio"
        environment = {**os.environ, **(env or {})}
        process: subprocess.Popen[bytes] | Preforked
        with tempfile.NamedTemporaryFile(prefix="dragoman-lsp-", suffix=".log", delete=False) as log:
            if command is None and HAVE_FORK:
                process = Preforked(f"tests.support.{server}", arguments, env=environment, piped=piped, log=log)
            else:
                argv = [*(command or [sys.executable, "-m", f"tests.support.{server}"]), *arguments]
                pipe = subprocess.PIPE if piped else subprocess.DEVNULL
                process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log)
        editor = cls(process, Path(log.name))
        try:
            await editor._connect(transport)
        except BaseException:
            await editor.kill()
            raise
        return editor

    async def _connect(self, transport: Transport) -> None:
        loop = asyncio.get_running_loop()
        if transport == "tcp":
            async with asyncio.timeout(PATIENCE):
                while not (found := re.search(r"(?:listens on |Serving on \(')([\d.]+)(?::|', )(\d+)", self.log())):
                    assert self.process.poll() is None, self.log()
                    await asyncio.sleep(0.02)
            self._reader, self._writer = await asyncio.open_connection(found[1], int(found[2]), limit=1 << 30)
        else:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self._reader = asyncio.StreamReader(limit=1 << 30)
            reading = self._reader
            self._input, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reading), self.process.stdout
            )
            # The third part of a StreamWriter, its protocol, is what a StreamReaderProtocol without a reader's data is.
            pipe, protocol = await loop.connect_write_pipe(
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), self.process.stdin
            )
            self._writer = asyncio.StreamWriter(pipe, protocol, None, loop)
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._reader is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await self._reader.readuntil(b"\r\n\r\n")
                length = re.fullmatch(rb"Content-Length: (\d+)\r\n(?:Content-Type: [^\r]+\r\n)?\r\n", header)
                if length is None:
                    self.unread.append({"stream is corrupt at": header.decode(errors="replace")})
                    break
                self._take(json.loads(await self._reader.readexactly(int(length[1]))))
        self.eof = True
        self._arrived.set()

    def _take(self, message: Message) -> None:
        if "method" in message and "id" in message and message["method"] in self.answers:
            self.reply(message, self.answers[message["method"]](message["params"]))
        else:
            self.unread.append(message)
        self._arrived.set()

    async def close(self) -> None:
        """Leave as a good editor does, and check that nothing is left over."""
        try:
            if self.process.poll() is None and not self.eof:
                self.send({"jsonrpc": "2.0", "id": "close", "method": "shutdown"})
                await self.await_reply("close")
                self.notify("exit")
                assert await self.wait() == 0, self._failure("the server did not exit with 0")
            self.check()
        finally:
            await self.kill()

    def check(self) -> None:
        left = [message for message in self.unread if message.get("method") not in self.ignored]
        assert not left, self._failure(f"unread messages: {left}")
        bugs = self.log().count("bug: ")
        assert bugs == self.expected_bugs, self._failure(f"{bugs} bugs in the log instead of {self.expected_bugs}")

    async def kill(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if self._input is not None:
            self._input.close()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log_file.unlink(missing_ok=True)
        await asyncio.sleep(0)

    async def wait(self) -> int:
        """Wait for the process to end and return its exit code."""
        async with asyncio.timeout(PATIENCE):
            while (code := self.process.poll()) is None:
                await asyncio.sleep(0.01)
        return code

    async def await_end(self) -> None:
        """Wait until the server has closed its side of the connection and everything before that is read."""
        async with asyncio.timeout(PATIENCE):
            while not self.eof:
                self._arrived.clear()
                await self._arrived.wait()

    def _incoming(self) -> asyncio.ReadTransport:
        transport = self._input if self._input is not None else self._writer.transport if self._writer else None
        assert isinstance(transport, asyncio.ReadTransport)
        return transport

    def stop_reading(self) -> None:
        """Leave everything that comes in the pipe or socket from now on."""
        self._incoming().pause_reading()

    def go_on_reading(self) -> None:
        self._incoming().resume_reading()

    async def await_log(self, words: str) -> None:
        """Wait until the server's log has these words."""
        async with asyncio.timeout(PATIENCE):
            while words not in self.log():
                assert self.process.poll() is None or words in self.log(), self._failure(f"{words!r} never came")
                await asyncio.sleep(0.02)

    def hang_up(self) -> None:
        """Close our side of the connection without a word."""
        assert self._writer is not None
        self._writer.close()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _failure(self, problem: str) -> str:
        return f"{problem}\n--- server log ---\n{self.log()[-8000:]}"

    # -- what is sent --------------------------------------------------------------------------------------------------

    def send_bytes(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def send(self, *messages: Any) -> None:
        """Send messages in one packet."""
        self.send_bytes(b"".join(frame(message) for message in messages))

    def request_message(self, method: str, params: Any = None, request_id: int | str | None = None) -> Message:
        if request_id is None:
            self._next_id += 1
            request_id = self._next_id
        return {"jsonrpc": "2.0", "id": request_id, "method": method, **({} if params is None else {"params": params})}

    def request(self, method: str, params: Any = None, request_id: int | str | None = None) -> int | str:
        message = self.request_message(method, params, request_id)
        self.send(message)
        return message["id"]

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})})

    def reply(self, message: Message, result: Any) -> None:
        self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    # -- what is expected ----------------------------------------------------------------------------------------------

    async def await_message(self, what: str, fits: Callable[[Message], bool], seconds: float = PATIENCE) -> Message:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for position, message in enumerate(self.unread):
                        if fits(message):
                            return self.unread.pop(position)
                    assert not self.eof, self._failure(f"the server left while we waited for {what}; {self.unread}")
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(self._failure(f"no {what} came; unread: {self.unread}")) from None

    async def await_reply(self, request_id: int | str | None, seconds: float = PATIENCE) -> Message:
        return await self.await_message(
            f"reply to {request_id!r}", lambda m: "method" not in m and m.get("id") == request_id, seconds
        )

    async def await_notification(self, method: str, seconds: float = PATIENCE) -> Any:
        message = await self.await_message(method, lambda m: m.get("method") == method and "id" not in m, seconds)
        return message["params"]

    async def await_request(self, method: str, seconds: float = PATIENCE) -> Message:
        return await self.await_message(method, lambda m: m.get("method") == method and "id" in m, seconds)

    async def expect_no_more(self, seconds: float = 0.2) -> None:
        """Make sure that nothing but status and log messages is unread, now and for a moment more."""
        await asyncio.sleep(seconds)
        left = [message for message in self.unread if message.get("method") not in self.ignored]
        assert not left, self._failure(f"more came than expected: {left}")

    async def call(self, method: str, params: Any = None, seconds: float = PATIENCE) -> Any:
        """Send a request and return its result; an error fails the test."""
        reply = await self.await_reply(self.request(method, params), seconds)
        assert "result" in reply, self._failure(f"{method} failed: {reply}")
        return reply["result"]

    async def call_error(self, method: str, params: Any = None) -> Message:
        """Send a request and return its error; a result fails the test."""
        reply = await self.await_reply(self.request(method, params))
        assert "error" in reply, self._failure(f"{method} did not fail: {reply}")
        assert set(reply["error"]) == {"code", "message"}, reply
        return reply["error"]

    # -- what editors do -----------------------------------------------------------------------------------------------

    async def initialize(self, capabilities: Message | None = None, **params: Any) -> Message:
        result = await self.call(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "capabilities": INLINE if capabilities is None else capabilities,
                **params,
            },
        )
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str, *, version: int = 1, language: str = "python") -> None:
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    @staticmethod
    def change_message(uri: str, version: int, *changes: tuple[int, int, int, int, str] | str) -> Message:
        events: list[Message] = []
        for change in changes:
            if isinstance(change, str):
                events.append({"text": change})
                continue
            start, end = {"line": change[0], "character": change[1]}, {"line": change[2], "character": change[3]}
            events.append({"range": {"start": start, "end": end}, "text": change[4]})
        params = {"textDocument": {"uri": uri, "version": version}, "contentChanges": events}
        return {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}

    def change(self, uri: str, version: int, *changes: tuple[int, int, int, int, str] | str) -> None:
        self.send(self.change_message(uri, version, *changes))

    @staticmethod
    def inline_params(uri: str, line: int, character: int, kind: int = 2, **context: Any) -> Message:
        return {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": kind, **context},
        }

    async def inline(self, uri: str, line: int, character: int, kind: int = 2, **context: Any) -> list[Message]:
        result = await self.call(
            "textDocument/inlineCompletion", self.inline_params(uri, line, character, kind, **context)
        )
        return result["items"]

    async def asked(self, uri: str, line: int, character: int, kind: int = 2, **context: Any) -> Message:
        """Return what the scripted engine was asked."""
        items = await self.inline(uri, line, character, kind, **context)
        return json.loads(items[0]["insertText"])

    async def command(self, name: str, argument: Any = None) -> Any:
        return await self.call("workspace/executeCommand", self.command_params(name, argument))

    @staticmethod
    def command_params(name: str, argument: Any = None) -> Message:
        return {"command": name, "arguments": [] if argument is None else [argument]}

    async def status(self) -> Message:
        return await self.command("dragoman.status", {})

    async def await_status(self, fits: Callable[[Message], bool]) -> Message:
        """Ask for the status until it fits."""
        async with asyncio.timeout(PATIENCE):
            while not fits(status := await self.status()):
                await asyncio.sleep(0.02)
        return status


@contextlib.asynccontextmanager
async def editing(
    transport: Transport = "stdio",
    *,
    command: list[str] | None = None,
    env: dict[str, str] | None = None,
    server: Server = "scripted_lsp",
) -> AsyncIterator[FakeEditor]:
    """A server that is launched, and at the end left in good order and checked."""
    editor = await FakeEditor.launch(transport, command, env, server)
    try:
        yield editor
    except BaseException as error:
        error.add_note(f"--- server log ---\n{editor.log()[-8000:]}")
        await editor.kill()
        raise
    else:
        await editor.close()
