"""A foreign tool server of the settings, in the terminal and in an editor: a real process, started, called and ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.desk import desk
from tests.support.fake_editor import DRAGOMAN
from tests.support.fake_model import FakeModel, Script

SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"


async def test_a_run_in_the_terminal_calls_a_foreign_tool(tmp_path: Path) -> None:
    call = {"name": "weather_forecast", "arguments": {"city": "Rome"}}
    note, project, config = tmp_path / "note", tmp_path / "project", tmp_path / "config.toml"
    (project / ".git").mkdir(parents=True)
    async with FakeModel(Script(text="It rains.", models=["talker"], tool_calls=[call])) as fake:
        config.write_text(
            f'[[providers]]\nname = "near"\nkind = "openai"\nbase_url = "{fake.url}/v1"\n'
            'models = [{ name = "talker", context_window = 32768, tools = true }]\n'
            f'[mcp.servers.weather]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\nenv = {{ MCP_NOTE = "{note}" }}\n'
        )
        folders = {f"DRAGOMAN_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "CACHE")}

        async def run() -> str:
            command = [*DRAGOMAN[:-1], "run", "assistant", "Weather?", "--config", str(config)]
            done = await asyncio.to_thread(
                subprocess.run,
                command,
                cwd=project,
                env={**os.environ, **folders},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert "It rains." in done.stdout, done.stderr
            return note.read_text()

        assert "forecast" not in await run(), "nobody was there to be asked"
        config.write_text(config.read_text() + '[agents.assistant]\npermissions = { "weather_*" = "allow" }\n')
        subprocess.run([*DRAGOMAN[:-1], "trust", str(project)], env={**os.environ, **folders}, check=True, timeout=60)
        assert "forecast Rome 1" in await run()
        told = fake.generations[-1].body["messages"][-1]["content"]
        assert told == "Rain in Rome for 1 day(s)."
        for line in note.read_text().splitlines():
            if line.startswith("pid"):
                assert not psutil.pid_exists(int(line.split()[1]))


async def test_an_editor_s_chat_asks_before_a_foreign_tool_and_leaves_no_server(tmp_path: Path) -> None:
    call = {"name": "weather_forecast", "arguments": {"city": "Rome"}}
    note = tmp_path / "note"
    settings = (
        f'[mcp.servers.weather]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\nenv = {{ MCP_NOTE = "{note}" }}'
    )
    script = Script(text="It rains.", tool_calls=[call], models=["fake-chat"])
    async with desk(tmp_path, script, settings=settings) as (at, model, _):
        assert not note.exists(), "nothing is started before it is needed"
        run = (await at.command("chat", text="Weather?"))["runId"]
        asked = (await at.until(run, lambda event: event["type"] == "approval_required"))[-1]
        assert (asked["tool"], asked["arguments"]) == ("weather_forecast", {"city": "Rome"})
        assert "forecast" not in note.read_text()
        await at.command("approve", runId=run, callId=asked["callId"], decision="allow")
        assert (await at.ended(run))[-1]["output"] == "It rains."
        assert model.generations[-1].body["messages"][-1]["content"] == "Rain in Rome for 1 day(s)."
        at.editor.ignored |= {"dragoman/runEvent"}
    (started,) = [int(line.split()[1]) for line in note.read_text().splitlines() if line.startswith("pid")]
    assert not psutil.pid_exists(started)
