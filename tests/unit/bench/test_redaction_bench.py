"""The measurement of redaction runs, and counts what it says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench import redaction


def test_it_measures_recall_alarms_and_time(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "clean.py").write_text("value = compute(1)\n" * 600, encoding="utf-8")
    (code / "dirty.py").write_text('password = "hunter2"\n' + "x = 1\n" * 2_000, encoding="utf-8")
    (code / "data.bin").write_text('password = "hunter2"\n', encoding="utf-8")

    assert redaction.main(["--quick", "--packages", str(code), "--out", str(tmp_path)]) == 0

    rows = [json.loads(line) for line in (tmp_path / "redaction.jsonl").read_text(encoding="utf-8").splitlines()]
    found, lines, files, first, later = rows
    assert (found["unit"], found["samples"] > 100) == ("%", True)
    assert (lines["value"], lines["kinds"]) == (round(1_000 / lines["samples"], 3), {"assignment": 1})
    assert (files["value"], files["samples"]) == (50.0, 2)
    assert (first["samples"], later["samples"]) == (2, 34)
    assert all(show(row) for row in rows for show in redaction.TABLE.columns.values())
