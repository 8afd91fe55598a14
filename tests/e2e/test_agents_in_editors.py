"""Agents through the language server, in an editor that shows runs and in one that knows only the standard."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_scene import BLOCK, BLOCKS, CART, FINDINGS
from tests.support.desk import desk
from tests.support.fake_model import Script

IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of events, one of each row."""
    return [one["type"] for at, one in enumerate(events) if at == 0 or events[at - 1]["type"] != one["type"]]


async def test_an_edit_is_shown_while_it_streams_and_made_by_hunk_in_one_step(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=BLOCKS, token_delay=0.1, models=["fake-chat"])) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        first = await at.until(run, lambda event: event["type"] == "edit" and event["hunk"]["state"] == "final")
        assert first[0]["type"] == "started"
        assert at.texts[uri] == CART, "nothing is written before it is accepted"
        at.type(uri, (0, 0), (0, 0), "import math\n")
        model.script.token_delay = 0.01
        events = await at.ended(run)
        assert events[-1]["type"] == "finished"
        hunks = {one["hunk"]["id"]: one["hunk"] for one in [*first, *events] if one["type"] == "edit"}
        assert len(hunks) == 2
        assert sorted(one["range"]["start"]["line"] for one in hunks.values()) == [2, 6], "the hunks moved along"
        last = max(hunks.values(), key=lambda one: one["range"]["start"]["line"])
        assert await at.command("acceptEdit", runId=run, hunks=[last["id"]]) == {"applied": 1, "open": True}
        assert at.texts[uri] == "import math\n" + CART.replace("return 0", "return len(items)")
        assert await at.command("rejectEdit", runId=run) == {"rejected": 1, "open": False}
        assert len(at.applied) == 1
        error = await at.editor.call_error(
            "workspace/executeCommand", at.editor.command_params("dragoman.acceptEdit", {"runId": run})
        )
        assert "no edit to decide about" in error["message"]
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_what_the_user_types_is_never_overwritten(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=BLOCKS, models=["fake-chat"])) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.ended(run)
        # At the very moment of accepting, the user types into the second hunk: the first is made, the second is not.
        at.before_edit = lambda: at.type(uri, (5, 11), (5, 12), "42")
        assert (await at.command("acceptEdit", runId=run))["applied"] == 1
        assert at.texts[uri] == CART.replace("sum(items)", "sum(one.price for one in items)").replace("0\n", "42\n")
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_what_the_editor_s_servers_know_of_a_name_is_added_to_what_the_index_knows(tmp_path: Path) -> None:
    calls = [{"name": "find_symbol", "arguments": {"name": "total"}}]
    able = {"experimental": {"dragoman": {"runEvents": True, "symbols": True}}}
    script = Script(text="There.", tool_calls=calls, models=["fake-chat"])
    async with desk(tmp_path, script, more=able) as (at, _, root):
        (root / "style.less").write_text("@base: red;\n@total: 3px;\n")
        asked: list[Any] = []
        places = [
            *({"uri": (root / name).as_uri(), "line": line} for name, line in (("cart.py", 0), ("style.less", 1))),
            *(
                {"uri": (tmp_path / "elsewhere.py").as_uri(), "line": 0},
                {"uri": "output:1", "line": 0},
                {"line": 3},
                None,
            ),
        ]
        at.editor.answers["dragoman/symbols"] = lambda params: [asked.append(params), places][1]
        run = await at.command("runAgent", agent="assistant", task="Where is total?")
        events = await at.ended(run["runId"])
        (result,) = [one["result"] for one in events if one["type"] == "tool_result"]
        assert asked == [{"name": "total"}]
        first, *rest = result.splitlines()
        assert first.startswith("cart.py:1: def total(items)")
        assert rest == ["style.less:2: @total: 3px;", "[as the editor's language servers know it]"]


