"""M1: does the context hold the names that the next line needs? Recall at a token budget, against the known ways.

    python -m tests.bench.context_recall [--packages DIR] [--set development|held-out] [--methods A,B] [--quick] [--json]

Lines of real packages are hidden, 25 of each, which use a name that stands nowhere else in their file but is defined in
another file (`context_samples`). Every method gets the text before and after, the workspace without the line and without
near copies of the file, and a budget. What it returns is cut at that many tokens of ``o200k_base``, for all alike, and
counts as text alone, without names of files.
A needed name is found when it stands in that text as a whole word. Needed are only names of three and more characters that
stand nowhere else in the target file; by which of them must be known from elsewhere, there are three oracles
(`context_oracles`). Recall is the mean, over the samples that need any name, of the share of these that were found.
DIR holds unpacked packages; without it the pinned ones are fetched, once. What jedi said is kept in ``.cache/bench``.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.context.workspace.outline import identifiers
from dragoman.models import tokenizers
from tests.bench import (
    context_aider,
    context_definitions,
    context_jedi,
    context_oracles,
    context_packages,
    context_samples,
)
from tests.bench.context_aider import AiderMap
from tests.bench.context_map import DragomanMap
from tests.bench.context_numbers import RESAMPLES, Bootstrap, mean, percentile
from tests.bench.context_oracles import ORACLES, Need, Oracles
from tests.bench.context_ours import DragomanContext
from tests.bench.context_packages import Package
from tests.bench.context_skeletons import Skeletons, SkeletonsThenBm25
from tests.bench.context_windows import Bm25, Heads, Jaccard, Nothing, Ring
from tests.bench.context_workspace import Method, Piece, Workspace
from tests.bench.report import RESULTS, Row, Run, Table, parser, plain

BUDGETS = (256, 512, 1024, 2048)
OURS = DragomanContext.name
METHODS: dict[str, type[Method]] = {
    one.name: one
    for one in (
        Nothing,
        Heads,
        Ring,
        Jaccard,
        Bm25,
        AiderMap,
        DragomanMap,
        Skeletons,
        SkeletonsThenBm25,
        DragomanContext,
    )
}
SHOWN_BUDGET = 1024

TABLE = Table(
    intro="""
Lines of real packages are hidden, and each method gathers context: how many of the names that a line needs does it bring?
Needed is what stands nowhere else in the file: "imported" are members and parameters of what the file imports.
"Defined" is whatever any other file defines, "resolved" what jedi resolves to another file.
The choice of the oracle picks the winner, so all three are here; the goal is set for the resolved names at 1,024 tokens.
Every text is cut at the budget in `o200k_base` tokens; the hidden line and near copies of its file are in no method's reach.
Intervals are of a bootstrap by package; "ahead" is the difference to the best other method, chosen after the fact.
""",
    columns={
        "packages": plain("set"),
        "oracle": plain("oracle"),
        "method": plain("method"),
        "tokens": plain("budget"),
        "recall": lambda row: f"{row['recall']:.1%} ({row['recall_low']:.1%}–{row['recall_high']:.1%})",
        "all names": lambda row: f"{row['complete']:.1%}",
        "useful": lambda row: f"{row['useful']:.1%}",
        "ahead": lambda row: _ahead(row),
        "ms p50": lambda row: f"{row['ms_p50']:.2f}",
        "ms p95": lambda row: f"{row['ms_p95']:.2f}",
        "samples": plain("samples"),
    },
    in_readme=lambda row: row["set"] == "held-out" and row["budget"] == SHOWN_BUDGET and row["method"] != Nothing.name,
)


def _ahead(row: Row) -> str:
    if row.get("ahead") is None:
        return "–"
    return f"{row['ahead']:+.1%} ({row['ahead_low']:+.1%} to {row['ahead_high']:+.1%}) of {row['best_peer']}"


@dataclass(frozen=True)
class Answer:
    """What a method gave for a sample at a budget."""

    need: Need
    method: str
    budget: int
    pieces: list[Piece]
    tokens: int
    milliseconds: float

    @property
    def text(self) -> str:
        """The whole context, without the names of its files."""
        return "\n".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Opening:
    """What a method's index of a package costs."""

    method: str
    files: int
    seconds: float
    size: int


