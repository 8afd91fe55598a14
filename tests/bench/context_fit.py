"""Fits the weights of `dragoman.context.retrieval.scoring_weights` on the development packages of `context_recall`.

    python -m tests.bench.context_fit [--per-package 50] [--negatives 40]

A case is a name in the pool of a question; it is right when the hidden line needs it by any of the three oracles.
Of the hundreds of names that are not needed a fixed share is drawn, and the constant is put right for that.
Prints the weights, how far up the needed names stand, and the same for packages left out of the fit.
Signals that no sample has (a receiver, edits, open files) cannot be fitted here; their weights are set by hand.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dragoman.context.retrieval.candidates import SIGNALS
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.scoring import by_name, word_rarity
from tests.bench import context_packages
from tests.bench.context_oracles import Need
from tests.bench.context_ours import DragomanContext
from tests.bench.context_packages import Package
from tests.bench.context_recall import needs_of
from tests.bench.context_workspace import Workspace
from tests.bench.report import RESULTS
from tests.bench.silence_fit import Case, chance, fit

RIDGE = 2.0


def cases_of(package: Package, needs: Sequence[Need], negatives: int) -> Iterator[tuple[list[Case], float]]:
    """Yield the cases of each question, and which share of its unneeded names they hold."""
    draw = random.Random(package.name)
    changing = frozenset(need.sample.path for need in needs)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(package, Path(folder))
        method = DragomanContext()
        method.open(workspace.root, workspace.texts, changing)
        for need in needs:
            question, changed = workspace.show(need.sample)
            method.change(changed)
            place = Place(question.path, "python", question.prefix, question.suffix, seen_before=question.seen_before)
            asked, pool = method.retriever.collect(place)
            names = pool.names()
            rarity = word_rarity(names)
            needed = frozenset[str]().union(*need.names.values())
            unseen = sorted(names - asked.scope.seen)
            right = [name for name in unseen if name in needed]
            wrong = [name for name in unseen if name not in needed]
            drawn = draw.sample(wrong, min(negatives, len(wrong)))
            found = []
            for name in [*right, *drawn]:
                signals = {**pool.signals_of(name), **by_name(name, asked.scope.words, rarity)}
                terms = {"constant": 1.0, **{signal: signals.get(signal, 0.0) for signal in SIGNALS}}
                found.append(Case(package.name, terms, name in needed))
            yield found, len(drawn) / max(1, len(wrong))
        method.close()


def ranks(questions: Sequence[Sequence[Case]], weights: dict[str, float]) -> list[int]:
    """Return at which place, from 0, each needed name stands among the cases of its question."""
    found = []
    for cases in questions:
        ordered = sorted(cases, key=lambda case: -chance(weights, case.terms))
        found += [at for at, case in enumerate(ordered) if case.right]
    return found


def main(argv: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--per-package", type=int, default=50)
    made.add_argument("--negatives", type=int, default=40)
    arguments = made.parse_args(argv)
    packages = context_packages.pinned("development")
    needs = needs_of(packages, arguments.per_package, RESULTS / "context")
    questions: list[list[Case]] = []
    shares: list[float] = []
    for package in packages:
        for cases, share in cases_of(package, needs[package.name], arguments.negatives):
            questions.append(cases)
            shares.append(share)
    everything = [case for cases in questions for case in cases]
    weights = fit(everything, ridge=RIDGE)
    drawn = sum(shares) / len(shares)
    print(f"{len(questions)} questions, {len(everything)} names, {drawn:.3f} of those not needed")
    print(f"BIAS {weights['constant'] + math.log(drawn):.2f}")
    for signal in SIGNALS:
        print(f"{signal:20}{weights.get(signal, 0.0):7.2f}")
    for part, chosen in (("fitted on", questions), ("left out", [])):
        if part == "left out":
            found: list[int] = []
            for package in packages:
                others = [case for case in everything if case.package != package.name]
                own = [cases for cases in questions if cases and cases[0].package == package.name]
                found += ranks(own, fit(others, ridge=RIDGE))
        else:
            found = ranks(chosen, weights)
        found.sort()
        print(f"{part}: median place {found[len(found) // 2]} of some {arguments.negatives}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
