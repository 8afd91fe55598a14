"""Logistic regression without a library: few weights, few rows, and weights that may not become negative."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

RIDGE = 1.0
"""Pulls weights towards zero; of 0.3, 1, 3 and 10 the one with the least loss in development packages left out of the fit."""

SWEEPS = 400

CONFIDENCE = frozenset({"sum_logprob", "mean_logprob", "min_logprob", "first_logprob"})
"""A more probable token is never worse: whatever a few hundred rows say against it is chance."""

FAULTS = frozenset({"loose_end", "repetition", "unknown_identifiers"})
"""Never better, for the same reason."""


@dataclass(frozen=True)
class Case:
    """One suggestion: the terms that the score reads, and whether it was right."""

    package: str
    terms: Mapping[str, float]
    right: bool


def fit(cases: Sequence[Case], *, without: Collection[str] = (), ridge: float = RIDGE) -> dict[str, float]:
    """Return the weights that make ``cases`` most likely, less the ridge, leaving out the terms ``without``.

    Goes through the weights one by one, each a step of Newton's method, until it has settled.
    Terms that never vary get no weight: nothing is known of them.
    """
    names = [
        name
        for name in cases[0].terms
        if name not in without and (name == "constant" or len({case.terms[name] for case in cases}) > 1)
    ]
    weights = dict.fromkeys(names, 0.0)
    totals = [0.0] * len(cases)
    for _ in range(SWEEPS):
        moved = 0.0
        for name in names:
            pull = 0.0 if name == "constant" else ridge
            slope, bend = -pull * weights[name], pull + 1e-9
            for case, total in zip(cases, totals, strict=True):
                if value := case.terms[name]:
                    chance = 1.0 / (1.0 + math.exp(-total))
                    slope += (case.right - chance) * value
                    bend += chance * (1.0 - chance) * value * value
            new = weights[name] + max(-1.0, min(1.0, slope / bend))
            if name in CONFIDENCE:
                new = max(0.0, new)
            elif name in FAULTS:
                new = min(0.0, new)
            step = new - weights[name]
            weights[name] = new
            moved = max(moved, abs(step))
            for index, case in enumerate(cases):
                totals[index] += step * case.terms[name]
        if moved < 1e-6:
            break
    return {name: round(weight, 3) for name, weight in weights.items() if round(weight, 3)}


def chance(weights: Mapping[str, float], terms: Mapping[str, float]) -> float:
    """Return what the weights say of a case."""
    return 1.0 / (1.0 + math.exp(-sum(weight * terms.get(name, 0.0) for name, weight in weights.items())))


def log_loss(cases: Sequence[Case], *, without: Collection[str] = (), ridge: float = RIDGE) -> float:
    """Return the mean log loss of the cases of each package under weights fitted on all the others."""
    loss = 0.0
    for package in sorted({case.package for case in cases}):
        weights = fit([case for case in cases if case.package != package], without=without, ridge=ridge)
        for case in cases:
            if case.package == package:
                said = chance(weights, case.terms)
                loss -= math.log(max(1e-9, said if case.right else 1.0 - said))
    return loss / len(cases)