async def test_chat_calls_a_tool_after_permission_and_remembers_what_was_said(tmp_path: Path) -> None:
    calls = [{"name": "write_file", "arguments": {"path": "notes.md", "content": "# Notes\n"}}]
    script = Script(text="The notes are there.", tool_calls=calls, models=["fake-chat"])
    async with desk(tmp_path, script) as (at, model, root):
        said = await at.command("chat", text="Write notes, please.")
        run = said["runId"]
        asked = (await at.until(run, lambda event: event["type"] == "approval_required"))[-1]
        assert asked["tool"] == "write_file"
        assert not (root / "notes.md").exists()
        assert await at.command("approve", runId=run, callId=asked["callId"], decision="allow") == {"answered": True}
        events = await at.ended(run)
        assert kinds(events)[0] == "tool_result"
        assert events[-1]["output"] == "The notes are there."
        assert (root / "notes.md").read_text() == "# Notes\n"
        model.script.tool_calls = []
        again = await at.command("chat", text="And now?", conversationId=said["conversationId"])
        assert again["conversationId"] == said["conversationId"]
        await at.ended(again["runId"])
        read = str(model.generations[-1].body["messages"])
        assert "Write notes, please." in read
        assert "The notes are there." in read
        listed = await at.command("conversations")
        assert [one["id"] for one in listed["conversations"]] == [said["conversationId"]]
        shown = await at.command("conversations", id=said["conversationId"])
        assert [one["role"] for one in shown["messages"]] == ["user", "assistant", "user", "assistant"]


@pytest.mark.parametrize(("answer", "exists"), [("Allow once", True), ("Deny", False), (None, False)])
async def test_other_editors_ask_by_message_and_answer_in_a_document(
    tmp_path: Path, answer: str | None, exists: bool
) -> None:
    calls = [{"name": "write_file", "arguments": {"path": "notes.md", "content": "# Notes\n"}}]
    script = Script(text="That is all\nthere is.", tool_calls=calls, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, answer=answer) as (at, _, root):
        run = (await at.command("runAgent", agent="assistant", task="Write notes."))["runId"]
        await at.ended(run)
        assert (root / "notes.md").exists() is exists
        assert "notes.md" in at.questions[0]
        (uri,) = at.shown
        await at.settles(lambda: at.texts.get(uri, "").endswith("That is all\nthere is.\n"), "the answer is written")


