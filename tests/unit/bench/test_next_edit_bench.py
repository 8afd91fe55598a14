"""The measurement of next edits runs, and its rows hold what its table shows; nothing here depends on how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench import next_edit


def test_costs_and_precision_are_rows(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, name in ((old, "width"), (new, "breadth")):
        folder.mkdir()
        (folder / "a.py").write_text(f"def f({name}):\n    use({name})\n    return {name}\n", encoding="utf-8")

    assert next_edit.main(["--quick", "--out", str(tmp_path), "--versions", str(old), str(new)]) == 0

    rows = [json.loads(line) for line in (tmp_path / "next_edit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["what"], row.get("size")) for row in rows[:6]] == [
        (what, size)
        for size in ("300 lines", "10,000 lines")
        for what in ("hearing of a key", "asking at that key", "the search after a rename")
    ]
    assert all(all(show(row) for show in next_edit.TABLE.columns.values()) for row in rows)
    assert rows[6]["renames"] == 5
    assert (rows[7]["offers"], rows[7]["right"], rows[7]["found"]) == (2, 1.0, 1.0)
