"""A plain pygls server, written the way its documentation shows: `python -m tests.support.plain_pygls [--stdio | --tcp HOST:PORT]`.

It answers the same methods as `tests.support.scripted_lsp` answers through Dragoman's door, with nothing of Dragoman in it:
the library's own document store, handlers, threads and transports.
The checks in `tests.lsp.pitfalls` run against both.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer


class PlainServer(LanguageServer):
    def __init__(self) -> None:
        super().__init__("plain-pygls", "1")
        self.calls: list[list[Any]] = []
        self.running = 0
        self.pulling = 0
        self.released: asyncio.Event | None = None


server = PlainServer()


def describe(ls: PlainServer, uri: str, position: types.Position) -> str:
    """Return, as JSON, what a handler sees."""
    document = ls.workspace.get_text_document(uri)
    line = document.lines[position.line]
    document.offset_at_position(position)
    return json.dumps(
        {
            "version": document.version,
            "line": position.line,
            "character": position.character,
            "lines": len(document.lines),
            "text": line,
        }
    )


@server.feature(types.INITIALIZED)
def initialized(ls: PlainServer, params: types.InitializedParams) -> None:
    ls.released = asyncio.Event()


@server.feature(types.INITIALIZE)
def initialize(ls: PlainServer, params: types.InitializeParams) -> None:
    name = params.client_info.name if params.client_info else ""
    folders = [folder.uri for folder in params.workspace_folders or ()]
    ls.calls.append(["start", name, folders, json.loads(json.dumps(params.initialization_options, default=repr))])


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: PlainServer, params: types.DidOpenTextDocumentParams) -> None:
    if "explode" in params.text_document.text:
        raise RuntimeError("scripted failure of a notification")


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline_completion(ls: PlainServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    ls.running += 1
    try:
        text = describe(ls, params.text_document.uri, params.position)
        if "forever" in text:
            await asyncio.get_running_loop().create_future()
        if "stubborn" in text:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                text = "late"
        if "boom" in text:
            raise RuntimeError("scripted failure")
        return types.InlineCompletionList(items=[types.InlineCompletionItem(insert_text=text)])
    finally:
        ls.running -= 1


@server.feature(types.TEXT_DOCUMENT_COMPLETION)
async def completion(ls: PlainServer, params: types.CompletionParams) -> types.CompletionList:
    text = describe(ls, params.text_document.uri, params.position)
    edit = types.TextEdit(range=types.Range(start=params.position, end=params.position), new_text=text)
    return types.CompletionList(is_incomplete=True, items=[types.CompletionItem(label="plain", text_edit=edit)])


@server.command("dragoman.status")
def status(ls: PlainServer, arguments: Any = None) -> dict[str, Any]:
    return {"calls": ls.calls, "running": ls.running, "pulling": ls.pulling}


@server.command("dragoman.acceptCompletion")
def accept_completion(ls: PlainServer, arguments: Any) -> None:
    ls.calls.append(["accepted", arguments["id"], arguments["kind"]])


@server.command("dragoman.selectModel")
async def select_model(ls: PlainServer, arguments: Any) -> dict[str, Any]:
    assert ls.released is not None
    if arguments["role"] == "release":
        ls.released.set()
        return {}
    try:
        await ls.released.wait()
    except asyncio.CancelledError:
        ls.calls.append(["command cancelled"])
        raise
    ls.calls.append(["command done"])
    return {}


@server.command("dragoman.pullModel")
@server.thread()
def pull_model(ls: PlainServer, arguments: Any) -> dict[str, Any]:
    """Take the seconds that the name says, in a thread: the documented place for work that takes long."""
    ls.pulling += 1
    time.sleep(float(arguments["name"]))
    ls.calls.append(["pulled"])
    ls.pulling -= 1
    return {"name": arguments["name"]}


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    if "--tcp" in sys.argv:
        host, _, port = sys.argv[sys.argv.index("--tcp") + 1].rpartition(":")
        server.start_tcp(host, int(port))
    else:
        server.start_io()


if __name__ == "__main__":
    main()
