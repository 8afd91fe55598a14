"""M10: three model servers, one of them ill. Is every request answered, how late, and how soon is the ill one left alone?

    python -m tests.bench.resilience [--rate 40] [--well 2000] [--ill 8000] [--healed 6000] [--quick] [--json]

Requests come at a fixed rate, whether the ones before are answered or not, streamed and whole ones in turns: ``well`` ms to
all three in health, ``ill`` ms while the first has a fault, ``healed`` ms after its end.
Every subject, in turns, goes through every fault, and remembers nothing of the one before.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import resilience_litellm
from tests.bench.report import Row, Run, Table, parser, plain
from tests.bench.resilience_servers import COUNT, DEAD, FAULTS, FLAPPING, TEXT, Servers
from tests.bench.resilience_subjects import NAMES, Answer, Subject, opened

HEALTHY = "healthy"
QUICK_SUBJECTS = ("adaptive", "retries")
QUICK_FAULTS = (HEALTHY, DEAD, "cut in the middle")
STEP_S = 0.1
WINDOW_S = 1.0
"""Shares of the requests are looked at over so long, and every so often."""
LEFT_ALONE = 0.05
BACK = 1 / (2 * COUNT)
"""Below that share of the requests a server is left alone, above this one it is back: half of its part."""


def _percent(row: Row) -> str:
    return f"{row['success_percent']:g} ({row['well']:,} of {row['counted']:,})"


TABLE = Table(
    intro="""
Three servers with the same model, one of them ill for eight seconds; 40 requests come in a second, streamed and whole ones in turn.
A server in health says its first word after 50 ms and its last, the eighth, 70 ms later.
A stream that is cut after its first word is counted apart: what was shown may not be repeated.
Success, cuts and attempts are of all requests.
The times, in milliseconds, are of those that came during the fault; their ratio is to the same client's without a fault.
The ill one is left alone when it gets less than a twentieth of the requests, and back when it gets half of its third again.
""",
    columns={
        "client": plain("subject"),
        "the ill one": plain("fault"),
        "success, %": _percent,
        "cut after the first word": plain("cut"),
        "first word p50, p95": lambda row: f"{plain('first_p50')(row)}, {plain('first_p95')(row)}",
        "whole p50, p95": lambda row: f"{plain('whole_p50')(row)}, {plain('whole_p95')(row)}",
        "p95 / healthy": plain("ratio"),
        "attempts a request": plain("attempts"),
        "left alone after, s": plain("opens"),
        "back after, s": plain("recovers"),
    },
    in_readme=lambda row: row["subject"] != NAMES["naive"],
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: when it came, how it was asked and what came of it."""

    at: float
    streamed: bool
    answer: Answer

    @property
    def well(self) -> bool:
        return self.answer.whole is not None and self.answer.text.strip() == TEXT

    @property
    def cut(self) -> bool:
        """Whether it ended in the middle in front of its reader."""
        return self.streamed and not self.well and self.answer.first is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """How fast requests come and how long each part takes, in seconds."""

    rate: float
    well: float
    ill: float
    healed: float


@dataclass(frozen=True, slots=True)
class Story:
    """All that one subject went through with one fault; times in monotonic seconds."""

    outcomes: Sequence[Outcome]
    asked: Sequence[tuple[float, int]]
    """When which server was asked; without the ill one where nobody can know."""
    knows_all: bool
    began: float
    fell_ill: float
    healed: float
    ended: float


async def tell(subject: Subject, servers: Servers, fault: str, plan: Plan) -> Story:
    """Lead a subject through a fault."""
    # The first request reads the catalogue and makes the connections; nobody measures that here.
    await asyncio.gather(*(subject.ask(streamed=bool(number % 2)) for number in range(2 * COUNT)))
    servers.asked()
    if subject.attempts is not None:
        subject.attempts.clear()
    tasks: list[asyncio.Task[Outcome]] = []
    marks = [time.monotonic()]
    for seconds, change in (
        (plan.well, lambda: servers.fall_ill(fault)),
        (plan.ill, servers.heal),
        (plan.healed, lambda: None),
    ):
        for number in range(max(2, round(seconds * plan.rate))):
            await asyncio.sleep(max(0.0, marks[-1] + number / plan.rate - time.monotonic()))
            tasks.append(asyncio.create_task(_ask(subject, streamed=bool(len(tasks) % 2))))
        await asyncio.sleep(max(0.0, marks[-1] + seconds - time.monotonic()))
        change()
        marks.append(time.monotonic())
    outcomes = await asyncio.gather(*tasks)
    counted = [(at, number) for number, times in enumerate(servers.asked()) for at in times]
    known = fault != DEAD or subject.attempts is not None
    asked = list(subject.attempts) if fault == DEAD and subject.attempts is not None else counted
    return Story(outcomes, sorted(asked), known, *marks)


