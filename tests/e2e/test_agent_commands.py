"""`dragoman run`, `chat` and `agents` as a user types them: a terminal that is asked, a pipe that is not, and Ctrl+C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from dragoman.agents.tools.policy import Rule
from dragoman.agents.tools.remembered import RememberedRules
from dragoman.cli import agents as agents_command
from dragoman.cli import chat as chat_command
from dragoman.cli import run as run_command
from dragoman.cli.terminal import InputLines
from dragoman.errors import AgentStoppedError
from tests.support.fake_model import FakeModel, Script
from tests.support.interrupts import heed_interrupts

MEND: dict[str, Any] = {"name": "edit_file", "arguments": {"path": "calc.py", "old": "a - b", "new": "a + b"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    monkeypatch.chdir(folder)
    return folder


def configure(fake: FakeModel) -> None:
    fake.script.models = ["talker"]
    path = Path(os.environ["DRAGOMAN_CONFIG_DIR"]) / "config.toml"
    path.write_text(
        f"[[providers]]\nname = 'near'\nkind = 'openai'\nbase_url = '{fake.url}/v1'\n"
        "models = [{ name = 'talker', context_window = 32768 }]\n"
    )


def dragoman(*arguments: str, **more: Any) -> Any:
    return asyncio.create_subprocess_exec(sys.executable, "-m", "dragoman", *arguments, **more)


async def see(terminal: int, wanted: str) -> str:
    """Read a terminal until something is there to see."""
    loop, seen = asyncio.get_running_loop(), b""
    async with asyncio.timeout(60):
        while wanted.encode() not in seen:
            seen += await loop.run_in_executor(None, os.read, terminal, 4096)
    return seen.decode("utf-8", "replace")


async def test_a_terminal_is_asked_and_its_yes_counts(project: Path) -> None:
    async with FakeModel(Script(text="It adds now.", tool_calls=[MEND])) as fake:
        configure(fake)
        ours, theirs = os.openpty()
        # As at home: some libraries hold back what they print when they see a test or a build.
        home = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_VERSION"}}
        process = await dragoman(
            *("run", "fixer", "Mend it."), stdin=theirs, stderr=theirs, stdout=asyncio.subprocess.PIPE, env=home
        )
        os.close(theirs)
        try:
            seen = await see(ours, "[n] no")
            assert "→ edit_file calc.py" in seen.splitlines()[0]
            assert "+    return a + b" in seen
            assert "a - b" in (project / "calc.py").read_text()
            os.write(ours, b"y\n")
            output, _ = await asyncio.wait_for(process.communicate(), 60)
        finally:
            os.close(ours)
        assert process.returncode == 0
        assert output.decode() == "It adds now.\n"
        assert "a + b" in (project / "calc.py").read_text()

        told = await dragoman("agents", "log", "--json", stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(told.communicate(), 60)
        edited, ran = json.loads(output)
        assert [edited[key] for key in ("agent", "action", "target", "outcome")] == [
            *("fixer", "tool:edit_file", "calc.py", "ok")
        ]
        assert (ran["action"], ran["outcome"]) == ("run", "finished")
        assert edited["details"]["added"] == 1
        shown = await dragoman("agents", "log", "--agent", "nobody", stderr=asyncio.subprocess.PIPE)
        _, said = await asyncio.wait_for(shown.communicate(), 60)
        assert b"no agent has done anything yet" in said
        counted = await dragoman("metrics", "--json", stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(counted.communicate(), 60)
        fixer = json.loads(output)["agents"]["fixer"]
        assert [fixer[key] for key in ("runs", "finished", "tool_calls", "tools_denied")] == [1, 1, 1, 0]
        assert fixer["mean_seconds"] > 0


async def test_an_interrupt_ends_the_tool_and_the_run(project: Path) -> None:
    sleep = {"name": "run_command", "arguments": {"argv": ["sh", "-c", "echo $$ > pid; sleep 600"]}}
    async with FakeModel(Script(tool_calls=[sleep])) as fake:
        configure(fake)
        process = await dragoman(
            *("run", "fixer", "Wait.", "--json", "--yes", "--workspace", str(project)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=heed_interrupts,
        )
        async with asyncio.timeout(60):
            while not (project / "pid").exists() or not (project / "pid").read_text().strip():
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        await fake.wait_for(lambda fake: fake.open_connections == 0)
    assert process.returncode == 130, errors
    events = [json.loads(line) for line in output.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "started"
    assert events[-1]["type"] == "cancelled"
    assert errors == b""
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "pid").read_text()), 0)


# -- the same in this process, where it costs no start -----------------------------------------------------------------


def pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    """Put a text in the place of what is typed."""
    path = tmp_path / "typed"
    path.write_text(text)
    descriptor = os.open(path, os.O_RDONLY)
    monkeypatch.setattr("dragoman.cli.terminal.InputLines", lambda: InputLines(descriptor))
    monkeypatch.setattr("dragoman.cli.terminal.is_watched", lambda: False)


async def test_a_pipe_holds_a_task_a_line_and_nothing_is_changed_without_a_word(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, tmp_path, "Mend it.\n\nOnce more.\n")
    async with FakeModel(Script(text="I may not.", tool_calls=[MEND])) as fake:
        configure(fake)
        assert await run_command._run("fixer", None, None, project, frozenset(), None, as_json=False)
        said = capsys.readouterr()
        assert said.out == "I may not.\nI may not.\n"
        assert said.err.count("nobody can be asked here") == 1
        assert "a - b" in (project / "calc.py").read_text()
        last = [one["content"] for one in fake.generations[-2].body["messages"] if one["role"] == "user"]
        assert last == ["Mend it.", "Once more."]

        assert await run_command._run("fixer", "Mend it.", None, project, frozenset({"write"}), None, as_json=False)
        assert "a + b" in (project / "calc.py").read_text()


async def test_a_flag_does_not_cover_what_says_who_may_do_what(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, tmp_path, "")
    write = {"name": "write_file", "arguments": {"path": "dragoman.toml", "content": "[agents.x]\n"}}
    async with FakeModel(Script(text="No.", tool_calls=[write])) as fake:
        configure(fake)
        assert await run_command._run("fixer", "Go.", None, project, frozenset({"write"}), None, as_json=False)
    assert not (project / "dragoman.toml").exists()
    assert "denied" in capsys.readouterr().err


async def test_a_conversation_goes_on_in_the_next_process(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeModel(Script(text="It subtracts.")) as fake:
        configure(fake)
        pipe(monkeypatch, tmp_path, "What does @calc.py do?\n/nonsense\n")
        assert await chat_command._chat(None, False, None, project, frozenset(), None, as_json=False)
        assert "return a - b" in fake.generations[-1].body["messages"][-1]["content"]
        assert "There are /new and /quit" in capsys.readouterr().err

        pipe(monkeypatch, tmp_path, "Why?\n/new\nAnd you?\n/quit\nNever asked.\n")
        assert await chat_command._chat(None, True, None, project, frozenset(), None, as_json=False)
        said = [[one["content"] for one in sent.body["messages"][1:]] for sent in fake.generations]
        assert [len(one) for one in said] == [1, 3, 1]
        assert said[1] == [said[0][0], "It subtracts.", "Why?"]

        pipe(monkeypatch, tmp_path, "@gone.py\n")
        assert not await chat_command._chat(None, False, None, project, frozenset(), None, as_json=False)
        assert "@gone.py cannot be attached" in capsys.readouterr().err
        assert len(fake.generations) == 3


async def test_agents_are_shown_and_stopped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / ".dragoman" / "agents"
    folder.mkdir(parents=True)
    (folder / "porter.md").write_text("---\ndescription: Moves code.\n---\nMove it.")
    (folder / "broken.md").write_text("---\nlimits: 3\n---\nMove it.")
    async with FakeModel(Script()) as fake:
        configure(fake)
        rows, problems = await agents_command._list(project, None)
        assert {"porter": "file", "fixer": "built-in"}.items() <= {one["name"]: one["source"] for one in rows}.items()
        (problem,) = problems
        assert "broken.md: 'limits' must be a table" in problem

        assert await agents_command._change("porter", project, None, stopped=True)
        assert (await agents_command._show("porter", project, None))["state"] == "stopped"
        with pytest.raises(AgentStoppedError):
            await run_command._run("porter", "Move.", None, project, frozenset(), None, as_json=False)
        assert await agents_command._change("porter", project, None, stopped=False)
        assert not await agents_command._change("porter", project, None, stopped=False)
        assert fake.generations == []
    assert capsys.readouterr().out == ""


async def kept_after_a_step() -> None:
    """Return when the state of the only run is in the database, which is written behind it."""
    (database,) = Path(os.environ["DRAGOMAN_DATA_DIR"]).glob("dragoman.db")
    async with asyncio.timeout(60):
        while True:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                states = [json.loads(one) for (one,) in connection.execute("SELECT state FROM runs") if one]
            if any(one["spent"]["steps"] == 1 for one in states):
                return
            await asyncio.sleep(0.05)


async def test_a_run_whose_program_was_killed_is_gone_on_with(project: Path) -> None:
    script = Script(text="word ", endless=True, token_delay=0.01, tool_calls=[MEND])
    async with FakeModel(script) as fake:
        configure(fake)
        killed = await dragoman(
            *("run", "fixer", "Mend it.", "--yes"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert killed.stdout is not None
        await killed.stdout.readexactly(20)
        assert "a + b" in (project / "calc.py").read_text()

        async def listed() -> list[dict[str, Any]]:
            told = await dragoman("agents", "runs", "--json", stdout=asyncio.subprocess.PIPE)
            output, _ = await asyncio.wait_for(told.communicate(), 60)
            return json.loads(output)  # type: ignore[no-any-return]

        assert await listed() == [], "it goes on"
        await kept_after_a_step()
        killed.kill()
        await killed.communicate()
        (left,) = await listed()
        assert (left["agent"], left["task"], left["steps"]) == ("fixer", "Mend it.", 1)
        script.endless, script.text, script.tool_calls = False, "It adds now.", []
        resumed = await dragoman("agents", "resume", left["id"], stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(resumed.communicate(), 60)
        assert (resumed.returncode, output.decode()) == (0, "It adds now.\n")
        assert await listed() == []
        assert [one["role"] for one in fake.generations[-1].body["messages"]] == ["system", "user", "assistant", "tool"]
        again = await dragoman("agents", "resume", left["id"], stderr=asyncio.subprocess.PIPE)
        _, said = await asyncio.wait_for(again.communicate(), 60)
        assert again.returncode == 1
        assert b"There is no run" in said


async def test_what_was_allowed_for_good_is_shown_and_taken_back(project: Path) -> None:
    RememberedRules(project).add([Rule("allow", tool="edit_file")])
    for flags, wanted in (([], "allow: edit_file\n"), (["--forget"], "allow: edit_file (forgotten)\n"), ([], "")):
        told = await dragoman("agents", "permissions", *flags, stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(told.communicate(), 60)
        assert output.decode() == wanted
