"""``dragoman metrics``: a table for people, an object for programs, and plain words when there is nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from dragoman.agents.counting import FILE, RunCount
from dragoman.cli import main
from dragoman.monitoring.usage import Event, Usage
from dragoman.monitoring.usage_store import UsageStore, local_today


def fill() -> UsageStore:
    store = UsageStore.default()
    for back, shown, taken in ((0, 40, 10), (1, 20, 10), (40, 100, 0)):
        usage = Usage()
        day = (local_today() - timedelta(days=back)).isoformat()
        for event in (
            Event("shown", "python", "qwen", shown),
            Event("whole", "python", "qwen", taken),
            Event("rejected", "python", "qwen", shown - taken),
            Event("survived", "python", "qwen", taken),
            Event("calls", "python", "qwen", shown),
            Event("from_model", "python", "qwen", shown),
            Event("from_cache", "python", "qwen", shown),
        ):
            usage.add(day, event)
        usage.add(day, Event("shown", "[bold]go[/bold]", "other", 5))
        store.add(usage)
    return store


def test_it_says_when_there_is_nothing_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    shown = capsys.readouterr()
    assert "Nothing was counted" in shown.out
    assert "this machine only" in shown.out
    assert shown.err == ""
    assert main(["metrics", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["total"]["shown"] == 0
    assert data["total"]["acceptance"] is None
    assert data["languages"] == data["models"] == data["by_day"] == data["agents"] == {}


def test_the_table_has_a_row_a_language_and_a_bar_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    store = fill()
    assert main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.strip().startswith("python")).split()
    assert row == ["python", "60", "33", "%", "20", "0", "0", "0", "100", "%", "100", "50", "%"]
    assert any(line.strip().startswith("[bold]go[/bold]") for line in lines)
    assert next(line for line in lines if line.strip().startswith("total")).split()[1] == "70"
    bars = {line.split("█")[0].strip(): line for line in lines if "█" in line}
    assert len(bars) == 2
    assert any(line.endswith("10 of 45") for line in bars.values())
    assert any("this machine only" in line and str(store.path.parent) in line for line in lines)


def test_days_and_language_choose(capsys: pytest.CaptureFixture[str]) -> None:
    fill()
    assert main(["metrics", "--days", "1", "--language", "python", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["days"] == 1
    assert data["since"] == local_today().isoformat()
    assert data["language"] == "python"
    assert list(data["languages"]) == ["python"]
    assert list(data["models"]) == ["qwen"]
    assert list(data["by_day"]) == [local_today().isoformat()]
    assert data["total"]["shown"] == data["total"]["accepted"] * 4 == 40
    assert data["total"]["survival"] == 1.0
    assert main(["metrics", "--days", "90", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["shown"] == 175
    assert main(["metrics", "--language", "cobol"]) == 0
    assert "'cobol' in the last 30 days; there is python" in capsys.readouterr().out


@pytest.mark.parametrize("days", ["0", "91", "x", "-1"])
def test_days_out_of_range_are_wrong_usage(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--days", days]) == 2
    assert capsys.readouterr().out == ""


def test_what_agents_did_has_a_table_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    today, usage = local_today().isoformat(), Usage()
    for fact, amount in (
        ("finished", 2),
        ("failed", 1),
        ("milliseconds", 4500),
        ("tool_calls", 7),
        ("tools_denied", 1),
    ):
        usage.add(today, RunCount(fact, "fixer", "fix", amount))
    usage.add(today, RunCount("prompt_tokens", "fixer", "run", 1200))
    UsageStore.default(file=FILE).add(usage)
    assert main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.strip().startswith("fixer")).split()
    assert row == ["fixer", "3", "2", "1", "0", "1.5", "s", "7", "1", "1,200"]
    assert not any("accepted" in line for line in lines), "there were no suggestions"
    assert main(["metrics", "--json"]) == 0
    fixer = json.loads(capsys.readouterr().out)["agents"]["fixer"]
    assert (fixer["runs"], fixer["mean_seconds"], fixer["tools_failed"]) == (3, 1.5, 0)
    assert main(["metrics", "--language", "python"]) == 0
    assert "Nothing was counted" in capsys.readouterr().out
    assert main(["metrics", "--reset"]) == 0
    assert "All counts are forgotten" in capsys.readouterr().out
    assert main(["metrics"]) == 0
    assert "Nothing was counted" in capsys.readouterr().out


def test_reset_forgets(capsys: pytest.CaptureFixture[str]) -> None:
    store = fill()
    assert main(["metrics", "--reset", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(store.path), "reset": True}
    assert not store.read()
    assert main(["metrics", "--reset"]) == 0
    assert "nothing to forget" in capsys.readouterr().out


def test_a_broken_file_is_said_on_stderr_and_no_failure() -> None:
    store = fill()
    store.path.write_text("{")
    done = subprocess.run(
        [sys.executable, "-m", "dragoman", "metrics", "--json"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert json.loads(done.stdout)["total"]["shown"] == 0
    assert done.stderr.count("\n") == 1
    assert "set aside" in done.stderr


def test_counts_that_cannot_be_read_are_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    UsageStore.default().path.mkdir()
    assert main(["metrics"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "cannot be read" in shown.err


def test_a_terminal_without_block_characters_gets_plain_bars() -> None:
    fill()
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "dragoman", "metrics"], capture_output=True, check=False, env=environment
    )

    assert done.returncode == 0, done.stderr
    assert b"#." in done.stdout
    assert done.stdout.isascii()


def test_the_data_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_DATA_DIR", str(tmp_path / "elsewhere"))
    assert fill().path == tmp_path / "elsewhere" / "usage.json"


def test_help_documents_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--help"]) == 0
    shown = capsys.readouterr()
    assert "calls_per_100_shown" in shown.out
    assert shown.err == ""