async def _ask(subject: Subject, *, streamed: bool) -> Outcome:
    at = time.monotonic()
    return Outcome(at, streamed, await subject.ask(streamed=streamed))


def describe(story: Story, fault: str) -> Row:
    """Return what the table shows of a story."""
    outcomes = story.outcomes
    cut = sum(one.cut for one in outcomes)
    well = sum(one.well for one in outcomes)
    during = [one for one in outcomes if one.well and story.fell_ill <= one.at < story.healed]
    first = sorted(one.answer.first for one in during if one.streamed and one.answer.first is not None)
    whole = sorted(one.answer.whole for one in during if one.answer.whole is not None)
    steady = fault not in (HEALTHY, FLAPPING)
    return {
        "fault": fault,
        "requests": len(outcomes),
        "counted": len(outcomes) - cut,
        "well": well,
        "success_percent": round(100 * well / max(1, len(outcomes) - cut), 2),
        "cut": cut,
        **{
            f"{what}_p{percent}": _rank(times, percent)
            for what, times in (("first", first), ("whole", whole))
            for percent in (50, 95)
        },
        "attempts": round(len(story.asked) / len(outcomes), 3) if story.knows_all else None,
        "opens": left_alone_after(story) if steady and story.knows_all else None,
        "recovers": back_after(story) if fault != HEALTHY and story.knows_all else None,
    }


def _rank(times: Sequence[float], percent: int) -> float | None:
    return round(times[math.ceil(percent / 100 * len(times)) - 1] * 1000, 1) if times else None


def left_alone_after(story: Story) -> float | str:
    """Return after how many seconds the ill server gets hardly a request for a second, "never" if it always does."""
    return _find(story, story.fell_ill, story.healed, lambda share: share < LEFT_ALONE)


def back_after(story: Story) -> float | str:
    """Return how many seconds after its healing the server gets its part again, "never" if it does not."""
    return _find(story, story.healed, story.ended, lambda share: share >= BACK)


def _find(story: Story, begin: float, end: float, holds: Callable[[float], bool]) -> float | str:
    window = min(WINDOW_S, end - begin)
    for step in range(int((end - begin - window) / STEP_S) + 1):
        since = begin + step * STEP_S
        there = [number for at, number in story.asked if since <= at < since + window]
        if there and holds(there.count(0) / len(there)):
            return round(step * STEP_S, 1)
    return "never"


async def measure(key: str, faults: Sequence[str], plan: Plan) -> list[Row]:
    """Lead one subject through all faults, made anew for each."""
    rows: list[Row] = []
    with Servers() as servers:
        for fault in faults:
            async with opened(key, servers.urls) as subject:
                story = await tell(subject, servers, fault, plan)
            rows.append({"subject": NAMES[key], "rate": plan.rate, **describe(story, fault)})
            print(f"{NAMES[key]}: {fault}", file=sys.stderr)
    healthy = rows[0]
    for row in rows:
        ratios = [
            row[part] / healthy[part] for part in ("first_p95", "whole_p95") if row[part] is not None and healthy[part]
        ]
        row["ratio"] = round(max(ratios), 2) if ratios else None
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    made = parser(__doc__, rate=40, well=2_000, ill=8_000, healed=6_000)
    made.add_argument("--subjects", default=",".join(NAMES), help="some of them, with commas")
    made.add_argument("--faults", default="", help="words of some of them, with commas")
    arguments = made.parse_args(argv)
    subjects = arguments.subjects.split(",")
    faults: Sequence[str] = list(FAULTS)
    if arguments.faults:
        faults = [HEALTHY, *(one for one in FAULTS if any(word in one for word in arguments.faults.split(",")))]
    if arguments.quick:
        arguments.well, arguments.ill, arguments.healed = 200, 600, 200
        subjects, faults = [one for one in subjects if one in QUICK_SUBJECTS], QUICK_FAULTS
    if "litellm" in subjects and not resilience_litellm.is_ready(install=not arguments.quick):
        subjects.remove("litellm")
    run = Run("resilience", TABLE, arguments)
    run.finish([row for key in subjects for row in asyncio.run(measure(key, faults, plan_of(arguments)))])
    return 0


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan that the command line asks for."""
    return Plan(arguments.rate, arguments.well / 1000, arguments.ill / 1000, arguments.healed / 1000)


if __name__ == "__main__":
    sys.exit(main())
