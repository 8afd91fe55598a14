"""M2: what does the context do for the completions of the embedded model?

    python -m tests.bench.completion_quality [--samples 60] [--budget 1024] [--packages DIR] [--methods A,B] [--quick] [--json]

Hidden lines of M1 (`context_recall`), of the held-out packages in turns, so that any beginning of the list is a fair sample.
For each method the real 0.5B model gets the product's own prompt: the context at ``--budget`` tokens as files of the repository,
the best last, and then the product's window around the cursor. It answers with temperature 0 and 48 tokens, up to the line's end.
What the model said is kept in ``.cache/bench``, so a longer run goes on where the last one ended.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import os
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from dragoman.completion.prompt import build_request, cut_window, reach
from dragoman.context.snippets import Context, Snippet
from dragoman.lsp.lines import Lines
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore
from tests.bench import context_packages
from tests.bench.context_numbers import RESAMPLES, Bootstrap, mean
from tests.bench.context_oracles import Need
from tests.bench.context_packages import Package
from tests.bench.context_recall import METHODS, OURS, cut, needs_of
from tests.bench.context_samples import PER_PACKAGE, Sample, chance
from tests.bench.context_workspace import Workspace
from tests.bench.report import RESULTS, Row, Run, Table, parser, plain
from tests.bench.silence_model import RememberingModel
from tests.bench.silence_numbers import similarity
from tests.support.weights import CACHE

BUDGET = 1_024
MAX_TOKENS = 48
COMPARED = ("nothing", "bm25", "skeletons+bm25", OURS)
"""With the best peer of M1's development set."""
PARTS = ("all", "new", "old")
"""New are packages that were first published after November 2024: the model cannot have read them."""
METRICS = ("exact", "similarity", "names", "parsing")

_NAME = re.compile(r"[^\W\d]\w*")

TABLE = Table(
    intro="""
Hidden lines of M1, completed by the embedded 0.5B model, with what each method puts before them.
All lines use a name that stands nowhere else in their file; the prompt is the product's, temperature 0.
"New" packages were first published after November 2024, so the model cannot have learnt them; the others it may have.
Intervals are of a bootstrap by package; "ahead" is the difference in exact matches between ours and that method.
""",
    columns={
        "packages": plain("part"),
        "context": plain("method"),
        "tokens": plain("budget"),
        "exact match": lambda row: f"{row['exact']:.1%} ({row['exact_low']:.1%}–{row['exact_high']:.1%})",
        "edit similarity": lambda row: f"{100 * row['similarity']:.1f}",
        "F1 of names": lambda row: f"{row['names']:.1%}",
        "parses": lambda row: f"{row['parsing']:.1%}",
        "ours ahead": lambda row: (
            "–"
            if row.get("ahead") is None
            else f"{row['ahead']:+.1%} ({row['ahead_low']:+.1%} to {row['ahead_high']:+.1%})"
        ),
        "prompt": lambda row: f"{row['prompt']:,.0f}",
        "samples": plain("samples"),
    },
)


@dataclass(frozen=True)
class Told:
    """What the model said to a sample with a method's context; ``prompt`` counts characters."""

    sample: Sample
    method: str
    said: str
    prompt: int

    @property
    def scores(self) -> Mapping[str, float]:
        """Each metric, from 0 to 1."""
        wanted = self.sample.hidden
        return {
            "exact": float(self.said == wanted),
            "similarity": similarity(self.said, wanted) / 100,
            "names": _shared(self.said, wanted),
            "parsing": float(_is_python(self.sample.prefix + self.said + self.sample.suffix)),
        }


def in_turns(needs: Mapping[str, Sequence[Need]]) -> list[Sample]:
    """Return the samples, one of each package and then the next, in an order that depends on their names alone."""
    columns = [
        sorted((need.sample for need in needs[name]), key=lambda one: chance(one.name)) for name in sorted(needs)
    ]
    # Packages come in an order of chance too, else a short list would have the first letters only.
    columns = sorted((column for column in columns if column), key=lambda column: chance(column[0].package))
    deepest = max(map(len, columns), default=0)
    return [column[turn] for turn in range(deepest) for column in columns if turn < len(column)]


def contexts(
    packages: Sequence[Package],
    samples: Sequence[Sample],
    needs: Mapping[str, Sequence[Need]],
    methods: Sequence[str],
    budget: int,
) -> dict[tuple[str, str], Context]:
    """Return the context of each sample's name and method."""
    chosen: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        chosen[sample.package].append(sample)
    before, after = reach(small=True)
    found = {}
    for package in packages:
        if package.name not in chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
            workspace = Workspace(package, Path(folder))
            changing = frozenset(
                path for need in needs[package.name] for path in (need.sample.path, *need.sample.copies)
            )
            for name in methods:
                method = METHODS[name]()
                method.open(workspace.root, workspace.texts, changing)
                for sample in chosen[package.name]:
                    question, changed = workspace.show(sample)
                    method.change(changed)
                    pieces, _ = cut(
                        method.gather(replace(question, seen_before=before, seen_after=after), budget), budget
                    )
                    snippets = tuple(Snippet(name, piece.path, piece.text, 0, 0.0) for piece in reversed(pieces))
                    found[sample.name, name] = Context(snippets, workspace=package.name, path=sample.path)
                method.close()
    return found