async def test_cancelling_closes_the_connection_to_the_model(tmp_path: Path) -> None:
    script = Script(text="word ", endless=True, token_delay=0.01, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("explain", uri=uri))["runId"]
        await at.until(run, lambda event: event["type"] == "text")
        begun = await at.editor.await_message(
            "progress", lambda m: m.get("method") == "$/progress" and m["params"]["value"]["kind"] == "begin"
        )
        assert begun["params"]["value"]["cancellable"]
        at.editor.notify("window/workDoneProgress/cancel", {"token": begun["params"]["token"]})
        events = await at.ended(run)
        assert events[-1]["type"] == "cancelled"
        await model.wait_for(lambda _: model.generations[-1].hung_up)
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_findings_appear_move_are_fixed_and_stay_dismissed(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=FINDINGS, token_delay=0.005, models=["fake-chat"])) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("review", uri=uri))["runId"]
        read = await at.until(run, lambda event: event["type"] == "diagnostic")
        assert all(event["type"] != "finished" for event in read)
        await at.ended(run)
        await at.settles(lambda: len(at.diagnostics(uri)) == 2, "both are there")
        # However late the test looks: the first was shown alone, before the second was.
        assert [len(one) for one in at.pushes(uri)][:2] == [1, 2]
        at.type(uri, (0, 0), (0, 0), "import math\n")
        await at.settles(lambda: [one["range"]["start"]["line"] for one in at.diagnostics(uri)] == [2, 6], "moved")
        price, zero = at.diagnostics(uri)
        assert (price["severity"], price["code"], price["source"]) == (2, "price", "dragoman")
        actions = await at.editor.call(
            "textDocument/codeAction",
            {"textDocument": {"uri": uri}, "range": price["range"], "context": {"diagnostics": [price]}},
        )
        fix = next(one for one in actions if one["title"].startswith("Apply fix"))
        (change,) = fix["edit"]["documentChanges"]
        (edit,) = change["edits"]
        start, end = edit["range"]["start"], edit["range"]["end"]
        at.type(uri, (start["line"], start["character"]), (end["line"], end["character"]), edit["newText"])
        assert "return sum(one.price for one in items)" in at.texts[uri]
        await at.settles(lambda: len(at.diagnostics(uri)) == 1, "what was mended is gone")
        assert await at.command("dismissFinding", uri=uri, fingerprint=zero["data"]["fingerprint"]) == {
            "dismissed": True
        }
        await at.settles(lambda: at.diagnostics(uri) == [], "dismissed")
        run = (await at.command("review", uri=uri))["runId"]
        await at.ended(run)
        assert at.diagnostics(uri) == []
        pulled = await at.editor.call("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        assert pulled == {"kind": "full", "items": []}
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_finding_leads_to_other_places_and_to_explanations(tmp_path: Path) -> None:
    said = (
        '{"line": 6, "severity": "error", "code": "CWE-682", "message": "Always nothing.", "quote": "return 0", '
        '"related": [{"line": 1, "message": "This one counts."}]}\n'
    )
    async with desk(tmp_path, Script(text=said, models=["fake-chat"])) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        await at.ended((await at.command("review", uri=uri))["runId"])
        at.type(uri, (0, 0), (0, 0), "import math\n")
        await at.settles(lambda: [one["range"]["start"]["line"] for one in at.diagnostics(uri)] == [6], "moved")
        (found,) = at.diagnostics(uri)
        assert found["codeDescription"] == {"href": "https://cwe.mitre.org/data/definitions/682.html"}
        (place,) = found["relatedInformation"]
        assert (place["message"], place["location"]["uri"]) == ("This one counts.", uri)
        assert place["location"]["range"]["start"]["line"] == 1
        actions = await at.editor.call(
            "textDocument/codeAction",
            {"textDocument": {"uri": uri}, "range": found["range"], "context": {"diagnostics": [found]}},
        )
        (explain,) = [one["command"] for one in actions if one["title"].startswith("Explain: ")]
        model.script.text = "Because."
        run = (await at.command("explain", **explain["arguments"][0]))["runId"]
        assert (await at.ended(run))[-1]["output"] == "Because."
        asked = str(model.generations[-1].body["messages"][-1]["content"])
        assert "Always nothing." in asked
        assert "Selected, lines 7 to 7:" in asked
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_long_file_is_reviewed_in_parts_and_a_selection_alone(tmp_path: Path) -> None:
    long = CART + "\n".join(f"def more_{number}(items):\n    return items[{number}]\n" for number in range(3_000))
    async with desk(tmp_path, Script(text=FINDINGS, models=["fake-chat"])) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, long)
        run = (await at.command("review", uri=uri))["runId"]
        assert (await at.ended(run))[-1]["type"] == "finished"
        asked = [str(one.body["messages"][-1]["content"]) for one in model.generations]
        assert len(asked) > 2
        # Each part is a question of its own, and no line is left out.
        assert all(len(one.body["messages"]) == 2 for one in model.generations)
        missing = [
            row for row in range(1, 9_006) if not any(re.search(rf"^ *{row}\\|", one, re.MULTILINE) for one in asked)
        ]
        assert missing == []
        assert [one["code"] for one in at.diagnostics(uri)] == ["price", "zero"]

        where = {"start": {"line": 5, "character": 0}, "end": {"line": 6, "character": 0}}
        run = (await at.command("review", uri=uri, range=where))["runId"]
        await at.ended(run)
        shown = str(model.generations[-1].body["messages"][-1]["content"])
        assert re.findall(r"^ *(\d+)>", shown, re.MULTILINE) == ["6"]
        assert "more_100" not in shown
        assert len(model.generations) == len(asked) + 1
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_only_what_differs_from_the_last_commit_is_reviewed(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=FINDINGS, models=["fake-chat"])) as (at, model, root):
        for command in (["init", "-q"], ["add", "-A"], [*IDENTITY, "commit", "-qm", "first"]):
            subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
        uri = (root / "cart.py").as_uri()
        (root / "cart.py").write_text(CART.replace("return 0", "return 1"))
        # One line more is typed and not saved.
        at.open(uri, "import math\n" + CART.replace("return 0", "return 1"))
        run = (await at.command("reviewChanges", uri=uri))["runId"]
        assert (await at.ended(run))[-1]["type"] == "finished"
        shown = str(model.generations[-1].body["messages"][-1]["content"])
        assert re.findall(r"^ *(\d+)> (.*)$", shown, re.MULTILINE) == [("1", "import math"), ("7", "    return 1")]
        # What a branch has of its own becomes a pull request's description.
        error = await at.editor.call_error(
            "workspace/executeCommand", at.editor.command_params("dragoman.pullRequest", {})
        )
        assert "no commits of its own" in error["message"]
        for command in (["branch", "-M", "main"], ["checkout", "-qb", "work"], [*IDENTITY, "commit", "-qam", "Count"]):
            subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
        model.script.text = "Count them\n\nOne by one.\n"
        run = (await at.command("pullRequest"))["runId"]
        assert (await at.ended(run))[-1]["output"] == "Count them\n\nOne by one.\n"
        asked = str(model.generations[-1].body["messages"][-1]["content"])
        assert "pull request" in asked
        assert "Commits since 'main':" in asked
        assert ": Count\n" in asked
        assert "+    return 1" in asked
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_question_beyond_the_budget_calls_no_model(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text="Four.", models=["fake-chat"])) as (at, model, _):
        params = at.editor.command_params("dragoman.chat", {"text": "word " * 6_000})
        error = await at.editor.call_error("workspace/executeCommand", params)
        assert "too long by" in error["message"]
        assert model.generations == []


