"""The sentence about the index in the status."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.status import Status, describe_index


def index(state: str, files: int = 0, total: int = 0, problem: str = "") -> dict[str, Any]:
    return {"folder": "/w", "state": state, "files": files, "total": total, "problem": problem}


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ([], ""),
        ([index("ready", 9, 9)], ""),
        ([index("waiting")], ""),
        ([index("scanning")], "Indexing the workspace."),
        ([index("scanning", 400, 1_000)], "Indexing the workspace: 40 % of 1,000 files."),
        ([index("scanning", 12, 10)], "Indexing the workspace: 100 % of 10 files."),
        ([index("ready", 9, 9), index("scanning", 1, 4)], "Indexing the workspace: 25 % of 4 files."),
        ([index("scanning", 1, 3), index("scanning", 2, 3)], "Indexing the workspace: 50 % of 6 files."),
        ([index("ready", problem="the disk is full")], "The disk is full."),
        ([index("ready", problem="Full."), index("scanning", 1, 2, "Full.")], "Full. Indexing the workspace: 50 % of 2 files."),
    ],
)  # fmt: skip
def test_the_index_is_spoken_of_while_it_is_built_and_when_something_is_wrong(
    states: list[dict[str, Any]], sentence: str
) -> None:
    assert describe_index(states) == sentence


def test_the_status_carries_it() -> None:
    assert Status("ready", "It completes.", index="Indexing.").as_dict()["index"] == "Indexing."
    assert Status("ready", "It completes.").as_dict()["index"] == ""
