"""M12: knowing when to be silent. Are the suggestions that the show score puts first the ones that are right?

    python -m tests.bench.silence [--packages DIR] [--per-package 16] [--fit] [--quick] [--json]

Lines of real Python packages lose their end, or all of their text; the real embedded model completes them through our
engine, with nothing silenced. Each suggestion gets a score, and of those that a method would show first, as many as the
coverage says, the share is counted whose first line is exactly what stood there.
The weights were fitted (`--fit`) on the development packages alone; the others have never been looked at for that.
DIR holds wheels or unpacked packages; without it the pinned ones are downloaded, once.
The model's answers are kept in ``.cache/bench``, so a changed filter or score is measured again within a minute.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy
from dragoman.completion.query import CompletionQuery
from dragoman.completion.scoring import ShowFeatures, measure, show_score, terms
from dragoman.completion.structure import parses
from dragoman.lsp.lines import Lines
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore
from dragoman.settings.sections import CompletionSettings
from dragoman.syntax.grammars import load
from dragoman.syntax.window import window_at
from tests.bench import silence_samples as places
from tests.bench.report import RESULTS, Row, Run, Table, parser, plain
from tests.bench.silence_fit import Case
from tests.bench.silence_model import OneTarget, RememberingModel
from tests.bench.silence_numbers import RESAMPLES, Judged, compare, similarity
from tests.bench.silence_weights import rewrite
from tests.support.weights import CACHE

COVERAGES = (0.25, 0.5, 0.75)
MAX_TOKENS = 48
CHOSEN = 0.12
"""The threshold chosen on the development packages, shown where the settings have none: gentle, it costs one right one in fifty."""
OURS = "show score"
METHODS = (OURS, "show score without probabilities", "probability of the line", "mean token probability", "random")

TABLE = Table(
    intro="""
How often a shown suggestion's first line is exactly what the author wrote, when only the best-ranked share is shown.
Lines of real packages, completed by the embedded 0.5B model; weights and threshold come from the development packages.
"Brings no error" is the engine's own check, "file parses" Python's: where the hidden line began a block, hardly anything does.
The interval is of a bootstrap by package; the ratio is to showing every suggestion.
""",
    columns={
        "packages": plain("set"),
        "method": plain("method"),
        "shown": lambda row: f"{row['coverage']:.0%}",
        "right": lambda row: f"{row['precision']:.1%} ({row['precision_low']:.1%}–{row['precision_high']:.1%})",
        "ratio to always": lambda row: f"{row['ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f})",
        "brings no error": lambda row: f"{row['sound']:.1%}",
        "file parses": lambda row: f"{row['parsing']:.1%}",
        "suggestions": plain("samples"),
    },
    in_readme=lambda row: row["set"] == "held out" and row["method"] != "random",
)


@dataclass(frozen=True)
class Answer:
    """What the engine said to a sample, and what is known of it."""

    sample: places.Sample
    shown: str
    features: ShowFeatures
    right: bool

    @property
    def case(self) -> Case:
        """The answer as the fit takes it."""
        return Case(self.sample.package, terms(self.features), self.right)


async def collect(samples: Sequence[places.Sample], answers: Path, model: Path | None) -> list[Answer]:
    """Complete every sample through the engine; what the model said before is not asked again."""
    # The tests' own copy of the weights, unless another one is named: a measurement downloads no model.
    folder = CACHE if CACHE.exists() and "DRAGOMAN_DATA_DIR" not in os.environ else None
    if model is None:
        model = (await WeightsStore(folder).find(DEFAULT_MODEL)).path
    provider = EmbeddedProvider(model=model, threads=1)
    try:
        remembering = RememberingModel(provider.model((await provider.models())[0]), answers)
        found = []
        for number, sample in enumerate(samples, 1):
            found.append(await _answer(sample, remembering))
            if number % 20 == 0 or number == len(samples):
                print(f"{number} of {len(samples)}, {remembering.asked} asked", file=sys.stderr)
        return found
    finally:
        await provider.aclose()


async def _answer(sample: places.Sample, model: RememberingModel) -> Answer:
    text = Lines.of(sample.text)
    # Asked by key, nothing is held back or scored away.
    query = CompletionQuery(
        f"file:///{sample.package}/{sample.path}", "python", 1, text, sample.line, sample.character, "invoked"
    )
    policy = CompletionPolicy(debounce=0.0, show_after=3600.0, max_tokens=MAX_TOKENS)
    engine = CompletionEngine(OneTarget(model), policy)
    try:
        outcome = await engine.suggest(query)
    finally:
        await engine.aclose()
    shown = outcome.suggestions[0].text if outcome.suggestions else ""
    grammar = load("python")
    window = window_at(grammar, text, sample.line, sample.character) if grammar is not None else None
    features = measure(
        query,
        shown,
        [token for chunk in model.raw for token in chunk.tokens],
        parses=parses(window, shown) if window is not None and shown else None,
    )
    return Answer(sample, shown, features, bool(shown) and first_line(shown) == sample.hidden.strip())


def first_line(shown: str) -> str:
    """Return the first line with text."""
    return next((line.strip() for line in shown.split("\n") if line.strip()), "")


def judge(answers: Sequence[Answer]) -> list[Judged]:
    """Rank the suggestions by every method; where nothing was suggested there is nothing to rank."""
    return [_judged(answer) for answer in answers if answer.shown]


def _judged(answer: Answer) -> Judged:
    features, sample = answer.features, answer.sample
    mean = features.mean_logprob if features.mean_logprob is not None else -math.inf
    plainly = ShowFeatures(
        **{name: getattr(features, name) for name in ShowFeatures.__slots__ if not name.endswith("_logprob")}
    )
    return Judged(
        package=sample.package,
        right=answer.right,
        similarity=similarity(first_line(answer.shown), sample.hidden.strip()),
        sound=features.parses is not False,
        parses=_is_python(sample.spliced(answer.shown)),
        ranks={
            "always": 0.0,
            OURS: show_score(features),
            "show score without probabilities": show_score(plainly),
            "probability of the line": mean * features.tokens if features.tokens else mean,
            "mean token probability": mean,
            "random": places.chance_of(sample.name),
        },
    )


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def drops(answer: Answer) -> bool:
    """Whether tabby's published rules drop a suggestion: too short, said by the next lines already, or going in circles."""
    lines = [line.strip() for line in answer.shown.split("\n") if line.strip()]
    following = [line.strip() for line in answer.sample.text.split("\n")[answer.sample.line + 1 :] if line.strip()][:3]
    circles = len(lines) > 2 and len(set(lines)) <= len(lines) // 2
    return len(answer.shown.strip()) < 4 or lines[: len(following)] == following[: len(lines)] or circles


