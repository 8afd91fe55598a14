"""The least editor there can be: it starts the language server, types into documents and shows ghost text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dragoman.errors import DragomanError

_REPLY_S = 180.0
"""A cold model on a loaded machine may take a minute for its first words; then something is wrong."""


class ServerGoneError(DragomanError):
    """The language server ended while it was needed."""

    code = "server_gone"


class Document:
    """An open file: its text, and where the cursor is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uri = path.as_uri()
        self.lines = path.read_text(encoding="utf-8").split("\n")
        self.version = 1
        self.line = self.character = 0

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.lines)

    def insert(self, text: str) -> dict[str, Any]:
        """Put ``text`` at the cursor, move behind it and return the LSP change."""
        at = {"line": self.line, "character": self.character}
        head, tail = self.lines[self.line][: self.character], self.lines[self.line][self.character :]
        inserted = (head + text).split("\n")
        self.character = len(inserted[-1])
        inserted[-1] += tail
        self.lines[self.line : self.line + 1] = inserted
        self.line += len(inserted) - 1
        self.version += 1
        return {"range": {"start": at, "end": at}, "text": text}


class Editor:
    """A client of ``dragoman lsp``; an async context manager that ends the server when it is left."""

    def __init__(self, workspace: Path, config: Path, on_status: Callable[[dict[str, Any]], None]) -> None:
        self._workspace = workspace
        self._config = config
        self._on_status = on_status
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self.opened: dict[Path, Document] = {}
        self.initialized_s = 0.0
        """Seconds from the start of the process to the reply to ``initialize``."""

    async def __aenter__(self) -> Editor:
        started = time.perf_counter()
        command = [sys.executable, "-m", "dragoman", "lsp", "--stdio", "--config", str(self._config)]
        self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=self._workspace)
        self._reader = asyncio.create_task(self._read(), name="demo-reader")
        folder = {"uri": self._workspace.as_uri(), "name": self._workspace.name}
        await self.request(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": "dragoman demo"},
                "rootUri": folder["uri"],
                "workspaceFolders": [folder],
                "capabilities": {"general": {"positionEncodings": ["utf-32", "utf-16"]}},
            },
        )
        self.initialized_s = time.perf_counter() - started
        self.notify("initialized", {})
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        with contextlib.suppress(DragomanError, OSError, TimeoutError):
            async with asyncio.timeout(5):
                await self.request("shutdown", None)
            self.notify("exit", None)
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])

    # -- the wire ------------------------------------------------------------------------------------------------------

    async def request(self, method: str, params: Any) -> Any:
        """Send a request and return its result; raises DragomanError for an error reply."""
        self._number += 1
        number = self._number
        self._replies[number] = asyncio.get_running_loop().create_future()
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        try:
            return await asyncio.wait_for(self._replies[number], _REPLY_S)
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": number})
            raise
        finally:
            self._replies.pop(number, None)

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        body = json.dumps(message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        assert self._process is not None
        stream = self._process.stdout
        assert stream is not None
        try:
            while True:
                head = await stream.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
                )
                self._receive(json.loads(await stream.readexactly(length)))
        except asyncio.IncompleteReadError:
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(ServerGoneError("The language server ended."))

    def _receive(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            reply = self._replies.get(message["id"])
            if reply is not None and not reply.done():
                if "error" in message:
                    reply.set_exception(DragomanError(str(message["error"].get("message"))))
                else:
                    reply.set_result(message.get("result"))
        elif "id" in message:
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})
        elif message["method"] == "dragoman/status":
            self._on_status(message["params"])

    # -- what a person does --------------------------------------------------------------------------------------------

    def open(self, path: Path) -> Document:
        """Open a file."""
        document = self.opened[path] = Document(path)
        item = {"uri": document.uri, "languageId": "python", "version": 1, "text": document.text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return document

    def insert(self, document: Document, text: str) -> None:
        """Type or paste at the cursor."""
        change = document.insert(text)
        identifier = {"uri": document.uri, "version": document.version}
        self.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": [change]})

    async def suggest(self, document: Document) -> str:
        """Ask for ghost text at the cursor, as an editor does after each key; empty when there is none."""
        result = await self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": document.uri},
                "position": {"line": document.line, "character": document.character},
                "context": {"triggerKind": 2},
            },
        )
        items = result.get("items", []) if isinstance(result, dict) else result or []
        return str(items[0]["insertText"]) if items else ""

    async def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Run one of the server's commands."""
        return await self.request("workspace/executeCommand", {"command": name, "arguments": [arguments]})
