"""Runs tasks through ``dragoman run fixer``, as a person would, and looks with the hidden test at what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tests.tasks.definitions import Task

Part = Literal["oracle", "broken"]

CONFIG = """\
[completion]
enabled = false

[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
models = [{{ name = "scripted", roles = ["chat", "edit"], tools = true, context_window = 32768 }}]
"""

RUN_SECONDS = 120.0
"""A run that takes longer hangs."""

TEST_SECONDS = 20.0
"""Hidden tests take milliseconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task went; ``ended`` is the type of the run's last event, empty when there was none."""

    task: str
    solved: bool
    ended: str
    failed_calls: int
    made_calls: int


def run_task(task: Task, part: Part) -> Outcome:
    """Let the scripted model play its part in a task; raises ValueError when its hidden test proves nothing."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        workspace = home / "workspace"
        for path, text in task.files.items():
            (workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (workspace / path).write_bytes(text.encode())
        if passes(task, workspace, home):
            raise ValueError(f"the hidden test of {task.name!r} passes before anything was done")
        calls = task.solution if part == "oracle" else task.mistake
        script = {
            "text": "Done.",
            "models": ["scripted"],
            "tool_calls": [{"name": call.tool, "arguments": dict(call.arguments)} for call in calls],
        }
        with _served(script) as url:
            (home / "config.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
            events = _run(task, home, workspace)
        results = [event for event in events if event["type"] == "tool_result"]
        return Outcome(
            task.name,
            passes(task, workspace, home),
            events[-1]["type"] if events else "",
            sum(bool(event["failed"]) for event in results),
            len(results),
        )


def passes(task: Task, workspace: Path, home: Path) -> bool:
    """Return whether a task's hidden test passes; it lies outside the workspace, and only while it runs."""
    test = home / "hidden.py"
    test.write_text(task.hidden, encoding="utf-8")
    try:
        command = [sys.executable, "-B", str(test)]
        environment = {**os.environ, "PYTHONPATH": str(workspace)}
        ran = subprocess.run(
            command, cwd=workspace, env=environment, capture_output=True, timeout=TEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        test.unlink()
    return ran.returncode == 0


def as_line(outcome: Outcome) -> str:
    """Return an outcome as a line of JSON."""
    return json.dumps(asdict(outcome))


def _run(task: Task, home: Path, workspace: Path) -> list[dict[str, object]]:
    own = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    command = [sys.executable, "-m", "dragoman", "run", "fixer", task.words, "--json", "--yes"]
    command += ["--workspace", str(workspace), "--config", str(home / "config.toml")]
    ran = subprocess.run(
        command,
        env={**os.environ, **own, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if not ran.stdout.strip():
        raise RuntimeError(f"the run of {task.name!r} said nothing: {ran.stderr.decode(errors='replace')[-2000:]}")
    return [json.loads(line) for line in ran.stdout.splitlines()]


@contextlib.contextmanager
def _served(script: dict[str, object]) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.support.fake_model", "--port", "0", "--with-stdin"]
    command += ["--script", json.dumps(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.stdin.close()
            server.wait()
