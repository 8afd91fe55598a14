"""Precision at a coverage, and how far chance may have moved it: a bootstrap that draws whole packages."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESAMPLES = 10_000
SEED = 12

Row = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A suggestion with the order that each method gives it: what has the higher number is shown sooner."""

    package: str
    right: bool
    similarity: float
    sound: bool
    """Whether the engine's own check finds no new error."""
    parses: bool
    """Whether Python parses the whole file with it."""
    ranks: Mapping[str, float]


def precision(ordered: Sequence[Judged], coverage: float, times: Mapping[str, int] | None = None) -> float:
    """Return the share of right ones among the first ``coverage`` of ``ordered``, each package taken ``times`` often.

    Equals at the border are taken in part, in the order's place: no method gains by ties.
    """
    counts = [1 if times is None else times.get(one.package, 0) for one in ordered]
    room = total = coverage * sum(counts)
    right = 0.0
    for one, count in zip(ordered, counts, strict=True):
        taken = min(room, count)
        right += taken * one.right
        room -= taken
        if room <= 0:
            break
    return right / total if total else 0.0


def ordered_by(judged: Sequence[Judged], method: str) -> list[Judged]:
    """Return the suggestions, those that the method would show first in front."""
    return sorted(judged, key=lambda one: -one.ranks[method])


def compare(judged: Sequence[Judged], methods: Sequence[str], coverages: Sequence[float], resamples: int) -> list[Row]:
    """Return a row for each method and coverage: precision, and its ratio to showing everything, with 95 % intervals."""
    packages = sorted({one.package for one in judged})
    orders = {method: ordered_by(judged, method) for method in methods}
    choose = random.Random(SEED)
    drawn: dict[tuple[str, float], list[tuple[float, float]]] = {
        (method, coverage): [] for method in methods for coverage in coverages
    }
    for _ in range(resamples):
        times = Counter(choose.choices(packages, k=len(packages)))
        always = precision(judged, 1.0, times)
        for (method, coverage), values in drawn.items():
            found = precision(orders[method], coverage, times)
            values.append((found, found / always if always else 1.0))
    always = precision(judged, 1.0)
    rows = []
    for (method, coverage), values in drawn.items():
        found = precision(orders[method], coverage)
        low, high = interval([value for value, _ in values])
        ratio_low, ratio_high = interval([ratio for _, ratio in values])
        shown = orders[method][: round(coverage * len(judged))]
        rows.append(
            {
                "method": method,
                "coverage": coverage,
                "precision": round(found, 4),
                "precision_low": low,
                "precision_high": high,
                "ratio": round(found / always, 3) if always else 1.0,
                "ratio_low": ratio_low,
                "ratio_high": ratio_high,
                "similarity": round(sum(one.similarity for one in shown) / max(1, len(shown)), 1),
                "sound": round(sum(one.sound for one in shown) / max(1, len(shown)), 4),
                "parsing": round(sum(one.parses for one in shown) / max(1, len(shown)), 4),
                "shown": len(shown),
                "samples": len(judged),
            }
        )
    return rows


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the bounds between which 95 % of the values lie."""
    ranked = sorted(values)
    last = len(ranked) - 1
    return round(ranked[round(0.025 * last)], 4), round(ranked[round(0.975 * last)], 4)


def similarity(one: str, other: str) -> float:
    """Return how alike two lines are: 100 less the share of characters to change (Levenshtein)."""
    if not one and not other:
        return 100.0
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, right in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (left != right))
    return 100.0 * (1.0 - row[-1] / max(len(one), len(other)))
