"""What all measurements share: their arguments, their JSON lines, their tables, and the README's section made of those.

    python -m tests.bench.report

Each measurement leaves its newest rows in `.cache/bench/NAME.jsonl`; the command above writes them into README.md between
two comment marks. It refuses rows of a quick run: those show that the code works, not how fast it is.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".cache" / "bench"
BENCHES = (
    "startup",
    "burst",
    "keystroke",
    "workspaces",
    "life",
    "cancel",
    "memory",
    "calls",
    "next_edit",
    "acceptance",
    "silence",
    "context_recall",
    "completion_quality",
    "repository_growth",
    "redaction",
    "resilience",
    "agent_steps",
)
"""In the README's order; `make bench` runs them in this order too."""
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
FEWEST_FOR_P99 = 300

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """How a measurement looks in the terminal and in the README: sentences (one a line), then columns."""

    intro: str
    columns: Mapping[str, Callable[[Row], str]]
    in_readme: Callable[[Row], bool] = lambda _row: True
    """Which rows the README shows; the command prints all."""


class Run:
    """One run of a measurement: knows the machine at its begin and end, and keeps the rows."""

    def __init__(self, bench: str, table: Table, arguments: argparse.Namespace) -> None:
        self._bench = bench
        self._table = table
        self._arguments = arguments
        self._begun = os.getloadavg()[0]
        self._started = time.monotonic()

    def finish(self, rows: Sequence[Row]) -> list[Row]:
        """Write ``rows`` with what must be known about the machine, print them, and return them."""
        facts = {
            "load": [round(self._begun, 2), round(os.getloadavg()[0], 2)],
            "cpu": cpu(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("dragoman", "pygls", "lsprotocol", "httpx")},
            "quick": bool(self._arguments.quick),
            "command": command_of(self._bench, sys.argv),
            "seconds": round(time.monotonic() - self._started, 1),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        whole = [{"bench": self._bench, **row, **facts} for row in rows]
        lines = "".join(json.dumps(row) + "\n" for row in whole)
        out = Path(self._arguments.out)
        out.mkdir(parents=True, exist_ok=True)
        new = out / f"{self._bench}.new"
        new.write_text(lines, encoding="utf-8")
        new.replace(out / f"{self._bench}.jsonl")
        print(lines if self._arguments.json else f"{aligned(self._table, whole)}\n{conditions(whole)}", end="\n")
        return whole


def command_of(bench: str, argv: Sequence[str]) -> str:
    """Return the command that made a result, for the README: what it says of this machine's folders is left out."""
    if Path(argv[0]).stem != bench:
        return f"make bench-{bench}"
    said, words = [], iter(argv[1:])
    for word in words:
        if word in {"--out", "--packages"}:
            folder = next(words, "")
            said += [word, "DIR"] if word == "--packages" and folder else []
        elif word not in {"--json", "--resume"}:
            said.append(word)
    return " ".join(["python -m", f"tests.bench.{bench}", *said]) if said else f"make bench-{bench}"


def parser(description: str, **defaults: int) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every measurement has, and one for each of ``defaults``."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    for name, value in defaults.items():
        made.add_argument(f"--{name}", type=int, default=value)
    made.add_argument("--quick", action="store_true", help="few samples: shows that it works, measures nothing")
    made.add_argument("--json", action="store_true", help="print the JSON lines in place of the table")
    made.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return made


def distribution(rounds: Sequence[Sequence[float]], digits: int = 2) -> Row:
    """Describe milliseconds: median of the rounds' medians with its range, and percentiles of all samples together."""
    medians = [statistics.median(one) for one in rounds]
    samples = sorted(value for one in rounds for value in one)

    def rank(share: float) -> float:
        return round(samples[math.ceil(share * len(samples)) - 1], digits)

    return {
        "samples": len(samples),
        "p50": round(statistics.median(medians), digits),
        "p50_min": round(min(medians), digits),
        "p50_max": round(max(medians), digits),
        "p95": rank(0.95),
        "p99": rank(0.99) if len(samples) >= FEWEST_FOR_P99 else None,
        "max": round(samples[-1], digits),
    }


def ranged(key: str, unit: str = "") -> Callable[[Row], str]:
    """Show a median with the range of its rounds."""
    return lambda row: f"{row[key]:g} ({row[f'{key}_min']:g}–{row[f'{key}_max']:g}){unit}"


def plain(key: str) -> Callable[[Row], str]:
    """Show one field; a dash where there is none."""
    return lambda row: "–" if row.get(key) is None else f"{row[key]:,g}" if _is_number(row[key]) else str(row[key])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def aligned(table: Table, rows: Sequence[Row]) -> str:
    cells = [list(table.columns), *([show(row) for show in table.columns.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(table.columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def markdown(table: Table, rows: Sequence[Row]) -> str:
    lines = [list(table.columns), ["---"] * len(table.columns)]
    lines += [[show(row) for show in table.columns.values()] for row in rows if table.in_readme(row)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def conditions(rows: Sequence[Row]) -> str:
    row = rows[0]
    versions = ", ".join(f"{name} {number}" for name, number in row["versions"].items())
    before, after = row["load"]
    return (
        f"Measured in {row['seconds']:g} s at a load of {before:g} before and {after:g} after, "
        f"on {row['cpus']} processors ({row['cpu']}), Python {row['python']}, {versions}."
    )


def cpu() -> str:
    """Return the processor's name, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def section(folder: Path, old: str = "") -> str:
    """Return the README's text between the marks: the newest results, and what ``old`` says of what has none here.

    Raises SystemExit for a quick result, and when there is nothing at all.
    """
    parts = []
    known = {_bench_of(part): part for part in _PART.findall(old)}
    for bench in BENCHES:
        path = folder / f"{bench}.jsonl"
        if not path.exists():
            kept = known.get(bench)
            parts += [kept.strip()] if kept else []
            fate = "stays as it is" if kept else "is left out"
            print(f"{bench} {fate}, for there is no new result of it: run `make bench-{bench}`", file=sys.stderr)
            continue
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if any(row["quick"] for row in rows):
            raise SystemExit(f"The newest result of {bench!r} is of a quick run: run `make bench-{bench}`.")
        table: Table = importlib.import_module(f"tests.bench.{bench}").TABLE
        command = rows[0].get("command", f"make bench-{bench}")
        parts += [f"{table.intro.strip()}\n{conditions(rows)}", markdown(table, rows), f"```sh\n{command}\n```"]
    if not parts:
        raise SystemExit(f"There is no result in {folder}: run `make bench`.")
    return "\n\n".join(parts)


_PART = re.compile(r"\S.*?^```sh\n.*?^```$", re.MULTILINE | re.DOTALL)
"""One measurement in the README: it ends with its command."""


def _bench_of(part: str) -> str:
    found = re.search(r"(?:make bench-|tests\.bench\.)(\w+)", part[part.rindex("```sh") :])
    return found[1] if found else ""


def rewrite(readme: Path, folder: Path) -> None:
    """Put the newest results between the marks of ``readme``."""
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{readme} must have the marks {BEGIN!r} and {END!r} once each.")
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{section(folder, old)}\n\n{END}{after}", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(description="Write the newest results into the README.")
    made.add_argument("--out", type=Path, default=RESULTS)
    made.add_argument("--readme", type=Path, default=ROOT / "README.md")
    arguments = made.parse_args(argv)
    rewrite(arguments.readme, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
