"""The traps of plain pygls 2.1.1 as checks that any server on an editor's connection can be put through.

`test_pitfalls` puts Dragoman through them; `test_pitfalls_are_real` puts plain pygls through them and expects `PitfallError`.
A check raises it only for the trap itself, in a sentence that begins with what was seen: time-outs and other failures are
other errors.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from lsprotocol import types

from tests.support.fake_editor import PATIENCE, FakeEditor

URI = "file:///w/a.py"
INLINE = "textDocument/inlineCompletion"
EXECUTE = "workspace/executeCommand"
SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters that are no line breaks to any editor."""

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Workers in a thread pool of the standard library's default size."""


class PitfallError(AssertionError):
    """The server fell into the trap; the message begins with what was seen."""


def expect(fine: bool, seen: str) -> None:
    if not fine:
        raise PitfallError(seen)


def popups(editor: FakeEditor) -> list[str]:
    """Take away what the server has put on the user's screen so far."""
    shown = [message for message in editor.unread if message.get("method") == "window/showMessage"]
    editor.unread = [message for message in editor.unread if message not in shown]
    return [message["params"]["message"] for message in shown]


async def reply_before_next(editor: FakeEditor, method: str, params: Any) -> dict[str, Any] | None:
    """Return the reply that came before the reply to a question asked afterwards, None when none came."""
    request = editor.request(method, params)
    await editor.status()
    return next((message for message in editor.unread if message.get("id") == request), None)


async def result(editor: FakeEditor, method: str, params: Any, doing: str) -> Any:
    reply = await editor.await_reply(editor.request(method, params))
    expect("error" not in reply, f"{doing} failed: {reply.get('error', {}).get('message')}")
    return reply["result"]


def work(editor: FakeEditor, role: str) -> dict[str, Any]:
    """Return the params of a command that takes time: `hold` lasts until `release` is run."""
    return editor.command_params("dragoman.selectModel", {"role": role, "model": "x"})


# -- documents -----------------------------------------------------------------------------------------------------------


async def only_real_line_breaks_end_a_line(editor: FakeEditor, separator: str) -> None:
    uri = f"file:///w/{ord(separator)}.py"
    editor.open(uri, f"a{separator}b\nsecond\n")
    editor.change(uri, 2, (1, 6, 1, 6, " line"))
    asked = await editor.asked(uri, 1, 1)
    expect(asked["text"] == "second line\n", f"line 1 became {asked['text']!r}")
    assert asked["lines"] == 3


async def a_character_past_the_end_means_the_end(editor: FakeEditor) -> None:
    editor.open(URI, "abc")
    editor.change(URI, 2, (0, 99, 0, 99, "X"))
    asked = await editor.asked(URI, 0, 1)
    expect(asked["text"] == "abcX", f"an insertion behind 'abc' made it {asked['text']!r}")


def a_position_is_only_read(read: Callable[[types.Position], object]) -> None:
    """``read`` looks up a position in a document whose only line is 'abc'."""
    position = types.Position(line=0, character=99)
    before = copy.deepcopy(position)
    read(position)
    expect(position == before, f"reading {before.character} changed the request's own position to {position.character}")


async def the_empty_last_line_can_be_read(editor: FakeEditor) -> None:
    editor.open(URI, "a\n")
    answer = await result(editor, INLINE, editor.inline_params(URI, 1, 0), "reading the empty last line")
    asked = json.loads(answer["items"][0]["insertText"])
    assert (asked["line"], asked["character"], asked["text"]) == (1, 0, "")


# -- commands, threads, the end -------------------------------------------------------------------------------------------


async def cancelling_a_command_ends_its_work(editor: FakeEditor) -> None:
    held = editor.request(EXECUTE, work(editor, "hold"))
    await editor.status()
    editor.notify("$/cancelRequest", {"id": held})
    assert (await editor.await_reply(held))["error"]["code"] == -32800
    await editor.call(EXECUTE, work(editor, "release"))
    ends = (["command cancelled"], ["command done"])
    status = await editor.await_status(lambda status: any(end in status["calls"] for end in ends))
    expect(["command done"] not in status["calls"], "the cancelled command ran to its end")


