"""The traps of plain pygls 2.1.1, each with a test that fails with its behaviour; over pipes and over TCP."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from lsprotocol import types

from dragoman.completion.query import Suggestion
from dragoman.lsp.convert import accept_command
from tests.support.fake_editor import FakeEditor, Transport, editing

URI = "file:///w/a.py"
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "tcp"])


@TRANSPORTS
@pytest.mark.parametrize("separator", list("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), ids=lambda c: f"U+{ord(c):04X}")
async def test_pitfall_1_only_real_line_breaks_end_a_line(transport: Transport, separator: str) -> None:
    """pygls splits lines with str.splitlines, so that the edit after a form feed lands on the wrong line."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, f"a{separator}b\nsecond\n")
        editor.change(URI, 2, (1, 6, 1, 6, " line"))
        asked = await editor.asked(URI, 1, 11)
        assert asked["text"] == "second line\n"
        assert asked["lines"] == 3


@TRANSPORTS
async def test_pitfall_2_a_character_past_the_end_means_the_end_and_positions_are_not_mutated(
    transport: Transport,
) -> None:
    """pygls clamps to len - 1 on a last line without a line break (`abc` becomes `abXc`) and mutates the request's position."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "abc")
        editor.change(URI, 2, (0, 99, 0, 99, "X"), (0, 99, 0, 99, "Y"))
        asked = await editor.asked(URI, 0, 99)
        assert asked["text"] == "abcXY"
        assert asked["character"] == 5


@TRANSPORTS
async def test_pitfall_3_the_empty_last_line_can_be_read(transport: Transport) -> None:
    """pygls raises IndexError for the line after the final line break, where cursors often are."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "a\n")
        asked = await editor.asked(URI, 1, 0)
        assert (asked["line"], asked["character"], asked["text"]) == (1, 0, "")
        beyond = await editor.asked(URI, 50, 3)
        assert (beyond["line"], beyond["character"]) == (1, 0)


@TRANSPORTS
async def test_pitfall_4_cancelling_a_command_ends_its_work(transport: Transport) -> None:
    """pygls answers -32800 but lets the command run to its end."""
    async with editing(transport) as editor:
        await editor.initialize()
        slow = editor.request(
            "workspace/executeCommand",
            editor.command_params("dragoman.selectModel", {"role": "sleep", "model": "3600"}),
        )
        await editor.status()
        editor.notify("$/cancelRequest", {"id": slow})
        reply = await editor.await_reply(slow)
        assert reply["error"]["code"] == -32800
        await editor.await_status(lambda status: ["command cancelled"] in status["calls"])


