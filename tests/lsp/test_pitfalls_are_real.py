"""Plain pygls 2.1.1 falls into every trap that `test_pitfalls` keeps Dragoman out of: the same checks, run on a plain server.

A check that plain pygls passes would prove nothing; when a new version of it passes one, this says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from lsprotocol import types
from pygls.workspace import TextDocument

from tests.lsp import pitfalls
from tests.lsp.pitfalls import SEPARATORS, PitfallError
from tests.support.fake_editor import FakeEditor, Transport

TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "tcp"])


@contextlib.asynccontextmanager
async def plain(transport: Transport, *, initialize: bool = True) -> AsyncIterator[FakeEditor]:
    """An editor connected to plain pygls; how that one leaves afterwards is no question here."""
    editor = await FakeEditor.launch(transport, server="plain_pygls")
    try:
        if initialize:
            await editor.initialize()
        yield editor
    finally:
        await editor.kill()


@TRANSPORTS
async def test_pitfall_1_it_splits_lines_where_no_editor_does(transport: Transport) -> None:
    async with plain(transport) as editor:
        for separator in SEPARATORS:
            with pytest.raises(PitfallError, match=r"^line 1 became 'b"):
                await pitfalls.only_real_line_breaks_end_a_line(editor, separator)


@TRANSPORTS
async def test_pitfall_2_it_puts_text_before_the_last_character(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^an insertion behind 'abc' made it 'abXc'"):
            await pitfalls.a_character_past_the_end_means_the_end(editor)


def test_pitfall_2_it_changes_the_request_s_position() -> None:
    document = TextDocument("file:///w/a.py", "abc")
    with pytest.raises(PitfallError, match=r"^reading 99 changed the request's own position to 2"):
        pitfalls.a_position_is_only_read(document.offset_at_position)


@TRANSPORTS
async def test_pitfall_3_its_lines_end_before_the_empty_last_one(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^reading the empty last line failed: .*index out of range"):
            await pitfalls.the_empty_last_line_can_be_read(editor)


@TRANSPORTS
async def test_pitfall_4_a_cancelled_command_runs_to_its_end(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^the cancelled command ran to its end"):
            await pitfalls.cancelling_a_command_ends_its_work(editor)


async def test_pitfall_5_busy_workers_stop_the_reader() -> None:
    async with plain("stdio") as editor:
        with pytest.raises(PitfallError, match=r"^the question was answered after busy workers had ended"):
            await pitfalls.long_work_does_not_hold_up_the_reader(editor, 1)


async def test_pitfall_5_over_tcp_the_reader_needs_no_worker() -> None:
    """Plain pygls does not show this trap over TCP: its socket is read by the event loop."""
    async with plain("tcp") as editor:
        await pitfalls.long_work_does_not_hold_up_the_reader(editor, 5)


@TRANSPORTS
async def test_pitfall_5_work_in_a_thread_outlives_its_cancel(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^the cancelled work went on to its end"):
            await pitfalls.long_work_can_be_cancelled(editor, 1)


@TRANSPORTS
async def test_pitfall_6_shutdown_fails_while_a_command_runs(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^shutdown failed: .*dictionary changed size during iteration"):
            await pitfalls.shutdown_works_with_requests_in_flight(editor)


@pytest.mark.parametrize("initialize", [True, False])
async def test_pitfall_7_exit_without_shutdown_is_0(initialize: bool) -> None:
    async with plain("stdio", initialize=initialize) as editor:
        with pytest.raises(PitfallError, match=r"^exit code 0 without shutdown"):
            await pitfalls.exit_without_shutdown_is_1(editor)


async def test_pitfall_7_over_tcp_exit_without_shutdown_is_1() -> None:
    """Plain pygls does not show this trap over TCP."""
    async with plain("tcp") as editor:
        await pitfalls.exit_without_shutdown_is_1(editor)


@TRANSPORTS
async def test_pitfall_7_requests_before_initialize_are_answered(transport: Transport) -> None:
    async with plain(transport, initialize=False) as editor:
        with pytest.raises(PitfallError, match=r"^'shutdown' before initialize was answered with .*'result': None"):
            await pitfalls.requests_before_initialize_are_refused(editor)


@TRANSPORTS
async def test_pitfall_7_it_outlives_the_editor_process(transport: Transport) -> None:
    async with plain(transport, initialize=False) as editor:
        with pytest.raises(PitfallError, match=r"^\d+ questions answered after the editor's process had ended"):
            await pitfalls.the_server_ends_with_the_editor_process(editor, 1)


@TRANSPORTS
async def test_pitfall_8_bad_params_get_a_popup_and_no_reply(transport: Transport) -> None:
    async with plain(transport) as editor:
        for params in ({}, {"textDocument": {"uri": pitfalls.URI}}, [1], "no"):
            with pytest.raises(PitfallError, match=r"^no reply, but a popup \['Error in server: Invalid Params"):
                await pitfalls.bad_params_get_a_reply(editor, params)


@TRANSPORTS
async def test_pitfall_8_failures_carry_a_traceback_with_paths(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^the error carries .*traceback.*plain_pygls\.py"):
            await pitfalls.failures_carry_no_traceback(editor)


@TRANSPORTS
async def test_pitfall_8_a_failing_notification_pops_up(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^a popup \['Error in server: .*scripted failure of a notification"):
            await pitfalls.a_failing_notification_never_pops_up(editor)


@TRANSPORTS
async def test_pitfall_9_a_nested_key_jsonrpc_makes_a_message_of_the_options(transport: Transport) -> None:
    async with plain(transport, initialize=False) as editor:
        with pytest.raises(PitfallError, match=r"^the options arrived as .*JsonRPCNotification\(method='m'"):
            await pitfalls.a_nested_key_jsonrpc_in_options_is_data(editor)


@TRANSPORTS
async def test_pitfall_9_a_command_with_a_nested_key_jsonrpc_gets_no_reply(transport: Transport) -> None:
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^no reply, but a popup \['Error in server: Internal Error"):
            await pitfalls.a_nested_key_jsonrpc_in_a_command_is_data(editor)


async def test_pitfall_10_over_tcp_a_request_sees_a_later_text() -> None:
    async with plain("tcp") as editor:
        with pytest.raises(PitfallError, match=r"^a request made at version 1 saw version 101"):
            await pitfalls.a_request_sees_the_text_of_its_own_moment(editor)


async def test_pitfall_10_over_stdio_a_request_sees_its_own_text() -> None:
    """Plain pygls does not show this trap over stdio, where three hops to a thread lie between two messages."""
    async with plain("stdio") as editor:
        await pitfalls.a_request_sees_the_text_of_its_own_moment(editor)


def test_pitfall_11_a_command_built_by_position_takes_its_arguments_for_the_tooltip() -> None:
    with pytest.raises(TypeError, match="tooltip"):
        types.Command("title", "command", [{}])  # type: ignore[arg-type]


@TRANSPORTS
async def test_pitfall_12_a_cancelled_request_waits_for_its_handler(transport: Transport) -> None:
    """The protocol allows the late result; the editor waits for it all the same."""
    async with plain(transport) as editor:
        with pytest.raises(PitfallError, match=r"^the cancelled request was answered with .*late"):
            await pitfalls.a_cancelled_request_is_answered_at_once(editor)