def cut(pieces: Sequence[Piece], budget: int) -> tuple[list[Piece], int]:
    """Return the first ``budget`` tokens of a context, and how many tokens it has then."""
    encoding = tokenizers._load(tokenizers.DEFAULT_ENCODING)
    kept: list[Piece] = []
    left = budget
    for piece in pieces:
        if not piece.text or left <= 0:
            continue
        # No text has so many characters a token; what is behind needs no counting.
        tokens = encoding.encode_ordinary(f"{piece.text}\n"[: 16 * budget])
        whole = len(tokens) <= left and len(piece.text) < 16 * budget
        kept.append(piece if whole else Piece(piece.path, encoding.decode(tokens[:left])))
        left -= min(left, len(tokens))
    return kept, budget - left


def needs_of(packages: Sequence[Package], per_package: int, memory: Path) -> dict[str, list[Need]]:
    """Return the samples of each package, each with the names that it needs; ``memory`` is a folder that keeps them."""
    folder = memory / _digest_of_rules()
    kept = {package.name: folder / f"{context_jedi.digest(package)}-{per_package}.pickle" for package in packages}
    missing = [package for package in packages if not kept[package.name].exists()]
    drawn = [(package, context_samples.draw(package, per_package)) for package in missing]
    resolved = context_jedi.resolve(drawn, memory / "resolved.jsonl")
    folder.mkdir(parents=True, exist_ok=True)
    for package, samples in drawn:
        oracles = Oracles(package)
        needs = [oracles.need(sample, resolved[sample.name]) for sample in samples]
        kept[package.name].write_bytes(pickle.dumps(needs))
    return {name: pickle.loads(path.read_bytes()) for name, path in kept.items()}


def _digest_of_rules() -> str:
    """Return what changes when the code that draws and judges does."""
    rules = (context_definitions, context_jedi, context_oracles, context_packages, context_samples)
    return hashlib.sha256(b"".join(Path(one.__file__ or "").read_bytes() for one in rules)).hexdigest()[:16]


