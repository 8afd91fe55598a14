"""What redaction finds, what it takes for a secret that is none, and what it costs a key.

    python -m tests.bench.redaction [--packages DIR] [--seeds 20] [--files 2000] [--rounds 5] [--samples 60] [--examples 0] [--json]

Recall is measured on the corpus of `tests/golden/redaction` with secrets rolled anew for each seed; false alarms on the files of
installed packages, of which the most frequent are listed with ``--examples N``.
"""

from __future__ import annotations

import argparse
import random
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dragoman.security.redaction import Redactor
from tests.bench.report import Row, Run, Table, distribution, parser, plain
from tests.support.secret_corpus import read_corpus

CODE = frozenset(
    (
        ".py",
        ".pyi",
        ".js",
        ".ts",
        ".json",
        ".toml",
        ".cfg",
        ".yml",
        ".md",
        ".rst",
        ".txt",
        ".c",
        ".h",
        ".css",
        ".html",
        ".sh",
    )
)
LARGEST = 300_000
BEFORE, AFTER = 6_500, 1_500
"""Characters of a prompt around a cursor."""

TABLE = Table(
    intro="""
What redaction finds and what it costs, before text goes to a provider that is not on this machine.
Recall is over the secrets of a corpus of 60 formats and places, rolled anew for each seed; alarms are over files of installed
packages, where nearly every one is false; a prompt has 8,000 characters, most of whose lines were there at the key before.
""",
    columns={
        "what": plain("what"),
        "measured": lambda row: f"{row['value']:g} {row['unit']}",
        "p95": plain("p95"),
        "of": lambda row: f"{row['samples']:,} {row['of']}",
    },
)


def recall(seeds: int) -> Row:
    """Count the secrets of which nothing is left."""
    found = total = 0
    for seed in range(seeds):
        for case in read_corpus(seed):
            redacted = Redactor().redact(case.text)
            total += len(case.secrets)
            found += sum(case.text[start:end] not in redacted for start, end in case.secrets)
    value = round(100 * found / total, 2)
    return {"what": "secrets of the corpus taken out", "value": value, "unit": "%", "samples": total, "of": "secrets"}


def texts(folder: Path, files: int) -> Iterator[tuple[Path, str]]:
    """Yield so many files of a folder, drawn by a fixed seed."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in CODE and path.is_file())
    random.Random(1).shuffle(paths)
    for path in paths[:files]:
        if path.stat().st_size <= LARGEST and ".dist-info" not in str(path):
            yield path, path.read_text(encoding="utf-8", errors="replace")


def alarms(folder: Path, files: int, examples: int) -> list[Row]:
    """Count alarms in ordinary code, and print the most frequent on request."""
    lines = flagged = seen = alarmed = 0
    kinds: Counter[str] = Counter()
    whole: Counter[tuple[str, str]] = Counter()
    for _path, text in texts(folder, files):
        found = Redactor().explain(text)
        rows = text.split("\n")
        seen, lines = seen + 1, lines + len(rows)
        flagged += len({line for line, _ in found})
        alarmed += bool(found)
        kinds.update(span.kind for _, span in found)
        whole.update((span.kind, rows[line][span.start : span.end][:60]) for line, span in found)
    for (kind, secret), count in whole.most_common(examples):
        print(f"{count:5} {kind:12} {secret}", file=sys.stderr)
    rate, share = 1_000 * flagged / max(1, lines), 100 * alarmed / max(1, seen)
    return [
        {
            "what": "lines of ordinary code with an alarm",
            "value": round(rate, 3),
            "unit": "per 1,000",
            "samples": lines,
            "of": "lines",
            "kinds": dict(kinds.most_common()),
        },
        {"what": "files with an alarm", "value": round(share, 2), "unit": "%", "samples": seen, "of": "files"},
    ]


def costs(folder: Path, rounds: int, samples: int) -> list[Row]:
    """Time a prompt that is new, and the same at the keys after it."""
    prompts = [text for _, text in texts(folder, 20 * samples) if len(text) > BEFORE + AFTER][:samples]
    first: list[list[float]] = []
    later: list[list[float]] = []
    for _ in range(rounds):
        first.append([])
        later.append([])
        for text in prompts:
            redactor = Redactor()
            before, after = text[:BEFORE], text[BEFORE : BEFORE + AFTER]
            first[-1].append(_time(redactor, before, after))
            later[-1] += [_time(redactor, before + "value = compute()"[:typed], after) for typed in range(1, 18)]
    rows: list[Row] = []
    for what, times in (("a prompt, the first time", first), ("the same at the next key", later)):
        numbers = distribution(times, 3)
        rows.append({"what": what, "value": numbers["p50"], "unit": "ms", **numbers, "of": "prompts"})
    return rows


def _time(redactor: Redactor, before: str, after: str) -> float:
    started = time.perf_counter()
    redactor.redact_around(before, after)
    return (time.perf_counter() - started) * 1000


def main(argv: Sequence[str] | None = None) -> int:
    made = parser(str(__doc__), seeds=20, files=2_000, rounds=5, samples=60, examples=0)
    made.add_argument(
        "--packages", type=Path, default=Path(sysconfig.get_path("purelib")), help="folder of ordinary code"
    )
    arguments: argparse.Namespace = made.parse_args(argv)
    if arguments.quick:
        arguments.seeds, arguments.files, arguments.rounds, arguments.samples = 1, 20, 1, 2
    run = Run("redaction", TABLE, arguments)
    rows = [
        recall(arguments.seeds),
        *alarms(arguments.packages, arguments.files, arguments.examples),
        *costs(arguments.packages, arguments.rounds, arguments.samples),
    ]
    run.finish(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
