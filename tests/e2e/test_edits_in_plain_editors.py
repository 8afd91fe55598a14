"""Edits in editors that know only the standard: hunks one after another, whatever these editors tell, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.agent_scene import BLOCKS, CART, EDITED
from tests.support.desk import desk
from tests.support.fake_model import Script


async def test_other_editors_get_finished_hunks_one_after_another(tmp_path: Path) -> None:
    script = Script(text=BLOCKS, token_delay=0.002, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.ended(run)
        await at.settles(lambda: at.texts[uri] == EDITED, "both hunks are made")
        assert len(at.applied) == 2
        assert all("Dragoman" in one["label"] for one in at.applied)
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_other_editors_get_the_rest_when_somebody_types_over_one_hunk(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=BLOCKS, models=["fake-chat"]), rich=False) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        at.before_edit = lambda: at.type(uri, (1, 11), (1, 14), "max")
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.ended(run)
        told = await at.editor.await_notification("window/showMessage")
        assert "left out 1 of its changes" in told["message"]
        assert at.texts[uri] == CART.replace("sum(", "max(").replace("return 0", "return len(items)")
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_an_edit_that_an_editor_refuses_and_says_to_have_made_is_made_again(tmp_path: Path) -> None:
    script = Script(text=BLOCKS, token_delay=0.002, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, name="Neovim") as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        at.admits = False
        at.before_edit = lambda: at.type(uri, (0, 0), (0, 0), "import math\n")
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.ended(run)
        await at.settles(
            lambda: at.texts[uri] == f"import math\n{EDITED}", "both hunks are made, and what was typed is there"
        )
        assert len(at.applied) == 3
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_an_editor_that_shows_notes_is_told_what_an_edit_is_for(tmp_path: Path) -> None:
    able = {"workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}}}
    async with desk(tmp_path, Script(text=BLOCKS, models=["fake-chat"]), rich=False, more=able) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.ended(run)
        await at.settles(lambda: at.texts[uri] == EDITED, "both hunks are made")
        for one in at.applied:
            (note,) = one["edit"]["changeAnnotations"].items()
            assert note == (note[0], {"label": one["label"], "needsConfirmation": False})
            edits = [edit for change in one["edit"]["documentChanges"] for edit in change["edits"]]
            assert {edit["annotationId"] for edit in edits} == {note[0]}
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_an_editor_that_tells_late_has_its_edits_and_what_is_typed_before_it_tells(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text=BLOCKS, models=["fake-chat"]), rich=False) as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        at.tells = False
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.ended(run)
        await at.settles(lambda: len(at.applied) == 1, "the first hunk is made")
        at.before_edit = lambda: at.type(uri, (0, 0), (0, 0), "import math\n")
        await at.settles(lambda: len(at.applied) == 2, "the second is refused")
        assert at.texts[uri] == "import math\n" + CART.replace("sum(items)", "sum(one.price for one in items)")
        at.tell(uri)
        await at.settles(lambda: at.texts[uri] == "import math\n" + EDITED, "and made where it belongs now")
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_an_editor_that_cannot_be_told_versions_is_shown_the_changes(tmp_path: Path) -> None:
    script = Script(text=BLOCKS, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, versions=False) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        await at.ended((await at.command("edit", uri=uri, instruction="use prices"))["runId"])
        await at.settles(lambda: bool(at.shown), "a document is shown")
        assert "+    return sum(one.price for one in items)\n" in at.texts[at.shown[0]]
        assert "what you type meanwhile must not be lost" in at.texts[at.shown[0]]
        assert at.applied == []
        replace = {"path": "cart.py", "old": "return 0", "new": "return 1"}
        model.script.text, model.script.tool_calls = "Done.", [{"name": "edit_file", "arguments": replace}]
        events = await at.ended((await at.command("runAgent", agent="fixer", task="Count."))["runId"])
        (told,) = [one["result"] for one in events if one["type"] == "tool_result"]
        assert "cannot be told which text a change is for" in told
        assert (at.texts[uri], (root / "cart.py").read_text()) == (CART, CART)
        # To add to an answer is no danger to what is typed.
        await at.settles(lambda: at.texts[at.shown[1]].endswith("Done.\n"), "the answer is written")
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_edits_that_are_undone_at_once_are_not_made_again(tmp_path: Path) -> None:
    script = Script(text=BLOCKS, token_delay=0.002, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, name="Neovim") as (at, _, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        run = (await at.command("edit", uri=uri, instruction="use prices"))["runId"]
        await at.settles(lambda: len(at.applied) == 1, "the first hunk is made")
        # As Neovim tells: of the second hunk and of both having been undone at once.
        at.tells = False
        await at.ended(run)
        await at.settles(lambda: at.texts[uri] == EDITED, "both hunks are made")
        lines = EDITED.split("\n")
        at.type(uri, (0, 0), (len(lines) - 1, len(lines[-1])), CART)
        at.tells = True
        at.tell(uri)
        await asyncio.sleep(1)
        assert (at.texts[uri], len(at.applied)) == (CART, 2)
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_a_paste_where_an_answer_begins_loses_nothing_of_it(tmp_path: Path) -> None:
    script = Script(text="Hello.", models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, name="Neovim") as (at, _, root):
        uri = (root / "talk.chat.md").as_uri()
        at.open(uri, "How are you?\n", language="markdown")
        at.admits = False
        at.before_edit = lambda: at.type(uri, (0, 12), (0, 12), " And what is this longer line that is pasted?")
        await at.ended((await at.command("ask", uri=uri))["runId"])
        wanted = "How are you? And what is this longer line that is pasted?\n\n## Dragoman\n\nHello.\n\n## You\n\n"
        await at.settles(lambda: at.texts[uri] == wanted, "answered behind what was pasted")
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_an_editor_without_versions_that_tells_late_gets_each_piece_once(tmp_path: Path) -> None:
    script = Script(text="Hello.", models=["fake-chat"])
    async with desk(tmp_path, script, rich=False, versions=False) as (at, _, root):
        uri = (root / "talk.chat.md").as_uri()
        at.open(uri, "How are you?\n", language="markdown")

        def type_now() -> None:
            at.type(uri, (0, 0), (0, 0), "X")
            at.tells = False

        at.before_edit = type_now
        await at.ended((await at.command("ask", uri=uri))["runId"])
        # Where is another matter: such an editor cannot be told what its user had typed by then.
        await at.settles(lambda: "## You" in at.texts[uri], "answered")
        assert [at.texts[uri].count(piece) for piece in ("X", "## Dragoman", "Hello.", "## You")] == [1, 1, 1, 1]
        at.editor.ignored |= {"dragoman/runEvent"}