def gather(
    package: Package, needs: Sequence[Need], methods: Sequence[Method], budgets: Sequence[int]
) -> Iterator[Answer | Opening]:
    """Ask every method about every sample of a package, at every budget."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        workspace = Workspace(package, Path(folder))
        changing = frozenset(path for need in needs for path in (need.sample.path, *need.sample.copies))
        for method in methods:
            started = time.perf_counter()
            method.open(workspace.root, workspace.texts, changing)
            seconds = time.perf_counter() - started
            yield Opening(method.name, len(package.files), seconds, method.size())
        for need in needs:
            question, changed = workspace.show(need.sample)
            for method in methods:
                method.change(changed)
                pieces: list[Piece] = []
                milliseconds = 0.0
                # The largest first: what ranks alike for all is not asked again.
                for budget in sorted(budgets, reverse=True):
                    if not method.ranks_alike or budget == max(budgets):
                        started = time.perf_counter()
                        pieces = method.gather(question, budget)
                        milliseconds = 1000 * (time.perf_counter() - started)
                    kept, tokens = cut(pieces, budget)
                    yield Answer(need, method.name, budget, kept, tokens, milliseconds)
        for method in methods:
            method.close()


def found(names: frozenset[str], text: str) -> tuple[float, float]:
    """Return the share of ``names`` in ``text``, and the share of its characters in lines that hold any of them."""
    words = set(identifiers(text))
    useful = sum(len(line) for line in text.split("\n") if names & set(identifiers(line)))
    return len(names & words) / len(names), useful / len(text) if text else 0.0


def rows_of(name: str, answers: Sequence[Answer], openings: Sequence[Opening], resamples: int) -> list[Row]:
    """Return a row for each oracle, method and budget."""
    rows = []
    for oracle in ORACLES:
        asked = [one for one in answers if one.need.names[oracle]]
        if not asked:
            continue
        bootstrap = Bootstrap([one.need.sample.package for one in asked], resamples)
        for budget in sorted({one.budget for one in asked}):
            rows += _rows(name, oracle, [one for one in asked if one.budget == budget], openings, bootstrap)
    return rows


def _rows(
    name: str, oracle: str, answers: Sequence[Answer], openings: Sequence[Opening], bootstrap: Bootstrap
) -> list[Row]:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for one in answers:
        groups[one.method].append(one)
    shares = {method: [found(one.need.names[oracle], one.text) for one in group] for method, group in groups.items()}
    recalls = {
        method: [(one.need.sample.package, share) for one, (share, _) in zip(groups[method], values, strict=True)]
        for method, values in shares.items()
    }
    peers = [method for method in recalls if not method.startswith(OURS)]
    best = max(peers, key=lambda method: mean(recalls[method])) if peers else None
    rows = []
    for method, group in groups.items():
        low, high = bootstrap.interval(recalls[method])
        opened = [one for one in openings if one.method == method]
        row: Row = {
            "set": name,
            "packages": len({one.need.sample.package for one in group}),
            "oracle": oracle,
            "method": method,
            "budget": group[0].budget,
            "recall": round(mean(recalls[method]), 4),
            "recall_low": low,
            "recall_high": high,
            "complete": round(sum(share == 1.0 for share, _ in shares[method]) / len(group), 4),
            "useful": round(sum(share for _, share in shares[method]) / len(group), 4),
            "tokens": round(sum(one.tokens for one in group) / len(group), 1),
            "ms_p50": round(percentile([one.milliseconds for one in group], 0.5), 3),
            "ms_p95": round(percentile([one.milliseconds for one in group], 0.95), 3),
            "index_seconds": round(sum(one.seconds for one in opened), 3),
            "index_bytes": sum(one.size for one in opened),
            "files": sum(one.files for one in opened),
            "samples": len(group),
        }
        if method == OURS and best is not None:
            pairs = zip(recalls[method], recalls[best], strict=True)
            ahead = [(package, ours - theirs) for (package, ours), (_, theirs) in pairs]
            low, high = bootstrap.interval(ahead)
            row |= {"best_peer": best, "ahead": round(mean(ahead), 4), "ahead_low": low, "ahead_high": high}
        rows.append(row)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement."""
    made = parser(__doc__ or "", **{"per-package": context_samples.PER_PACKAGE})
    made.add_argument("--packages", type=Path, help="folder of unpacked packages")
    made.add_argument("--set", choices=[*context_packages.SETS, "both"], default="both", help="which pinned packages")
    made.add_argument("--methods", default=",".join(METHODS), help="names with commas between")
    arguments = made.parse_args(argv)
    wanted = arguments.methods.split(",")
    unknown = [name for name in wanted if name not in METHODS]
    if unknown:
        raise SystemExit(f"There is no method {unknown[0]!r}; there are {', '.join(METHODS)}.")
    methods = [METHODS[name]() for name in wanted if name != AiderMap.name or context_aider.is_ready()]
    names = list(context_packages.SETS) if arguments.set == "both" else [arguments.set]
    sets = (
        {"given": context_packages.packages_in(arguments.packages)}
        if arguments.packages is not None
        else {name: context_packages.pinned(name) for name in names}
    )
    run = Run("context_recall", TABLE, arguments)
    rows = []
    for name, packages in sets.items():
        packages = packages[:2] if arguments.quick else packages
        needs = needs_of(packages, 3 if arguments.quick else arguments.per_package, RESULTS / "context")
        answers: list[Answer] = []
        openings: list[Opening] = []
        for package in packages:
            print(f"{package.name}: {len(needs[package.name])} samples in {len(package.files)} files", file=sys.stderr)
            for one in gather(package, needs[package.name], methods, BUDGETS):
                answers.append(one) if isinstance(one, Answer) else openings.append(one)
        rows += rows_of(name, answers, openings, 200 if arguments.quick else RESAMPLES)
    if not rows:
        raise SystemExit("No Python package with lines to hide was found there.")
    run.finish(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
