"""The measurement of acceptance tracking runs, and what it measures is what it says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench import acceptance


def test_it_measures_each_case_at_each_size(tmp_path: Path) -> None:
    assert acceptance.main(["--quick", "--out", str(tmp_path)]) == 0

    rows = [json.loads(line) for line in (tmp_path / "acceptance.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["lines"], row["what"]) for row in rows] == [
        (size, name) for size in acceptance.SIZES for name in acceptance.CASES
    ]
    assert all(show(row) for row in rows for show in acceptance.TABLE.columns.values())


def test_its_cases_are_what_they_say() -> None:
    for case, facts in (
        (acceptance.typed_through, {"shown": 1, "from_stream": 3, "from_model": 1}),
        (acceptance.taken, {"shown": 3, "whole": 3}),
        (acceptance.wrong_key, {"shown": 3, "rejected": 3}),
    ):
        typist = acceptance.Typist(100)
        counts: dict[str, int] = {}

        def count(event, counts=counts) -> None:
            counts[event.fact] = counts.get(event.fact, 0) + event.amount

        typist.tracker._record = count
        case(typist, 3)
        typist.now += 5
        typist.tracker.settle()
        if case is acceptance.typed_through:
            facts = {"shown": 1, "from_model": 1, "from_stream": 30, "rejected": 1}
        assert {fact: counts.get(fact, 0) for fact in facts} == facts
