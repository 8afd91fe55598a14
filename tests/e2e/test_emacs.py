"""Emacs and Eglot with the README's configuration: what its user types and gets, with the real server and a scripted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.emacs import open_emacs, run_emacs
from tests.support.readme import config_block
from tests.support.scene import Scene, open_scene, wait_until

pytestmark = pytest.mark.editor

ADD = "def add(a, b):\n    \n\nprint(add(1, 2))\n"


def visit(scene: Scene, text: str) -> str:
    """Write the sample file and return the form that opens it and waits for the server."""
    path = scene.write("sample.py", text)
    return f"(progn (open-file {json.dumps(str(path))}) (format-mode-line mode-name))"


def edit(tmp_path: Path, text: str, script: dict[str, Any] | None, *forms: str) -> list[Any]:
    """Open a file with `text`, evaluate the forms and return their values."""
    with open_scene(tmp_path, script) as scene:
        return run_emacs(config_block("Emacs", "elisp"), [visit(scene, text), *forms], scene)[1:]


def after(place: str, keys: str, completing: str) -> str:
    """Return the form that types `keys` behind the first `place` of the text, completes, and gives the text then."""
    go = f"(goto-char (point-min)) (search-forward {json.dumps(place, ensure_ascii=False)})"
    return f"(progn {go} (press {json.dumps(keys)}) (press-again {json.dumps(completing)}) (text))"


def test_meta_tab_inserts_the_suggestion(tmp_path: Path) -> None:
    script = {"rules": [["    re", "turn a + b"]], "text": ""}
    text, rest = edit(
        tmp_path, ADD, script, after("):\n    ", "r e", "C-M-i"), "(buffer-substring (point) (point-max))"
    )
    assert text == "def add(a, b):\n    return a + b\n\nprint(add(1, 2))\n"
    assert rest == "\n\nprint(add(1, 2))\n"


def test_tab_where_nothing_is_to_indent_inserts_all_lines(tmp_path: Path) -> None:
    (text,) = edit(tmp_path, ADD, {"text": "total = a + b\n    return total"}, after("):\n    ", "", "TAB"))
    assert text == "def add(a, b):\n    total = a + b\n    return total\n\nprint(add(1, 2))\n"


def test_inside_brackets_after_an_emoji(tmp_path: Path) -> None:
    script = {"rules": [["co", "unt + 1"]], "text": ""}
    (text,) = edit(tmp_path, 'total = 3\nprint("😀", )\n', script, after('", ', "c o", "C-M-i"))
    assert text == 'total = 3\nprint("😀", count + 1)\n'


def test_form_feed_and_crlf_file_stay_as_they_are(tmp_path: Path) -> None:
    text = ("import os\n\f\n" + ADD).replace("\n", "\r\n")
    script = {"text": "total = a + b\n    return total"}
    edit(tmp_path, text, script, after("):\n    ", "", "TAB"), "(save-buffer)")
    expected = text.replace("    \r\n", "    total = a + b\r\n    return total\r\n")
    assert (tmp_path / "workspace" / "sample.py").read_bytes() == expected.encode()


def test_without_a_model_there_are_identifiers_and_one_message(tmp_path: Path) -> None:
    told = '(progn (wait-until "a message" (lambda () seen-messages)) (sit-for 0.5) (vconcat seen-messages))'
    text, messages = edit(tmp_path, "calculate_total = 1\n\n", None, after("1\n", "c a l", "C-M-i"), told)
    assert text == "calculate_total = 1\ncalculate_total\n"
    (message,) = messages
    assert "model" in message


def test_server_ends_when_emacs_is_killed(tmp_path: Path) -> None:
    with open_scene(tmp_path, {"silent": True}) as scene:
        model = scene.model
        assert model is not None
        forms = [visit(scene, ADD), after("):\n    ", "r e", "C-M-i"), "(sleep-for 1000)"]
        with open_emacs(config_block("Emacs", "elisp"), forms, scene) as emacs:
            wait_until(lambda: model.in_flight() == 1 or emacs.poll() is not None, "the model to be asked")
            assert len(scene.servers()) == 1
            emacs.kill()
            emacs.wait()
        scene.wait_for_nothing_left()
        wait_until(lambda: model.in_flight() == 0, "the hang-up")
