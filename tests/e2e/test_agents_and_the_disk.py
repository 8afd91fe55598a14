"""An agent's edit of a file that is unsaved in the editor and has changed on disk meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.support.agent_scene import CART
from tests.support.desk import desk
from tests.support.fake_model import Script

EDIT = [{"name": "edit_file", "arguments": {"path": "cart.py", "old": "    return 0", "new": "    return len(items)"}}]


async def test_an_edit_goes_into_the_buffer_and_leaves_the_disk_to_the_editor(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text="Done.", tool_calls=EDIT, models=["fake-chat"])) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        at.type(uri, (0, 0), (0, 0), "# not saved\n")
        (root / "cart.py").write_text("# another program's\n" + CART)
        run = (await at.command("runAgent", agent="fixer", task="Count them."))["runId"]
        asked = (await at.until(run, lambda event: event["type"] == "approval_required"))[-1]
        await at.command("approve", runId=run, callId=asked["callId"], decision="allow")
        assert (await at.ended(run))[-1]["output"] == "Done."
        assert at.texts[uri] == "# not saved\n" + CART.replace("return 0", "return len(items)")
        assert (root / "cart.py").read_text() == "# another program's\n" + CART
        assert "Changed cart.py at line 7" in str(model.generations[-1].body["messages"][-1]["content"])
        at.editor.ignored |= {"dragoman/runEvent"}
