"""M9: what an agent's step costs when the model costs nothing, 1,000 runs that wait for a person, and cancels at eight points.

    python -m tests.bench.agent_steps [--runs 20] [--paused 1000] [--cancels 50] [--rounds 5] [--quick] [--json]

A scripted model in the process of the runtime answers at once: 20 steps with one call each and a last answer, the same with
three calls each, and an answer without a call. Processor time is of the whole process, its threads too.
Subjects, each in a process of its own, take turns in the order A-B-B-A.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from tests.bench.agent_steps_cancel import cancel_everywhere
from tests.bench.agent_steps_peers import PEERS
from tests.bench.report import ROOT, Row, Run, Table, parser, plain, ranged

OURS = "Dragoman"
STEPS = 20
CALLS = 3
WARM = 50
"""Runs before memory is looked at: what is made once is not a run's."""


def _value(row: Row) -> str:
    return f"{(ranged if 'value_min' in row else plain)('value')(row)} {row['unit']}"


TABLE = Table(
    intro="""
An agent whose scripted model answers at once, in the same process: what the runtime itself costs in processor time.
A step is an answer of the model with one tool call, in a run of twenty; a further call is one more in the same answer.
Ours asks its policy, counts tokens against the model's window and tells every event; the others, set up as documented, do not.
Paused runs wait for a person: ours are alive, pydantic-ai's are messages, langgraph's are checkpoints in memory.
After a cancel, the tasks, processes, answers of the model and questions that are left over are counted.
""",
    columns={
        "runtime": plain("subject"),
        "what": plain("what"),
        "measured": _value,
        "p99": plain("p99"),
        "ended well": lambda row: f"{row['ended']:,} of {row['asked']:,}",
        "left over": plain("left_over"),
    },
)


@dataclass(frozen=True, slots=True)
class Player:
    """A subject's name and the command that plays it."""

    name: str
    command: tuple[str, ...]


def players(*, install: bool) -> list[Player]:
    """Return who is measured; who cannot be had says so and is left out."""
    found = [Player(OURS, (sys.executable, "-m", "tests.bench.agent_steps_ours"))]
    found += [
        Player(peer.name, (str(peer.python), "-m", peer.service)) for peer in PEERS if peer.is_ready(install=install)
    ]
    return found


class Stage:
    """A subject's process."""

    def __init__(self, player: Player) -> None:
        self.name = player.name
        self._process = subprocess.Popen(
            player.command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def order(self, what: str, **more: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def memory(self) -> int:
        """Return the bytes that only this process has."""
        return int(psutil.Process(self._process.pid).memory_full_info().uss)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@dataclass(slots=True)
class Costs:
    """Milliseconds of each round, and how many runs came to their answer."""

    step: list[float]
    call: list[float]
    bare: list[float]
    ended: int = 0
    asked: int = 0
    left: int = 0


def steps(stages: Sequence[Stage], rounds: int, runs: int) -> list[Row]:
    """Time the script; the cost of a further call is that of two more in each answer."""
    costs = {stage.name: Costs([], [], []) for stage in stages}
    for stage in stages:
        stage.order("steps", steps=STEPS, calls=CALLS, runs=2)
    for number in range(rounds):
        for stage in stages if number % 2 == 0 else reversed(stages):
            found = costs[stage.name]
            replies = [
                stage.order("steps", steps=count, calls=calls, runs=runs)
                for count, calls in ((0, 1), (STEPS, 1), (STEPS, CALLS))
            ]
            none, one, more = (1000 * reply["cpu"] / runs for reply in replies)
            found.bare.append(none)
            found.step.append((one - none) / STEPS)
            found.call.append((more - one) / STEPS / (CALLS - 1))
            found.ended += sum(reply["ended"] for reply in replies)
            found.asked += len(replies) * runs
            found.left += sum(reply["tasks"] for reply in replies)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return [
        {
            "subject": name,
            "what": what,
            "unit": "ms",
            **_spread(values),
            "asked": found.asked,
            "ended": found.ended,
            "left_over": found.left,
        }
        for what, part in (("a step with a call", "step"), ("a further call", "call"), ("a run of one answer", "bare"))
        for name, found in costs.items()
        for values in [getattr(found, part)]
    ]


def _spread(values: Sequence[float]) -> Row:
    shown = {"value": statistics.median(values), "value_min": min(values), "value_max": max(values)}
    return {key: round(value, 3) for key, value in shown.items()}


def paused(stage: Stage, count: int) -> list[Row]:
    """Have so many runs wait for a person, look at the memory, and let all go on."""
    stage.order("pause", runs=WARM)
    stage.order("go_on")
    before = stage.memory()
    stopped = stage.order("pause", runs=count)
    kib = (stage.memory() - before) / 1024 / count
    went = stage.order("go_on")
    told = {"subject": stage.name, "asked": count, "ended": went["ended"], "left_over": went["tasks"]}
    return [
        {**told, "what": f"one of {count:,} paused runs: memory", "value": round(kib, 1), "unit": "KiB"},
        {
            **told,
            "what": f"one of {count:,} paused runs: from its begin to its end",
            "value": round(1000 * (stopped["cpu"] + went["cpu"]) / count, 3),
            "unit": "ms",
        },
    ]


def main(argv: Sequence[str] | None = None) -> int:
    made = parser(str(__doc__), runs=20, paused=1_000, cancels=50, rounds=5)
    arguments = made.parse_args(argv)
    if arguments.quick:
        arguments.runs, arguments.paused, arguments.cancels, arguments.rounds = 1, 5, 1, 1
    run = Run("agent_steps", TABLE, arguments)
    subjects = players(install=not arguments.quick)
    stages: list[Stage] = []
    try:
        stages += map(Stage, subjects)
        rows = steps(stages, arguments.rounds, arguments.runs)
    finally:
        for stage in stages:
            stage.close()
    for player in subjects:
        stage = Stage(player)
        try:
            rows += paused(stage, arguments.paused)
        finally:
            stage.close()
    run.finish([*rows, *asyncio.run(cancel_everywhere(arguments.cancels))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