async def test_a_chat_document_is_answered_below_the_question(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text="Four.", models=["fake-chat"]), rich=False) as (at, model, root):
        uri = (root / "talk.chat.md").as_uri()
        at.open(uri, "What is two and two? See @cart.py\n", language="markdown")
        (action,) = await at.editor.call(
            "textDocument/codeAction",
            {
                "textDocument": {"uri": uri},
                "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
                "context": {"diagnostics": []},
            },
        )
        assert action["title"] == "Ask"
        run = (await at.editor.call("workspace/executeCommand", action["command"] | {"title": None}))["runId"]
        await at.ended(run)
        wanted = "What is two and two? See @cart.py\n\n## Dragoman\n\nFour.\n\n## You\n\n"
        await at.settles(lambda: at.texts[uri] == wanted, "answered, and the next question has its place")
        assert "def total(items)" in str(model.generations[-1].body["messages"])
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_key_files_and_ignored_files_never_go_to_another_machine(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text="No.", models=["fake-chat"]), far=True) as (at, model, root):
        (root / ".env").write_text("TOKEN=abc\n")
        for name, argument in (
            ("explain", {"uri": (root / ".env").as_uri()}),
            ("edit", {"uri": (root / ".env").as_uri(), "instruction": "x"}),
            ("review", {"uri": (root / ".env").as_uri()}),
            ("ask", {"uri": (root / ".env").as_uri()}),
            ("chat", {"text": "What is in @.env ?"}),
        ):
            if (uri := argument.get("uri")) and uri not in at.texts:
                at.open(uri, "TOKEN=abc\n", language="plaintext")
            error = await at.editor.call_error(
                "workspace/executeCommand", at.editor.command_params(f"dragoman.{name}", argument)
            )
            assert "another machine" in error["message"], name
        await asyncio.sleep(0)
        assert model.generations == []


