"""The measurement of resilience runs, and what it says of a story is what happened in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import resilience, resilience_litellm
from tests.bench.resilience import Outcome, Story, describe
from tests.bench.resilience_servers import FAULTS, TEXT
from tests.bench.resilience_subjects import NAMES, Answer


def test_each_subject_goes_through_faults_and_the_rows_hold_what_the_readme_shows(tmp_path: Path) -> None:
    assert resilience.main(["--quick", "--out", str(tmp_path)]) == 0

    rows = [json.loads(line) for line in (tmp_path / "resilience.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["subject"], row["fault"]) for row in rows] == [
        (NAMES[key], fault) for key in resilience.QUICK_SUBJECTS for fault in resilience.QUICK_FAULTS
    ]
    for row in rows:
        assert row["requests"] == row["counted"] + row["cut"] == 40
        assert all(show(row) for show in resilience.TABLE.columns.values())
    ours = [row for row in rows if row["subject"] == NAMES["adaptive"]]
    assert [row["success_percent"] for row in ours] == [100.0] * len(ours)
    assert all(row["attempts"] >= 1.0 for row in ours), "attempts are counted at a closed port too"


def asked(begin: float, end: float, share: float) -> Iterator[tuple[float, int]]:
    """Twenty requests a second, so large a share of them to the ill server."""
    owed = 0.0
    for number in range(round((end - begin) * 20)):
        owed += share
        ill = owed >= 1.0
        owed -= ill
        yield begin + number / 20, 0 if ill else 1 + number % 2


def test_left_alone_and_back_are_told_from_the_servers_shares() -> None:
    third = 1 / 3
    times = [*asked(0, 3.5, third), *asked(3.5, 10.0, 0.0), *asked(10.0, 12.0, 0.02), *asked(12.0, 16.0, third)]
    story = Story((), times, True, began=0.0, fell_ill=2.0, healed=10.0, ended=16.0)

    assert resilience.left_alone_after(story) == pytest.approx(1.5, abs=0.11)
    assert resilience.back_after(story) == pytest.approx(1.6, abs=0.41)

    never = Story((), list(asked(0, 16.0, third)), True, 0.0, 2.0, 10.0, 16.0)
    assert (resilience.left_alone_after(never), resilience.back_after(never)) == ("never", 0.0)


def test_what_is_cut_before_its_reader_is_counted_apart_and_a_wrong_text_is_no_success() -> None:
    outcomes = [
        Outcome(1.0, True, Answer(TEXT, 0.05, 0.1)),
        Outcome(2.5, True, Answer(TEXT, 0.07, 0.3)),
        Outcome(2.6, True, Answer("one two", 0.05, None)),
        Outcome(2.7, False, Answer("one two", None, 0.1)),
        Outcome(2.8, True, Answer("", None, None)),
        Outcome(2.9, False, Answer(TEXT, None, 0.2)),
    ]
    times = [(2.0 + number / 10, number % 3) for number in range(9)]
    row = describe(Story(outcomes, times, True, 0.0, 2.0, 3.0, 4.0), "cut in the middle")

    assert (row["requests"], row["cut"], row["counted"], row["well"]) == (6, 1, 5, 3)
    assert row["success_percent"] == 60.0
    assert (row["first_p50"], row["first_p95"], row["whole_p50"], row["whole_p95"]) == (70.0, 70.0, 200.0, 300.0)
    assert row["attempts"] == 1.5
    unknown = describe(Story(outcomes, times, False, 0.0, 2.0, 3.0, 4.0), "port closed")
    assert (unknown["attempts"], unknown["opens"], unknown["recovers"]) == (None, None, None)


def test_a_peer_that_cannot_be_had_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resilience_litellm, "FOLDER", tmp_path / "nowhere")
    assert not resilience_litellm.is_ready(install=False)
    monkeypatch.setattr("venv.create", lambda *_, **__: (_ for _ in ()).throw(OSError("no room")))
    assert not resilience_litellm.is_ready()
    assert "LiteLLM is left out, its package could not be installed: no room" in capsys.readouterr().err


def test_every_fault_is_one_that_the_command_line_can_name() -> None:
    assert next(iter(FAULTS)) == resilience.HEALTHY
    assert set(resilience.QUICK_FAULTS) <= set(FAULTS)
