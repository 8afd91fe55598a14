"""Neovim with the README's configuration: what its user types and sees, with the real server and a scripted model."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.neovim import Neovim, find_neovim, open_neovim
from tests.support.readme import config_block
from tests.support.scene import Scene, open_scene, wait_until

pytestmark = pytest.mark.editor

INLINE = "textDocument/inlineCompletion"
POPUP = "textDocument/completion"
ACCEPT = "dragoman.acceptCompletion"
ADD = "def add(a, b):\n    \n\nprint(add(1, 2))\n"

Start = Callable[..., AbstractContextManager[tuple[Neovim, Scene]]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start Neovim of a version on a file, with a model that follows the script, or with none."""

    @contextmanager
    def start(version: str, text: str, script: dict[str, Any] | None) -> Iterator[tuple[Neovim, Scene]]:
        find_neovim(version)
        config = config_block(f"Neovim {version}", "lua")
        with open_scene(tmp_path, script) as scene, open_neovim(version, config, scene) as editor:
            editor.open(scene.write("sample.py", text))
            yield editor, scene

    return start


def wait_for_ghost(editor: Neovim, text: str) -> None:
    wait_until(lambda: editor.ghost() == [text], f"the ghost text {text!r}")


def wait_for_lines(editor: Neovim, lines: list[str]) -> None:
    wait_until(lambda: editor.lines() == lines, f"the lines {lines!r}")


def check_one_helpful_message(editor: Neovim) -> None:
    """The message says what is missing and what to do about it, and comes once."""
    wait_until(editor.all_answered, "a reply to every request")
    (message,) = editor.messages()
    assert "model" in message["text"]
    assert "dragoman models pull" in message["text"] or message["actions"]


def wait_for_first_item(editor: Neovim, label: str) -> None:
    wait_until(lambda: [one["abbr"] for one in editor.menu()][:1] == [label], f"the menu's item {label!r}")


# -- 0.12: ghost text --------------------------------------------------------------------------------------------------


def test_ghost_text_shows_and_tab_takes_it(start: Start) -> None:
    with start("0.12", ADD, {"text": "return a + b"}) as (editor, _):
        editor.keys("jA")
        wait_for_ghost(editor, "return a + b")
        assert "    return a + b" in editor.screen().splitlines()
        assert editor.lines()[1] == "    "
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    return a + b", "", "print(add(1, 2))"])
        assert editor.column() == len("    return a + b")
        wait_until(lambda: editor.answered(ACCEPT), "the server's answer to the acceptance")
        wait_until(lambda: editor.ghost() == [], "no more ghost text")


def test_ghost_text_of_several_lines(start: Start) -> None:
    with start("0.12", ADD, {"text": "total = a + b\n    return total"}) as (editor, _):
        editor.keys("jA")
        wait_for_ghost(editor, "total = a + b\n    return total")
        shown = editor.screen().splitlines()
        assert shown[1:3] == ["    total = a + b", "    return total"]
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    total = a + b", "    return total", "", "print(add(1, 2))"])


def test_tab_without_ghost_text_is_a_tab(start: Start) -> None:
    with start("0.12", ADD, {"text": ""}) as (editor, scene):
        editor.keys("jA")
        assert scene.model is not None
        wait_until(scene.model.generations, "the model to be asked")
        wait_until(editor.all_answered, "the server's answer")
        editor.keys("<Tab>x")
        wait_for_lines(editor, ["def add(a, b):", "        x", "", "print(add(1, 2))"])


def test_typing_what_the_ghost_text_says_asks_the_model_once(start: Start) -> None:
    with start("0.12", ADD, {"text": "return a + b"}) as (editor, scene):
        editor.keys("jA")
        wait_for_ghost(editor, "return a + b")
        for typed in range(1, 7):
            editor.keys("return"[typed - 1])
            sent = editor.requests(INLINE, "pending")
            wait_for_ghost(editor, "return a + b"[typed:])
            wait_until(lambda: editor.requests(INLINE, "pending") > sent and editor.all_answered(), "an answer")  # noqa: B023
            assert editor.ghost() == ["return a + b"[typed:]]
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    return a + b", "", "print(add(1, 2))"])
        assert scene.model is not None
        assert len(scene.model.generations()) == 1


def test_tab_right_after_typing_into_the_ghost_text_takes_the_rest(start: Start) -> None:
    with start("0.12", ADD, {"text": "return a + b\n"}) as (editor, _):
        editor.keys("jA")
        wait_for_ghost(editor, "return a + b")
        editor.keys("ret<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    return a + b", "", "print(add(1, 2))"])
        wait_until(lambda: editor.answered(ACCEPT), "the server's answer to the acceptance")