async def test_what_is_reported_can_be_mended_and_looked_at(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(models=["fake-chat"])) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        wrong = {"line": 5, "message": "Nothing is counted.", "severity": 1}
        at.editor.notify("dragoman/diagnostics", {"uri": uri, "diagnostics": [wrong]})
        where = {"start": {"line": 5, "character": 4}, "end": {"line": 5, "character": 12}}
        found = {"range": where, "message": "Nothing is counted.", "severity": 1, "source": "other"}
        actions = await at.editor.call(
            "textDocument/codeAction",
            {"textDocument": {"uri": uri}, "range": where, "context": {"diagnostics": [found]}},
        )
        fix = next(one for one in actions if one["title"] == "Fix with Dragoman")
        model.script.text = "```python\n    return len(items)\n```\n"
        run = (await at.editor.call("workspace/executeCommand", fix["command"] | {"title": None}))["runId"]
        await at.ended(run)
        assert "line 6: Nothing is counted." in str(model.generations[-1].body["messages"])
        assert (await at.command("acceptEdit", runId=run))["applied"] == 1
        assert at.texts[uri] == CART.replace("return 0", "return len(items)")
        model.script.tool_calls = [{"name": "diagnostics", "arguments": {"path": "cart.py"}}]
        run = (await at.command("chat", text="What is wrong?"))["runId"]
        events = await at.ended(run)
        (told,) = [one for one in events if one["type"] == "tool_result"]
        assert told["result"] == "cart.py:6: error: Nothing is counted."
        assert {"repository_map", "find_symbol"} <= {
            one["function"]["name"] for one in model.generations[-1].body["tools"]
        }
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_without_a_folder_there_are_no_tools_and_all_else_works(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=BLOCK, models=["fake-chat"]), loose=True) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("edit", uri=uri, instruction="count them"))["runId"]
        await at.ended(run)
        assert (await at.command("acceptEdit", runId=run))["applied"] == 1
        assert "return len(items)" in at.texts[uri]
        run = (await at.command("chat", text="What is this?"))["runId"]
        assert (await at.ended(run))[-1]["type"] == "finished"
        assert "tools" not in model.generations[-1].body
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_new_review_ends_the_one_before(tmp_path: Path) -> None:
    script = Script(text="word ", endless=True, token_delay=0.01, models=["fake-chat"])
    async with desk(tmp_path, script) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        first = (await at.command("review", uri=uri))["runId"]
        await at.until(first, lambda event: event["type"] == "text")
        second = (await at.command("review", uri=uri))["runId"]
        assert (await at.ended(first))[-1]["type"] == "cancelled"
        await at.until(second, lambda event: event["type"] == "text")
        assert await at.command("cancel", runId=second) == {"cancelled": 1}
        assert (await at.ended(second))[-1]["type"] == "cancelled"
        # What the server sends is one script for all: only now may it be another one.
        model.script.text, model.script.endless = FINDINGS, False
        third = (await at.command("review", uri=uri))["runId"]
        assert (await at.ended(third))[-1]["type"] == "finished"
        await at.settles(lambda: len(at.diagnostics(uri)) == 2, "the findings of the third")
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_folder_opened_by_a_link_is_the_same_folder_to_agents(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    calls = [
        {"name": "edit_file", "arguments": {"path": "cart.py", "old": "return 0", "new": "return len(items)"}},
        {"name": "diagnostics", "arguments": {"path": "cart.py"}},
    ]
    script = Script(text="Done.", tool_calls=calls, models=["fake-chat"])
    async with desk(tmp_path / "link", script, rich=False) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        at.type(uri, (0, 0), (0, 0), "# not saved\n")
        at.editor.notify("dragoman/diagnostics", {"uri": uri, "diagnostics": [{"line": 6, "message": "Nothing."}]})
        events = await at.ended((await at.command("runAgent", agent="fixer", task="Count."))["runId"])
        assert at.texts[uri] == "# not saved\n" + CART.replace("return 0", "return len(items)")
        assert (root / "cart.py").read_text() == CART
        told = [one["result"] for one in events if one["type"] == "tool_result"]
        assert "Nothing." in told[1]
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_file_that_is_saved_is_reviewed_where_its_user_wants_that(tmp_path: Path) -> None:
    script = Script(text=FINDINGS, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, settings="[review]\non_save = true\n") as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        assert model.generations == []
        at.editor.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await at.settles(lambda: [one["code"] for one in at.diagnostics(uri)] == ["price", "zero"], "both findings")
        assert len(model.generations) == 1
        at.editor.ignored |= {"dragoman/runEvent"}
