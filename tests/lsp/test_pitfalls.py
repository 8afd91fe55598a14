"""The traps of plain pygls 2.1.1, over pipes and over TCP: the checks of `tests.lsp.pitfalls`, and what only Dragoman promises.

That each of these checks fails on plain pygls is what `test_pitfalls_are_real` shows.
"""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from lsprotocol import types

from dragoman.completion.query import Suggestion
from dragoman.lsp.convert import accept_command
from dragoman.lsp.documents import Change, Document
from dragoman.lsp.features.inline_completion import inline_completion
from dragoman.lsp.server import create_server
from tests.lsp import pitfalls
from tests.lsp.pitfalls import EXECUTE, INLINE, SEPARATORS, THREADS, URI
from tests.support.fake_editor import ROOT, FakeEditor, Transport, editing
from tests.support.scripted_lsp import ScriptedServices

TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "tcp"])


@TRANSPORTS
async def test_pitfall_1_only_real_line_breaks_end_a_line(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        for separator in SEPARATORS:
            await pitfalls.only_real_line_breaks_end_a_line(editor, separator)


@TRANSPORTS
async def test_pitfall_2_a_character_past_the_end_means_the_end(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.a_character_past_the_end_means_the_end(editor)
        assert (await editor.asked(URI, 0, 99))["character"] == 4


async def test_pitfall_2_positions_are_not_mutated() -> None:
    session = create_server(ScriptedServices).session
    session.documents.open(URI, "python", 1, "abc")

    def ask(position: types.Position) -> None:
        answer = inline_completion(
            session,
            types.InlineCompletionParams(
                text_document=types.TextDocumentIdentifier(uri=URI),
                position=position,
                context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Invoked),
            ),
        )
        assert not isinstance(answer, types.InlineCompletionList)
        answer.close()

    pitfalls.a_position_is_only_read(ask)

    def edit(position: types.Position) -> None:
        place = (position.line, position.character)
        Document(URI, "python", 1, "abc").apply([Change("x", place, place)], 2, "utf-16")

    pitfalls.a_position_is_only_read(edit)


@TRANSPORTS
async def test_pitfall_3_the_empty_last_line_can_be_read(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.the_empty_last_line_can_be_read(editor)
        beyond = await editor.asked(URI, 50, 3)
        assert (beyond["line"], beyond["character"]) == (1, 0)


@TRANSPORTS
async def test_pitfall_4_cancelling_a_command_ends_its_work(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.cancelling_a_command_ends_its_work(editor)


@TRANSPORTS
async def test_pitfall_5_long_work_neither_holds_up_the_reader_nor_outlives_its_cancel(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.long_work_does_not_hold_up_the_reader(editor, 60)
        await pitfalls.long_work_can_be_cancelled(editor, 60)


@TRANSPORTS
async def test_pitfall_5_there_is_one_thread_however_much_is_in_flight(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        working = [editor.request(EXECUTE, pitfalls.work(editor, "hold")) for _ in range(2 * THREADS)]
        assert (await editor.status())["process"]["threads"] == 1
        await editor.call(EXECUTE, pitfalls.work(editor, "release"))
        for one in working:
            assert "result" in await editor.await_reply(one)


@TRANSPORTS
async def test_pitfall_6_shutdown_works_with_requests_in_flight(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.shutdown_works_with_requests_in_flight(editor)
        late = await editor.call_error(INLINE, editor.inline_params(URI, 0, 3))
        assert late["code"] == -32600
        editor.notify("exit")
        assert await editor.wait() == 0


@TRANSPORTS
async def test_pitfall_7_exit_without_shutdown_is_1(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.exit_without_shutdown_is_1(editor)


@TRANSPORTS
async def test_pitfall_7_exit_before_initialize_is_1(transport: Transport) -> None:
    async with editing(transport) as editor:
        await pitfalls.exit_without_shutdown_is_1(editor)


@TRANSPORTS
async def test_pitfall_7_requests_before_initialize_are_refused(transport: Transport) -> None:
    async with editing(transport) as editor:
        await pitfalls.requests_before_initialize_are_refused(editor)
        editor.open(URI, "dropped")
        await editor.initialize()
        assert await editor.inline(URI, 0, 0) == []


@TRANSPORTS
async def test_pitfall_7_the_end_of_input_ends_the_server(transport: Transport) -> None:
    """A client that crashes closes its end; nothing must be left behind, and it is not a clean exit."""
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "forever")
        editor.request(INLINE, editor.inline_params(URI, 0, 3))
        await editor.await_status(lambda status: status["running"] == 1)
        editor.hang_up()
        assert await editor.wait() == 1
        assert "scripted services closed" in editor.log()


@TRANSPORTS
async def test_pitfall_7_the_server_ends_with_the_editor_process(transport: Transport) -> None:
    async with editing(transport) as editor:
        await pitfalls.the_server_ends_with_the_editor_process(editor)
        assert "the editor's process has ended" in editor.log()


@TRANSPORTS
async def test_pitfall_7_an_editor_process_that_cannot_be_seen_is_not_watched(transport: Transport) -> None:
    """A client in another container gives an id that means nothing here, or that no process can have."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process_id in (gone.pid, 1 << 40):
        async with editing(transport) as editor:
            await editor.initialize(processId=process_id)
            assert (await editor.status())["state"] == "ready"


@TRANSPORTS
async def test_pitfall_8_bad_params_get_an_error_reply_and_no_popup(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        wrong_types = {"textDocument": 7, "position": "x", "context": []}
        for params in ({}, {"textDocument": {"uri": URI}}, wrong_types, [1], "no"):
            await pitfalls.bad_params_get_a_reply(editor, params)


@TRANSPORTS
async def test_pitfall_8_failures_carry_no_traceback_and_no_path(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.failures_carry_no_traceback(editor)
        editor.change(URI, 2, "boom\nrefuse\n")
        error = await editor.call_error(INLINE, editor.inline_params(URI, 0, 0))
        assert "scripted" not in error["message"]
        reference = error["message"].split()[-1].rstrip(".")
        assert reference in editor.log()
        assert "scripted failure in" in editor.log()
        refused = await editor.call_error(INLINE, editor.inline_params(URI, 1, 0))
        assert refused == {
            "code": -32803,
            "message": "There is no model for 'completion'. Run 'dragoman models pull'.",
        }
        editor.expected_bugs = 2


@TRANSPORTS
async def test_pitfall_8_a_failing_notification_is_logged_and_never_pops_up(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.a_failing_notification_never_pops_up(editor)
        editor.change("file:///never/opened", 2, (0, 0, 0, 0, "x"))
        editor.notify("textDocument/didChange", {"nonsense": True})
        editor.notify("no/such/notification", {})
        status = await editor.status()
        await editor.expect_no_more()
        assert status["bugs"] == ["the domain failed on a notification"]
        editor.expected_bugs = 1


@TRANSPORTS
async def test_pitfall_9_a_nested_key_jsonrpc_is_data(transport: Transport) -> None:
    async with editing(transport) as editor:
        await pitfalls.a_nested_key_jsonrpc_in_options_is_data(editor)
        await pitfalls.a_nested_key_jsonrpc_in_a_command_is_data(editor)
        nested = {"jsonrpc": "2.0", "method": "textDocument/didOpen", "id": 5, "params": {"jsonrpc": "1"}}
        editor.notify("workspace/didChangeConfiguration", {"settings": {"dragoman": {"rpc": nested}}})
        await editor.await_status(lambda status: ["settings", {"rpc": nested}] in status["calls"])


@TRANSPORTS
async def test_pitfall_10_a_request_sees_the_text_of_its_own_moment(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.a_request_sees_the_text_of_its_own_moment(editor)


def positional_calls(source: str) -> list[str]:
    """Return the constructions of protocol types that pass anything by position."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "types"
        and (node.args or any(keyword.arg is None for keyword in node.keywords))
    ]


def test_pitfall_11_protocol_types_are_built_by_keyword() -> None:
    """The order of their fields changes between versions of lsprotocol without a word."""
    assert positional_calls("types.Command('t', command='c')") == ["types.Command('t', command='c')"]
    sources = sorted((ROOT / "server" / "dragoman" / "lsp").rglob("*.py"))
    found = {path.name: calls for path in sources if (calls := positional_calls(path.read_text(encoding="utf-8")))}
    assert len(sources) > 20
    assert not found


def test_pitfall_11_the_accept_command_has_its_arguments() -> None:
    command = accept_command(Suggestion("s1", "x", 0, 0))
    assert command == types.Command(
        title="Accept completion", command="dragoman.acceptCompletion", arguments=[{"id": "s1", "kind": "whole"}]
    )
    assert command.tooltip is None


@TRANSPORTS
async def test_pitfall_12_a_cancelled_request_is_answered_at_once_and_once(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        await pitfalls.a_cancelled_request_is_answered_at_once(editor)


async def test_the_fake_editor_notices_what_a_test_leaves_unread() -> None:
    """The tool itself: unread messages, bugs and a corrupt stream must fail a test."""
    editor = await FakeEditor.launch()
    await editor.initialize()
    editor.request("shutdown")
    editor.notify("exit")
    await editor.wait()
    await editor.await_end()
    with pytest.raises(AssertionError, match="unread messages"):
        await editor.close()
    assert not editor.log_file.exists()
