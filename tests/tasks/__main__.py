"""``python -m tests.tasks --scripted oracle|broken [--only NAME] [--json]``: how many tasks are solved."""

from __future__ import annotations

import argparse
import sys

from tests.tasks.file_edits import TASKS as FILE_TASKS
from tests.tasks.other_edits import TASKS as OTHER_TASKS
from tests.tasks.python_edits import TASKS as PYTHON_TASKS
from tests.tasks.python_features import TASKS as FEATURE_TASKS
from tests.tasks.runner import as_line, run_task

TASKS = (*PYTHON_TASKS, *FILE_TASKS, *FEATURE_TASKS, *OTHER_TASKS)


def main() -> None:
    """Run the tasks; exits 1 unless the oracle solves all, or the broken model none."""
    parser = argparse.ArgumentParser(prog="python -m tests.tasks", description=__doc__)
    parser.add_argument("--scripted", choices=("oracle", "broken"), default="oracle")
    parser.add_argument("--only", metavar="NAME", choices=[task.name for task in TASKS])
    parser.add_argument("--json", action="store_true", dest="as_json")
    arguments = parser.parse_args()
    chosen = [task for task in TASKS if arguments.only in {None, task.name}]
    solved = 0
    for task in chosen:
        outcome = run_task(task, arguments.scripted)
        solved += outcome.solved
        verdict = "solved" if outcome.solved else "not solved"
        print(as_line(outcome) if arguments.as_json else f"{outcome.task:<16}{verdict}, {outcome.ended}", flush=True)
    print(f"{solved}/{len(chosen)} solved", file=sys.stderr)
    sys.exit(solved != (len(chosen) if arguments.scripted == "oracle" else 0))


if __name__ == "__main__":
    main()
