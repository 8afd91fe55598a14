"""VS Code with our extension, the real server and a scripted model: what its user types and sees."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, find_entry
from dragoman.settings.export import vscode_configuration
from tests.support import tools
from tests.support.scene import FAKE_PROVIDER, FakeModelServer
from tests.support.vscode import NOTIFICATION, STATUS, SUGGEST_ROWS, Workbench
from tests.support.weights import find_weights

pytestmark = pytest.mark.editor

INLINE = "textDocument/inlineCompletion"
INSTALL_SECONDS = 240.0
"""The largest package has some 35 MB."""

READY = f'{STATUS}:has-text("fake-coder")'

HEAD = "def area(width, height):\n"
BODY = "half = width / 2\n    return half * height * 2"
AREA = f"{HEAD}    {BODY}\n"
START = "import math\n\n\n"

FILES = {f"{name}.py": START for name in ("tab", "through", "word", "invoked", "widget", "killed", "off")}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    """A model that knows how the file goes on."""
    server = FakeModelServer({"oracle": START + AREA})
    yield server
    server.close()


@pytest.fixture(scope="module")
def editor(model: FakeModelServer) -> Iterator[Workbench]:
    """One window for all tests of this file; each has a file of its own in it."""
    config = FAKE_PROVIDER.format(url=model.url)
    with Workbench(files=FILES, config=config) as workbench:
        # VS Code asks for suggestions key by key: what is typed before the server is there is never asked about.
        workbench.wait(READY)
        yield workbench


def accepted(editor: Workbench) -> list[dict[str, Any]]:
    """The acceptances that reached the server."""
    commands = editor.messages("workspace/executeCommand")
    return [one for one in commands if one["params"]["command"] == "dragoman.acceptCompletion"]


def test_the_status_bar_shows_the_model(editor: Workbench) -> None:
    editor.wait(READY)
    editor.hover(STATUS)
    (tooltip,) = editor.wait('.monaco-hover:has-text("Model: fake-coder")')[:1]
    assert "Provider: fake" in tooltip
    editor.screenshot("status")
    editor.unhover()


def test_ghost_text_in_two_lines_and_tab_takes_it(editor: Workbench, model: FakeModelServer) -> None:
    editor.open("tab.py")
    editor.type(HEAD)
    # The lines below the cursor's may be drawn a frame before the rest of its own.
    editor.until(lambda: editor.ghost() == BODY, "both lines of the suggestion")
    editor.screenshot("ghost")
    assert all(one["path"] == "/v1/completions" for one in model.generations())
    before = len(accepted(editor))
    editor.press("Tab")
    command = editor.until(lambda: accepted(editor)[before:], "the acceptance")[0]
    assert "error" not in editor.reply(command)
    editor.screenshot("accepted")
    editor.wait_for_saved("tab.py", START + HEAD + "    " + BODY)


def test_typing_through_a_suggestion_keeps_it_and_asks_no_model(editor: Workbench, model: FakeModelServer) -> None:
    editor.open("through.py")
    editor.type("def ar")
    editor.wait_for_ghost("ea(width, height):")
    editor.until(lambda: model.in_flight() == 0, "the end of the generation")
    before = len(model.generations())
    for typed, left in (("e", "a(width, height):"), ("a(wi", "dth, height):"), ("dth", ", height):")):
        editor.type(typed)
        editor.until(lambda left=left: editor.ghost().startswith(left), f"the rest {left!r}")
    editor.screenshot("typed-through")
    assert len(model.generations()) == before


def test_control_right_takes_a_word(editor: Workbench) -> None:
    editor.open("word.py")
    editor.type("def ar")
    editor.wait_for_ghost("ea(width, height):")
    editor.press("Control+ArrowRight")
    editor.until(lambda: editor.ghost().startswith("(width"), "the rest of the suggestion")
    editor.screenshot("word")
    editor.press("Escape")
    editor.wait_for_saved("word.py", f"{START}def area")


def test_asking_for_a_suggestion_says_so(editor: Workbench) -> None:
    editor.open("invoked.py")
    editor.type("def ar")
    editor.wait_for_ghost("ea(width, height):")
    editor.press("Escape")
    editor.until(lambda: not editor.ghost(), "no ghost text")
    before = len(editor.messages(INLINE))
    editor.run_command("Trigger Inline Suggestion")
    editor.wait_for_ghost("ea(width, height):")
    kinds = {one["params"]["context"]["triggerKind"] for one in editor.messages(INLINE)[before:]}
    automatic = {one["params"]["context"]["triggerKind"] for one in editor.messages(INLINE)[:before]}
    assert kinds - automatic, "an explicit request must be told from an automatic one"


def test_ghost_text_and_the_suggest_widget_live_together(editor: Workbench) -> None:
    editor.open("widget.py")
    editor.type("width = 1\nwi")
    editor.press("Control+Space")
    assert any("width" in row for row in editor.wait(SUGGEST_ROWS))
    editor.screenshot("suggest-widget")
    editor.press("Enter")
    editor.wait_for_saved("widget.py", f"{START}width = 1\nwidth")
    # A client that shows ghost text gets no second copy of it in the list.
    assert not editor.messages("textDocument/completion")


def test_a_killed_server_is_started_again_and_works(editor: Workbench) -> None:
    editor.open("killed.py")
    before = editor.server_pids()
    os.kill(before[-1], signal.SIGKILL)
    editor.until(lambda: len(editor.server_pids()) > len(before), "a new server")
    editor.wait(READY)
    editor.type("def ar")
    editor.wait_for_ghost("ea(width, height):")
    editor.screenshot("after-a-crash")
    assert not editor.texts(f'{NOTIFICATION}:has-text("ended")')


def test_the_menu_switches_suggestions_off_and_on(editor: Workbench) -> None:
    editor.open("off.py")
    editor.click(STATUS)
    editor.wait('.quick-input-list .monaco-list-row:has-text("Switch completions off")')
    editor.screenshot("menu")
    editor.click('.quick-input-list .monaco-list-row:has-text("Switch completions off"):not(:has-text(" for "))')
    editor.wait(f"{STATUS} .codicon-circle-slash")
    editor.screenshot("off")
    editor.run_command("Dragoman: Toggle Completions")
    editor.wait(READY)
    editor.click(".editor-group-container.active .view-lines")
    editor.press("Control+End")
    editor.type("def ar")
    editor.wait_for_ghost("ea(width, height):")


def test_the_settings_page_has_a_box_for_a_number_and_the_server_hears_of_it(editor: Workbench) -> None:
    editor.run_command("Dragoman: Open Settings")
    editor.wait('.settings-editor :text("Whether anything is suggested at all.")')
    editor.screenshot("settings")
    before = len(settings_sent(editor))
    editor.click('.settings-editor .setting-item-contents:has-text("Debounce_ms") input')
    editor.type("75", delay=0)
    editor.until(
        lambda: any(one["completion"].get("debounce_ms") == 75 for one in settings_sent(editor)[before:]),
        "the setting at the server",
    )
    editor.press("Escape")
    # The page draws itself anew after the first change, and not always the box that has the focus.
    editor.run_command("Dragoman: Open Settings")
    editor.wait('.settings-editor :text("Whether anything is suggested at all.")')
    editor.screenshot("settings-changed")
    editor.press("Escape")


def settings_sent(editor: Workbench) -> list[dict[str, Any]]:
    """The settings of each change, as the server got them."""
    changes = editor.messages("workspace/didChangeConfiguration")
    return [one["params"]["settings"]["dragoman"] for one in changes]


def test_package_json_offers_the_settings_that_the_server_has() -> None:
    script = tools.CLIENT / "scripts" / "settings.mjs"
    done = subprocess.run(
        [tools.require("node"), str(script), "--check"],
        input=json.dumps(vscode_configuration()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_clients_own_checks_pass() -> None:
    tools.require("node")
    tools.npm_ci(tools.CLIENT)
    tools.npm("run", "check", cwd=tools.CLIENT)
    tools.npm("test", cwd=tools.CLIENT)


def test_a_server_that_cannot_start_is_given_up_with_one_message(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no such luck')\n", encoding="utf-8")
    with Workbench(files={"notes.py": ""}, server=[sys.executable, str(broken)], name="vscode-broken") as workbench:
        workbench.wait(f'{NOTIFICATION}:has-text("is not started again")')
        assert len(workbench.server_pids()) == 4
        assert len(workbench.texts(NOTIFICATION)) == 1
        workbench.wait(f"{STATUS} .codicon-error")
        workbench.screenshot("given-up")


def test_a_machine_without_the_server_is_told_where_to_get_it() -> None:
    nowhere = {"dragoman.server.command": None}
    environment = {"PATH": "/nonexistent"}
    with Workbench(
        files={"notes.py": ""}, settings=nowhere, environment=environment, name="vscode-missing"
    ) as workbench:
        (message,) = workbench.wait(f'{NOTIFICATION}:has-text("was not found")')
        assert all(button in message for button in ("Install", "Choose…", "Not Now"))
        workbench.screenshot("missing")
        workbench.click(f'{NOTIFICATION} .monaco-button:has-text("Not Now")')
        workbench.wait(f"{STATUS} .codicon-warning")
        workbench.click(STATUS)
        workbench.wait('.quick-input-list .monaco-list-row:has-text("Install the server")')
        workbench.screenshot("missing-menu")


@pytest.mark.timeout(900)
def test_the_install_button_installs_the_server_that_came_with_the_extension(tmp_path: Path) -> None:
    """For real: a Python of this machine, our own wheel, its libraries from pip's index, a server with no reload."""
    environment = {"PATH": str(folder_with_python(tmp_path)), **pip_configuration()}
    with Workbench(
        files={"notes.py": "configuration = 1\n"},
        settings={"dragoman.server.command": None},
        environment=environment,
        name="vscode-install",
    ) as workbench:
        workbench.wait(f'{NOTIFICATION}:has-text("was not found")')
        workbench.click(f'{NOTIFICATION} .monaco-button:has-text("Install")')
        workbench.wait(f'{NOTIFICATION}:has-text("Installing the Dragoman server")')
        workbench.screenshot("installing")
        a_cancelled_installation_leaves_nothing_running(workbench)
        workbench.click(STATUS)
        workbench.click('.quick-input-list .monaco-list-row:has-text("Install the server")')
        wait_for_server(workbench)
        workbench.screenshot("installed")
        (origin,) = packages(workbench).glob("dragoman-*.dist-info/direct_url.json")
        url = json.loads(origin.read_text(encoding="utf-8"))["url"]
        assert url.startswith("file:///")
        assert url.endswith(f"/server/{tools.wheel().name}")
        assert "%20" in url, "the test is to show that a path with spaces works"
        assert list(packages(workbench).glob("xllamacpp-*.dist-info"))
        assert len(servers(workbench)) == 1
        an_older_server_is_updated(workbench)


