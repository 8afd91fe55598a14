"""Next edits in VS Code: shown on a key, made on the second one, and the same from the menu of code actions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.vscode import STATUS, Workbench

pytestmark = pytest.mark.editor

ITEM = '.statusbar-item[id="dragoman.dragoman.dragoman.nextEdit"]'
DRAWN = '.view-lines [class*="TextEditorDecorationType"]'
ACTIONS = ".action-widget .monaco-list-row"

BEFORE = "def area(width, height):\n    half = width / 2\n    return half * height * 2 + width\n"
AFTER = BEFORE.replace("width", "breadth")
FILES = {f"{name}.py": BEFORE for name in ("keys", "escape", "action", "moved")}
QUIET = '[completion]\ntrigger = "invoked"\n'
"""Ghost text is not what is tested here, and a machine without a model has nothing to say about it."""


@pytest.fixture(scope="module")
def editor() -> Iterator[Workbench]:
    """One window for all tests of this file; each has a file of its own in it."""
    with Workbench(files=FILES, config=QUIET, name="vscode-next-edit") as workbench:
        workbench.wait(STATUS)
        workbench.until(lambda: workbench.messages("initialized"), "the server")
        yield workbench


def rename_first(editor: Workbench, name: str) -> None:
    """Open a file and type another name for the first parameter."""
    editor.open(name)
    editor.press("Control+Home", *["ArrowRight"] * 9, "Control+Shift+ArrowRight")
    editor.type("breadth")


def test_two_keys_make_the_two_other_changes_of_a_rename(editor: Workbench) -> None:
    rename_first(editor, "keys.py")
    editor.wait(f'{ITEM}:has-text("line 2")')
    editor.screenshot("due")
    assert not editor.texts(DRAWN), "nothing is drawn before it is asked for"
    editor.press("Alt+n")
    editor.wait(f'{DRAWN}:has-text("width")')
    editor.screenshot("shown")
    editor.press("Tab")
    editor.wait(f'{ITEM}:has-text("line 3")')
    editor.wait(f'{DRAWN}:has-text("width")')
    editor.screenshot("second")
    editor.press("Alt+n")
    editor.wait(ITEM, state="hidden")
    editor.screenshot("done")
    editor.wait_for_saved("keys.py", AFTER)
    # With nothing shown, the key is the editor's own again.
    editor.press("Control+End", "Tab")
    editor.wait_for_saved("keys.py", AFTER + "    ")


def test_escape_takes_it_down_and_it_is_offered_no_more(editor: Workbench) -> None:
    rename_first(editor, "escape.py")
    editor.wait(f'{ITEM}:has-text("line 2")')
    editor.press("Alt+n")
    editor.wait(f'{DRAWN}:has-text("width")')
    editor.press("Escape")
    editor.wait(DRAWN, state="hidden")
    editor.until(lambda: editor.messages("dragoman/dismissNextEdit"), "the server to hear of it")
    before = len(editor.messages("dragoman/nextEdit"))
    editor.press("Alt+n")
    request = editor.until(lambda: editor.messages("dragoman/nextEdit")[before:], "a question")[0]
    assert editor.reply(request)["result"] is None
    editor.wait_for_saved("escape.py", BEFORE.replace("width", "breadth", 1))


def test_who_types_on_is_not_held_up(editor: Workbench) -> None:
    rename_first(editor, "moved.py")
    editor.wait(f'{ITEM}:has-text("line 2")')
    editor.press("Alt+n")
    editor.wait(f'{DRAWN}:has-text("width")')
    editor.press("Control+End")
    editor.wait(DRAWN, state="hidden")
    editor.type("x = 1")
    editor.wait(ITEM, state="hidden")
    editor.press("Home", "Tab")
    editor.wait_for_saved("moved.py", BEFORE.replace("width", "breadth", 1) + "    x = 1")


def test_the_menu_of_code_actions_has_all_places(editor: Workbench) -> None:
    rename_first(editor, "action.py")
    editor.wait(f'{ITEM}:has-text("line 2")')
    editor.press("Control+.")
    editor.wait(f'{ACTIONS}:has-text("all 2 places")')
    editor.screenshot("actions")
    editor.click(f'{ACTIONS}:has-text("all 2 places")')
    editor.wait_for_saved("action.py", AFTER)
    editor.wait(ITEM, state="hidden")
