"""Agents in VS Code: chat with tools and permission, edits that stream, reviews, and what a cancel ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent_scene import PROVIDER
from tests.support.scene import FakeModelServer
from tests.support.vscode import NOTIFICATION, STATUS, Workbench

pytestmark = pytest.mark.editor

VIEW = "iframe.webview >> internal:control=enter-frame >> iframe#active-frame >> internal:control=enter-frame >> "
"""The page of the chat view, a frame in a frame."""

ZONE = ".review-widget"
FIRST = f'{ZONE}:has-text("width * height")'
SECOND = f'{ZONE}:has-text("(width + height)")'
HUNKS = '.statusbar-item[id="dragoman.dragoman.dragoman.hunks"]'
SQUIGGLES = ".squiggly-warning"
ACTIONS = ".action-widget .monaco-list-row"

AREA = """\
import math


def area(width, height):
    half = width / 2
    return half * height * 2


def outline(width, height):
    return 2 * width + 2 * height


def circle(radius):
    return math.pi * radius**2
"""
OLD_AREA = "    half = width / 2\n    return half * height * 2\n"
NEW_AREA = '    """Return the area of a rectangle."""\n    return width * height\n'
OLD_OUTLINE = "    return 2 * width + 2 * height\n"
NEW_OUTLINE = "    return 2 * (width + height)\n"
REWRITTEN = AREA.replace(OLD_AREA, NEW_AREA).replace(OLD_OUTLINE, NEW_OUTLINE)
CODE = f"```python\n{REWRITTEN}```\n"
BLOCKS = "".join(
    f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"
    for old, new in ((OLD_AREA, NEW_AREA), (OLD_OUTLINE, NEW_OUTLINE))
)
FINDINGS = "".join(
    json.dumps(finding) + "\n"
    for finding in (
        {
            "line": 5, "end_line": 5, "severity": "warning", "code": "needless",
            "message": "The half is never needed.", "quote": "half = width / 2",
        },
        {
            "line": 10, "end_line": 10, "severity": "warning", "code": "factor",
            "message": "The factor can be taken out.", "quote": "return 2 * width + 2 * height",
            "fix": "return 2 * (width + height)",
        },
    )
)  # fmt: skip
ANSWER = "The notes are there:\n\n```python\nprice = 3\n```\n\nNothing else is **changed**.\n"

FILES = {f"{name}.py": AREA for name in ("talked", "edited", "reviewed", "cancelled")}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    """A model that each test tells what to say."""
    server = FakeModelServer({"models": ["fake-chat"]})
    yield server
    server.close()


@pytest.fixture(scope="module")
def editor(model: FakeModelServer) -> Iterator[Workbench]:
    """One window for all tests of this file."""
    with Workbench(files=FILES, config=PROVIDER.format(url=model.url), name="vscode-agents") as workbench:
        workbench.wait(STATUS)
        workbench.until(lambda: workbench.messages("initialized"), "the server")
        yield workbench


def events(editor: Workbench, kind: str) -> list[dict[str, Any]]:
    """Return what the server told of runs, of one type."""
    return [one["params"] for one in editor.messages("dragoman/runEvent") if one["params"]["type"] == kind]


def test_a_chat_asks_before_it_writes_and_shows_what_it_did(editor: Workbench, model: FakeModelServer) -> None:
    calls = [{"name": "write_file", "arguments": {"path": "notes.md", "content": "# Notes\n"}}]
    model.configure(text=ANSWER, tool_calls=calls, token_delay=0.01)
    editor.open("talked.py")
    editor.run_command("Dragoman: Open Chat")
    editor.wait(f"{VIEW}#question:focus")
    editor.type("Write notes on @ed")
    editor.wait(f'{VIEW}.suggestion:has-text("edited.py")')
    editor.press("Enter")
    editor.type("please")
    editor.press("Enter")
    editor.wait(f'{VIEW}[data-state="asking"]')
    editor.screenshot("permission")
    assert not (editor.workspace / "notes.md").exists()
    assert "# Notes" in editor.texts(f"{VIEW}.tool .block")[0], "who is asked sees what would be written"
    editor.click(f'{VIEW}button:has-text("Allow once")')
    editor.wait(f'{VIEW}.answer:has-text("changed")')
    editor.wait(f"{VIEW}#send")
    editor.screenshot("answered")
    assert (editor.workspace / "notes.md").read_text(encoding="utf-8") == "# Notes\n"
    (asked,) = [
        one["params"] for one in editor.messages("workspace/executeCommand") if "chat" in one["params"]["command"]
    ]
    assert asked["arguments"][0]["text"] == "Write notes on @edited.py please"
    assert "half = width / 2" in json.dumps(model.generations()[0]["body"]), "the file was attached"
    assert editor.texts(f"{VIEW}.tool-state") == ["done"]
    assert editor.texts(f"{VIEW}.answer pre code") == ["price = 3\n"]
    editor.click(f'{VIEW}.code button:has-text("Insert")')
    editor.press("Control+1")
    editor.wait_for_saved("talked.py", AREA + "price = 3")
    survives_being_hidden(editor)
    has_its_history(editor, model)


def survives_being_hidden(editor: Workbench) -> None:
    editor.press("Control+Shift+e")
    editor.wait(f"{VIEW}#question", state="hidden")
    editor.run_command("Dragoman: Open Chat")
    assert editor.wait(f"{VIEW}.user")[0].endswith("Write notes on @edited.py please")
    editor.wait(f'{VIEW}.answer:has-text("changed")')


def has_its_history(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text="Three.", tool_calls=[])
    editor.click(f"{VIEW}#new")
    editor.wait(f"{VIEW}.user", state="hidden")
    editor.click(f"{VIEW}#show-history")
    editor.click(f'{VIEW}.conversation:has-text("Write notes")')
    editor.wait(f'{VIEW}.answer:has-text("changed")')
    editor.screenshot("history")
    editor.click(f"{VIEW}#question")
    editor.type("And the price?")
    editor.press("Enter")
    editor.wait(f'{VIEW}.answer:has-text("Three.")')
    said = json.dumps(model.generations()[-1]["body"]["messages"])
    assert "The notes are there" in said, "the model knows what was said before"


def test_an_edit_is_shown_while_it_streams_and_made_by_hunk(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=CODE, tool_calls=[], token_delay=0.08)
    editor.open("edited.py")
    ask_for_edit(editor)
    editor.wait(f'{ZONE}:has-text("Writing a change"):has-text("Return the area")')
    editor.screenshot("streaming")
    editor.press("Control+1", "Control+Home")
    editor.type("# typed\n")
    editor.wait(f'{SECOND}:has-text("Proposed")')
    editor.wait(f'{FIRST}:has-text("Proposed")')
    assert editor.wait(HUNKS)[0].strip().startswith("2 changes")
    editor.screenshot("proposed")
    typed = "# typed\n" + AREA
    editor.wait_for_saved("edited.py", typed)
    half = typed.replace(OLD_AREA, NEW_AREA)
    editor.click(f"{FIRST} .codicon-check")
    editor.wait(FIRST, state="hidden")
    editor.press("Control+1")
    editor.wait_for_saved("edited.py", half)
    editor.screenshot("one-made")
    editor.press("Control+z")
    editor.wait_for_saved("edited.py", typed)
    editor.press("Control+Shift+z")
    editor.wait_for_saved("edited.py", half)
    editor.press("Control+Alt+Enter")
    editor.wait(ZONE, state="hidden")
    editor.wait_for_saved("edited.py", half.replace(OLD_OUTLINE, NEW_OUTLINE))
    editor.wait(HUNKS, state="hidden")


def ask_for_edit(editor: Workbench) -> None:
    """Select the whole file and say what is to be changed."""
    editor.press("Control+a", "Control+Alt+i")
    editor.wait('.quick-input-widget:has-text("Edit lines")')
    editor.type("simplify")
    editor.press("Enter")


def test_cancel_in_the_notification_closes_the_model_s_connection(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=BLOCKS, tool_calls=[], token_delay=0.05, endless=True)
    editor.open("cancelled.py")
    ask_for_edit(editor)
    editor.wait(f'{NOTIFICATION}:has-text("Editing cancelled.py")')
    editor.until(lambda: model.in_flight() == 1, "the model at work")
    editor.wait(ZONE)
    assert len(editor.texts(f'{NOTIFICATION}:has-text("cancelled.py")')) == 1, "one progress is enough"
    editor.screenshot("progress")
    editor.click(f'{NOTIFICATION} .monaco-button:has-text("Cancel")')
    editor.until(lambda: model.in_flight() == 0, "the end of the connection")
    editor.until(lambda: events(editor, "cancelled"), "the end of the run")
    editor.wait(f'{NOTIFICATION}:has-text("Editing cancelled.py")', state="hidden")
    model.configure(endless=False)
    if editor.texts(ZONE):
        editor.run_command("Dragoman: Reject All Changes")
    editor.wait(ZONE, state="hidden")
    editor.wait_for_saved("cancelled.py", AREA)


def test_a_review_s_findings_come_one_by_one_and_a_fix_is_made(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=FINDINGS, tool_calls=[], token_delay=0.04)
    editor.open("reviewed.py")
    editor.run_command("Dragoman: Review File")
    editor.wait(SQUIGGLES)
    editor.screenshot("first-finding")
    counts = editor.until(lambda: seen if len(seen := squiggles(editor)) == 2 else None, "both findings")
    assert len(counts) == 2
    assert len(events(editor, "diagnostic")) == 2
    editor.screenshot("findings")
    editor.press("Control+Home", *["ArrowDown"] * 9, "End", "Control+.")
    editor.wait(f'{ACTIONS}:has-text("Apply fix")')
    editor.screenshot("fixes")
    editor.click(f'{ACTIONS}:has-text("Apply fix")')
    editor.wait_for_saved("reviewed.py", AREA.replace(OLD_OUTLINE, NEW_OUTLINE))
    editor.until(lambda: len(squiggles(editor)) == 1, "the end of the finding that was repaired")


def squiggles(editor: Workbench) -> list[str]:
    return editor.texts(SQUIGGLES)
