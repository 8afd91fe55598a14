"""The protocol's ground: hostile bytes, odd ids, superseded and cancelled requests, storms; over pipes and over TCP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile

import psutil
import pytest

from dragoman.lsp import transport as transport_module
from tests.support.fake_editor import SCRIPTED, FakeEditor, Transport, editing, frame

URI = "file:///w/a.py"
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "tcp"])
INLINE = "textDocument/inlineCompletion"
EXECUTE = "workspace/executeCommand"


@TRANSPORTS
async def test_malformed_messages_get_an_error_and_the_stream_goes_on(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        for bad, code in (
            (b"{", -32700),
            (b"\xff\xfe\xfd", -32700),
            (b"[" * 100_000, -32700),
            (b"", -32700),
            (b"[]", -32600),
            (json.dumps([editor.request_message("dragoman/x")]).encode(), -32600),
            (b"7", -32600),
            (b"null", -32600),
            (b'{"jsonrpc":"2.0","id":null,"method":"shutdown"}', -32600),
            (b'{"jsonrpc":"2.0","id":[1],"method":"shutdown"}', -32600),
            (b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}', -32600),
        ):
            editor.send(bad)
            reply = await editor.await_reply(None)
            assert reply["error"]["code"] == code, bad[:50]
        editor.send(b'{"jsonrpc":"2.0","id":77,"method":5}')
        assert (await editor.await_reply(77))["error"]["code"] == -32600
        editor.send(b'{"jsonrpc":"2.0","id":"nobody asked","result":5}', b'{"jsonrpc":"2.0","id":{},"error":5}')
        assert (await editor.status())["bugs"] == []


@TRANSPORTS
async def test_bad_headers_are_skipped_until_the_next_good_one(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        status = {"method": "workspace/executeCommand", "params": editor.command_params("dragoman.status")}
        for number, garbage in enumerate(
            (
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"Content-Length: -5\r\n\r\n",
                b"Content-Length: banana\r\n\r\n{}",
                b"Content-Type: application/json\r\n\r\n{}",
            )
        ):
            request = {"jsonrpc": "2.0", "id": f"after {number}", **status}
            editor.send_bytes(garbage + frame(request))
            assert (await editor.await_reply(None))["error"]["code"] == -32700
            assert "result" in await editor.await_reply(f"after {number}")
        editor.send_bytes(b"x" * 70_000 + frame({"jsonrpc": "2.0", "id": "after a flood", **status}))
        assert "result" in await editor.await_reply("after a flood")
        editor.unread = [message for message in editor.unread if message.get("id", 0) is not None]
        body = json.dumps({"jsonrpc": "2.0", "id": "case", **status}).encode()
        editor.send_bytes(
            b"content-LENGTH:%d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" % len(body)
        )
        editor.send_bytes(body)
        assert "result" in await editor.await_reply("case")


@TRANSPORTS
async def test_messages_may_arrive_byte_by_byte(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        for byte in frame(
            editor.request_message("workspace/executeCommand", editor.command_params("dragoman.status"), "x")
        ):
            editor.send_bytes(bytes([byte]))
            await asyncio.sleep(0)
        assert "result" in await editor.await_reply("x")


@TRANSPORTS
async def test_ids_may_be_texts_and_a_duplicate_is_refused_while_the_first_is_open(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "forever")
        editor.request(INLINE, editor.inline_params(URI, 0, 1), "same")
        editor.request("workspace/executeCommand", editor.command_params("dragoman.status"), "same")
        assert (await editor.await_reply("same"))["error"]["code"] == -32600
        editor.notify("$/cancelRequest", {"id": "same"})
        assert (await editor.await_reply("same"))["error"]["code"] == -32800
        editor.request("workspace/executeCommand", editor.command_params("dragoman.status"), "same")
        assert "result" in await editor.await_reply("same")


@TRANSPORTS
async def test_unknown_methods_second_initialize_and_unknown_cancels(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        assert (await editor.call_error("textDocument/hover", {}))["code"] == -32601
        assert (await editor.call_error("$/unknown"))["code"] == -32601
        assert (await editor.call_error("initialize", {"capabilities": {}}))["code"] == -32600
        for params in ({"id": 12345}, {"id": None}, {}, None, 5):
            editor.notify("$/cancelRequest", params)
        editor.notify("$/setTrace", {"value": "verbose"})
        await editor.expect_no_more()


@TRANSPORTS
async def test_initialize_needs_params_and_may_be_repeated_after_a_refusal(transport: Transport) -> None:
    async with editing(transport) as editor:
        for params in (None, [], {}, {"capabilities": None}):
            error = await editor.call_error("initialize", params)
            assert error["code"] == -32602
        odd = {"capabilities": {"textDocument": 7, "general": {"positionEncodings": "utf-8"}}, "clientInfo": 3}
        result = await editor.call("initialize", odd)
        assert result["capabilities"]["positionEncoding"] == "utf-16"
        editor.notify("initialized", {})
        assert (await editor.status())["bugs"] == []


@TRANSPORTS
async def test_a_newer_request_supersedes_the_older_one_of_the_same_document_only(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        other = "file:///w/other.py"
        editor.open(URI, "forever")
        editor.open(other, "forever")
        elsewhere = editor.request(INLINE, editor.inline_params(other, 0, 1))
        older = editor.request(INLINE, editor.inline_params(URI, 0, 1))
        await editor.await_status(lambda status: status["running"] == 2)
        newer = editor.request(INLINE, editor.inline_params(URI, 0, 2))
        assert (await editor.await_reply(older))["result"] == {"items": []}
        status = await editor.await_status(lambda status: status["running"] == 2)
        assert status["counts"]["suggest cancelled"] == 1
        for one in (elsewhere, newer):
            editor.notify("$/cancelRequest", {"id": one})
            assert (await editor.await_reply(one))["error"]["code"] == -32800
        await editor.expect_no_more()


@TRANSPORTS
async def test_a_storm_of_superseded_requests_gets_one_reply_each_and_leaves_nothing(transport: Transport) -> None:
    storm = 5000
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "forever")
        await editor.await_status(lambda status: any(call[0] == "start" for call in status["calls"]))
        before = (await editor.status())["process"]
        messages = []
        for number in range(storm):
            messages.append(editor.change_message(URI, number + 2, (0, 7, 0, 7, "x")))
            messages.append(editor.request_message(INLINE, editor.inline_params(URI, 0, 8 + number), f"storm {number}"))
            if number % 7 == 0:
                messages.append({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": f"storm {number}"}})
        editor.send(*messages)
        editor.change(URI, storm + 2, "calm")
        editor.request(INLINE, editor.inline_params(URI, 0, 0), "last")
        assert '"text": "calm"' in (await editor.await_reply("last"))["result"]["items"][0]["insertText"]
        replies = {message["id"]: message for message in editor.unread if "method" not in message}
        assert len(replies) == storm
        assert len([message for message in editor.unread if "method" not in message]) == storm
        for number in range(storm):
            reply = replies[f"storm {number}"]
            if number % 7 == 0:
                assert reply["error"]["code"] == -32800
            else:
                assert reply["result"] == {"items": []}
        editor.unread = [message for message in editor.unread if "method" in message]
        after = await editor.await_status(lambda status: status["running"] == 0)
        for name in ("tasks", "threads", "fds"):
            assert after["process"][name] == before[name], name


OWED = 60
WEIGHT = 250_000
"""Bytes to an answer: together more than any pipe or socket holds by itself."""


def owe(editor: FakeEditor) -> list[int | str]:
    """Ask for megabytes, and last for a word in the server's log; returns the ids in order."""
    asked: list[int | str] = []
    for number in range(OWED):
        uri = f"file:///w/{number}.py"
        editor.open(uri, f"{number} ".ljust(WEIGHT, "x"))
        asked.append(editor.request(INLINE, editor.inline_params(uri, 0, 1)))
    told = {"role": "tell", "model": "everything is answered"}
    asked.append(editor.request(EXECUTE, editor.command_params("dragoman.selectModel", told)))
    return asked