def a_cancelled_installation_leaves_nothing_running(workbench: Workbench) -> None:
    workbench.until(workbench.own_environment.exists, "a begun environment", pause=0.01)
    workbench.click(f'{NOTIFICATION} .monaco-button:has-text("Cancel")')
    workbench.wait(f'{NOTIFICATION}:has-text("Installing the Dragoman server")', state="hidden")
    workbench.until(lambda: not workbench.own_processes(), "the end of the installation's programs")
    # The half environment stays and must be no obstacle to the next attempt.
    lock = workbench.own_environment.with_name("install.lock")
    workbench.until(lambda: not lock.exists(), "the lock to be given back")
    assert not workbench.texts(NOTIFICATION), "who cancelled knows why it is not installed"
    workbench.wait(f"{STATUS} .codicon-warning")


def an_older_server_is_updated(workbench: Workbench) -> None:
    """Make what is installed old, as it is after an update of the extension, and start it."""
    found = packages(workbench)
    (info,) = found.glob("dragoman-*.dist-info")
    version = info.name.removeprefix("dragoman-").removesuffix(".dist-info")
    old = info.rename(found / "dragoman-0.0.9.dist-info")
    for file in (old / "METADATA", old / "RECORD", found / "dragoman" / "__init__.py"):
        text = file.read_text(encoding="utf-8")
        assert version in text
        file.write_text(text.replace(version, "0.0.9"), encoding="utf-8")
    workbench.run_command("Dragoman: Restart Server")
    # By the time it is in place the old one has ended, and with it what it said in the status bar.
    workbench.until(info.exists, "the newer server")
    wait_for_server(workbench)
    assert not old.exists()
    assert len(servers(workbench)) == 1
    assert version in (found / "dragoman" / "__init__.py").read_text(encoding="utf-8")
    workbench.screenshot("updated")


