"""Runs tasks through ``dragoman run fixer``, as a person would, and looks with the hidden test at what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dragoman.settings.folders import data_folder
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
"""A run of a scripted model that takes longer hangs."""

END_SECONDS = 20.0
"""So long a run that was interrupted may take to say how it ended."""

TEST_SECONDS = 20.0
"""Hidden tests take milliseconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task went; ``ended`` is the type of the run's last event, empty when there was none.

    ``why`` is what a run that failed said; ``steps`` and ``tokens`` are the run's own count.
    """

    task: str
    solved: bool
    ended: str
    failed_calls: int
    made_calls: int
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    why: str = ""


def run_task(task: Task, part: Part) -> Outcome:
    """Let the scripted model play its part in a task; raises ValueError when its hidden test proves nothing."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        workspace = _lay_out(task, home)
        calls = task.solution if part == "oracle" else task.mistake
        script = {
            "text": "Done.",
            "models": ["scripted"],
            "tool_calls": [{"name": call.tool, "arguments": dict(call.arguments)} for call in calls],
        }
        with _served(script) as url:
            (home / "config.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
            own = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
            options = ("--config", str(home / "config.toml"))
            events, seconds = _run(task, workspace, options, {**own, "HOME": str(home)}, RUN_SECONDS)
        return _judge(task, workspace, home, events, seconds)


def run_real(task: Task, model: str, seconds: float) -> tuple[Outcome, list[dict[str, Any]]]:
    """Let a model of the user's configuration try a task for so long; returns the run's events too.

    What the run keeps goes to a folder of its own, beside a link to the user's weights.
    """
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        workspace = _lay_out(task, home)
        data = home / "data"
        data.mkdir()
        (data / "models").symlink_to(data_folder() / "models", target_is_directory=True)
        own = {"DRAGOMAN_DATA_DIR": str(data), "DRAGOMAN_CACHE_DIR": str(home / "cache")}
        events, took = _run(task, workspace, ("--model", model), own, seconds)
        return _judge(task, workspace, home, events, took), events


def _lay_out(task: Task, home: Path) -> Path:
    """Write a task's workspace and return its folder; raises ValueError when the hidden test passes in it."""
    workspace = home / "workspace"
    for path, text in task.files.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(text.encode())
    if passes(task, workspace, home):
        raise ValueError(f"the hidden test of {task.name!r} passes before anything was done")
    return workspace


def _judge(task: Task, workspace: Path, home: Path, events: list[dict[str, Any]], seconds: float) -> Outcome:
    results = [event for event in events if event["type"] == "tool_result"]
    last = events[-1] if events else {"type": ""}
    usage = last.get("usage", {})
    return Outcome(
        task.name,
        passes(task, workspace, home),
        last["type"],
        sum(bool(event["failed"]) for event in results),
        len(results),
        usage.get("steps", 0),
        usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0),
        round(seconds, 1),
        last.get("error", ""),
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


def _run(
    task: Task, workspace: Path, options: tuple[str, ...], own: dict[str, str], limit: float
) -> tuple[list[dict[str, Any]], float]:
    """Return the run's events and its seconds; one that takes longer than ``limit`` is interrupted, as by Ctrl+C."""
    command = [sys.executable, "-m", "dragoman", "run", "fixer", task.words, "--json", "--yes"]
    command += ["--workspace", str(workspace), *options]
    began = time.monotonic()
    with subprocess.Popen(
        command,
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            said, trouble = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                said, trouble = process.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                said, trouble = process.communicate()
    if not said.strip():
        raise RuntimeError(f"the run of {task.name!r} said nothing: {trouble.decode(errors='replace')[-2000:]}")
    return [json.loads(line) for line in said.splitlines()], time.monotonic() - began


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