async def complete(
    samples: Sequence[Sample],
    found: Mapping[tuple[str, str], Context],
    methods: Sequence[str],
    answers: Path,
    threads: int,
) -> list[Told]:
    """Let the model complete every sample with every context; what it said before is not asked again."""
    folder = CACHE if CACHE.exists() and "DRAGOMAN_DATA_DIR" not in os.environ else None
    provider = EmbeddedProvider(model=(await WeightsStore(folder).find(DEFAULT_MODEL)).path, threads=threads)
    try:
        model = RememberingModel(provider.model((await provider.models())[0]), answers)
        told = []
        for number, sample in enumerate(samples, 1):
            told += [await _told(sample, name, found[sample.name, name], model) for name in methods]
            print(f"{number} of {len(samples)}, {model.asked} asked", file=sys.stderr)
        return told
    finally:
        await provider.aclose()


async def _told(sample: Sample, method: str, context: Context, model: RememberingModel) -> Told:
    before, after = reach(small=True)
    column = len(sample.prefix) - sample.prefix.rfind("\n") - 1
    window = cut_window(Lines.of(sample.masked), sample.line, column, prefix_chars=before, suffix_chars=after)
    request = build_request(
        model.info, window, max_tokens=MAX_TOKENS, multiline=False, context=context, language="python"
    )
    text = ""
    async with aclosing(model.complete(request)) as chunks:
        async for chunk in chunks:
            text += chunk.text
    return Told(sample, method, text.lstrip("\n").partition("\n")[0].strip(), len(request.prompt))


def rows_of(told: Sequence[Told], resamples: int, budget: int = BUDGET) -> list[Row]:
    """Return a row for each part of the packages and each method."""
    rows = []
    for part in PARTS:
        some = [one for one in told if part == "all" or context_packages.is_new(one.sample.package) == (part == "new")]
        if not some:
            continue
        bootstrap = Bootstrap([one.sample.package for one in some], resamples)
        groups: dict[str, list[Told]] = defaultdict(list)
        for one in some:
            groups[one.method].append(one)
        for method, group in groups.items():
            values = {name: [(one.sample.package, one.scores[name]) for one in group] for name in METRICS}
            low, high = bootstrap.interval(values["exact"])
            row: Row = {
                "part": part,
                "packages": len({one.sample.package for one in group}),
                "method": method,
                "budget": budget,
                **{name: round(mean(values[name]), 4) for name in METRICS},
                "exact_low": low,
                "exact_high": high,
                "prompt": round(sum(one.prompt for one in group) / len(group), 1),
                "samples": len(group),
            }
            if method != OURS and OURS in groups:
                pairs = zip(groups[OURS], group, strict=True)
                ahead = [(one.sample.package, ours.scores["exact"] - one.scores["exact"]) for ours, one in pairs]
                low, high = bootstrap.interval(ahead)
                row |= {"ahead": round(mean(ahead), 4), "ahead_low": low, "ahead_high": high}
            rows.append(row)
    return rows


def _shared(said: str, wanted: str) -> float:
    """Return the F1 of the names of two lines, each as often as it occurs."""
    one, other = Counter(_NAME.findall(said)), Counter(_NAME.findall(wanted))
    both = (one & other).total()
    return 2 * both / (one.total() + other.total()) if both else 0.0


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement."""
    made = parser(__doc__ or "", samples=60, threads=1, budget=BUDGET)
    made.add_argument("--packages", type=Path, help="folder of unpacked packages")
    made.add_argument("--set", choices=list(context_packages.SETS), default="held-out", help="which pinned packages")
    made.add_argument("--methods", default=",".join(COMPARED), help="names with commas between")
    arguments: argparse.Namespace = made.parse_args(argv)
    methods = arguments.methods.split(",")
    packages = (
        context_packages.packages_in(arguments.packages)
        if arguments.packages is not None
        else context_packages.pinned(arguments.set)
    )
    packages = packages[:2] if arguments.quick else packages
    run = Run("completion_quality", TABLE, arguments)
    needs = needs_of(packages, 3 if arguments.quick else PER_PACKAGE, RESULTS / "context")
    samples = in_turns(needs)[: 2 if arguments.quick else arguments.samples]
    if not samples:
        raise SystemExit("No Python package with lines to hide was found there.")
    found = contexts(packages, samples, needs, methods, arguments.budget)
    told = asyncio.run(
        complete(samples, found, methods, RESULTS / "completion-quality-answers.jsonl", arguments.threads)
    )
    run.finish(rows_of(told, 200 if arguments.quick else RESAMPLES, arguments.budget))
    return 0


if __name__ == "__main__":
    sys.exit(main())