def servers(workbench: Workbench) -> list[list[str]]:
    """Return the commands of the servers that run out of the extension's environment."""
    return [command for command in workbench.own_processes() if "lsp" in command]


def packages(workbench: Workbench) -> Path:
    """Return the folder of the packages that the extension installed."""
    (folder,) = workbench.own_environment.glob("lib/python3.*/site-packages")
    return folder


def wait_for_server(workbench: Workbench) -> None:
    """Wait until the server says that it has no model; without the network the test is skipped (fails when CI=true)."""
    failed = f'{NOTIFICATION}:has-text("was not installed")'
    (text, *_) = workbench.wait(f'{STATUS}:has-text("No model"), {failed}', timeout=INSTALL_SECONDS)
    if "could not be reached" in text and os.environ.get("CI") != "true":
        pytest.skip(f"The Install button was pressed, but {text}")
    assert "No model" in text, f"{text}\n{workbench.evidence()}"


def folder_with_python(folder: Path) -> Path:
    """Return a folder that holds nothing but a Python in which Dragoman is not installed."""
    programs = folder / "bin"
    programs.mkdir()
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    (programs / "python3").symlink_to(base)
    return programs


def pip_configuration() -> dict[str, str]:
    """Return what makes pip read its user's configuration although the editor gets other folders."""
    file = Path.home() / ".config" / "pip" / "pip.conf"
    return {"PIP_CONFIG_FILE": str(file)} if file.exists() and "PIP_CONFIG_FILE" not in os.environ else {}


