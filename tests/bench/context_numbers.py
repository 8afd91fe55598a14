"""Means over samples, and how far chance may have moved them: a bootstrap that draws whole packages."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence

from tests.bench.silence_numbers import interval

RESAMPLES = 10_000
SEED = 11


class Bootstrap:
    """The same draws of packages for every figure, so that differences are of the same samples."""

    def __init__(self, packages: Sequence[str], resamples: int = RESAMPLES) -> None:
        self._names = sorted(set(packages))
        choose = random.Random(SEED)
        numbers = range(len(self._names))
        self._draws = [choose.choices(numbers, k=len(numbers)) for _ in range(resamples)]

    def interval(self, values: Sequence[tuple[str, float]]) -> tuple[float, float]:
        """Return the 95 % bounds of the mean of ``values``, each with its package."""
        sums = _sums(values)
        totals, counts = ([sums[name][part] for name in self._names] for part in (0, 1))
        means = []
        for draw in self._draws:
            count = sum(map(counts.__getitem__, draw))
            if count:
                means.append(sum(map(totals.__getitem__, draw)) / count)
        return interval(means) if means else (0.0, 0.0)


def mean(values: Sequence[tuple[str, float]]) -> float:
    """Return the mean over samples, 0 without any."""
    return sum(value for _, value in values) / len(values) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0


def _sums(values: Sequence[tuple[str, float]]) -> defaultdict[str, list[float]]:
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for package, value in values:
        sums[package][0] += value
        sums[package][1] += 1
    return sums
