"""What each method answers; the engine is scripted, everything else is real."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.lsp.capabilities import COMMANDS
from tests.support.fake_editor import INLINE, FakeEditor, Transport, editing

URI = "file:///w/a.py"
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "tcp"])
ENCODINGS = pytest.mark.parametrize(
    ("offered", "chosen", "units"),
    [
        (None, "utf-16", 4),
        (["utf-16"], "utf-16", 4),
        (["utf-8", "utf-16"], "utf-8", 7),
        (["utf-16", "utf-32", "utf-8"], "utf-32", 3),
        (["utf-7"], "utf-16", 4),
    ],
)


@ENCODINGS
async def test_positions_are_counted_as_agreed(offered: list[str] | None, chosen: str, units: int) -> None:
    capabilities = {**INLINE, "general": {"positionEncodings": offered}} if offered else INLINE
    async with editing() as editor:
        result = await editor.initialize(capabilities)
        assert result["capabilities"]["positionEncoding"] == chosen
        editor.open(URI, "😀é=\n")
        asked = await editor.asked(URI, 0, units)
        assert asked["character"] == 3
        (item,) = await editor.inline(URI, 0, units)
        assert item["range"] == {"start": {"line": 0, "character": units}, "end": {"line": 0, "character": units}}
        editor.change(URI, 2, (0, units, 0, units, "😀!"))
        assert (await editor.asked(URI, 0, 0))["text"] == "😀é=😀!\n"


@TRANSPORTS
async def test_inline_items_carry_range_and_accept_command(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "replace me\ntwo\nnothing\n")
        (item,) = await editor.inline(URI, 0, 7)
        identifier = item["command"]["arguments"][0]["id"]
        assert item == {
            "insertText": "replace!",
            "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 7}},
            "command": {
                "title": "Accept completion",
                "command": "dragoman.acceptCompletion",
                "arguments": [{"id": identifier, "kind": "whole"}],
            },
        }
        assert len(await editor.inline(URI, 1, 3)) == 2
        assert await editor.inline(URI, 2, 3) == []
        assert await editor.inline("file:///not/open", 0, 0) == []
        assert await editor.command("dragoman.acceptCompletion", {"id": identifier, "kind": "whole"}) is None
        assert ["accepted", identifier, "whole"] in (await editor.status())["calls"]


async def test_both_numberings_of_the_trigger_kind_are_understood() -> None:
    async def triggers(kinds: list[int]) -> list[str]:
        async with editing() as editor:
            await editor.initialize()
            editor.open(URI, "abc")
            return [(await editor.asked(URI, 0, 1, kind))["trigger"] for kind in kinds]

    assert await triggers([1, 2, 1]) == ["invoked", "automatic", "invoked"]
    assert await triggers([1, 0, 1, 0]) == ["invoked", "invoked", "automatic", "invoked"]


async def test_the_selected_item_of_the_popup_reaches_the_engine() -> None:
    async with editing() as editor:
        await editor.initialize()
        editor.open(URI, "😀pri")
        there = {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 5}}
        asked = await editor.asked(URI, 0, 5, selectedCompletionInfo={"range": there, "text": "print"})
        assert asked["selected"] == [1, 4, "print"]


@TRANSPORTS
async def test_documents_reach_the_engine_with_the_lines_that_changed(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "1\n2\n3\n", language="c")
        assert (await editor.asked(URI, 0, 0))["language"] == "c"
        editor.change(URI, 2, (1, 0, 1, 0, "x\ny"), (3, 0, 3, 1, ""))
        editor.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
        editor.change(URI, 3, "whole\nnew")
        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        calls = [call for call in (await editor.status())["calls"] if call[0] != "start"]
        assert calls == [
            ["changed", URI, 1, 0, 3, 4],
            ["changed", URI, 2, 1, 3, 5],
            ["saved", URI],
            ["changed", URI, 3, 0, 1, 2],
            ["closed", URI],
        ]


@TRANSPORTS
async def test_after_a_change_that_makes_no_sense_nothing_is_suggested_until_the_whole_text_comes(
    transport: Transport,
) -> None:
    async with editing(transport) as editor:
        await full(editor, [None])
        await editor.await_notification("registered")
        editor.open(URI, "abc")
        editor.change(URI, 2, (0, 3, 0, 1, "X"))
        logged = await editor.await_notification("window/logMessage")
        assert URI in logged["message"]
        assert "no suggestions for this file" in logged["message"]
        editor.change(URI, 3, (0, 0, 0, 0, "lost"))
        assert await editor.inline(URI, 0, 0) == []
        assert await menu(editor, 0, 0) == {"isIncomplete": True, "items": []}
        stale = {"role": "apply", "model": json.dumps([URI, 3, "new"])}
        assert await editor.command("dragoman.selectModel", stale) == {"applied": False}
        editor.change(URI, 4, (0, 9, 0, 1, "again"), "whole")
        assert (await editor.asked(URI, 0, 0))["text"] == "whole"
        editor.change(URI, 5, (0, 5, 0, 5, "!"))
        assert (await editor.asked(URI, 0, 0))["text"] == "whole!"
        editor.change(URI, 6, (0, 3, 0, 1, "X"))
        editor.open(URI, "reopened")
        assert (await editor.asked(URI, 0, 0))["text"] == "reopened"
        told = [call for call in (await editor.status())["calls"] if call[0] in ("changed", "closed")]
        assert told == [
            ["changed", URI, 1, 0, 0, 1],
            ["closed", URI],
            ["changed", URI, 4, 0, 0, 1],
            ["changed", URI, 5, 0, 0, 1],
            ["closed", URI],
            ["changed", URI, 1, 0, 0, 1],
        ]


# -- menus -------------------------------------------------------------------------------------------------------------


def menu_params(line: int, character: int, kind: int = 1) -> dict[str, Any]:
    return {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": kind},
    }


async def menu(editor: FakeEditor, line: int, character: int) -> dict[str, Any]:
    return await editor.call("textDocument/completion", menu_params(line, character))


@TRANSPORTS
async def test_the_menu_has_the_same_suggestion_as_one_marked_item(transport: Transport) -> None:
    async with editing(transport) as editor:
        result = await editor.initialize({})
        assert "completionProvider" in result["capabilities"]
        editor.open(URI, "x = plain\n")
        answer = await menu(editor, 0, 7)
        assert answer["isIncomplete"] is True
        (item,) = answer["items"]
        assert item["detail"] == "Dragoman"
        assert item["filterText"] == "pla"
        assert item["label"] == "plaplain text…"
        assert item["textEdit"] == {
            "range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}},
            "newText": "plaplain text\n    of two lines",
        }
        assert item["command"]["command"] == "dragoman.acceptCompletion"


async def test_a_menu_only_means_typing() -> None:
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, "abc")
        (item,) = (await menu(editor, 0, 0))["items"]
        assert json.loads(item["textEdit"]["newText"])["trigger"] == "automatic"


async def test_neovim_gets_one_line_and_asks_after_letters() -> None:
    """Its menu inserts no line break, and takes the whole of an edit only when that is a snippet."""
    async with editing() as editor:
        result = await editor.initialize({}, clientInfo={"name": "Neovim", "version": "0.11.4"})
        assert set("azAZ_. (") <= set(result["capabilities"]["completionProvider"]["triggerCharacters"])
        editor.open(URI, "x = plain\n")
        (item,) = (await menu(editor, 0, 7))["items"]
        assert item["label"] == "plaplain text"
        assert item["documentation"]["value"] == "plaplain text\n    of two lines"
        assert item["insertTextFormat"] == 2
        assert item["textEdit"] == {
            "range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}},
            "newText": "plaplain text",
        }
        assert item["command"]["arguments"][0]["kind"] == "line"
        editor.change(URI, 2, "replace $}\\")
        (item,) = (await menu(editor, 0, 11))["items"]
        assert (item["label"], item["textEdit"]["newText"]) == ("replace $}\\!", "replace \\$\\}\\\\!")
        assert item["command"]["arguments"][0]["kind"] == "whole"


async def test_a_slow_menu_is_empty_at_first_and_the_repeated_request_waits_for_the_same_search() -> None:
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, "sleep:0.7")
        assert await menu(editor, 0, 3) == {"isIncomplete": True, "items": []}
        assert len((await menu(editor, 0, 3))["items"]) == 1
        status = await editor.status()
        assert status["counts"]["suggest"] == 1
        editor.change(URI, 2, "forever")
        assert (await menu(editor, 0, 3))["items"] == []
        editor.change(URI, 3, "plain")
        assert len((await menu(editor, 0, 3))["items"]) == 1
        status = await editor.await_status(lambda status: status["running"] == 0)
        assert status["counts"]["suggest cancelled"] == 1


async def test_a_menu_by_key_in_neovim_waits_at_once_and_one_by_typing_does_not() -> None:
    """Its omnifunc asks a single time; what it asks by itself has another trigger kind."""
    async with editing() as editor:
        await editor.initialize({}, clientInfo={"name": "Neovim", "version": "0.11.4"})
        editor.open(URI, "sleep:0.7")
        assert len((await menu(editor, 0, 3))["items"]) == 1
        editor.change(URI, 2, "sleep:0.7 ")
        assert (await editor.call("textDocument/completion", menu_params(0, 3, kind=3)))["items"] == []


async def test_a_failing_menu_is_an_error_and_the_next_one_asks_again() -> None:
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, "refuse")
        for _ in range(2):
            error = await editor.call_error("textDocument/completion", menu_params(0, 3))
            assert error["code"] == -32803
        assert (await editor.status())["counts"]["suggest"] == 2


async def test_cancelling_a_menu_ends_its_search_unless_a_newer_request_waits_for_it() -> None:
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, "forever")
        assert (await menu(editor, 0, 3))["items"] == []
        older = editor.request("textDocument/completion", menu_params(0, 3))
        await editor.status()
        newer = editor.request("textDocument/completion", menu_params(0, 3))
        assert (await editor.await_reply(older))["result"] == {"isIncomplete": True, "items": []}
        status = await editor.status()
        assert (status["running"], status["counts"]["suggest"]) == (1, 1)
        editor.notify("$/cancelRequest", {"id": newer})
        assert (await editor.await_reply(newer))["error"]["code"] == -32800
        await editor.await_status(lambda status: status["running"] == 0)


async def test_closing_a_document_ends_its_menu_search() -> None:
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, "forever")
        assert (await menu(editor, 0, 3))["items"] == []
        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await editor.await_status(lambda status: status["running"] == 0)


async def test_a_document_that_is_opened_anew_gets_a_menu_of_its_own() -> None:
    async with editing() as editor:
        await editor.initialize({})
        editor.open(URI, "forever")
        assert (await menu(editor, 0, 3))["items"] == []
        editor.open(URI, "plain")
        assert len((await menu(editor, 0, 3))["items"]) == 1
        await editor.await_status(lambda status: status["running"] == 0)


# -- commands ----------------------------------------------------------------------------------------------------------


@TRANSPORTS
async def test_commands_answer_and_refuse_in_sentences(transport: Transport) -> None:
    async with editing(transport) as editor:
        result = await editor.initialize()
        assert result["capabilities"]["executeCommandProvider"]["commands"] == list(COMMANDS)
        assert await editor.command("dragoman.cancel", {}) == {"cancelled": 0}
        assert await editor.command("dragoman.pullModel") == {"name": "default"}
        assert await editor.command("dragoman.pullModel", {"name": "small"}) == {"name": "small"}
        for name, argument, code, words in (
            ("dragoman.runWorkflow", {}, -32803, "`dragoman.runWorkflow` is not part of this version"),
            ("dragoman.review", {}, -32602, "'uri'"),
            ("dragoman.review", {"uri": "file:///closed.py"}, -32803, "an open document"),
            ("dragoman.edit", {"uri": 1}, -32602, "'uri'"),
            ("dragoman.approve", {"decision": "perhaps"}, -32602, "allow or deny"),
            ("dragoman.acceptEdit", {"runId": "r", "hunks": "h1"}, -32602, "a list of texts"),
            ("dragoman.chat", {"text": ""}, -32602, "'text'"),
            ("dragoman.statsu", {}, -32803, "'dragoman.status'"),
            ("unrelated", {}, -32803, "'unrelated'"),
            ("dragoman.acceptCompletion", {}, -32602, "'id'"),
            ("dragoman.acceptCompletion", "s1", -32602, "one JSON object"),
            ("dragoman.selectModel", {"role": "chat"}, -32602, "'model'"),
            ("dragoman.pullModel", {"name": 5}, -32602, "'name'"),
            ("dragoman.selectModel", {"role": "x", "model": "y"}, -32803, "There is no role 'x'."),
            ("dragoman.selectModel", {"role": "boom", "model": "y"}, -32603, "its log has the reason"),
            ("dragoman.selectModel", {"role": "unserialisable", "model": "y"}, -32603, "its log has the reason"),
        ):
            error = await editor.call_error("workspace/executeCommand", editor.command_params(name, argument))
            assert error["code"] == code, name
            assert words in error["message"]
        editor.expected_bugs = 2


# -- what the server asks of the client --------------------------------------------------------------------------------

FULL = {
    "window": {"workDoneProgress": True},
    "workspace": {
        "configuration": True,
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True},
        "didChangeConfiguration": {"dynamicRegistration": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
    },
    **INLINE,
}


async def full(editor: FakeEditor, settings: list[Any]) -> None:
    editor.answers["workspace/configuration"] = lambda params: [settings[-1] for _ in params["items"]]
    editor.answers["client/registerCapability"] = lambda params: editor.unread.append(
        {"method": "registered", "params": [one["method"] for one in params["registrations"]]}
    )
    await editor.initialize(FULL)


@TRANSPORTS
async def test_settings_are_pulled_at_the_start_and_after_each_change(transport: Transport) -> None:
    settings: list[Any] = [{"completion": {"enabled": True}}]
    async with editing(transport) as editor:
        await full(editor, settings)
        registered = await editor.await_notification("registered")
        assert registered == ["workspace/didChangeConfiguration", "workspace/didChangeWatchedFiles"]
        await editor.await_status(lambda status: ["settings", settings[0]] in status["calls"])
        settings.append({"completion": {"enabled": False}})
        editor.notify("workspace/didChangeConfiguration", {"settings": None})
        await editor.await_status(lambda status: ["settings", settings[1]] in status["calls"])


async def test_a_late_answer_does_not_undo_newer_settings() -> None:
    async with editing() as editor:
        await full(editor, [{"turn": "first"}])
        await editor.await_notification("registered")
        await editor.await_status(lambda status: ["settings", {"turn": "first"}] in status["calls"])
        del editor.answers["workspace/configuration"]
        for _ in range(2):
            editor.notify("workspace/didChangeConfiguration", {"settings": None})
        older = await editor.await_request("workspace/configuration")
        await editor.status()
        assert not [message for message in editor.unread if message.get("method") == "workspace/configuration"]
        editor.reply(older, [{"turn": "older"}])
        editor.reply(await editor.await_request("workspace/configuration"), [{"turn": "newer"}])
        status = await editor.await_status(lambda status: ["settings", {"turn": "newer"}] in status["calls"])
        assert [call for call in status["calls"] if call[0] == "settings"] == [
            ["settings", {"turn": "first"}],
            ["settings", {"turn": "older"}],
            ["settings", {"turn": "newer"}],
        ]


async def test_folders_and_files_are_passed_on() -> None:
    async with editing() as editor:
        await editor.initialize(workspaceFolders=[{"uri": "file:///one", "name": "one"}])
        added, removed = [{"uri": "file:///two", "name": "two"}], [{"uri": "file:///one", "name": "one"}]
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": added, "removed": []}})
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": removed}})
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": "file:///one/x", "type": 3}]})
        calls = (await editor.status())["calls"]
        assert ["folders", ["file:///one", "file:///two"]] in calls
        assert ["folders", ["file:///two"]] in calls
        assert ["files", [["file:///one/x", "deleted"]]] in calls
        assert next(call for call in calls if call[0] == "start")[2] == ["file:///one"]


async def test_a_root_uri_counts_as_the_only_folder() -> None:
    async with editing() as editor:
        await editor.initialize(rootUri="file:///somewhere/project", workspaceFolders=None)
        calls = (await editor.status())["calls"]
        assert next(call for call in calls if call[0] == "start")[2] == ["file:///somewhere/project"]


@TRANSPORTS
async def test_status_is_sent_when_it_changes_and_only_then(transport: Transport) -> None:
    async with editing(transport) as editor:
        editor.ignored.discard("dragoman/status")
        await editor.initialize()
        assert (await editor.await_notification("dragoman/status"))["state"] == "ready"
        for state in ("loading", "loading", "ready"):
            await editor.command("dragoman.selectModel", {"role": "status", "model": state})
        assert (await editor.await_notification("dragoman/status")) == {"state": "loading"}
        assert (await editor.await_notification("dragoman/status")) == {"state": "ready"}
        await editor.expect_no_more()


async def test_messages_and_buttons() -> None:
    async with editing() as editor:
        editor.ignored.discard("window/logMessage")
        await editor.initialize()
        await editor.command("dragoman.selectModel", {"role": "show", "model": "hello"})
        assert await editor.await_notification("window/showMessage") == {"type": 2, "message": "hello"}
        assert await editor.await_notification("window/logMessage") == {"type": 3, "message": "hello"}
        for answer, chosen in (({"title": "Yes"}, "Yes"), (None, None), ({"title": "forged"}, None)):
            asking = editor.request(
                "workspace/executeCommand",
                editor.command_params("dragoman.selectModel", {"role": "ask", "model": "Sure?"}),
            )
            question = await editor.await_request("window/showMessageRequest")
            assert question["params"]["actions"] == [{"title": "Yes"}, {"title": "No"}]
            editor.reply(question, answer)
            assert (await editor.await_reply(asking))["result"] == {"chosen": chosen}


async def test_a_client_without_buttons_shows_the_sentence() -> None:
    async with editing() as editor:
        await editor.initialize()
        asking = editor.request(
            "workspace/executeCommand", editor.command_params("dragoman.selectModel", {"role": "ask", "model": "Sure?"})
        )
        question = await editor.await_request("window/showMessageRequest")
        error = {"code": -32601, "message": "no"}
        editor.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
        assert await editor.await_notification("window/showMessage") == {"type": 3, "message": "Sure?"}
        assert (await editor.await_reply(asking))["result"] == {"chosen": None}


@TRANSPORTS
async def test_progress_begins_reports_ends_and_can_be_cancelled(transport: Transport) -> None:
    async with editing(transport) as editor:
        await full(editor, [None])
        await editor.await_notification("registered")
        editor.answers["window/workDoneProgress/create"] = lambda _params: None
        working = editor.request(
            "workspace/executeCommand",
            editor.command_params("dragoman.selectModel", {"role": "progress", "model": "wait"}),
        )
        steps = [await editor.await_notification("$/progress") for _ in range(2)]
        token = steps[0]["token"]
        assert steps[0]["value"] == {
            "kind": "begin",
            "title": "wait",
            "message": "first",
            "percentage": 0,
            "cancellable": True,
        }
        assert steps[1]["value"] == {"kind": "report", "message": "half", "percentage": 50}
        editor.notify("window/workDoneProgress/cancel", {"token": "unknown"})
        editor.notify("window/workDoneProgress/cancel", {"token": token})
        assert (await editor.await_notification("$/progress"))["value"] == {"kind": "end", "message": "done"}
        assert (await editor.await_reply(working))["result"] == {"cancelled": True}
        await editor.expect_no_more()


async def test_progress_is_silent_where_the_client_cannot_show_it_or_never_answers() -> None:
    async with editing() as editor:
        await editor.initialize()
        argument = {"role": "progress", "model": "quick"}
        assert await editor.command("dragoman.selectModel", argument) == {"cancelled": False}
    limit = json.dumps({"dragoman.lsp.client.PROGRESS_SECONDS": 0.2})
    async with editing(env={"SCRIPTED_LIMITS": limit}) as editor:
        await full(editor, [None])
        await editor.await_notification("registered")
        assert await editor.command("dragoman.selectModel", argument) == {"cancelled": False}
        await editor.await_request("window/workDoneProgress/create")


@TRANSPORTS
async def test_edits_are_versioned_and_stale_ones_are_not_sent(transport: Transport) -> None:
    async with editing(transport) as editor:
        await full(editor, [None])
        await editor.await_notification("registered")
        editor.open(URI, "😀abc", version=4)
        applying = editor.request(
            "workspace/executeCommand",
            editor.command_params("dragoman.selectModel", {"role": "apply", "model": json.dumps([URI, 4, "new"])}),
        )
        asked = await editor.await_request("workspace/applyEdit")
        assert asked["params"]["edit"]["documentChanges"] == [
            {
                "textDocument": {"uri": URI, "version": 4},
                "edits": [
                    {
                        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 2}},
                        "newText": "new",
                    }
                ],
            }
        ]
        editor.reply(asked, {"applied": True})
        assert (await editor.await_reply(applying))["result"] == {"applied": True}
        stale = {"role": "apply", "model": json.dumps([URI, 3, "new"])}
        assert await editor.command("dragoman.selectModel", stale) == {"applied": False}
