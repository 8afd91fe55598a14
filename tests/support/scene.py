"""What a real editor is put into: a small workspace, a settings folder, a model server and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60.0
"""How long anything may take before it counts as never happening; every wait ends as soon as it has happened."""

FAKE_PROVIDER = """\
[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
models = [{{ name = "fake-coder", roles = ["completion"], fim = "qwen" }}]
"""


def wait_until(ask: Callable[[], T], what: str) -> T:
    """Return the first true answer of `ask`; raises AssertionError naming `what` and the last answer."""
    end = time.monotonic() + WAIT_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < end, f"waited in vain for {what}; the last answer was {answer!r}"
        time.sleep(0.02)
    return answer


class FakeModelServer:
    """The scripted model server in a process of its own, steered over HTTP."""

    def __init__(self, script: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fake_model", "--with-stdin", "--script", json.dumps(script)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])

    def configure(self, **changes: Any) -> None:
        self._call("/_fake/script", changes)

    def generations(self) -> list[dict[str, Any]]:
        """The requests that asked for text, as the server saw them."""
        return [one for one in self._call("/_fake/log")["requests"] if one["prefix"] or one["tokens"]]

    def in_flight(self) -> int:
        return int(self._call("/_fake/log")["in_flight"])

    def log(self) -> str:
        return json.dumps(self._call("/_fake/log"), indent=1)

    def close(self) -> None:
        self._process.communicate(timeout=WAIT_SECONDS)

    def _call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=WAIT_SECONDS) as reply:
            return json.load(reply)


class Scene:
    """A folder with `workspace/`, the settings and everything else a program might look for in a home."""

    def __init__(self, folder: Path, model: FakeModelServer | None) -> None:
        self.folder = folder
        self.model = model
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        (self.workspace / "pyproject.toml").write_text('[project]\nname = "sample"\n', encoding="utf-8")
        self.settings = folder / "settings"
        self.settings.mkdir()
        if model is not None:
            (self.settings / "config.toml").write_text(FAKE_PROVIDER.format(url=model.url), encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Return the editor's environment: a home of its own, and the `dragoman` under test first on PATH."""
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        homes = {f"XDG_{name}_HOME": str(self.folder / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        return {
            **kept,
            **homes,
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.folder),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DRAGOMAN_CONFIG_DIR": str(self.settings),
        }

    def write(self, name: str, text: str) -> Path:
        """Write a file of the workspace byte by byte, and return its path."""
        path = self.workspace / name
        path.write_bytes(text.encode())
        return path

    def processes(self) -> list[psutil.Process]:
        """List every process that lives in this scene, the editor included."""
        return [one for one in psutil.process_iter() if _variable(one, "DRAGOMAN_CONFIG_DIR") == str(self.settings)]

    def servers(self) -> list[psutil.Process]:
        """List the language servers that run in this scene."""
        return [one for one in self.processes() if _arguments(one)[-1:] == ["lsp"]]

    def wait_for_nothing_left(self) -> None:
        """Wait until no process of this scene is left."""
        try:
            wait_until(lambda: not self.processes(), "the end of every process")
        except AssertionError:
            left = [(one.pid, _arguments(one)) for one in self.processes()]
            for one in self.processes():
                one.kill()
            raise AssertionError(f"processes outlived the editor: {left}") from None


@contextmanager
def open_scene(folder: Path, script: dict[str, Any] | None) -> Iterator[Scene]:
    """Yield a scene whose model says what `script` tells it, or one without any model; nothing outlives it."""
    model = None if script is None else FakeModelServer(script)
    try:
        scene = Scene(folder, model)
        yield scene
        scene.wait_for_nothing_left()
    finally:
        if model is not None:
            model.close()


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else process.environ().get(name)
    except psutil.Error:
        return None


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
