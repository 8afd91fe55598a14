"""Next edits in Neovim, which needs nothing of its own for them: its menu of code actions has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.neovim import find_neovim, open_neovim
from tests.support.readme import config_block
from tests.support.scene import open_scene, wait_until

pytestmark = pytest.mark.editor

TEXT = "def area(width, height):\n    half = width / 2\n    return half * height + width\n"
TITLES = """
local params = vim.lsp.util.make_range_params(0, 'utf-16')
params.context = { diagnostics = {} }
local titles = {}
for _, answer in pairs(vim.lsp.buf_request_sync(0, 'textDocument/codeAction', params, 10000) or {}) do
  for _, action in ipairs(answer.result or {}) do
    if vim.startswith(action.title, 'Next edit') then table.insert(titles, action.title) end
  end
end
return titles
"""
CHOOSE = """
local words = ...
vim.lsp.buf.code_action({ apply = true, filter = function(one) return one.title:find(words, 1, true) ~= nil end })
"""


@pytest.mark.parametrize("version", ["0.11", "0.12"])
def test_the_other_places_of_a_rename_are_code_actions(tmp_path: Path, version: str) -> None:
    find_neovim(version)
    with (
        open_scene(tmp_path, {"text": ""}) as scene,
        open_neovim(version, config_block(f"Neovim {version}", "lua"), scene) as editor,
    ):
        editor.open(scene.write("sample.py", TEXT))
        editor.keys("gg0fwcwbreadth<Esc>")
        wait_until(lambda: editor.lines()[0] == "def area(breadth, height):", "the first name")
        one, every = wait_until(lambda: editor.lua(TITLES), "code actions")
        assert one == "Next edit: replace `width` by `breadth` (line 2)"
        assert every == "Next edit: replace `width` by `breadth` (all 2 places)"
        editor.lua(CHOOSE, "(line 2)")
        wait_until(lambda: editor.lines()[1] == "    half = breadth / 2", "the second name")
        wait_until(lambda: editor.lua("return vim.api.nvim_win_get_cursor(0)") == [2, 18], "the cursor behind it")
        assert wait_until(lambda: editor.lua(TITLES), "what is left") == [
            "Next edit: replace `width` by `breadth` (line 3)"
        ]
        editor.lua(CHOOSE, "(line 3)")
        wait_until(lambda: editor.lines()[2] == "    return half * height + breadth", "the third name")
        assert not editor.lua(TITLES)
