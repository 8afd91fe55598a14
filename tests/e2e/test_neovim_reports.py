"""Neovim with the README's lines for copies and diagnostics: what its user copies, and what others report, is read."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from tests.support.neovim import find_neovim, open_neovim
from tests.support.readme import config_block
from tests.support.scene import open_scene, wait_until

pytestmark = pytest.mark.editor

REPORT = """
local place = vim.api.nvim_create_namespace('other server')
vim.diagnostic.set(place, 0, {{ lnum = 1, col = 4, message = 'Argument missing for parameter "membership_card"', severity = 1 }})
"""
CLEAR = "vim.diagnostic.reset(vim.api.nvim_create_namespace('other server'), 0)"


def test_a_copy_and_a_report_are_read(tmp_path: Path) -> None:
    find_neovim("0.12")
    config = config_block("Neovim 0.12", "lua") + config_block("Neovim: copies and diagnostics", "lua")
    with open_scene(tmp_path, {"text": "pass"}) as scene, open_neovim("0.12", config, scene) as editor:
        assert scene.model is not None
        other = scene.write("other.py", "def charge():\n    send(rate_of(copied_region))\n")
        here = scene.write("sample.py", "def add(a, b):\n    \n\nprint(add(1, 2))\n")
        editor.open(other)
        wait_until(lambda: 'state = "ready"' in editor.log(), "the server to be ready")
        editor.keys("jyy")
        wait_until(lambda: "dragoman/yanked" in editor.log(), "Neovim to tell of the copy")
        editor.open(here)
        editor.lua(REPORT)
        wait_until(lambda: "dragoman/diagnostics" in editor.log(), "Neovim to tell of the report")

        model = scene.model
        numbers = itertools.count()

        def is_read(text: str) -> bool:
            """Type a line, give the model a while to be asked, and look whether it read the text with any."""
            editor.keys(f"<Esc>ov{next(numbers)} = ")
            for _ in range(20):
                if any(text in str(one["body"]) and "sample.py" in str(one["body"]) for one in model.generations()):
                    return True
                time.sleep(0.1)
            return False

        editor.keys("j")
        wait_until(lambda: is_read("rate_of(copied_region)"), "the copy in a prompt")
        editor.keys("<Esc>ggj")
        wait_until(lambda: is_read("membership_card"), "the report in a prompt")
        editor.lua(CLEAR)
        wait_until(editor.all_answered, "the server's answers")
        assert "needs 'uri'" not in editor.log()