def rows_of(name: str, answers: Sequence[Answer], threshold: float, resamples: int) -> list[Row]:
    """Return the rows of one set of packages."""
    judged = judge(answers)
    if not judged:
        return []
    shown = [answer for answer in answers if answer.shown]
    packages = len({one.package for one in judged})
    rows = compare(judged, ("always",), (1.0,), resamples)
    for method, kept in (
        ("tabby's drop rules", [one for answer, one in zip(shown, judged, strict=True) if not drops(answer)]),
        (f"threshold {threshold:g}", [one for one in judged if one.ranks[OURS] >= threshold]),
    ):
        rows.append(_kept_row(method, judged, kept, resamples))
    rows += compare(judged, METHODS, COVERAGES, resamples)
    brier = sum((one.ranks[OURS] - one.right) ** 2 for one in judged) / len(judged)
    said = sum(one.ranks[OURS] for one in judged) / len(judged)
    return [
        {
            "set": name,
            "packages": packages,
            "asked": len(answers),
            **row,
            "brier": round(brier, 4),
            "said": round(said, 4),
        }
        for row in rows
    ]


def _kept_row(method: str, judged: Sequence[Judged], kept: Sequence[Judged], resamples: int) -> Row:
    """Return the row of a method that keeps what it keeps, whatever the coverage."""
    keeps = {id(one) for one in kept}
    marked = [replace(one, ranks={method: float(id(one) in keeps)}) for one in judged]
    # Its own coverage as a rank border: what it keeps comes first.
    (row,) = compare(marked, (method,), (len(kept) / len(judged),), resamples)
    wrong = sum(not one.right for one in judged)
    kept_right, right = sum(one.right for one in kept), sum(one.right for one in judged)
    silenced = (wrong - (len(kept) - kept_right)) / max(1, wrong)
    return {**row, "right_kept": round(kept_right / max(1, right), 4), "wrong_silenced": round(silenced, 4)}


def packages_at(folder: Path | None) -> Path:
    """Return the folder of packages; downloads the pinned ones when none is named."""
    if folder is not None:
        return folder
    target = RESULTS / "packages"
    wanted = [*places.DEVELOPMENT, *places.HELD_OUT]
    present = {path.name.split("-")[0].lower().replace("_", "-") for path in target.glob("*.whl")}
    missing = [one for one in wanted if places.name_of(one) not in present]
    if missing:
        target.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", str(target), *missing], check=True)
    return target


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement."""
    made = parser(__doc__ or "", **{"per-package": 16})
    made.add_argument("--packages", type=Path, help="folder of wheels or unpacked packages")
    made.add_argument("--model", type=Path, help="a model file in place of the installed one")
    made.add_argument("--answers", type=Path, help="where the model's answers are kept (JSON lines)")
    made.add_argument("--fit", action="store_true", help="fit the weights anew on the development packages")
    arguments: argparse.Namespace = made.parse_args(argv)
    samples = places.draw(places.files_of(packages_at(arguments.packages)), per_package=arguments.per_package)
    if arguments.quick:
        samples = samples[:6]
    if not samples:
        raise SystemExit("No Python package with lines to complete was found there.")
    run = Run("silence", TABLE, arguments)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = arguments.answers or RESULTS / "silence-answers.jsonl"
    answers = asyncio.run(collect(samples, kept, arguments.model))
    development = {places.name_of(one) for one in places.DEVELOPMENT}
    sets = {
        "development": [answer for answer in answers if answer.sample.package in development],
        "held out": [answer for answer in answers if answer.sample.package not in development],
    }
    if arguments.fit:
        # What does not parse has its score without any weights.
        fitted = [one for one in sets["development"] if one.shown and one.features.parses is not False]
        rewrite([one.case for one in fitted if one.features.mean_logprob is not None])
        print("The weights are new; run it again without --fit to measure them.", file=sys.stderr)
        return 0
    threshold = CompletionSettings().show_threshold or CHOSEN
    resamples = 200 if arguments.quick else RESAMPLES
    run.finish([row for name, part in sets.items() for row in rows_of(name, part, threshold, resamples)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
