"""M5: model calls per 100 keystrokes, what is on screen, and stale suggestions, under reconstructed typing.

    python -m tests.bench.calls [--packages DIR] [--chars 200] [--seed 1] [--json]

Time is virtual, so every run of one seed gives the same counts; only the reply times are real.
The peers are their published policies re-implemented (`calls_policies`), asking the same stand-in for a model.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.calls_editor import Editor, Tally
from tests.bench.calls_model import StandIn
from tests.bench.calls_ours import Dragoman
from tests.bench.calls_packages import Work, default_folder, fetch, packages, work_of
from tests.bench.calls_policies import PEERS, Policy
from tests.bench.report import Row, Run, Table, parser, plain
from tests.support.virtual_time import run_virtual

SHARES = (0.2, 0.3, 0.5)
RESAMPLES = 2_000
OURS: tuple[Callable[[StandIn], Dragoman], ...] = (
    Dragoman,
    lambda model: Dragoman(model, prefetch=True),
    lambda model: Dragoman(model, 0.0),
    lambda model: Dragoman(model, 0.15),
    lambda model: Dragoman(model, 0.35),
    lambda model: Dragoman(model, 0.7),
)
"""The engine as it ships, with prefetch, and at fixed debounces: its own trade-off between calls and what is on screen."""


def _shares(key: str) -> Callable[[Row], str]:
    return lambda row: " / ".join("–" if row[key][share] is None else f"{row[key][share]:g}" for share in row[key])


def _one(by_share: dict[str, float]) -> float:
    return by_share.get("0.3", next(iter(by_share.values())))


def _interval(key: str) -> Callable[[Row], str]:
    return lambda row: f"{_one(row[key]):g} ({row[f'{key}_interval'][0]:g}–{row[f'{key}_interval'][1]:g})"


TABLE = Table(
    intro="""
Reconstructed typing: the differences between released versions of small packages, typed key by key with typos and pauses.
Every policy asks the same stand-in for a model, right at 20, 30 or 50 % of the words.
All but ours are published policies, re-implemented.
Given for 30 % with the 95 % interval over packages, where there is only one figure; on screen means just before the next key.
""",
    columns={
        "policy": plain("policy"),
        "the user": plain("user"),
        "calls per 100 keys": _interval("calls"),
        "at 20 / 30 / 50 %": _shares("calls"),
        "right one on screen, % of keys": _interval("right"),
        "fitting one": lambda row: f"{_one(row['valid']):g}",
        "stale": plain("stale"),
        "replaced while it fitted, per 1,000 keys": lambda row: f"{_one(row['replaced']):g}",
        "tokens per key": lambda row: f"{_one(row['tokens']):g}",
        "our calls at the same right share": lambda row: row["saved_text"],
        "reply that needs no model, p50 / p95 ms": plain("reply_text"),
    },
    in_readme=lambda row: row["policy"].startswith(("Dragoman", "exact key, 0")) or "," not in row["policy"],
)


@dataclass
class Cell:
    """One policy with one kind of user and one share of right answers, package by package."""

    label: str = ""
    tallies: list[Tally] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)

    def total(self, key: str) -> int:
        return sum(tally.counts[key] for tally in self.tallies)

    def ratio(self, key: str, over: str, scale: float = 100.0, chosen: Sequence[int] | None = None) -> float:
        taken = self.tallies if chosen is None else [self.tallies[index] for index in chosen]
        below = sum(tally.counts[over] for tally in taken)
        return scale * sum(tally.counts[key] for tally in taken) / max(1, below)

    def time_share(self, key: str) -> float:
        whole = sum(tally.seconds["all"] for tally in self.tallies)
        return 100.0 * sum(tally.seconds[key] for tally in self.tallies) / max(1e-9, whole)


async def type_package(
    make: Callable[[StandIn], Policy], works: Sequence[Work], share: float, seed: int, *, accepts: bool
) -> tuple[Policy, Tally]:
    """Let one person type one package's changes."""
    model = StandIn(share, seed)
    policy = make(model)
    editor = Editor(policy, model, seed, accepts=accepts)
    for work in works:
        await editor.type_file(work.name, work.language, work.old, work.new, work.unit)
    await editor.aclose()
    return policy, editor.tally