def test_an_unfit_python_is_answered_with_the_command_that_helps(tmp_path: Path) -> None:
    """Debian's Python without python3-venv, played by one that finds no ensurepip."""
    programs = folder_with_python(tmp_path)
    real = (programs / "python3").rename(programs / "real")
    hide = "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n: None if n == 'ensurepip' else f(n)"
    script = f'#!/bin/sh\n[ "$1" = -I ] && exec "{real}" -I -c "{hide}\n$3"\nexec "{real}" "$@"\n'
    (programs / "python3").write_text(script, encoding="utf-8")
    (programs / "python3").chmod(0o755)
    with Workbench(
        files={"notes.py": ""},
        settings={"dragoman.server.command": None},
        environment={"PATH": str(programs)},
        name="vscode-unfit",
    ) as workbench:
        workbench.click(f'{NOTIFICATION} .monaco-button:has-text("Install")')
        (message, *_) = workbench.wait(f'{NOTIFICATION}:has-text("was not installed")')
        assert f"sudo apt install python3.{sys.version_info.minor}-venv" in message
        workbench.screenshot("no-venv")
        assert not workbench.own_environment.exists()


@pytest.mark.model
def test_a_button_gets_the_model_and_ghost_text_follows_without_a_restart(tmp_path: Path) -> None:
    """The download here is one that had all its bytes when it was stopped: it is checked and put in place, offline."""
    entry = find_entry(DEFAULT_MODEL)
    whole = WeightsStore(find_weights()).folder / entry.file
    partial = WeightsStore(tmp_path).folder / ".partial" / entry.name / "download.part"
    partial.parent.mkdir(parents=True)
    try:
        partial.hardlink_to(whole)
    except OSError:  # Another disk.
        shutil.copyfile(whole, partial)
    environment = {"DRAGOMAN_DATA_DIR": str(tmp_path), "DRAGOMAN_WEIGHTS_SOURCES": "url"}
    text = "configuration = 1\n\n\n"
    with Workbench(files={"add.py": text}, environment=environment, name="vscode-no-model") as workbench:
        (message,) = workbench.wait(f'{NOTIFICATION}:has-text("no model")')
        assert all(button in message for button in ("Download", "Not now"))
        workbench.wait(f'{STATUS}:has-text("No model")')
        workbench.screenshot("no-model")
        workbench.open("add.py")
        workbench.type("confi")
        workbench.wait_for_ghost("guration")
        workbench.screenshot("identifiers-only")
        workbench.press("Escape", *["Backspace"] * len("confi"))
        workbench.click(f'{NOTIFICATION} .monaco-button:has-text("Download")')
        workbench.wait(f'{STATUS}:has-text("qwen2.5-coder")')
        workbench.wait(f'{NOTIFICATION}:has-text("is ready")')
        workbench.screenshot("pulled")
        workbench.click(".editor-group-container.active .view-lines")
        workbench.press("Control+End")
        workbench.type("def add(a, b):\nreturn a")
        workbench.wait_for_ghost("+ b")
        workbench.screenshot("real-model")
        assert len(workbench.server_pids()) == 1
