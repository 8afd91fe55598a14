"""The command line: exit codes, data for programs on stdout, sentences for people on stderr, never a traceback."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dragoman import __version__
from dragoman.cli import main
from dragoman.cli.pulling import Lines
from tests.support.fake_model import FakeModel, Script
from tests.support.gguf import write_tiny_model
from tests.support.interrupts import heed_interrupts

MODEL = "qwen2.5-coder:1.5b-base"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty project of its own."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def config_file() -> Path:
    return Path(os.environ["DRAGOMAN_CONFIG_DIR"]) / "config.toml"


async def run(*arguments: str, **more: Any) -> tuple[int, str, str]:
    """Run the installed command as a user does, and return exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **more,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in errors.decode()
    return process.returncode or 0, output.decode(), errors.decode()


def configure(fake: FakeModel, kind: str = "ollama", tail: str = "") -> None:
    config_file().write_text(f"[[providers]]\nname = 'mine'\nkind = '{kind}'\nbase_url = '{fake.url}{tail}'\n")


# -- the frame ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [[], *([name] for name in ("lsp", "demo", "doctor", "complete", "models", "config", "trust", "version"))],
    ids=lambda command: " ".join(command) or "dragoman",
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr()
    assert "Usage" in shown.out
    assert shown.err == ""


def test_the_version_comes_in_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"dragoman {__version__}\n" * 2
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == __version__


