"""What a client tells of its own accord: other servers' diagnostics, and text that was copied."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fake_editor import FakeEditor, Transport, editing

URI = "file:///w/a.py"


async def heard(editor: FakeEditor, what: str) -> list[list[Any]]:
    status = await editor.command("dragoman.status", {})
    assert status["bugs"] == []
    return [call[1:] for call in status["calls"] if call[0] == what]


@pytest.mark.parametrize("transport", ["stdio", "tcp"])
async def test_diagnostics_and_copies_reach_the_domain(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "one = two\n")
        found = [{"line": 0, "message": '"two" is not defined', "severity": 2}, {"line": 0, "message": "odd"}]
        editor.notify("dragoman/diagnostics", {"uri": URI, "diagnostics": [*found, {"line": "x"}, None]})
        editor.notify("dragoman/yanked", {"text": "copied()\n", "uri": URI})
        editor.notify("dragoman/yanked", {"text": "from nowhere"})
        assert await heard(editor, "diagnostics") == [
            [URI, [[0, '"two" is not defined', "warning"], [0, "odd", "error"]], None]
        ]
        assert await heard(editor, "yanked") == [["copied()\n", URI], ["from nowhere", ""]]


async def test_a_request_for_code_actions_tells_of_its_lines() -> None:
    async with editing() as editor:
        await editor.initialize()
        editor.open(URI, "one = two\nthree = four\n")
        place = {"start": {"line": 1, "character": 8}, "end": {"line": 1, "character": 12}}
        theirs = {"range": place, "message": '"four" is not defined', "severity": 1, "source": "Pyright"}
        ours = {"range": place, "message": "ours", "source": "dragoman"}
        params = {"textDocument": {"uri": URI}, "range": place, "context": {"diagnostics": [theirs, ours]}}
        await editor.call("textDocument/codeAction", params)
        assert await heard(editor, "diagnostics") == [[URI, [[1, '"four" is not defined', "error"]], [1, 1]]]


async def test_what_makes_no_sense_and_what_is_not_open_is_passed_over() -> None:
    async with editing() as editor:
        await editor.initialize()
        for params in ({}, [], {"uri": 1, "diagnostics": []}, {"uri": URI, "diagnostics": {}}):
            editor.notify("dragoman/diagnostics", params)
        for params in ({}, {"text": 1}, {"text": "a", "uri": 2}):
            editor.notify("dragoman/yanked", params)
        editor.notify("dragoman/diagnostics", {"uri": URI, "diagnostics": [{"line": 0, "message": "a"}]})
        assert await heard(editor, "diagnostics") == []
        assert await heard(editor, "yanked") == []
