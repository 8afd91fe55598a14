"""M6: what becomes of the index when the repository grows from a thousand files to a hundred thousand?

    python -m tests.bench.repository_growth [--sizes 1000,10000] [--packages DIR]… [--resume] [--quick] [--json]

The workspaces are packages of real Python files: this environment's, Python's own, and the pinned ones of `context_packages`.
Where those do not suffice they are taken again with every name that they define renamed; "copies" is the share of these.
The index is the real process, asked as the server asks it: a cursor in a file, of which the language and the text around are
told; the answer's way through the pipe counts.

- Whole: from the start of the process until every file is in the index. It works at the lowest priority: what else runs counts.
- First useful answer: from a start with nothing, asked every 50 ms at a line that uses what its file imports from another file
  of its package, until the answer holds the signature of that. The open file's folder is read first, as the server asks for.
- Opened: asked at the beginning of files drawn over the whole workspace, as the server does when an editor opens one and nobody
  waits.  Query: a fifth of a second later, at a cursor in it; "next line" is right after.
- Save to fresh: from a file saved with a new function until an answer in another file holds its head.
- Memory is what nobody else shares (USS), less what an index of one file needs; the peak has the crawler's in it.

The files were written just before, so the system has them in memory. Each size's rows are kept in `growth/` beside the result
as soon as they are known; with --resume a size that is kept there is not measured again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import context_packages, growth_index, growth_peers
from tests.bench.growth_index import Effort, Memory
from tests.bench.growth_places import draw_uses
from tests.bench.growth_workspace import Tree, lay_out, trees_in
from tests.bench.report import Row, Run, Table, parser, plain

QUICK_FILES = 60
OURS = "Dragoman"

TABLE = Table(
    intro="""
The index of a workspace that grows: real Python files, beyond the share given copies of them with other names.
A query is a cursor in a file drawn from all of them, its way to the index's process and back included; milliseconds.
The index has looked at the file a fifth of a second before, as the server has it do when an editor opens one: "opened" is
what that takes.
"First useful" is from a start with nothing until an answer holds the signature of what the open file imports.
"Fresh" is from a file saved with a new function until an answer elsewhere holds it.
Memory is the index's process's own when all is read, less what one file needs.
The slope is of the query's p50 and p95 over the number of files, both logarithmic: 0 does not grow, 1 grows as the files do.
The other programs answer less: a word's places, a name's definition, a map of the whole.
""",
    columns={
        "files": plain("files"),
        "copies": lambda row: f"{row['copies']:.0%}",
        "index": plain("subject"),
        "whole, s": plain("index_seconds"),
        "first useful, ms": lambda row: _pair(row, "useful", "max"),
        "query p50": plain("query_p50"),
        "p95": plain("query_p95"),
        "p99": plain("query_p99"),
        "next line": plain("warm_p50"),
        "opened p95": plain("opened_p95"),
        "fresh p50 / p95, ms": lambda row: _pair(row, "fresh", "p95"),
        "start again, s": plain("rescan_seconds"),
        "KiB of memory a file": plain("steady_kib_per_file"),
        "on disk": plain("disk_kib_per_file"),
        "slope p50 / p95": lambda row: (
            "–" if row.get("slope_p50") is None else f"{row['slope_p50']:.2f} / {row['slope_p95']:.2f}"
        ),
    },
)


def _pair(row: Row, what: str, other: str) -> str:
    if row.get(f"{what}_p50") is None:
        return "–"
    return f"{row[f'{what}_p50']:g} / {row[f'{what}_{other}']:g}"


def slope(sizes: Sequence[int], values: Sequence[float]) -> float | None:
    """Return the exponent with which values grow with sizes, by least squares of the logarithms; None for a single size."""
    if len(set(sizes)) < 2:
        return None
    xs, ys = [math.log(one) for one in sizes], [math.log(one) for one in values]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return round(above / sum((x - middle_x) ** 2 for x in xs), 3)


def with_slopes(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, the largest of each subject with how its queries grow over all its sizes, and our memory with them."""
    found = []
    for row in rows:
        same = [one for one in rows if one["subject"] == row["subject"]]
        sizes = [one["files"] for one in same]
        row = dict(row)
        if row["files"] == max(sizes) > min(sizes):
            row |= {f"slope_{key}": slope(sizes, [one[f"query_{key}"] for one in same]) for key in ("p50", "p95")}
            if "steady_mib" in row:
                least = min(same, key=lambda one: one["files"])
                grown = 1024 * (row["steady_mib"] - least["steady_mib"])
                row["grown_kib_per_file"] = round(grown / (row["files"] - least["files"]), 3)
        found.append(row)
    return found


def sources(given: Sequence[Path]) -> list[Tree]:
    """Return the packages of the given folders, or those that are always there and the pinned ones."""
    if given:
        return trees_in(given)
    pinned = context_packages.default_folder()
    for requirements in context_packages.SETS.values():
        context_packages.fetch(pinned, requirements)
    return trees_in([Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib")), pinned])


def measure(trees: Sequence[Tree], files: int, effort: Effort, empty: Memory, *, install: bool) -> list[Row]:
    """Make a workspace of so many files, measure everything in it, and leave nothing of it behind."""
    begun = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as name:
        folder = Path(name).resolve()
        layout = lay_out(trees, folder / "workspace", files)
        print(f"{files:,} files are laid out, {layout.copies:,} of them copies", file=sys.stderr)
        peers = growth_peers.measure(layout, draw_uses(layout, 50), folder, install=install)
        ours = asyncio.run(growth_index.measure(layout, folder / "cache", effort, empty))
        facts = {
            "files": files,
            "copies": round(layout.copies / files, 3),
            "source_mib": round(layout.size / growth_index.MIB, 1),
            "load_then": [round(begun, 2), round(os.getloadavg()[0], 2)],
            "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    return [{"subject": subject, **facts, **row} for subject, row in _subjects(ours, peers)]


def _subjects(ours: Row, peers: Sequence[Row]) -> list[tuple[str, Row]]:
    return [(OURS, ours), *((str(peer["subject"]), peer) for peer in peers)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement."""
    made = parser(__doc__ or "", places=Effort.places, saves=Effort.saves, starts=Effort.starts)
    made.add_argument("--sizes", default="1000,10000", help="numbers of files with commas between")
    made.add_argument("--packages", type=Path, action="append", default=[], help="folder of packages; may be repeated")
    made.add_argument("--resume", action="store_true", help="do not measure again what is kept of an earlier run")
    arguments: argparse.Namespace = made.parse_args(argv)
    sizes = sorted({int(one) for one in arguments.sizes.split(",")})
    effort = Effort(arguments.places, arguments.saves, arguments.starts)
    if arguments.quick:
        sizes, effort = [QUICK_FILES], Effort(places=10, saves=4, starts=2)
    run = Run("repository_growth", TABLE, arguments)
    kept = arguments.out / "growth"
    kept.mkdir(parents=True, exist_ok=True)
    trees: list[Tree] = []
    empty: Memory | None = None
    rows: list[Row] = []
    for files in sizes:
        file = kept / f"{files}.json"
        if not (arguments.resume and file.exists()):
            trees = trees or sources(arguments.packages)
            empty = empty or asyncio.run(growth_index.measure_empty())
            measured = measure(trees, files, effort, empty, install=not arguments.quick)
            file.write_text(json.dumps(measured), encoding="utf-8")
        rows += json.loads(file.read_text(encoding="utf-8"))
    run.finish(with_slopes(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