@TRANSPORTS
async def test_a_client_that_stops_reading_does_not_stop_the_server_and_gets_everything_later(
    transport: Transport,
) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await editor.status()
        process = psutil.Process(editor.process.pid)
        before = process.memory_info().rss
        editor.stop_reading()
        asked = owe(editor)
        await editor.await_log("everything is answered")
        assert not [message for message in editor.unread if "result" in message]
        assert process.memory_info().rss - before < 8 * OWED * WEIGHT
        editor.go_on_reading()
        status = await editor.status()
        replies = [message for message in editor.unread if "result" in message]
        assert [message["id"] for message in replies] == asked
        for number, reply in enumerate(replies[:-1]):
            text = json.loads(reply["result"]["items"][0]["insertText"])["text"]
            assert text == f"{number} ".ljust(WEIGHT, "x")
        assert status["bugs"] == []
        editor.unread = []


@TRANSPORTS
async def test_a_client_that_never_reads_again_is_given_up_before_it_takes_the_memory(transport: Transport) -> None:
    limit = json.dumps({"dragoman.lsp.transport.MAX_UNREAD": 1 << 20})
    async with editing(transport, env={"SCRIPTED_LIMITS": limit}) as editor:
        await editor.initialize()
        await editor.status()
        editor.stop_reading()
        owe(editor)
        assert await editor.wait() == 1
        assert "bytes unread and is given up" in editor.log()
        assert "scripted services closed" in editor.log()
        assert "Traceback" not in editor.log()
        editor.go_on_reading()
        await editor.await_end()
        assert sum("result" in message for message in editor.unread) < OWED
        editor.unread = []


