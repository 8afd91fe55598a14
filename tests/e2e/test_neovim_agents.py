"""Agents in Neovim, which needs nothing of its own for them: code actions, diagnostics, documents and its own questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.agent_scene import BLOCKS, CART, EDITED, FINDINGS, open_agent_scene
from tests.support.neovim import find_neovim, open_neovim
from tests.support.readme import config_block
from tests.support.scene import wait_until

pytestmark = pytest.mark.editor

RUN = """
local command, argument = ...
local client = vim.lsp.get_clients({ bufnr = 0 })[1]
client:exec_cmd({ title = command, command = command, arguments = { argument } })
"""
HERE = "return vim.uri_from_bufnr(0)"
CHOOSE = """
local words = ...
vim.lsp.buf.code_action({ apply = true, filter = function(one) return one.title:find(words, 1, true) ~= nil end })
"""
CHOOSE_FOR_ALL = """
local words = ...
local range = { start = { 1, 0 }, ["end"] = { vim.api.nvim_buf_line_count(0), 0 } }
vim.lsp.buf.code_action({
  apply = true, range = range, filter = function(one) return one.title:find(words, 1, true) ~= nil end,
})
"""
FOUND = """
local told = {}
for _, one in ipairs(vim.diagnostic.get(0)) do table.insert(told, one.lnum .. ' ' .. one.message) end
table.sort(told)
return told
"""
SHOWN = """
for _, window in ipairs(vim.api.nvim_list_wins()) do
  local buffer = vim.api.nvim_win_get_buf(window)
  local name = vim.api.nvim_buf_get_name(buffer)
  if name:find('/answers/') then return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), '\\n') end
end
return ''
"""


@pytest.mark.parametrize("version", ["0.11", "0.12"])
def test_edit_review_explain_and_chat(tmp_path: Path, version: str) -> None:
    find_neovim(version)
    with (
        open_agent_scene(tmp_path, text=BLOCKS, token_delay=0.005) as scene,
        open_neovim(version, config_block(f"Neovim {version}", "lua"), scene) as editor,
    ):
        assert scene.model is not None
        editor.open(scene.write("cart.py", CART))
        uri = editor.lua(HERE)
        # An edit: finished hunks arrive while the model still speaks, each is one undo step.
        editor.lua(CHOOSE_FOR_ALL, "Simplify selection")
        wait_until(lambda: "\n".join(editor.lines()) + "\n" == EDITED, "both hunks")
        editor.keys("<Esc>uu")
        wait_until(lambda: "\n".join(editor.lines()) + "\n" == CART, "both undone")
        # A review: diagnostics, and a fix as a code action.
        scene.model.configure(text=FINDINGS)
        editor.lua(RUN, "dragoman.review", {"uri": uri})
        wait_until(lambda: editor.lua(FOUND) == ["1 Items have prices.", "5 Always nothing."], "both findings")
        editor.keys("<Esc>2Gw")
        editor.lua(CHOOSE, "Apply fix")
        wait_until(lambda: "one.price" in editor.lines()[1], "the fix")
        wait_until(lambda: editor.lua(FOUND) == ["5 Always nothing."], "one finding left")
        # An explanation: a document that fills.
        scene.model.configure(text="It adds up\nwhat is there.")
        editor.lua(RUN, "dragoman.explain", {"uri": uri})
        told = wait_until(lambda: (text := editor.lua(SHOWN)).endswith("what is there.") and text, "an explanation")
        assert told == "# Explain cart.py\n\nIt adds up\nwhat is there."
        # A conversation in a document.
        scene.model.configure(text="Four.")
        editor.open(scene.write("talk.chat.md", "What is two and two?\n"))
        editor.lua(CHOOSE, "Ask")
        wait_until(
            lambda: editor.lines()[-2:] == ["## You", ""],
            "an answer and the place for the next question",
        )
        assert editor.lines() == ["What is two and two?", "", "## Dragoman", "", "Four.", "", "## You", ""]