def measure(
    make: Callable[[StandIn], Policy], material: Sequence[Sequence[Work]], share: float, seed: int, *, accepts: bool
) -> Cell:
    cell = Cell()
    for works in material:
        policy, tally = run_virtual(type_package(make, works, share, seed, accepts=accepts))
        cell.label = policy.label
        cell.tallies.append(tally)
        cell.policies.append(policy)
    return cell


def interval(cell: Cell, key: str, over: str, draws: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return the 95 % interval of a ratio by cluster bootstrap over packages."""
    values = sorted(cell.ratio(key, over, chosen=chosen) for chosen in draws)
    return round(values[int(0.025 * len(values))], 1), round(values[int(0.975 * len(values)) - 1], 1)


def at_share(frontier: Sequence[Cell], share: float, key: str, chosen: Sequence[int] | None = None) -> float | None:
    """Return our calls per 100 keys at ``share`` of the keys with the right (or a fitting) suggestion.

    Between two of our debounces the calls are interpolated; below all of them the cheapest counts; above all: None.
    """
    points = sorted(
        (cell.ratio(key, "samples", chosen=chosen), cell.ratio("calls", "keys", chosen=chosen)) for cell in frontier
    )
    # A point that another one beats in both is no part of the trade-off.
    points = [one for one in points if not any(other[0] >= one[0] and other[1] < one[1] for other in points)]
    if share <= points[0][0]:
        return points[0][1]
    for (low, calls_low), (high, calls_high) in pairwise(points):
        if share <= high:
            return calls_low + (calls_high - calls_low) * (share - low) / (high - low)
    return None


def _middle(cells: dict[float, Cell]) -> Cell:
    return cells.get(0.3) or next(iter(cells.values()))


def row_of(
    cells: dict[float, Cell], frontier: Sequence[Cell], draws: Sequence[Sequence[int]], *, accepts: bool, ours: bool
) -> Row:
    middle = _middle(cells)
    row: dict[str, Any] = {
        "policy": middle.label,
        "kind": "engine" if ours else "policy re-implemented",
        "user": "accepts" if accepts else "types all",
        "packages": len(middle.tallies),
        "keys": middle.total("keys"),
    }
    ratios = {
        "calls": ("calls", "keys", 100.0),
        "right": ("right", "samples", 100.0),
        "valid": ("valid", "samples", 100.0),
        "replaced": ("replaced", "keys", 1000.0),
        "vanished": ("vanished", "keys", 1000.0),
        "tokens": ("tokens", "keys", 1.0),
        "wasted_percent": ("wasted", "tokens", 100.0),
        "unseen_percent": ("unseen", "calls", 100.0),
        "accepted_chars": ("accepted_chars", "keys", 100.0),
        "keys_of_all": ("keys", "keys", 1.0),
    }
    for name, (key, over, scale) in ratios.items():
        row[name] = {str(share): round(cell.ratio(key, over, scale), 1) for share, cell in cells.items()}
    row["keys_of_all"] = {str(share): cell.total("keys") for share, cell in cells.items()}
    for name in ("right", "valid"):
        row[f"{name}_of_time"] = {str(share): round(cell.time_share(name), 1) for share, cell in cells.items()}
    row["stale"] = sum(cell.total("stale") for cell in cells.values())
    row["stale_examples"] = [one for cell in cells.values() for tally in cell.tallies for one in tally.examples][:5]
    row["entries"] = max(tally.counts["entries"] for tally in middle.tallies)
    hits = sum((tally.hits for tally in middle.tallies), start=middle.tallies[0].hits.__class__())
    row["hits_percent"] = {kind: round(100 * count / max(1, hits.total()), 1) for kind, count in hits.most_common()}
    for name, key, over in (("calls", "calls", "keys"), ("right", "right", "samples"), ("valid", "valid", "samples")):
        row[f"{name}_interval"] = interval(middle, key, over, draws)
    row |= _saved(middle, frontier, draws, ours=ours)
    row |= _replies(middle)
    return row


def _saved(cell: Cell, frontier: Sequence[Cell], draws: Sequence[Sequence[int]], *, ours: bool) -> Row:
    """Say how many calls we save against a peer at its own share on screen, with the interval over packages."""
    row: Row = {"saved_text": "–"}
    if ours:
        return row
    for key in ("right", "valid"):
        mine = at_share(frontier, cell.ratio(key, "samples"), key)
        if mine is None:
            row[f"saved_at_{key}"] = None
            continue
        values = []
        for chosen in draws:
            again = at_share(frontier, cell.ratio(key, "samples", chosen=chosen), key, chosen)
            if again is not None:
                values.append(100 * (1 - again / max(1e-9, cell.ratio("calls", "keys", chosen=chosen))))
        values.sort()
        saved = round(100 * (1 - mine / max(1e-9, cell.ratio("calls", "keys"))), 1)
        row[f"saved_at_{key}"] = saved
        if values:
            bounds = (round(values[int(0.025 * len(values))], 1), round(values[int(0.975 * len(values)) - 1], 1))
            row[f"saved_at_{key}_interval"] = bounds
            if key == "right":
                row["saved_text"] = f"{-saved:+g} % ({-bounds[1]:+g}–{-bounds[0]:+g})"
    return row


def _replies(cell: Cell) -> Row:
    """Describe the real time of replies that waited for nothing, and the virtual one of those that waited for a stream."""
    row: Row = {"reply_text": "–"}
    engines = [policy for policy in cell.policies if isinstance(policy, Dragoman)]
    if not engines:
        return row
    both: list[float] = []
    for source, name in (("cache", "typed_through"), ("stream", "in_flight")):
        times = [seconds for engine in engines for seconds in engine.reply_s[source]]
        both += times
        row[f"{name}_replies"] = len(times)
        row |= {f"{name}_{rank}_ms": value for rank, value in _ranks(times).items()}
    ranks = _ranks(both)
    row["reply_text"] = f"{ranks['p50']:g} / {ranks['p95']:g}" if both else "–"
    waits = _ranks([seconds for engine in engines for seconds in engine.waits_s])
    row |= {f"in_flight_wait_{rank}_ms": value for rank, value in waits.items()}
    return row


def _ranks(seconds: Sequence[float]) -> dict[str, float | None]:
    if len(seconds) < 2:
        return {"p50": None, "p95": None}
    cuts = statistics.quantiles(seconds, n=20)
    return {"p50": round(1000 * cuts[9], 3), "p95": round(1000 * cuts[18], 3)}


def main(argv: Sequence[str] | None = None) -> int:
    made = parser(__doc__, chars=200, seed=1)
    made.add_argument("--packages", type=Path, help="folder of pairs; without it pinned packages are fetched once")
    made.add_argument("--shares", type=float, nargs="+", default=SHARES, help="how often the model is right")
    arguments = made.parse_args(argv)
    folder = arguments.packages
    if folder is None:
        folder = default_folder()
        fetch(folder)
    resamples = RESAMPLES
    if arguments.quick:
        arguments.chars, resamples = min(arguments.chars, 60), 20
    found = [work_of(*pair, chars=arguments.chars, seed=arguments.seed) for pair in packages(folder)]
    material = [works for works in found if works]
    if arguments.quick:
        material = material[:2]
    if not material:
        raise SystemExit(f"There are no pairs of versions in {str(folder)!r}.")
    generator = random.Random(arguments.seed)
    draws = [generator.choices(range(len(material)), k=len(material)) for _ in range(resamples)]
    run = Run("calls", TABLE, arguments)
    rows: list[Row] = []
    middle = 0.3 if 0.3 in arguments.shares else arguments.shares[0]
    for accepts, shares in ((False, arguments.shares), (True, (middle,))):
        cells = {
            make: {share: measure(make, material, share, arguments.seed, accepts=accepts) for share in shares}
            for make in (*OURS, *PEERS)
        }
        # What ships decides the trade-off together with the fixed debounces; prefetch spends calls on something else.
        frontier = [_middle(cells[make]) for make in (OURS[0], *OURS[2:])]
        rows += [row_of(cells[make], frontier, draws, accepts=accepts, ours=make in OURS) for make in cells]
    run.finish(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