@TRANSPORTS
async def test_pitfall_5_busy_handlers_do_not_hold_up_the_reader(transport: Transport) -> None:
    """In pygls thread handlers share their pool with the stdin reader: with all workers busy nothing is read."""
    async with editing(transport) as editor:
        await editor.initialize()
        params = editor.command_params("dragoman.selectModel", {"role": "sleep", "model": "3600"})
        slow = [editor.request("workspace/executeCommand", params) for _ in range(64)]
        status = await editor.status()
        assert status["process"]["threads"] == 1
        editor.send(*({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": one}} for one in slow))
        for one in slow:
            assert (await editor.await_reply(one))["error"]["code"] == -32800


@TRANSPORTS
async def test_pitfall_6_shutdown_works_with_requests_in_flight(transport: Transport) -> None:
    """pygls fails with -32603 (a dictionary changed size) and then does not count as shut down."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "forever")
        slow = [
            editor.request(
                "workspace/executeCommand",
                editor.command_params("dragoman.selectModel", {"role": "sleep", "model": "3600"}),
            ),
            editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 3)),
        ]
        await editor.status()
        assert await editor.call("shutdown") is None
        for one in slow:
            assert (await editor.await_reply(one))["error"]["code"] == -32800
        late = await editor.call_error("textDocument/inlineCompletion", editor.inline_params(URI, 0, 3))
        assert late["code"] == -32600
        editor.notify("exit")
        assert await editor.wait() == 0


@TRANSPORTS
async def test_pitfall_7_exit_without_shutdown_is_1(transport: Transport) -> None:
    """pygls returns 0 over stdio."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.notify("exit")
        assert await editor.wait() == 1


@TRANSPORTS
async def test_pitfall_7_exit_before_initialize_is_1(transport: Transport) -> None:
    """pygls returns 0 over stdio."""
    async with editing(transport) as editor:
        editor.notify("exit")
        assert await editor.wait() == 1


@TRANSPORTS
async def test_pitfall_7_requests_before_initialize_are_refused(transport: Transport) -> None:
    """pygls answers them."""
    async with editing(transport) as editor:
        error = await editor.call_error("textDocument/inlineCompletion", editor.inline_params(URI, 0, 0))
        assert error["code"] == -32002
        assert (await editor.call_error("shutdown"))["code"] == -32002
        editor.open(URI, "dropped")
        await editor.initialize()
        assert await editor.inline(URI, 0, 0) == []


@TRANSPORTS
async def test_pitfall_7_the_end_of_input_ends_the_server(transport: Transport) -> None:
    """A client that crashes closes its end; nothing must be left behind, and it is not a clean exit."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "forever")
        editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 3))
        await editor.await_status(lambda status: status["running"] == 1)
        editor.hang_up()
        assert await editor.wait() == 1
        assert "scripted services closed" in editor.log()


@TRANSPORTS
async def test_pitfall_7_the_server_ends_with_the_editor_process(transport: Transport) -> None:
    """pygls does not watch the processId it was given."""
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        async with editing(transport) as editor:
            await editor.initialize(processId=parent.pid)
            await editor.status()
            parent.kill()
            parent.wait()
            assert await editor.wait() == 1
            assert "the editor's process has ended" in editor.log()
    finally:
        parent.kill()
        parent.wait()
        assert parent.stdin is not None
        parent.stdin.close()


@TRANSPORTS
async def test_pitfall_7_an_editor_process_that_cannot_be_seen_is_not_watched(transport: Transport) -> None:
    """A client in another container gives an id that means nothing here."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    async with editing(transport) as editor:
        await editor.initialize(processId=gone.pid)
        assert (await editor.status())["state"] == "ready"


@TRANSPORTS
async def test_pitfall_8_bad_params_get_an_error_reply_and_no_popup(transport: Transport) -> None:
    """pygls sends no response at all, only a message on the user's screen: the client hangs."""
    async with editing(transport) as editor:
        await editor.initialize()
        for params in (
            {},
            {"textDocument": {"uri": URI}},
            {"textDocument": 7, "position": "x", "context": []},
            [1],
            "no",
        ):
            error = await editor.call_error("textDocument/inlineCompletion", params)
            assert error["code"] == -32602
            assert "textDocument/inlineCompletion" in error["message"]
            assert "Traceback" not in error["message"]
        await editor.expect_no_more()


@TRANSPORTS
async def test_pitfall_8_failures_carry_no_traceback_and_no_path(transport: Transport) -> None:
    """pygls puts the traceback, with paths of the machine, into `data`."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "boom\nrefuse\n")
        error = await editor.call_error("textDocument/inlineCompletion", editor.inline_params(URI, 0, 0))
        assert error["code"] == -32603
        assert "Traceback" not in error["message"]
        assert "scripted" not in error["message"]
        reference = error["message"].split()[-1].rstrip(".")
        assert reference in editor.log()
        assert "scripted failure in" in editor.log()
        refused = await editor.call_error("textDocument/inlineCompletion", editor.inline_params(URI, 1, 0))
        assert refused == {
            "code": -32803,
            "message": "There is no model for 'completion'. Run 'dragoman models pull'.",
        }
        editor.expected_bugs = 1


@TRANSPORTS
async def test_pitfall_8_a_failing_notification_is_logged_and_never_pops_up(transport: Transport) -> None:
    """pygls shows "Error in server" to the user for every exception in a notification handler."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "explode")
        editor.change("file:///never/opened", 2, (0, 0, 0, 0, "x"))
        editor.notify("textDocument/didChange", {"nonsense": True})
        editor.notify("no/such/notification", {})
        status = await editor.status()
        await editor.expect_no_more()
        assert status["bugs"] == ["the domain failed on a notification"]
        editor.expected_bugs = 1


@TRANSPORTS
async def test_pitfall_9_a_nested_key_jsonrpc_is_data(transport: Transport) -> None:
    """pygls turns every nested object with a key `jsonrpc` into a message class."""
    async with editing(transport) as editor:
        nested = {"jsonrpc": "2.0", "method": "textDocument/didOpen", "id": 5, "params": {"jsonrpc": "1"}}
        await editor.initialize(initializationOptions={"deep": nested})
        status = await editor.await_status(lambda status: any(call[0] == "start" for call in status["calls"]))
        assert next(call for call in status["calls"] if call[0] == "start")[3] == {"deep": nested}
        await editor.command(
            "dragoman.acceptCompletion", {"id": "s1", "kind": "whole", "jsonrpc": "2.0", "nested": nested}
        )
        assert ["accepted", "s1", "whole"] in (await editor.status())["calls"]
        editor.notify("workspace/didChangeConfiguration", {"settings": {"dragoman": {"rpc": nested}}})
        await editor.await_status(lambda status: ["settings", {"rpc": nested}] in status["calls"])


@TRANSPORTS
async def test_pitfall_10_a_request_sees_the_text_of_its_own_moment(transport: Transport) -> None:
    """Over TCP, or with any buffered reader, pygls starts an async handler after the later changes of the same packet."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "sleep:0.1 v1")
        other = "file:///w/b.py"
        editor.open(other, "v1")
        first = editor.request_message("textDocument/inlineCompletion", editor.inline_params(other, 0, 2))
        changes = [editor.change_message(other, version, (0, 0, 0, 99, f"v{version}")) for version in range(2, 102)]
        last = editor.request_message(
            "textDocument/completion", {"textDocument": {"uri": other}, "position": {"line": 0, "character": 4}}
        )
        editor.send(first, *changes, last)
        reply = await editor.await_reply(first["id"])
        assert '"version": 1,' in reply["result"]["items"][0]["insertText"]
        reply = await editor.await_reply(last["id"])
        assert '"version": 101,' in reply["result"]["items"][0]["textEdit"]["newText"]


def test_pitfall_11_commands_are_built_by_keyword() -> None:
    """lsprotocol 2025 put `tooltip` before `arguments`: a positional Command carries its arguments as the tooltip."""
    command = accept_command(Suggestion("s1", "x", 0, 0))
    assert command == types.Command(
        title="Accept completion", command="dragoman.acceptCompletion", arguments=[{"id": "s1", "kind": "whole"}]
    )
    assert command.tooltip is None


@TRANSPORTS
async def test_pitfall_12_a_late_result_after_a_cancel_is_not_a_second_reply(transport: Transport) -> None:
    """A handler may return a result after CancelledError; pygls waits for it and sends it, late."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "stubborn")
        late = editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 3))
        await editor.await_status(lambda status: status["running"] == 1)
        editor.notify("$/cancelRequest", {"id": late})
        assert (await editor.await_reply(late))["error"]["code"] == -32800
        await editor.await_status(lambda status: status["running"] == 0)
        await editor.expect_no_more()


async def test_the_fake_editor_notices_what_a_test_leaves_unread() -> None:
    """The tool itself: unread messages, bugs and a corrupt stream must fail a test."""
    editor = await FakeEditor.launch()
    await editor.initialize()
    editor.request("shutdown")
    await asyncio.sleep(0)
    editor.notify("exit")
    await editor.wait()
    async with asyncio.timeout(30):
        while not editor.eof:
            await asyncio.sleep(0.01)
    with pytest.raises(AssertionError, match="unread messages"):
        await editor.close()
    assert not editor.log_file.exists()
