"""Agents in VS Code: chat with tools and permission, edits that stream, reviews, and what a cancel ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
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
BLOCK_OF_AREA, BLOCK_OF_OUTLINE = (
    f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"
    for old, new in ((OLD_AREA, NEW_AREA), (OLD_OUTLINE, NEW_OUTLINE))
)
BLOCKS = BLOCK_OF_AREA + BLOCK_OF_OUTLINE
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

CHAT = ".interactive-session"
SETTINGS = {
    "git.enabled": True,
    "chat.disableAIFeatures": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
}
ASKER = Path(__file__).parent / "vscode" / "asker"

MESSAGE = "Take the factor out\n\nIt was written twice."
FILES = {f"{name}.py": AREA for name in ("talked", "edited", "reviewed", "cancelled", "twice", "committed")} | {
    "style.css": ":root {\n  --accent: red;\n}\n.total {\n  color: var(--accent);\n}\n",
}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    """A model that each test tells what to say."""
    server = FakeModelServer({"models": ["fake-chat"]})
    yield server
    server.close()


@pytest.fixture(scope="module")
def editor(model: FakeModelServer) -> Iterator[Workbench]:
    """One window for all tests of this file."""
    config = PROVIDER.format(url=model.url)
    workbench = Workbench(files=FILES, config=config, settings=SETTINGS, extensions=[ASKER], name="vscode-agents")
    workbench.workspace.mkdir()
    for path, text in FILES.items():
        (workbench.workspace / path).write_text(text, encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *command], cwd=workbench.workspace, check=True, capture_output=True)
    with workbench:
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


def ask_for_edit(editor: Workbench, *, by_menu: bool = False) -> None:
    """Select the whole file and say what is to be changed."""
    editor.press("Control+a")
    if by_menu:
        editor.press("Control+.")
        editor.wait(f'{ACTIONS}:has-text("Simplify selection")')
        editor.screenshot("selection-actions")
        editor.click(f'{ACTIONS}:has-text("Edit with an instruction")')
    else:
        editor.press("Control+Alt+i")
    editor.wait('.quick-input-widget:has-text("Edit lines")')
    editor.type("simplify")
    editor.press("Enter")


def test_cancel_in_the_notification_closes_the_model_s_connection(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=BLOCKS, tool_calls=[], token_delay=0.05, endless=True)
    editor.open("cancelled.py")
    ask_for_edit(editor, by_menu=True)
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


def test_two_edits_of_one_file_are_decided_one_by_one(editor: Workbench, model: FakeModelServer) -> None:
    both = [["alpha", BLOCK_OF_AREA], ["beta", BLOCK_OF_OUTLINE]]
    # So slow that the second is asked for before the first is done, on any machine.
    model.configure(rules=both, tool_calls=[], token_delay=1)
    editor.open("twice.py")
    edit_lines(editor, 4, "alpha")
    edit_lines(editor, 9, "beta")
    editor.until(lambda: model.in_flight() == 2, "both at work at once")
    model.configure(token_delay=0.02)
    editor.wait(f'{FIRST}:has-text("Proposed")')
    editor.wait(f'{SECOND}:has-text("Proposed")')
    editor.screenshot("two-edits")
    editor.click(f"{SECOND} .codicon-check")
    editor.wait(SECOND, state="hidden")
    editor.click(f"{FIRST} .codicon-close")
    editor.wait(ZONE, state="hidden")
    editor.press("Control+1")
    editor.wait_for_saved("twice.py", AREA.replace(OLD_OUTLINE, NEW_OUTLINE))
    model.configure(rules=[])


def edit_lines(editor: Workbench, line: int, instruction: str) -> None:
    """Select the three lines of a function, and say what is to be changed."""

    def chosen() -> bool:
        """Select; a window that is still busy with opening the file may lose keys."""
        editor.press("Escape", "Control+1", "Control+Home", *["ArrowDown"] * (line - 1))
        editor.press(*["Shift+ArrowDown"] * 3, "Control+Alt+i")
        return f"Edit lines {line}" in editor.wait('.quick-input-widget:has-text("Edit line")')[0]

    editor.until(chosen, f"the lines from {line} on")
    editor.type(instruction)
    editor.press("Enter")


def test_changes_are_reviewed_and_described_for_a_commit(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=MESSAGE, tool_calls=[], token_delay=0)
    (editor.workspace / "committed.py").write_text(AREA.replace(OLD_OUTLINE, NEW_OUTLINE), encoding="utf-8")
    editor.open("committed.py")
    editor.press("Control+Shift+g")
    editor.wait('.scm-view .monaco-list-row:has-text("committed.py")')
    editor.run_command("Dragoman: Write Commit Message")
    editor.wait('.scm-editor:has-text("Take the factor out")')
    editor.screenshot("commit-message")
    assert "+    return 2 * (width + height)" in json.dumps(model.generations()[-1]["body"]["messages"])

    finding = {**json.loads(FINDINGS.splitlines()[1]), "quote": "return 2 * (width + height)", "fix": None}
    model.configure(text=json.dumps(finding))
    editor.press("Control+1")
    editor.run_command("Dragoman: Review Changes")
    editor.until(lambda: squiggles(editor), "a finding in what was changed")
    editor.screenshot("changes-reviewed")
    asked = [json.dumps(one["body"]["messages"]) for one in model.generations()]
    (about,) = [one for one in asked if "Review 'committed.py'" in one]
    assert "10> " in about
    assert "5> " not in about
    assert not any("Review 'style.css'" in one for one in asked), "nobody changed that one"


@pytest.mark.parametrize(
    ("tool", "name", "found"),
    [
        ("find_references", "--accent", ["style.css:2:   --accent: red;", "style.css:5:   color: var(--accent);"]),
        ("find_symbol", "palette", ["style.css:1: :root {"]),
    ],
)
def test_names_are_found_as_the_editor_s_language_servers_know_them(
    editor: Workbench, model: FakeModelServer, tool: str, name: str, found: list[str]
) -> None:
    model.configure(text="There.", tool_calls=[{"name": tool, "arguments": {"name": name}}], token_delay=0)
    editor.open("style.css")

    def told() -> str | None:
        """Ask; a language server that has just started may not know yet."""
        before = len(events(editor, "tool_result"))
        editor.run_command("Dragoman: Open Chat")
        editor.wait(f"{VIEW}#question:focus")
        editor.type("Where is the colour?")
        editor.press("Enter")
        results = editor.until(lambda: events(editor, "tool_result")[before:], "what the tool says")
        editor.wait(f"{VIEW}#send")
        return str(results[0]["result"]) if "language servers" in str(results[0]["result"]) else None

    assert editor.until(told, "an answer of the language server").splitlines()[:-1] == found
    model.configure(tool_calls=[])


def squiggles(editor: Workbench) -> list[str]:
    return editor.texts(SQUIGGLES)


def test_the_editor_s_own_chat_answers_with_our_models(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=ANSWER, tool_calls=[], token_delay=0.01)
    editor.run_command("Chat: Open Chat")
    editor.wait(f'{CHAT} .chat-input-toolbars:has-text("Dragoman")')
    editor.type("@dragoman")
    # Its first suggestion is another participant as long as they load, and a key would take that one.
    editor.click('.suggest-widget.visible .monaco-list-row:has-text("dragoman")')
    editor.type("What is done?")
    editor.wait(f'{CHAT} .chat-input-container:has-text("What is done?")')
    editor.until(lambda: not editor.texts(".suggest-widget.visible"), "the end of the suggestions")
    editor.press("Enter")
    editor.wait(f'{CHAT} .interactive-response:has-text("Nothing else is changed")')
    editor.screenshot("own-chat")
    assert "What is done?" in json.dumps(model.generations()[-1]["body"])


def test_another_extension_asks_a_model_of_ours_with_its_own_tool(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text="It rains.", tool_calls=[{"name": "weather", "arguments": {"town": "Oslo"}}])
    editor.run_command("Asker: Ask a Lent Model")
    asked = editor.workspace / "asked.json"
    editor.until(asked.exists, "what the other extension was told")
    told = editor.until(lambda: json.loads(asked.read_text(encoding="utf-8") or "null"), "all of it")
    assert told["models"] == [["chosen", "fake-chat"], ["fake-chat", "fake-chat"]]
    assert told["calls"] == [["weather", {"town": "Oslo"}]]
    assert (told["text"], told["counted"]) == ("It rains.", True)
