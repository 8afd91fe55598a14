"""``python -m tests.tasks [--scripted oracle|broken | --model NAME]``: how many tasks are solved.

A scripted model needs no configuration; the oracle has to solve all tasks and the broken model none.
``--model`` takes a model of the user's configuration, one task after another, each for ``--seconds`` at most.
Its outcomes and the events of its runs are JSON lines in ``.cache/tasks``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.tasks.definitions import Task
from tests.tasks.file_edits import TASKS as FILE_TASKS
from tests.tasks.other_edits import TASKS as OTHER_TASKS
from tests.tasks.python_edits import TASKS as PYTHON_TASKS
from tests.tasks.python_features import TASKS as FEATURE_TASKS
from tests.tasks.runner import Outcome, as_line, run_real, run_task

TASKS = (*PYTHON_TASKS, *FILE_TASKS, *FEATURE_TASKS, *OTHER_TASKS)

RESULTS = Path(__file__).parents[2] / ".cache" / "tasks"

AT_ONCE = 2
"""Runs of a scripted model at a time: each has processes and a workspace of its own, and small machines have two cores."""

MODEL_SECONDS = 600.0
"""What a real model gets for a task: a small one without a graphics card reads a prompt for half a minute."""


def main() -> None:
    """Run the tasks; a scripted model exits 1 unless the oracle solves all, or the broken model none."""
    parser = argparse.ArgumentParser(prog="python -m tests.tasks", description=__doc__)
    parser.add_argument("--scripted", choices=("oracle", "broken"), default="oracle")
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=MODEL_SECONDS)
    parser.add_argument("--only", metavar="NAME", action="append", choices=[task.name for task in TASKS])
    parser.add_argument("--json", action="store_true", dest="as_json")
    arguments = parser.parse_args()
    chosen = [task for task in TASKS if not arguments.only or task.name in arguments.only]
    began = time.monotonic()
    outcomes = (
        try_model(chosen, arguments.model, arguments.seconds)
        if arguments.model
        else try_script(chosen, arguments.scripted)
    )
    solved = 0
    if not arguments.as_json:
        print(f"{'task':<16}  {'':<10}  {'ended':<9}  steps   tokens  seconds")
    for one in outcomes:
        solved += one.solved
        print(as_line(one) if arguments.as_json else as_row(one), flush=True)
    print(f"{solved}/{len(chosen)} solved in {time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(not arguments.model and solved != (len(chosen) if arguments.scripted == "oracle" else 0))


def try_script(tasks: Sequence[Task], part: str) -> Iterator[Outcome]:
    """Yield how each task went with a scripted model, in the tasks' order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda task: run_task(task, "oracle" if part == "oracle" else "broken"), tasks)


def try_model(tasks: Sequence[Task], model: str, seconds: float) -> Iterator[Outcome]:
    """Yield how each task went with a real model, and write it and the run's events down."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    stem = f"{re.sub(r'[^A-Za-z0-9.-]+', '_', model)}-{time.strftime('%Y%m%d-%H%M%S')}"
    for task in tasks:
        outcome, events = run_real(task, model, seconds)
        with (RESULTS / f"{stem}.jsonl").open("a", encoding="utf-8") as results:
            results.write(f"{as_line(outcome)}\n")
        with (RESULTS / f"{stem}.events.jsonl").open("a", encoding="utf-8") as kept:
            kept.writelines(f"{json.dumps({'task': task.name, **event})}\n" for event in events)
        yield outcome


def as_row(one: Outcome) -> str:
    """Return an outcome as a row of the table."""
    verdict = "solved" if one.solved else "not solved"
    row = f"{one.task:<16}  {verdict:<10}  {one.ended:<9}  {one.steps:>5}  {one.tokens:>7}  {one.seconds:>7}  {one.why}"
    return row.rstrip()


if __name__ == "__main__":
    main()