def test_tab_takes_nothing_that_no_longer_fits(start: Start) -> None:
    with start("0.12", ADD, {"rules": [["    x", ""]], "text": "return a + b"}) as (editor, _):
        editor.keys("jA")
        wait_for_ghost(editor, "return a + b")
        editor.keys("x<Tab>y")
        wait_until(lambda: editor.ghost() == [], "no more ghost text")
        assert "return" not in editor.lines()[1]


def test_typing_something_else_hangs_up_on_the_model(start: Start) -> None:
    with start("0.12", ADD, {"text": "return a + b", "stall_after": 1}) as (editor, scene):
        model = scene.model
        assert model is not None
        editor.keys("jA")
        for count, key in enumerate("xyz", start=1):
            wait_until(lambda: [one["tokens"] for one in model.generations()] == [1] * count, "the model to be asked")  # noqa: B023
            editor.keys(key)
        wait_until(lambda: len(model.generations()) == 4, "the fourth question")
        wait_until(lambda: [one["hung_up"] for one in model.generations()] == [True] * 3 + [False], "three hang-ups")
        assert model.generations()[-1]["prefix"].endswith("def add(a, b):\n    xyz")
        assert editor.lines()[1] == "    xyz"
        editor.keys("<Esc>")
        wait_until(lambda: editor.requests(INLINE, "cancel") > 0, "Neovim to cancel")
        wait_until(lambda: model.in_flight() == 0, "the last hang-up")
        wait_until(editor.all_answered, "a reply to every request")


def test_ghost_text_inside_brackets_and_after_an_emoji(start: Start) -> None:
    with start("0.12", 'count = 3\nprint("😀", )\n', {"text": "count + 1"}) as (editor, _):
        editor.keys("j$i")
        wait_for_ghost(editor, "count + 1")
        assert 'print("😀", count + 1' in editor.screen()
        editor.keys("<Tab>")
        wait_for_lines(editor, ["count = 3", 'print("😀", count + 1)'])


def test_crlf_file_stays_one(start: Start) -> None:
    with start("0.12", ADD.replace("\n", "\r\n"), {"text": "total = a + b\n    return total"}) as (editor, scene):
        editor.keys("jA")
        wait_for_ghost(editor, "total = a + b\n    return total")
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    total = a + b", "    return total", "", "print(add(1, 2))"])
        editor.lua("vim.cmd.write()")
        expected = "def add(a, b):\n    total = a + b\n    return total\n\nprint(add(1, 2))\n"
        assert (scene.workspace / "sample.py").read_bytes() == expected.replace("\n", "\r\n").encode()


def test_form_feed_is_no_line_break(start: Start) -> None:
    with start("0.12", "import os\n\f\ntext = '\u2028'\n" + ADD, {"text": "return a + b"}) as (editor, scene):
        editor.keys("5GA")
        wait_for_ghost(editor, "return a + b")
        editor.keys("x")
        model = scene.model
        assert model is not None
        wait_until(lambda: len(model.generations()) == 2, "the second question")
        prefix = "import os\n\f\ntext = '\u2028'\ndef add(a, b):\n    "
        assert [one["prefix"] for one in model.generations()] == [prefix, prefix + "x"]


def test_without_a_model_there_are_identifiers_and_one_message(start: Start) -> None:
    with start("0.12", "calculate_total = 1\n", None) as (editor, _):
        editor.keys("ocal")
        wait_for_ghost(editor, "culate_total")
        editor.keys("<Tab>")
        wait_for_lines(editor, ["calculate_total = 1", "calculate_total"])
        wait_until(editor.messages, "a message")
        check_one_helpful_message(editor)


# -- 0.11: the completion menu -------------------------------------------------------------------------------------------


def test_menu_opens_while_typing_and_tab_takes_it(start: Start) -> None:
    with start("0.11", ADD, {"rules": [["    re", "turn a + b"]], "text": "return a + b"}) as (editor, _):
        editor.keys("jAre")
        wait_for_first_item(editor, "return a + b")
        assert "    return a + b" in editor.screen()
        assert editor.lines()[1] == "    re"
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    return a + b", "", "print(add(1, 2))"])
        wait_until(lambda: editor.answered(ACCEPT), "the server's answer to the acceptance")


