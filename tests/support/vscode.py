"""A real VS Code with our extension in it, in a headless browser, for tests."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil

from tests.support import tools
from tests.support.vsix import pack

T = TypeVar("T")

DRIVER = tools.ROOT / "tests" / "e2e" / "vscode" / "driver.mjs"
RELAY = tools.ROOT / "tests" / "e2e" / "vscode" / "relay.py"
SCREENSHOTS = tools.CACHE / "screenshots"

PATIENCE = 90.0
"""Seconds a test waits for what must come; every wait ends as soon as it does."""

STATUS = '.statusbar-item[id="dragoman.dragoman.dragoman.status"]'
SUGGEST_ROWS = ".suggest-widget.visible .monaco-list-row"
NOTIFICATION = ".notifications-toasts .notification-list-item"

OWN_FOLDERS = ("CONFIG", "DATA", "RUNTIME", "CACHE")

EDITOR_SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.tips.enabled": False,
    "workbench.reduceMotion": "on",
    "security.workspace.trust.enabled": False,
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    # Not False: the editor would write this by itself, at any moment, and that is a change in an open document.
    "extensions.autoUpdate": "off",
    "extensions.autoCheckUpdates": False,
    "git.enabled": False,
    "editor.fontSize": 16,
    "editor.minimap.enabled": False,
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
}


class Workbench:
    """One VS Code window on a workspace of its own; a context manager that leaves nothing running.

    `files` are the workspace's by path, and `config` is the text of the user's `config.toml`.
    `extensions` are folders of others that are installed beside ours.
    `settings` go on top of what keeps a test calm; `environment` on top of this process's.
    The language server's whole talk with the editor is in `messages`.
    """

    def __init__(
        self,
        *,
        files: dict[str, str],
        config: str = "",
        server: list[str] | None = None,
        settings: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        extensions: Sequence[Path] = (),
        name: str = "vscode",
    ) -> None:
        self._code_server = tools.require("code-server")
        self._playwright = tools.require("playwright")
        self._chromium = tools.require("chromium")
        self._node = tools.require("node")
        self._extension = tools.require("vsix")
        self.name = name
        # Paths with spaces are where commands break.
        self.folder = Path(tempfile.mkdtemp(prefix="dragoman vscode-"))
        self.workspace = self.folder / "workspace"
        self.record = self.folder / "talk.jsonl"
        self._files = files
        self._config = config
        self._server = server or [sys.executable, "-m", "dragoman"]
        self._settings = settings or {}
        self._environment = environment or {}
        self._others = extensions
        self._editor: subprocess.Popen[str] | None = None
        self._driver: subprocess.Popen[str] | None = None
        self._shots = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        for path, text in self._files.items():
            place = self.workspace / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        self.workspace.mkdir(exist_ok=True)
        command = [sys.executable, str(RELAY), str(self.record), *self._server]
        settings = {**EDITOR_SETTINGS, "dragoman.server.command": command, **self._settings}
        self._write_settings(settings)
        environment = {
            **tools.node_environment(),
            # Or the editor asks a login shell for the environment, and PATH and the like are that one's.
            "VSCODE_CLI": "1",
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "share"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            **{f"DRAGOMAN_{name}_DIR": str(self._own_folder(name.lower())) for name in OWN_FOLDERS},
            **self._environment,
        }
        (self.folder / "config" / "config.toml").write_text(self._config, encoding="utf-8")
        entry = [str(self._node), str(self._code_server / "out" / "node" / "entry.js")]
        folders = ["--user-data-dir", str(self.folder / "data"), "--extensions-dir", str(self.folder / "extensions")]
        # The browser starts while the extension is installed.
        self._driver = subprocess.Popen(
            [str(self._node), str(DRIVER), str(self._playwright), str(self._chromium)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        others = [pack(one, self.folder / f"{one.name}.vsix") for one in self._others]
        wanted = [word for one in (self._extension, *others) for word in ("--install-extension", str(one))]
        subprocess.run(
            [*entry, *folders, *wanted],
            env=environment, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        options = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-telemetry", "--disable-update-check"]
        quiet = ["--disable-workspace-trust", "--disable-getting-started-override"]
        self.editor_log = self.folder / "code-server.log"
        with self.editor_log.open("w") as log:
            self._editor = subprocess.Popen(
                [*entry, *options, *quiet, *folders, str(self.workspace)],
                env=environment, stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
        url = self.until(self._address, "code-server's address")
        self._read()
        self.ask("goto", url=url)
        self.wait(".explorer-folders-view .monaco-list-row")

    def _write_settings(self, settings: dict[str, Any]) -> None:
        self._written = settings
        for scope in ("User", "Machine"):  # A browser's VS Code is a remote one: machine settings are read there.
            place = self.folder / "data" / scope / "settings.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(settings), encoding="utf-8")

    def _own_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _address(self) -> str | None:
        found = re.search(r"HTTP server listening on (http://\S+?)/?\s", self.editor_log.read_text(encoding="utf-8"))
        return found[1] if found else None

    def close(self) -> None:
        """End the browser, the editor and all their children; raise when one outlives that."""
        family: list[psutil.Process] = []
        for process in (self._driver, self._editor):
            if process is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    head = psutil.Process(process.pid)
                    family += [head, *head.children(recursive=True)]
        if self._driver is not None and self._driver.stdin is not None:
            with contextlib.suppress(OSError):
                self._driver.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._driver.wait(timeout=15)
        for process in (self._driver, self._editor):
            if process is not None:
                self._end(process)
        _, alive = psutil.wait_procs(family, timeout=15)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._driver is not None and self._driver.stdout is not None:
            self._driver.stdout.close()
        self._driver = self._editor = None
        shutil.rmtree(self.folder, ignore_errors=True)
        if alive:
            raise AssertionError(f"still running after the editor was closed: {alive}")

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)

    # -- the page --------------------------------------------------------------------------------------------------

    def ask(self, method: str, **params: Any) -> Any:
        """Have the browser do something; raises AssertionError with its complaint."""
        assert self._driver
        assert self._driver.stdin
        self._driver.stdin.write(json.dumps({"method": method, "params": params}) + "\n")
        self._driver.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise AssertionError(f"{method} {params}: {answer['error']}\n{self.evidence()}")
        return answer.get("result")

    def _read(self) -> dict[str, Any]:
        assert self._driver
        assert self._driver.stdout
        ready, _, _ = select.select([self._driver.stdout], [], [], 3 * PATIENCE)
        line = self._driver.stdout.readline() if ready else ""
        if not line:
            raise AssertionError("the browser's driver ended or does not answer")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def wait(self, selector: str, *, state: str = "visible", timeout: float = PATIENCE) -> list[str]:
        """Wait until something matches (or, with state "hidden", nothing does); return the texts of all that match."""
        texts: list[str] = self.ask("wait", selector=selector, state=state, timeout=timeout * 1000)
        return [text.replace("\xa0", " ") for text in texts]

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all that match now."""
        return [text.replace("\xa0", " ") for text in self.ask("texts", selector=selector)]

    def click(self, selector: str, *modifiers: str) -> None:
        self.ask("click", selector=selector, timeout=PATIENCE * 1000, modifiers=modifiers)

    def hover(self, selector: str) -> None:
        self.ask("hover", selector=selector, timeout=PATIENCE * 1000)

    def unhover(self) -> None:
        """Move the pointer off, so that no tooltip lies over what comes next."""
        self.ask("unhover")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.ask("press", key=key)

    def type(self, text: str, *, delay: float = 20) -> None:
        """Type as a person does; `delay` is the time between keys in milliseconds."""
        self.ask("type", text=text, delay=delay)

    def screenshot(self, step: str) -> Path:
        """Keep a picture of the window under the step's name."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self._shots += 1
        path = SCREENSHOTS / f"{self.name}-{self._shots:02}-{step}.png"
        self.ask("screenshot", path=str(path))
        return path

    def barriers(self, within: str) -> list[str]:
        """Return what axe objects to in the page of the view that has `within`."""
        passed, *found = self.ask("barriers", axe=str(tools.require("axe")), within=within)
        assert int(passed) > 5, "axe has looked at the page"
        return found

    # -- the editor ------------------------------------------------------------------------------------------------

    def run_command(self, title: str) -> None:
        """Run a command by its title in the palette."""
        self.press("F1")
        self.wait(".quick-input-widget input")
        self.type(title, delay=0)
        self.wait(f'.quick-input-list .monaco-list-row:has-text("{title}")')
        self.press("Enter")

    def set(self, **settings: Any) -> None:
        """Change settings as a person does, a double underscore for a dot; the editor follows its file."""
        self._write_settings({**self._written, **{name.replace("__", "."): value for name, value in settings.items()}})

    def open(self, path: str) -> None:
        """Open a file of the workspace and put the cursor at its end."""
        self.press("Control+p")
        self.wait(".quick-input-widget input")
        self.type(path, delay=0)
        self.wait(f'.quick-input-list .monaco-list-row:has-text("{Path(path).name}")')
        self.press("Enter")
        self.wait(f'.tab.active:has-text("{Path(path).name}")')
        self.click(".editor-group-container.active .view-lines")
        self.press("Control+End")

    def ghost(self) -> str:
        """Return the ghost text on screen."""
        text: str = self.ask("ghost")
        return text

    def wait_for_ghost(self, text: str) -> str:
        """Wait until the ghost text holds `text` and return all of it."""
        return self.until(lambda: ghost if text in (ghost := self.ghost()) else None, f"ghost text with {text!r}")

    @contextlib.contextmanager
    def watch_ghost(self) -> Iterator[list[str]]:
        """Collect every ghost text that is drawn meanwhile, frame by frame; the list is filled at the end."""
        seen: list[str] = []
        self.ask("watch")
        yield seen
        seen += self.ask("watched")

    def wait_for_saved(self, path: str, text: str) -> None:
        """Save the active file until `text` is what is on disk."""
        file = self.workspace / path

        def save() -> bool:
            self.press("Control+s")
            return file.read_text(encoding="utf-8") == text

        try:
            self.until(save, f"{text!r} in {path!r}", pause=0.2)
        except AssertionError as error:
            raise AssertionError(f"in the file is {file.read_text(encoding='utf-8')!r}; {error}") from None

    # -- the server ------------------------------------------------------------------------------------------------

    def entries(self) -> list[dict[str, Any]]:
        """Everything the relay has written so far."""
        if not self.record.exists():
            return []
        whole, _, _ = self.record.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def messages(self, method: str) -> list[dict[str, Any]]:
        """Requests and notifications of a method, oldest first."""
        talk = [entry["message"] for entry in self.entries() if "message" in entry]
        return [message for message in talk if message.get("method") == method]

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Wait for the server's reply to a request of the editor."""

        def find() -> dict[str, Any] | None:
            for entry in self.entries():
                message = entry.get("message", {})
                if entry.get("from") == "server" and message.get("id") == request["id"] and "method" not in message:
                    return dict(message)
            return None

        return self.until(find, f"a reply to {request['method']}")

    def server_pids(self) -> list[int]:
        """Return the servers started so far, oldest first."""
        return [entry["pid"] for entry in self.entries() if "pid" in entry]

    def until(self, look: Callable[[], T | None], what: str, *, pause: float = 0.05) -> T:
        """Return the first true value of `look`, asked again and again; fails with the evidence."""
        end = time.monotonic() + PATIENCE
        while not (value := look()):
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come within {PATIENCE:.0f} s\n{self.evidence()}")
            time.sleep(pause)
        return value

    def evidence(self) -> str:
        """Return what helps to understand a failure: the last of the talk, the server's log, and a picture's place."""
        lines = [json.dumps(entry)[:400] for entry in self.entries()[-25:]]
        for log in sorted((self.folder / "data").rglob("*Dragoman.log")):
            lines += ["--- Dragoman's output channel", *log.read_text(encoding="utf-8").splitlines()[-30:]]
        with contextlib.suppress(AssertionError, OSError, RecursionError):
            if self._driver and self._driver.poll() is None:
                lines.append(f"--- picture: {self._failure_picture()}")
        return "\n".join(lines)

    @property
    def own_environment(self) -> Path:
        """Where the extension puts the server when it installs it."""
        return self.folder / "data" / "User" / "globalStorage" / "dragoman.dragoman" / "server"

    def own_processes(self) -> list[list[str]]:
        """Return the commands of all programs that have to do with that environment."""
        found = []
        # A program whose starter ended is nobody's child: look at all.
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                command = process.cmdline()
                if any(str(self.own_environment) in part for part in command):
                    found.append(command)
        return found

    def _failure_picture(self) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{self.name}-failure.png"
        assert self._driver
        assert self._driver.stdin
        self._driver.stdin.write(json.dumps({"method": "screenshot", "params": {"path": str(path)}}) + "\n")
        self._driver.stdin.flush()
        self._read()
        return path


@contextlib.contextmanager
def own_process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a helper program whose first line of output the caller reads; it is gone afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tools.ROOT, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()
