"""The harness of tasks tells a model that solves them from one that does not, through the real command."""

from __future__ import annotations

import pytest

from tests.tasks.python_edits import TASKS
from tests.tasks.runner import run_task


@pytest.mark.parametrize("task", [task for task in TASKS if task.name in {"crlf", "move"}], ids=lambda task: task.name)
def test_only_the_oracle_solves_a_task(task):
    oracle, broken = run_task(task, "oracle"), run_task(task, "broken")
    assert (oracle.solved, oracle.ended, oracle.failed_calls) == (True, "finished", 0)
    assert not broken.solved