def test_menu_by_key_takes_line_by_line_and_asks_the_model_once(start: Start) -> None:
    with start("0.11", ADD, {"text": "total = a + b\n    return total"}) as (editor, scene):
        editor.keys("jA<C-x><C-o>")
        wait_for_first_item(editor, "total = a + b")
        assert editor.menu()[0]["info"] == "total = a + b\n    return total"
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    total = a + b", "", "print(add(1, 2))"])
        assert editor.column() == len("    total = a + b")
        sent = editor.requests(POPUP, "pending")
        editor.keys("<C-x><C-o>")
        wait_until(lambda: editor.requests(POPUP, "pending") > sent and editor.all_answered(), "an answer")
        assert editor.menu() == []
        editor.keys("<CR>")
        wait_for_first_item(editor, "return total")
        editor.keys("<Tab>")
        lines = ["def add(a, b):", "    total = a + b", "    return total", "", "print(add(1, 2))"]
        wait_for_lines(editor, lines)
        assert scene.model is not None
        assert len(scene.model.generations()) == 1
        editor.keys(" + 1")
        wait_until(lambda: editor.lines()[2] == "    return total + 1", "what is typed after it")


def test_menu_inserts_signs_that_snippets_know(start: Start) -> None:
    text = r"print(f'${a} {b}\\{$1}')"
    with start("0.11", ADD, {"text": text}) as (editor, _):
        editor.keys("jA<C-x><C-o>")
        wait_for_first_item(editor, text)
        editor.keys("<Tab>")
        wait_for_lines(editor, ["def add(a, b):", "    " + text, "", "print(add(1, 2))"])
        assert editor.column() == len("    " + text)


@pytest.mark.parametrize(("before", "after"), [("😀co", "unt + 1"), ("a-co", "unt + 1"), ("count", " + 1")])
def test_menu_keeps_what_stands_before_the_word(start: Start, before: str, after: str) -> None:
    """Neovim takes an emoji for a part of the word, and so it does with every sign that the file type adds to words."""
    with start("0.11", f"{before}\n", {"rules": [[before, after]], "text": ""}) as (editor, _):
        editor.lua("vim.opt_local.iskeyword:append('-')")
        editor.keys("A<C-x><C-o>")
        wait_until(editor.menu, "the menu")
        editor.keys("<Tab>")
        wait_for_lines(editor, [before + after])


def test_tab_without_a_menu_is_a_tab(start: Start) -> None:
    with start("0.11", ADD, {"text": ""}) as (editor, _):
        editor.keys("jA<Tab>x")
        wait_for_lines(editor, ["def add(a, b):", "        x", "", "print(add(1, 2))"])


def test_menu_inside_brackets_after_an_emoji(start: Start) -> None:
    script = {"rules": [["count", " + 1"], ["co", "unt + 1"]], "text": ""}
    with start("0.11", 'total = 3\nprint("😀", )\n', script) as (editor, _):
        editor.keys("j$ico")
        wait_for_first_item(editor, "count + 1")
        editor.keys("<Tab>")
        wait_for_lines(editor, ["total = 3", 'print("😀", count + 1)'])


def test_menu_hangs_up_on_the_model_when_something_else_is_typed(start: Start) -> None:
    with start("0.11", ADD, {"text": "turn a + b", "stall_after": 1}) as (editor, scene):
        model = scene.model
        assert model is not None
        editor.keys("jAx")
        wait_until(lambda: [one["tokens"] for one in model.generations()] == [1], "the model to be asked")
        editor.keys("y")
        wait_until(
            lambda: [one["hung_up"] for one in model.generations()] == [True, False], "hang-up and second question"
        )
        assert model.generations()[1]["prefix"].endswith("def add(a, b):\n    xy")
        assert editor.menu() == []


def test_menu_without_a_model_has_identifiers(start: Start) -> None:
    with start("0.11", "calculate_total = 1\n", None) as (editor, _):
        editor.keys("ocal")
        wait_for_first_item(editor, "calculate_total")
        editor.keys("<Tab>")
        wait_for_lines(editor, ["calculate_total = 1", "calculate_total"])
        wait_until(editor.messages, "a message")
        check_one_helpful_message(editor)


# -- both: the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.12", "0.11"])
def test_server_ends_with_the_editor(start: Start, version: str) -> None:
    with start(version, ADD, {"silent": True}) as (editor, scene):
        assert len(scene.servers()) == 1
        editor.keys("jAr")
        assert scene.model is not None
        wait_until(lambda: scene.model.in_flight() == 1, "the model to be asked")
        editor.quit()
        scene.wait_for_nothing_left()
        wait_until(lambda: scene.model.in_flight() == 0, "the hang-up")


@pytest.mark.parametrize("version", ["0.12", "0.11"])
def test_server_ends_when_the_editor_is_killed(start: Start, version: str) -> None:
    with start(version, ADD, {"silent": True}) as (editor, scene):
        editor.keys("jAr")
        assert scene.model is not None
        wait_until(lambda: scene.model.in_flight() == 1, "the model to be asked")
        editor.process.send_signal(signal.SIGKILL)
        editor.process.wait()
        scene.wait_for_nothing_left()
        wait_until(lambda: scene.model.in_flight() == 0, "the hang-up")
