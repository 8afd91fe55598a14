"""Every measurement runs, and its rows hold what the README shows. Nothing here depends on how fast anything is."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from tests.bench import life, report
from tests.bench.report import Row
from tests.bench.tabby import tabby_agent


def run(bench: str, out: Path, *arguments: str) -> list[Row]:
    module = importlib.import_module(f"tests.bench.{bench}")

    assert module.main(["--quick", "--out", str(out), *arguments]) == 0

    rows = [json.loads(line) for line in (out / f"{bench}.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        assert row["bench"] == bench
        assert row["quick"] is True
        assert len(row["load"]) == 2
        assert {"cpu", "cpus", "python", "versions", "at"} <= row.keys()
        assert all(show(row) for show in module.TABLE.columns.values())
    return rows


def test_startup_measures_dragoman_and_plain_pygls(tmp_path: Path) -> None:
    rows = run("startup", tmp_path)

    assert [row["subject"] for row in rows] == ["Dragoman", "plain pygls 2.1.1"]
    assert all(0 < row["ms_min"] <= row["ms"] <= row["ms_max"] for row in rows)


def test_burst_answers_every_key_and_never_asks_twice_at_once(tmp_path: Path) -> None:
    rows = run("burst", tmp_path)

    ours = [row for row in rows if row["subject"] == "Dragoman"]
    assert [row["model"] for row in ours] == ["perfect", "never right"]
    assert "plain pygls + httpx" in {row["subject"] for row in rows}
    for row in ours:
        assert row["answered"] == row["asked"] == row["keys"] + 1
        assert row["max_in_flight_max"] == 1
        assert 1 <= row["requests"] <= row["asked"]


def test_every_key_of_the_keystroke_bench_is_one_request(tmp_path: Path) -> None:
    """The bench itself fails when a key made no request, another one than its own, or more than one."""
    rows = run("keystroke", tmp_path, "--samples", "3")

    peers = [row for row in rows if row["subject"].startswith("tabby-agent")]
    rows = [row for row in rows if row not in peers]
    assert [(row["subject"], row["lines"]) for row in rows] == [
        (subject, lines) for lines in (300, 2_600, 10_000) for subject in ("Dragoman", "plain pygls + httpx")
    ]
    # A quick run installs nothing: the peer is there if a whole run had it once.
    assert len(peers) == (4 if tabby_agent(install=False) else 0)
    for row in rows:
        assert row["samples"] == row["reply_samples"] == 6
        assert row["p99"] is None
        assert 0 < row["p50_min"] <= row["p50"] <= row["p50_max"] <= row["max"]


def test_nothing_stays_open_and_every_request_has_one_reply(tmp_path: Path) -> None:
    rows = run("cancel", tmp_path)
    ours = {(row["case"], row["until"]): row for row in rows if row["subject"] == "Dragoman"}

    assert {case for case, _ in ours} == {
        "superseded by a key",
        "document closed",
        "bare cancel",
        "storm of 100 keys",
        "editor gone without a word",
        "shutdown and exit",
    }
    for row in ours.values():
        assert (row["answered"], row["twice"], row["left_open"]) == (row["asked"], 0, 0), row
    storm = ours["storm of 100 keys", "last one closed"]
    assert storm["asked"] == 100
    assert storm["connections_open"] == 0
    assert storm["descriptors"][1] <= storm["descriptors"][0]


def test_every_step_of_a_keys_life_is_there_and_the_sums_are_sums(tmp_path: Path) -> None:
    """The bench itself fails, with the name, when a function that a step is named after is gone."""
    rows = run("life", tmp_path, "--keys", "12")

    assert [row["step"] for row in rows if not row["step"].startswith("**")] == [step.what for step in life.STEPS]
    assert {row["keys"] for row in rows} <= {11, 12}
    assert all(0 <= row["p50"] <= row["p95"] for row in rows)


def test_a_step_that_is_gone_is_named() -> None:
    with pytest.raises(SystemExit, match=r"CompletionEngine\.gone"):
        life.Recorder().wrap("completion.engine:CompletionEngine.gone")


def test_the_table_of_a_keys_life_stands_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "ARCHITECTURE.md"
    page.write_text(f"# Page\n\n{life.SECTION}\n\n1. A key.\n\n## Next\n\nmore\n", encoding="utf-8")
    rows = [{"step": "read", "where": "`a.py`", "p50": value, "p95": 2.0, "keys": 1000} for value in (1.0, 9.0)]

    life.write(page, rows[:1])
    life.write(page, rows[1:])

    text = page.read_text(encoding="utf-8")
    assert text.count(life.BEGIN) == text.count(life.END) == 1
    assert text.startswith(f"# Page\n\n{life.SECTION}\n\n1. A key.\n\n{life.BEGIN}\n")
    assert text.endswith(f"{life.END}\n\n## Next\n\nmore\n")
    assert "| read | `a.py` | 9 | 2 |" in text
    assert "| 1 |" not in text


def test_memory_counts_files_and_keys(tmp_path: Path) -> None:
    rows = run("memory", tmp_path, "--files", "5", "--keys", "10")

    for row in rows:
        assert (row["files"], row["keys"]) == (5, 0 if row["subject"].startswith("tabby-agent") else 10)
        assert all(
            row[key] > 0 for key in ("idle_mib", "idle_rss_mib", "suggested_mib", "after_keys_mib", "second_window_mib")
        )


def test_percentiles_are_of_all_samples_and_the_median_of_the_rounds() -> None:
    rounds = [[float(value) for value in range(1, 101)], [200.0] * 100, [300.0] * 100]

    found = report.distribution(rounds)

    assert found["samples"] == 300
    assert (found["p50"], found["p50_min"], found["p50_max"]) == (200.0, 50.5, 300.0)
    assert (found["p95"], found["p99"], found["max"]) == (300.0, 300.0, 300.0)
    assert report.distribution([[1.0] * 299])["p99"] is None


MEASURED = ("startup", "burst", "keystroke", "life", "cancel", "memory")
"""Measurements whose tables `results` can fill; each of the others is tested beside what it measures."""


def results(folder: Path, *, quick: bool) -> None:
    """Write a result of every measurement with all the fields that a table may show."""
    facts = {"load": [0.5, 1.0], "cpu": "a processor", "cpus": 2, "python": "3.11", "versions": {"pygls": "2"}}
    numbers = (
        "p50 p95 p99 max reply_p50 reply_p95 ms there requests lines kb samples keys asked answered twice left_open"
    )
    row = {
        **facts,
        "quick": quick,
        "seconds": 3,
        "subject": "server",
        "case": "a case",
        "step": "a step",
        "where": "a file",
        "until": "closed",
        "model": "good",
    }
    for name in (
        *numbers.split(),
        *["idle_mib", "idle_rss_mib", "suggested_mib", "per_file_kib", "returned_percent", "after_keys_mib"],
    ):
        row |= {name: 7, f"{name}_min": 6, f"{name}_max": 8}
    for bench in MEASURED:
        (folder / f"{bench}.jsonl").write_text(json.dumps({**row, "second_window_mib": 7}) + "\n", encoding="utf-8")


def test_the_readme_gets_the_newest_results_between_its_marks(tmp_path: Path) -> None:
    results(tmp_path, quick=False)
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")

    for _ in range(2):
        assert report.main(["--out", str(tmp_path), "--readme", str(readme)]) == 0

    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text
    assert "7 (6–8)" in text
    for bench in MEASURED:
        assert text.count(f"```sh\nmake bench-{bench}\n```") == 1


@pytest.mark.parametrize("missing", [True, False])
def test_the_readme_gets_nothing_quick(tmp_path: Path, missing: bool) -> None:
    results(tmp_path, quick=True)
    if missing:
        for file in tmp_path.glob("*.jsonl"):
            file.unlink()
    readme = tmp_path / "README.md"
    readme.write_text(f"{report.BEGIN}{report.END}", encoding="utf-8")

    with pytest.raises(SystemExit, match="run `make bench`" if missing else "make bench-startup"):
        report.main(["--out", str(tmp_path), "--readme", str(readme)])

    assert readme.read_text(encoding="utf-8") == f"{report.BEGIN}{report.END}"


def test_what_was_not_measured_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results(tmp_path, quick=False)
    (tmp_path / "startup.jsonl").unlink()
    readme = tmp_path / "README.md"
    readme.write_text(f"{report.BEGIN}{report.END}", encoding="utf-8")

    assert report.main(["--out", str(tmp_path), "--readme", str(readme)]) == 0

    text = readme.read_text(encoding="utf-8")
    assert "bench-startup" not in text
    assert "bench-memory" in text
    assert "startup is left out" in capsys.readouterr().err


def test_make_runs_what_the_readme_shows() -> None:
    makefile = (report.ROOT / "Makefile").read_text(encoding="utf-8")

    assert f"BENCHES := {' '.join(report.BENCHES)}\n" in makefile


def test_the_readme_has_both_marks_once() -> None:
    text = (report.ROOT / "README.md").read_text(encoding="utf-8")

    assert text.count(report.BEGIN) == text.count(report.END) == 1


def test_what_is_not_measured_again_stays_as_it_was(tmp_path: Path) -> None:
    results(tmp_path, quick=False)
    readme = tmp_path / "README.md"
    readme.write_text(f"{report.BEGIN}\n{report.END}", encoding="utf-8")
    report.main(["--out", str(tmp_path), "--readme", str(readme)])
    whole = readme.read_text(encoding="utf-8")
    for file in tmp_path.glob("*.jsonl"):
        if file.stem != "burst":
            file.unlink()

    report.main(["--out", str(tmp_path), "--readme", str(readme)])

    assert readme.read_text(encoding="utf-8") == whole


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["/x/tests/bench/life.py"], "make bench-life"),
        (["/x/tests/bench/life.py", "--json", "--out", "/somewhere"], "make bench-life"),
        (
            ["/x/life.py", "--packages", "/home/me", "--rounds", "3"],
            "python -m tests.bench.life --packages DIR --rounds 3",
        ),
        (["/usr/bin/pytest", "--rounds", "3"], "make bench-life"),
    ],
)
def test_a_result_knows_its_command_without_anybodys_folders(argv: list[str], command: str) -> None:
    assert report.command_of("life", argv) == command