def test_the_limit_for_unread_answers_is_the_documented_one() -> None:
    assert transport_module.MAX_UNREAD == 256 * 1024 * 1024


@TRANSPORTS
async def test_a_request_sent_as_a_notification_is_left_out(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "😀abc")
        editor.notify(INLINE, editor.inline_params(URI, 0, 1))
        editor.notify("initialize", {"capabilities": {"general": {"positionEncodings": ["utf-32"]}}})
        editor.notify("shutdown")
        assert (await editor.asked(URI, 0, 3))["character"] == 2
        status = await editor.status()
        assert status["counts"]["suggest"] == 1
        assert status["bugs"] == []
        assert "'initialize' came without an id" in editor.log()


@TRANSPORTS
async def test_a_request_that_will_not_end_does_not_keep_the_services_open(transport: Transport) -> None:
    limit = json.dumps({"dragoman.lsp.server.CLOSE_SECONDS": 0.2})
    async with editing(transport, env={"SCRIPTED_LIMITS": limit}) as editor:
        await editor.initialize()
        editor.open(URI, "immortal")
        editor.request(INLINE, editor.inline_params(URI, 0, 1))
        await editor.await_status(lambda status: status["running"] == 1)
        editor.hang_up()
        assert await editor.wait() == 1
        assert "the requests did not close" in editor.log()
        assert "scripted services closed" in editor.log()


async def test_a_stray_print_does_not_corrupt_the_stream() -> None:
    async with editing("stdio") as editor:
        await editor.initialize()
        editor.open(URI, "print")
        for _ in range(3):
            assert len(await editor.inline(URI, 0, 3)) == 1
        assert "and a stray write to descriptor 1" in editor.log()


def session_bytes() -> bytes:
    document = {"uri": URI, "languageId": "python", "version": 1, "text": "abc"}
    position = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 3}, "context": {"triggerKind": 1}}
    return b"".join(
        frame({"jsonrpc": "2.0", **message})
        for message in (
            {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
            {"method": "initialized", "params": {}},
            {"method": "textDocument/didOpen", "params": {"textDocument": document}},
            {"id": 2, "method": INLINE, "params": position},
            {"id": 3, "method": "shutdown"},
            {"method": "exit"},
        )
    )


def test_a_whole_session_in_one_packet_works_from_a_file_to_a_file() -> None:
    """Descriptors that the loop cannot wait for are served by threads."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(session_bytes())
        source.seek(0)
        done = subprocess.run(SCRIPTED, stdin=source, stdout=target, stderr=subprocess.PIPE, timeout=60)
        target.seek(0)
        replies = target.read()
    assert done.returncode == 0, done.stderr.decode()
    assert replies.count(b"Content-Length: ") >= 3
    assert b'"id":3,"result":null' in replies


def test_a_whole_session_in_one_packet_works_over_one_socket_for_both_directions() -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(SCRIPTED, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        theirs.close()
        ours.sendall(session_bytes())
        ours.settimeout(60)
        replies = b""
        while data := ours.recv(65536):
            replies += data
        assert process.wait(60) == 0
    assert b'"id":3,"result":null' in replies


def test_a_client_that_stops_reading_for_good_ends_the_server() -> None:
    """The write end breaks (EPIPE) while the read end stays open."""
    process = subprocess.Popen(SCRIPTED, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(session_bytes().partition(frame({"jsonrpc": "2.0", "id": 3, "method": "shutdown"}))[0])
    process.stdin.flush()
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    assert process.wait(60) == 1
    process.stdin.close()


@pytest.mark.parametrize("number", [2, 15])
async def test_signals_end_the_server_in_good_order(number: int) -> None:
    async with editing("stdio") as editor:
        await editor.initialize()
        await editor.status()
        editor.process.send_signal(number)
        assert await editor.wait() == 1
        assert "scripted services closed" in editor.log()
        assert "Traceback" not in editor.log()