async def long_work_does_not_hold_up_the_reader(editor: FakeEditor, seconds: float) -> None:
    """Start as much work as a thread pool has workers, each lasting ``seconds``, and ask something else behind it."""
    params = editor.command_params("dragoman.pullModel", {"name": str(seconds)})
    working = [editor.request_message(EXECUTE, params) for _ in range(THREADS)]
    asked = editor.request_message(EXECUTE, editor.command_params("dragoman.status", {}))
    editor.send(*working, asked)
    ours = {message["id"] for message in (*working, asked)}
    first = await editor.await_message("first reply", lambda message: message.get("id") in ours)
    expect(first["id"] == asked["id"], "the question was answered after busy workers had ended")
    cancels = ({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": one["id"]}} for one in working)
    editor.send(*cancels)
    for one in working:
        assert (await editor.await_reply(one["id"]))["error"]["code"] == -32800


async def long_work_can_be_cancelled(editor: FakeEditor, seconds: float) -> None:
    params = editor.command_params("dragoman.pullModel", {"name": str(seconds)})
    working = editor.request(EXECUTE, params)
    await editor.await_status(lambda status: status["pulling"] == 1)
    editor.notify("$/cancelRequest", {"id": working})
    await editor.await_status(lambda status: status["pulling"] == 0)
    reply = await editor.await_reply(working)
    assert reply["error"]["code"] == -32800
    status = await editor.status()
    expect(["pulled"] not in status["calls"], "the cancelled work went on to its end")


async def shutdown_works_with_requests_in_flight(editor: FakeEditor) -> None:
    editor.open(URI, "forever")
    held = editor.request(EXECUTE, work(editor, "hold"))
    asked = editor.request(INLINE, editor.inline_params(URI, 0, 3))
    await editor.status()
    assert await result(editor, "shutdown", None, "shutdown") is None
    for one in (held, asked):
        assert (await editor.await_reply(one))["error"]["code"] == -32800


async def exit_without_shutdown_is_1(editor: FakeEditor) -> None:
    editor.notify("exit")
    code = await editor.wait()
    expect(code == 1, f"exit code {code} without shutdown")


async def requests_before_initialize_are_refused(editor: FakeEditor) -> None:
    for method, params in (("shutdown", None), (INLINE, editor.inline_params(URI, 0, 0))):
        reply = await editor.await_reply(editor.request(method, params))
        code = reply.get("error", {}).get("code")
        expect(code == -32002, f"{method!r} before initialize was answered with {reply.get('error', reply)}")


async def the_server_ends_with_the_editor_process(editor: FakeEditor, seconds: float = PATIENCE) -> None:
    """Needs a server that is not initialized; within ``seconds`` of its editor's end it must be gone."""
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        await editor.initialize(processId=parent.pid)
        await editor.status()
        parent.kill()
        parent.wait()
        until, asked = time.monotonic() + seconds, 0
        while editor.process.poll() is None and not editor.eof:
            asked += 1
            editor.request(EXECUTE, editor.command_params("dragoman.status", {}), f"still there {asked}")
            while not (editor.eof or editor.process.poll() is not None or _take(editor, f"still there {asked}")):
                await asyncio.sleep(0.01)
            expect(time.monotonic() < until, f"{asked} questions answered after the editor's process had ended")
    finally:
        parent.kill()
        parent.wait()
        assert parent.stdin is not None
        parent.stdin.close()
    assert await editor.wait() == 1
    await editor.await_end()
    _take(editor, f"still there {asked}")


def _take(editor: FakeEditor, request: int | str) -> bool:
    """Take a reply away if it has come."""
    before = len(editor.unread)
    editor.unread = [message for message in editor.unread if message.get("id") != request]
    return len(editor.unread) < before


# -- what is wrong -------------------------------------------------------------------------------------------------------


async def bad_params_get_a_reply(editor: FakeEditor, params: Any) -> None:
    reply = await reply_before_next(editor, INLINE, params)
    shown = popups(editor)
    expect(reply is not None, f"no reply, but a popup {shown}")
    assert reply is not None
    editor.unread.remove(reply)
    assert reply["error"]["code"] == -32602
    assert INLINE in reply["error"]["message"]
    expect(not shown, f"a popup {shown}")


async def failures_carry_no_traceback(editor: FakeEditor) -> None:
    editor.open(URI, "boom\n")
    reply = await editor.await_reply(editor.request(INLINE, editor.inline_params(URI, 0, 0)))
    error = reply["error"]
    assert error["code"] == -32603
    expect(set(error) == {"code", "message"}, f"the error carries {error.get('data')}")
    expect("Traceback" not in error["message"] and ".py" not in error["message"], f"the message is {error['message']}")


async def a_failing_notification_never_pops_up(editor: FakeEditor) -> None:
    editor.open(URI, "explode")
    await editor.status()
    shown = popups(editor)
    expect(not shown, f"a popup {shown}")


async def a_nested_key_jsonrpc_in_options_is_data(editor: FakeEditor) -> None:
    """Needs a server that is not initialized."""
    options = {"deep": {"jsonrpc": "2.0", "method": "m", "params": [1]}}
    await editor.initialize(initializationOptions=options)
    status = await editor.await_status(lambda status: any(call[0] == "start" for call in status["calls"]))
    seen = next(call for call in status["calls"] if call[0] == "start")[3]
    expect(seen == options, f"the options arrived as {seen}")


async def a_nested_key_jsonrpc_in_a_command_is_data(editor: FakeEditor) -> None:
    argument = {"id": "s1", "kind": "whole", "jsonrpc": "2.0"}
    reply = await reply_before_next(editor, EXECUTE, editor.command_params("dragoman.acceptCompletion", argument))
    expect(reply is not None, f"no reply, but a popup {popups(editor)}")
    assert reply is not None
    editor.unread.remove(reply)
    assert reply["result"] is None
    assert ["accepted", "s1", "whole"] in (await editor.status())["calls"]


# -- order ---------------------------------------------------------------------------------------------------------------


async def a_request_sees_the_text_of_its_own_moment(editor: FakeEditor) -> None:
    editor.open(URI, "v1")
    first = editor.request_message(INLINE, editor.inline_params(URI, 0, 1))
    changes = [editor.change_message(URI, version, (0, 0, 0, 99, f"v{version}")) for version in range(2, 102)]
    position = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 1}}
    last = editor.request_message("textDocument/completion", position)
    editor.send(first, *changes, last)
    reply = await editor.await_reply(first["id"])
    seen = json.loads(reply["result"]["items"][0]["insertText"])["version"]
    expect(seen == 1, f"a request made at version 1 saw version {seen}")
    reply = await editor.await_reply(last["id"])
    assert '"version": 101,' in reply["result"]["items"][0]["textEdit"]["newText"]


async def a_cancelled_request_is_answered_at_once(editor: FakeEditor) -> None:
    editor.open(URI, "stubborn")
    late = editor.request(INLINE, editor.inline_params(URI, 0, 3))
    await editor.await_status(lambda status: status["running"] == 1)
    editor.notify("$/cancelRequest", {"id": late})
    reply = await editor.await_reply(late)
    expect("result" not in reply, f"the cancelled request was answered with {reply.get('result')}")
    assert reply["error"]["code"] == -32800
    await editor.await_status(lambda status: status["running"] == 0)
    await editor.expect_no_more()
