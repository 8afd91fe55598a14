"""The chat view of VS Code without a mouse, in every kind of theme, and what its buttons and mentions do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.agent_scene import PROVIDER
from tests.support.scene import FakeModelServer
from tests.support.vscode import STATUS, Workbench

pytestmark = pytest.mark.editor

VIEW = "iframe.webview >> internal:control=enter-frame >> iframe#active-frame >> internal:control=enter-frame >> "
"""The page of the chat view, a frame in a frame."""

THEMES = {
    "vscode-light": "Light 2026",
    "vscode-dark": "Dark 2026",
    "vscode-high-contrast": "Default High Contrast",
    "vscode-high-contrast-light": "Default High Contrast Light",
}

PRICES = "def price(item):\n    return item.cost\n"
NEW_LINE = "    return item.cost * (1 + item.tax)\n"
ANSWER = f"The **tax** is missing, see `price`:\n\n```python\n{NEW_LINE}```\n\n> It was there once.\n\nThat is all.\n"
SAID = f'{VIEW}.answer:has-text("That is all.")'
WRITE = [{"name": "write_file", "arguments": {"path": "notes.md", "content": "# Notes\n"}}]


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    """A model that each test tells what to say."""
    server = FakeModelServer({"models": ["fake-chat"], "token_delay": 0.01})
    yield server
    server.close()


@pytest.fixture(scope="module")
def editor(model: FakeModelServer) -> Iterator[Workbench]:
    """One window for all tests of this file, with a change that is not committed."""
    config = PROVIDER.format(url=model.url)
    workbench = Workbench(files={}, config=config, settings={"git.enabled": True}, name="vscode-chat")
    workbench.workspace.mkdir()
    (workbench.workspace / "prices.py").write_text(PRICES, encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *command], cwd=workbench.workspace, check=True, capture_output=True)
    (workbench.workspace / "prices.py").write_text(PRICES + "# UNCOMMITTED\n", encoding="utf-8")
    with workbench:
        workbench.wait(STATUS)
        workbench.until(lambda: workbench.messages("initialized"), "the server")
        yield workbench


def test_everything_can_be_done_with_keys(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=ANSWER, tool_calls=WRITE)
    editor.open("prices.py")
    editor.press("Control+Alt+l")
    editor.wait(f"{VIEW}#question:focus")
    editor.type("Write notes.")
    editor.press("Enter")
    editor.wait(f'{VIEW}[data-state="asking"]')
    editor.press(*["Shift+Tab"] * 4)
    assert editor.wait(f"{VIEW}button:focus") == ["Allow once"]
    editor.press("Enter")
    editor.wait(SAID)
    assert (editor.workspace / "notes.md").read_text(encoding="utf-8") == "# Notes\n"
    focused = editor.wait(f"{VIEW}summary:focus")
    assert "write_file" in focused[0], "who pressed a key goes on from there"
    editor.press("Enter")
    editor.wait(f"{VIEW}details.tool[open]")
    assert "That is all." in editor.texts(f"{VIEW}#spoken")[0], "a screen reader is told"
    editor.press("Tab")
    for name in ("Copy", "Insert", "Apply"):
        until_focused(editor, name)
    editor.press("Shift+Tab")
    until_focused(editor, "History", back=True)
    editor.press("Enter")
    assert "Write notes." in editor.wait(f"{VIEW}.conversation:focus")[0]
    editor.press("Escape")
    editor.wait(f"{VIEW}#question:focus")


def until_focused(editor: Workbench, name: str, *, back: bool = False) -> None:
    """Go from element to element until the button of this name has the focus."""
    for _ in range(12):
        if editor.texts(f"{VIEW}button:focus") == [name]:
            return
        editor.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{name} was not reached")


def test_no_theme_hides_anything(editor: Workbench) -> None:
    editor.wait(SAID)
    for kind, theme in THEMES.items():
        editor.set(workbench__colorTheme=theme)
        editor.wait(f"{VIEW}body.{kind}", state="attached")
        editor.wait(f'{VIEW}body[data-vscode-theme-id="{theme}"]', state="attached")
        assert editor.barriers("#question") == [], theme
        editor.screenshot(theme.lower().replace(" ", "-"))
    editor.set(workbench__colorTheme=THEMES["vscode-light"])
    editor.wait(f"{VIEW}body.vscode-light", state="attached")


def test_escape_ends_an_answer_and_the_connection_to_its_model(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text="word ", tool_calls=[], endless=True)
    editor.click(f"{VIEW}#new")
    editor.wait(f"{VIEW}#question:focus")
    editor.type("Go on for ever.")
    editor.press("Enter")
    editor.wait(f'{VIEW}.answer:has-text("word word word")')
    editor.wait(f"{VIEW}#stop")
    editor.screenshot("answering")
    editor.press("Escape")
    editor.until(lambda: model.in_flight() == 0, "the end of the connection")
    editor.wait(f"{VIEW}#send")
    assert "word" in editor.texts(f"{VIEW}.answer")[0], "what was said stays"
    model.configure(endless=False)


def test_mentions_attach_the_diff_and_a_symbol(editor: Workbench, model: FakeModelServer) -> None:
    model.configure(text=ANSWER, tool_calls=[])
    editor.click(f"{VIEW}#new")
    editor.wait(f"{VIEW}#question:focus")
    editor.type("What of @di")
    editor.wait(f'{VIEW}.suggestion:has-text("diff")')
    editor.press("Enter")
    editor.type("and @symbol:price and @diagnostics")
    editor.press("Escape", "Enter")
    editor.wait(SAID)
    asked = json.dumps(model.generations()[-1]["body"]["messages"][-1])
    assert "+# UNCOMMITTED" in asked
    assert asked.count("return item.cost") >= 1
    assert "[nothing is reported]" in asked
    editor.screenshot("mentions")


def test_code_of_an_answer_is_copied_and_worked_into_the_open_file(editor: Workbench, model: FakeModelServer) -> None:
    editor.open("prices.py")
    editor.run_command("Dragoman: Open Chat")
    editor.click(f'{VIEW}.code button:has-text("Copy")')
    editor.wait(f'{VIEW}.code button:has-text("Copied")')
    editor.press("Control+1")
    editor.wait(".editor-instance .monaco-editor.focused")
    editor.press("Control+End", "Control+v")
    whole = PRICES + "# UNCOMMITTED\n" + NEW_LINE.rstrip("\n")
    editor.wait_for_saved("prices.py", whole)
    editor.press("Control+z")
    editor.wait_for_saved("prices.py", PRICES + "# UNCOMMITTED\n")
    block = f"<<<<<<< SEARCH\n    return item.cost\n=======\n{NEW_LINE}>>>>>>> REPLACE\n"
    model.configure(text=block, tool_calls=[])
    editor.click(f'{VIEW}.code button:has-text("Apply")')
    editor.wait('.review-widget:has-text("Proposed")')
    assert NEW_LINE.strip() in json.dumps(model.generations()[-1]["body"]["messages"][-1])
    editor.screenshot("apply")
    editor.wait(".editor-instance .monaco-editor.focused")
    editor.press("Control+Alt+Enter")
    editor.wait_for_saved("prices.py", PRICES.replace("    return item.cost\n", NEW_LINE) + "# UNCOMMITTED\n")