@pytest.mark.parametrize(
    "wrong",
    [
        ["bogus"],
        ["config", "bogus"],
        ["doctor", "--bogus"],
        ["complete"],
        ["complete", "file.py"],
        ["complete", "file.py:0:1"],
        ["complete", "file.py:x:1"],
        ["models", "pull", "--from", "x.gguf", "--provider", "mine"],
        ["models", "pull", "name", "--from", "x.gguf"],
        ["models", "pull", "--provider", "mine"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_said_on_stderr(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wrong) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err


async def test_help_does_not_load_what_it_does_not_need() -> None:
    program = (
        "import sys\nfrom dragoman.cli import main\nmain(['--help'])\n"
        "heavy = {'pydantic', 'httpx', 'pygls', 'lsprotocol', 'dragoman.app', 'psutil'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_an_interrupt_is_130_and_quiet() -> None:
    async with FakeModel(Script(silent=True, fault_scope="all")) as fake:
        configure(fake)
        with config_file().open("a") as file:
            file.write("timeouts = { connect = 50 }\n")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dragoman", "models", "list"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=heed_interrupts,
        )
        await fake.wait_for(lambda fake: fake.requests)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 130
        assert (output, errors) == (b"", b"")
        await fake.wait_for(lambda fake: fake.open_connections == 0)


async def test_a_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _, errors = await asyncio.wait_for(_run_into(writing), 60)
    finally:
        os.close(writing)
    assert errors == ""
    assert code != 0


async def _run_into(descriptor: int) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman", "config", "schema"), stdout=descriptor, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    return process.returncode or 0, "", errors.decode()


# -- settings and trust ------------------------------------------------------------------------------------------------


def test_config_show_names_origins_and_hides_keys(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file().write_text(
        "[[providers]]\nname = 'p'\nkind = 'ollama'\napi_key = 'hunter2'\n[completion]\nmax_tokens = 9\n"
    )
    monkeypatch.setenv("DRAGOMAN_COMPLETION__PREFETCH", "true")
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert f"completion.max_tokens = 9  # {config_file()}" in lines
    assert "completion.prefetch = true  # environment variable DRAGOMAN_COMPLETION__PREFETCH" in lines
    assert "context.max_tokens = 4000  # default" in lines
    assert "hunter2" not in shown.out + shown.err
    assert main(["config", "show", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["completion"]["max_tokens"] == 9
    assert data["providers"][0]["kind"] == "ollama"


def test_config_check_says_all_and_fails(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert main(["config", "check"]) == 0
    assert "everything has its default" in capsys.readouterr().out
    config_file().write_text("[completion]\nmax_token = 9\n[reviw]\n")
    assert main(["config", "check"]) == 1
    shown = capsys.readouterr().out
    assert (
        f"error: {config_file()}:2: unknown key 'completion.max_token'. Did you mean 'completion.max_tokens'?" in shown
    )
    assert "unknown key 'reviw'" in shown
    assert main(["config", "check", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] is False
    assert [problem["line"] for problem in data["problems"]] == [2, 3]
    other = project / "other.toml"
    other.write_text("[completion]\nmax_tokens = 9\n")
    assert main(["config", "check", str(other)]) == 0
    assert main(["config", "check", "--config", str(project / "missing.toml")]) == 1


def test_config_path_and_schema_print_data(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert main(["config", "path", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"layer": "user", "path": str(config_file()), "exists": False},
        {"layer": "project", "path": str(project / "dragoman.toml"), "exists": False},
    ]
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["completion"]
    assert main(["config", "schema", "--vscode"]) == 0
    assert json.loads(capsys.readouterr().out)["dragoman.providers"]["scope"] == "machine"


def test_trust_lets_a_project_set_what_runs_or_sends(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    (project / "dragoman.toml").write_text("[[providers]]\nname = 'p'\nkind = 'ollama'\n")
    inner = project / "src"
    inner.mkdir()
    assert main(["config", "check"]) == 0
    assert "dragoman trust" in capsys.readouterr().out
    assert main(["trust"]) == 0
    assert "now sets providers.p.name, providers.p.kind" in capsys.readouterr().out
    assert main(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["providers"][0]["name"] == "p"
    assert main(["trust", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [str(project)]
    assert main(["trust", str(project), "--revoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(project), "trusted": False, "changed": True}
    assert main(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["providers"] == []


@pytest.mark.parametrize("folder", ["/", "~", "no/such/folder"])
def test_trust_refuses_everything_at_once_and_nothing(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", str(Path(folder).expanduser())]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "dragoman: " in shown.err


# -- models ------------------------------------------------------------------------------------------------------------


async def test_models_list_says_what_each_can_do_and_is_used_for() -> None:
    async with FakeModel(Script(models=[MODEL, "llama3.1:8b"])) as fake:
        configure(fake)
        code, output, errors = await run("models", "list", "--json")
        assert (code, errors) == (0, "")
        first = json.loads(output)[0]
        assert {"name", "provider", "context_window", "capabilities"} <= set(first)
        assert (first["name"], first["provider"]) == (MODEL, "mine")
        assert "fim" in first["capabilities"]
        assert "completion" in first["roles"]
        code, output, _ = await run("models", "list")
        assert code == 0
        assert MODEL in output


async def test_models_list_without_any_says_how_to_get_one() -> None:
    async with FakeModel() as fake:
        configure(fake)
    code, output, errors = await run("models", "list", "--json")
    assert (code, json.loads(output)) == (0, [])
    assert "nothing listens there" in errors


async def test_models_test_names_the_nearest_and_fails() -> None:
    async with FakeModel(Script(text="quorvin, zelph", models=[MODEL])) as fake:
        configure(fake)
        code, output, errors = await run("models", "test", "qwen2.5-codr:1.5b-base")
        assert (code, output) == (1, "")
        assert f"The nearest is {MODEL!r}" in errors
        code, _, errors = await run("models", "test", "zzz")
        assert code == 1
        assert MODEL in errors
        code, output, _ = await run("models", "test", MODEL)
        assert code == 0
        assert f"ok: {MODEL} fills in the middle." in output
        code, output, _ = await run("models", "test", "--json")
        assert json.loads(output)["name"] == MODEL


async def test_models_test_fails_when_the_model_does() -> None:
    async with FakeModel(Script(status=500, models=[MODEL])) as fake:
        configure(fake)
        code, output, _ = await run("models", "test", MODEL, "--json")
        assert code == 1
        assert json.loads(output)["ok"] is False


async def test_models_pull_takes_a_file_from_disk(project: Path) -> None:
    file = write_tiny_model(project / "own.gguf")
    code, output, errors = await run("models", "pull", "--from", str(file), "--json")
    assert code == 0
    result = json.loads(output)
    assert result["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert Path(result["path"]).read_bytes() == file.read_bytes()
    assert "copying own.gguf 100 %" in errors
    assert "\x1b" not in errors
    code, _, errors = await run("models", "pull", "--from", "missing.gguf")
    assert code == 1
    assert "'missing.gguf' cannot be read" in errors


async def test_models_pull_of_an_unknown_name_names_the_known() -> None:
    code, output, errors = await run("models", "pull", "qwen2.5-codr-0.5b-instruct")
    assert (code, output) == (1, "")
    assert "qwen2.5-coder-0.5b-instruct" in errors


async def test_models_pull_through_a_provider_that_cannot(project: Path) -> None:
    async with FakeModel() as fake:
        configure(fake, "openai", "/v1")
        code, _, errors = await run("models", "pull", "x", "--provider", "mine")
        assert code == 1
        assert "fetches no models" in errors
        code, _, errors = await run("models", "pull", "x", "--provider", "other")
        assert code == 1
        assert "There are: mine" in errors


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    report = Lines()
    for done in range(1001):
        report(done * 1_000_000, 1000_000_000, "downloading")
    report(1000_000_000, 1000_000_000, "downloading")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "downloading 0 % of 1000 MB"
    assert lines[-1] == "downloading 100 % of 1000 MB"
    assert len(lines) < 50
    assert len(set(lines)) == len(lines)


# -- doctor and complete -----------------------------------------------------------------------------------------------


async def test_doctor_ends_with_a_verdict() -> None:
    async with FakeModel(Script(text="quorvin, zelph", models=[MODEL])) as fake:
        configure(fake)
        code, output, errors = await run("doctor")
        assert (code, errors) == (0, "")
        assert f"{MODEL} fills in the middle." in output
        code, output, _ = await run("doctor", "--json")
        assert code == 0
        data = json.loads(output)
        assert data["ok"] is True
        assert {"severity", "subject", "code", "sentence", "advice"} <= set(data["findings"][0])
        before = len(fake.generations)
        code, output, _ = await run("doctor", "--no-model", "--json")
        assert code == 0
        assert len(fake.generations) == before


async def test_doctor_fails_when_something_must_be_done() -> None:
    config_file().write_text("[completion]\nenabeld = 1\n")
    code, output, errors = await run("doctor", "--no-model")
    assert (code, errors) == (1, "")
    assert "unknown key 'completion.enabeld'" in output
    assert "Did you mean 'completion.enabled'?" in output
    assert "Something needs you" in output.splitlines()[-2]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.py", "x = 1\n", "ok"),
        ("notes.txt", "text\n", "language_excluded"),
        ("a.bin", "\0\0", "binary"),
        ("min.js", "x" * 50_000, "too_large"),
    ],
)
async def test_doctor_says_whether_a_file_can_have_suggestions(
    project: Path, name: str, content: str, code: str
) -> None:
    (project / name).write_text(content)
    async with FakeModel(Script(models=[MODEL])) as fake:
        configure(fake)
        status, output, _ = await run("doctor", name, "--no-model", "--json")
    found = [finding for finding in json.loads(output)["findings"] if finding["subject"] == "file"]
    assert (status, [finding["code"] for finding in found]) == (0, [code])
    assert name in found[0]["sentence"]


async def test_doctor_of_a_missing_file_is_an_error() -> None:
    code, _, errors = await run("doctor", "missing.py", "--no-model", "--json")
    assert code == 1
    assert "'missing.py' cannot be read" in errors


async def test_doctor_draws_on_a_terminal() -> None:
    code, output, _ = await run(
        "doctor", "--no-model", env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    )
    assert code == 1
    assert "✗" in output
    assert "\x1b[" in output


async def test_complete_prints_the_suggestion_and_what_the_model_read(project: Path) -> None:
    file = project / "a.py"
    file.write_text("def add(left, right):\n    return \n")
    async with FakeModel(Script(text="left + right", models=[MODEL])) as fake:
        configure(fake)
        code, output, errors = await run("complete", f"{file}:2:12")
        assert (code, output, errors) == (0, "left + right\n", "")
        code, output, _ = await run("complete", "a.py:2:12", "--json", "--show-context")
        assert code == 0
        data = json.loads(output)
        assert (data["completion"], data["model"]) == ("left + right", MODEL)
        parts = {part["source"]: part for part in data["context"]}
        assert parts["prefix"]["text"].endswith("    return ")
        assert set(parts["suffix"]) >= {"source", "path", "text", "tokens", "score"}
        assert data["timings"]["total_ms"] > 0
    assert file.read_text() == "def add(left, right):\n    return \n"


async def test_complete_says_what_a_completion_replaces_behind_the_cursor(project: Path) -> None:
    (project / "a.go").write_text("package main\n\nfunc main() {\n\tprintln()\n}\n")
    async with FakeModel(Script(text='"a", "b") // both', models=[MODEL])) as fake:
        configure(fake)
        _, output, _ = await run("complete", "a.go:4:10", "--json")
        data = json.loads(output)
        assert (data["completion"], data["replaces"]) == ('"a", "b") // both', ")")
        _, output, errors = await run("complete", "a.go:4:10")
        assert output == '"a", "b") // both\n'
        assert "takes the place of ')'" in errors


async def test_complete_says_why_there_is_nothing(project: Path) -> None:
    file = project / "a.py"
    file.write_text("x = \n")
    async with FakeModel() as fake:
        configure(fake)
    code, output, errors = await run("complete", f"{file}:1:5", "--json")
    assert code == 1
    assert json.loads(output)["reason"] in {"no_model", "model_error"}
    assert "nothing listens there" in errors


@pytest.mark.parametrize(
    ("place", "said"),
    [("a.py:9:1", "has 2 lines"), ("a.py:1:99", "the last column is 6"), ("missing.py:1:1", "cannot be read")],
)
async def test_complete_at_a_place_that_is_not_there(project: Path, place: str, said: str) -> None:
    (project / "a.py").write_text("x = 1\n")
    code, output, errors = await run("complete", place)
    assert (code, output) == (1, "")
    assert said in errors
