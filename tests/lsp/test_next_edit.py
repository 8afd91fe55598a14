"""Next edits over the wire: the request of our own, the code action, and what must not be offered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fake_editor import FakeEditor, Transport, editing

URI = "file:///project/a.py"
OTHER = "file:///project/b.py"
TEXT = "def area(width, height):\n    # width\n    return width * height + width\n"
CLIENT: dict[str, Any] = {
    "textDocument": {
        "inlineCompletion": {},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["refactor"]}}},
    },
    "window": {"showDocument": {"support": True}},
    "workspace": {"workspaceEdit": {"documentChanges": True}, "applyEdit": True},
}
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "tcp"])


def spot(line: int, first: int, last: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": first}, "end": {"line": line, "character": last}}


async def ask(editor: FakeEditor, uri: str, line: int, character: int) -> Any:
    position = {"line": line, "character": character}
    return await editor.call("dragoman/nextEdit", {"textDocument": {"uri": uri}, "position": position})


async def actions(editor: FakeEditor, uri: str, line: int, character: int, **context: Any) -> Any:
    found = await editor.call(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": uri},
            "range": spot(line, character, character),
            "context": {"diagnostics": [], **context},
        },
    )
    return [one for one in found if one["title"].startswith("Next edit")]


@TRANSPORTS
async def test_the_next_edit_is_told_and_gone_when_it_is_made(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        assert await ask(editor, URI, 0, 0) is None
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        assert await ask(editor, URI, 0, 16) == {
            "uri": URI,
            "version": 2,
            "range": spot(2, 11, 16),
            "oldText": "width",
            "newText": "breadth",
            "label": "replace `width` by `breadth`",
            "reason": "signature",
            "count": 2,
        }
        editor.change(URI, 3, (2, 11, 2, 16, "breadth"))
        assert (await ask(editor, URI, 2, 18))["range"] == spot(2, 30, 35)
        editor.change(URI, 4, (2, 30, 2, 35, "breadth"))
        assert await ask(editor, URI, 2, 37) is None


async def test_positions_are_in_the_client_s_units() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, "def f(width):\n    return '😀😀', width\n")
        editor.change(URI, 2, (0, 6, 0, 11, "breadth"))
        assert (await ask(editor, URI, 0, 0))["range"] == spot(1, 19, 24)
        (one,) = await actions(editor, URI, 1, 19)
        assert one["command"]["arguments"][0]["range"] == spot(1, 26, 26)


async def test_code_actions_carry_the_version_they_are_for() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        one, every = await actions(editor, URI, 0, 16)
        assert one["title"] == "Next edit: replace `width` by `breadth` (line 3)"
        assert every["title"] == "Next edit: replace `width` by `breadth` (all 2 places)"
        assert one["kind"] == every["kind"] == "refactor.rewrite"
        (document,) = one["edit"]["documentChanges"]
        assert document == {
            "textDocument": {"uri": URI, "version": 2},
            "edits": [{"range": spot(2, 11, 16), "newText": "breadth"}],
        }
        assert [edit["range"] for edit in every["edit"]["documentChanges"][0]["edits"]] == [
            spot(2, 11, 16),
            spot(2, 28, 33),
        ]
        assert one["command"]["command"] == "dragoman.showNextEdit"


async def test_the_command_moves_the_cursor_where_the_client_can() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        one = (await actions(editor, URI, 0, 16))[0]
        shown: list[Any] = []
        editor.answers["window/showDocument"] = lambda params: shown.append(params) or {"success": True}
        assert await editor.command(one["command"]["command"], one["command"]["arguments"][0]) is True
        assert shown == [{"uri": URI, "takeFocus": True, "selection": spot(2, 18, 18)}]
        error = await editor.call_error(
            "workspace/executeCommand", editor.command_params("dragoman.showNextEdit", {"uri": URI})
        )
        assert "range" in error["message"]


async def test_a_client_without_these_abilities_gets_what_it_understands() -> None:
    async with editing() as editor:
        await editor.initialize({"textDocument": {"codeAction": {"codeActionLiteralSupport": {}}}})
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        one = (await actions(editor, URI, 0, 16))[0]
        assert one["edit"] == {"changes": {URI: [{"range": spot(2, 11, 16), "newText": "breadth"}]}}
        assert "command" not in one
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        assert await actions(editor, URI, 0, 16) == []


async def test_only_the_kinds_that_are_asked_for() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        assert await actions(editor, URI, 0, 16, only=["quickfix"]) == []
        assert len(await actions(editor, URI, 0, 16, only=["quickfix", "refactor"])) == 2
        assert len(await actions(editor, URI, 0, 16, only=["refactor.rewrite"])) == 2


async def test_other_open_files_come_after_this_one_and_closed_ones_not_at_all() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, "def area():\n    pass\n\n\narea()\n")
        editor.open(OTHER, "from a import area\n\narea()\n")
        editor.change(URI, 2, (0, 4, 0, 8, "surface"))
        assert (await ask(editor, URI, 0, 11))["uri"] == URI
        one, every = await actions(editor, URI, 0, 11)
        assert "line 5" in one["title"]
        assert "all 3 places" in every["title"]
        assert [change["textDocument"] for change in every["edit"]["documentChanges"]] == [
            {"uri": URI, "version": 2},
            {"uri": OTHER, "version": 1},
        ]
        assert (await ask(editor, OTHER, 0, 0))["range"] == spot(0, 14, 18)
        editor.notify("textDocument/didClose", {"textDocument": {"uri": OTHER}})
        (one,) = await actions(editor, URI, 0, 11)
        assert "line 5" in one["title"]
        assert await ask(editor, OTHER, 0, 0) is None


async def test_a_dismissed_change_is_offered_no_more() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        assert await ask(editor, URI, 0, 0) is not None
        editor.notify("dragoman/dismissNextEdit", {})
        assert await ask(editor, URI, 0, 0) is None
        assert await actions(editor, URI, 0, 0) == []


@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        {},
        {"textDocument": {"uri": URI}},
        {"textDocument": {"uri": 1}, "position": {"line": 0, "character": 0}},
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": "x"}},
    ],
)
async def test_bad_params_are_a_sentence(params: Any) -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        error = await editor.call_error("dragoman/nextEdit", params)
        assert error["code"] == -32602


async def test_a_document_out_of_sync_or_unknown_has_none() -> None:
    async with editing() as editor:
        await editor.initialize(CLIENT)
        editor.open(URI, TEXT)
        editor.change(URI, 2, (0, 9, 0, 14, "breadth"))
        assert await ask(editor, "file:///not/open.py", 0, 0) is None
        assert await ask(editor, URI, 10**6, 10**6) is not None
        editor.change(URI, 3, (0, 3, 0, 1, "X"))
        assert await ask(editor, URI, 0, 0) is None
        assert await actions(editor, URI, 0, 0) == []
