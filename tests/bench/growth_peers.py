"""What else finds a name in a repository: a search over all files, a table of tags, a map that is drawn anew."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import context_aider
from tests.bench.context_aider import AiderMap
from tests.bench.context_workspace import Question
from tests.bench.growth_places import Use
from tests.bench.growth_workspace import Layout
from tests.bench.report import Row, distribution
from tests.support.tools import AptTool, ToolError, apt

RIPGREP = AptTool(("ripgrep",), "rg", ("rg", "--version"))
CTAGS = AptTool(("universal-ctags",), "ctags-universal", ("ctags-universal", "--version"))
AIDER_FILES = 1_000
"""A larger workspace keeps aider's map busy for many minutes."""
AIDER_QUESTIONS = 5
AIDER_TOKENS = 1_024
SEARCHES, LOOKUPS = 30, 100
KIB, MIB = 1024, 1024 * 1024


def measure(layout: Layout, uses: Sequence[Use], scratch: Path, *, install: bool) -> list[Row]:
    """Return a row for each peer that is there, or can be installed; those that are left out are named."""
    names = list(dict.fromkeys(use.name for use in uses))
    rows = []
    if (ripgrep := _program(RIPGREP, install=install)) is not None:
        rows.append(_search(ripgrep, layout, names))
    if (ctags := _program(CTAGS, install=install)) is not None:
        rows.append(_tags(ctags, layout, names, scratch / "tags"))
    if len(layout.paths) <= AIDER_FILES and _has_aider(install=install):
        rows.append(_map(layout, uses))
    return rows


def _program(tool: AptTool, *, install: bool) -> Path | None:
    if not install and shutil.which(tool.program) is None:
        print(f"{tool.program} is left out; to have it: apt-get install {' '.join(tool.packages)}", file=sys.stderr)
        return None
    try:
        return apt(tool)
    except ToolError as error:
        print(f"{tool.program} is left out: {error}", file=sys.stderr)
        return None


def _has_aider(*, install: bool) -> bool:
    if not install and not (context_aider.FOLDER / "ready").exists():
        print(f"aider is left out; to have it: {sys.executable} -m tests.bench.context_aider", file=sys.stderr)
        return False
    return context_aider.is_ready()


def _search(program: Path, layout: Layout, names: Sequence[str]) -> Row:
    times = []
    for number in range(SEARCHES):
        command = [str(program), "--word-regexp", "--fixed-strings", names[number % len(names)], "."]
        times.append(_milliseconds(command, layout.root))
    return {"subject": f"ripgrep {_version(program, 1)}, one word", **_query(times)}


def _tags(program: Path, layout: Layout, names: Sequence[str], file: Path) -> Row:
    seconds = _milliseconds([str(program), "-R", "--languages=Python", "-f", str(file), "."], layout.root) / 1000
    # It lies in the package of ctags.
    command = ["readtags", "-t", str(file)]
    times = [_milliseconds([*command, names[number % len(names)]], layout.root) for number in range(LOOKUPS)]
    return {
        "subject": f"Universal Ctags {_version(program, 2).rstrip(',')}, one name",
        "index_seconds": round(seconds, 2),
        "files_per_second": round(len(layout.paths) / seconds, 1),
        "disk_mib": round(file.stat().st_size / MIB, 1),
        "disk_kib_per_file": round(file.stat().st_size / len(layout.paths) / KIB, 2),
        **_query(times),
    }


def _map(layout: Layout, uses: Sequence[Use]) -> Row:
    texts = {path: (layout.root / path).read_text(encoding="utf-8", errors="replace") for path in layout.paths}
    method = AiderMap()
    started = time.perf_counter()
    method.open(layout.root, texts, frozenset())
    seconds = time.perf_counter() - started
    times = []
    try:
        for use in uses[:AIDER_QUESTIONS]:
            place = use.place
            seen = place.seen_before, place.seen_after
            question = Question(place.path.split("/")[0], place.path, place.before, place.after, texts, *seen)
            method.change([])
            asked = time.perf_counter()
            method.gather(question, AIDER_TOKENS)
            times.append(1000 * (time.perf_counter() - asked))
    finally:
        method.close()
    return {
        "subject": f"repository map of {context_aider.AIDER.replace('==', ' ')}",
        "index_seconds": round(seconds, 2),
        "files_per_second": round(len(layout.paths) / seconds, 1),
        **_query(times),
    }


def _milliseconds(command: Sequence[str], folder: Path) -> float:
    """Run a program and return how long it took; one of these that finds nothing ends with 1."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    took = 1000 * (time.perf_counter() - started)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{' '.join(command)!r} failed: {done.stderr.decode(errors='replace')[-300:]}")
    return took


def _query(times: Sequence[float]) -> Row:
    numbers = distribution([times])
    return {f"query_{key}": numbers[key] for key in ("samples", "p50", "p95", "p99", "max")}


def _version(program: Path, word: int) -> str:
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[word]
