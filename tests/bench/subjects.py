"""Who is measured: a server process with an editor and a fake model of its own, and somebody who types into it."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from tests.bench import tabby
from tests.support.fake_editor import DRAGOMAN, FakeEditor, Message, frame
from tests.support.fake_model import Exchange, FakeModel, Script

NAMES = {
    "dragoman": "Dragoman",
    "floor": "plain pygls + httpx",
    "tabby": f"tabby-agent {tabby.VERSION}, its debounce set to 0",
    "tabby_as_it_comes": f"tabby-agent {tabby.VERSION}, as it comes",
}
NEVER_TYPED = "zqx"
"""No key that is typed here begins like this, so an answer that does never fits."""

TABBY_SAYS = {"tabby/agent/didChangeStatus", "tabby/agent/didUpdateIssues", "window/logMessage"}

CONFIG = """
[completion]
debounce_ms = 0

[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
models = [{{ name = "fake-coder", roles = ["completion"], fim = "qwen" }}]
"""


class BenchEditor(FakeEditor):
    """A fake editor that notes when each reply came and how many there were."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.arrived_at: dict[int | str, float] = {}
        self.replies = 0

    def _take(self, message: Message) -> None:
        now = time.monotonic()
        if "method" not in message:
            self.arrived_at[message["id"]] = now
            self.replies += 1
        elif message["method"] in self.ignored:
            return
        super()._take(message)

    def uss(self) -> int:
        """Return the bytes of memory that only the server process has."""
        return int(psutil.Process(self.process.pid).memory_full_info().uss)


class Subject:
    """A running server under measurement."""

    def __init__(self, key: str, editor: BenchEditor, model: FakeModel) -> None:
        self.key = key
        self.name = NAMES[key]
        self.editor = editor
        self.model = model

    @property
    def method(self) -> str:
        """The request that asks this server for a suggestion."""
        return f"textDocument/{'completion' if self.key.startswith('tabby') else 'inlineCompletion'}"

    async def generation(self, number: int, tokens: int = 0) -> Exchange:
        """Wait until the model got generation ``number`` (from 0) since its reset and said ``tokens`` tokens of it."""

        def there(model: FakeModel) -> bool:
            found = model.generations[number : number + 1]
            return bool(found) and found[0].tokens >= tokens

        await self.model.wait_for(there)
        return self.model.generations[number]


@contextlib.asynccontextmanager
async def running(
    key: str, script: Script, settings: str = CONFIG, *, workspace: Path | None = None
) -> AsyncIterator[Subject]:
    """Start a server with its model, in the folder ``workspace`` if there is one; both end with the block."""
    fake = tabby.FakeTabby if key.startswith("tabby") else FakeModel
    async with fake(script) as model:
        with tempfile.TemporaryDirectory() as folder:
            editor = await launch(key, model, Path(folder), settings, workspace=workspace)
            try:
                yield Subject(key, editor, model)
            finally:
                await editor.kill()


async def launch(
    key: str, model: FakeModel, folder: Path, settings: str = CONFIG, *, workspace: Path | None = None
) -> BenchEditor:
    """Start a server of its own in ``folder`` and shake hands; the caller kills the editor."""
    config = folder / "config.toml"
    config.write_text(settings.format(url=model.url), encoding="utf-8")
    env = {f"DRAGOMAN_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "CACHE", "RUNTIME")}
    commands = {
        "dragoman": [*DRAGOMAN, "--config", str(config)],
        "floor": [sys.executable, "-m", "tests.bench.floor", "--url", f"{model.url}/v1"],
    }
    if key.startswith("tabby"):
        commands[key] = tabby.tabby_agent() or []
        env |= tabby.prepare(folder, model.url, debounce=key == "tabby_as_it_comes")
    editor = await BenchEditor.launch(command=commands[key], env=env)
    try:
        folders = [{"uri": workspace.as_uri(), "name": workspace.name}] if workspace is not None else None
        await editor.initialize(clientInfo={"name": "bench", "version": "1"}, workspaceFolders=folders)
        if key.startswith("tabby"):
            editor.ignored |= TABBY_SAYS
            await model.wait_for(lambda one: any(request.path == "/v1/health" for request in one.requests))
        if key == "dragoman":
            await editor.await_status(lambda status: status["state"] == "ready")
    except BaseException:
        await editor.kill()
        raise
    return editor


class Typist:
    """Types letters that no answer fits into one line of one document; every key makes a text that never was before."""

    KEYS_A_LINE = 40

    def __init__(
        self,
        editor: FakeEditor,
        uri: str,
        lines: int,
        method: str = "textDocument/inlineCompletion",
        *,
        moves: bool = False,
    ) -> None:
        self.editor = editor
        self.uri = uri
        self._method = method
        self._line = lines // 2
        self._moves = moves
        """Whether each line is another one of the document, as when a person goes on."""
        self._version = 1
        self._random = random.Random(uri)
        self._keys = 0
        self.head = ""
        """The line before the cursor."""
        self.newest: int | str | None = None
        editor.open(uri, program(lines, name=Path(uri).stem))

    def key(self, *, cancels: bool = False) -> tuple[bytes, int | str]:
        """Return the bytes of the next key with its request, and the request's id.

        ``cancels`` says that the request before is withdrawn, as VS Code does while one is open.
        """
        if self._keys % self.KEYS_A_LINE == 0:
            self._begin_line()
        self._keys += 1
        letter = self._random.choice("abcdefghijklmnop")
        at = len(self.head)
        change = self._change((self._line, at, self._line, at, letter))
        self.head += letter
        older = self.newest
        params = FakeEditor.inline_params(self.uri, self._line, at + 1)
        request = self.editor.request_message(self._method, params)
        self.newest = request["id"]
        cancel = [{"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": older}}] if cancels and older else []
        return b"".join(frame(one) for one in (change, *cancel, request)), request["id"]

    def _begin_line(self) -> None:
        """Empty the line and begin it in a way that it never began before."""
        head = f"    k{self._keys} = "
        if self._keys and self._moves:
            self._line += 1
            self.editor.send(self._change((self._line, 0, self._line, 999, head)))
        elif self._keys:
            self.editor.send(self._change((self._line, 0, self._line, len(self.head), head)))
        else:
            self.editor.send(self._change((self._line, 0, self._line, 999, head)))
        self.head = head

    def _change(self, change: tuple[int, int, int, int, str]) -> Message:
        self._version += 1
        return FakeEditor.change_message(self.uri, self._version, change)


def program(lines: int, name: str = "sample") -> str:
    """Return a Python file of so many lines, some 35 characters each, unlike that of any other name."""
    block = (
        "def {name}_{n}(first, second=None):\n"
        '    """Return what {n} makes of both."""\n'
        "    total = first * {n} + len(str(second))\n"
        "    for index in range(total % {n}7):\n"
        "        total -= index * first  # {n}\n"
        "    return total\n"
        "\n"
        "\n"
    )
    text = "".join(block.format(name=name, n=n) for n in range(1, lines // 8 + 2))
    return "".join(text.splitlines(keepends=True)[:lines])


def descriptors(process: psutil.Process) -> int:
    """Return how many files, pipes and sockets a process has open."""
    return process.num_fds() if os.name == "posix" else process.num_handles()
