"""The real index process over a workspace: how long it takes to be of use, to be whole, to answer and to notice a change."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from dragoman.context.retrieval.place import Place
from dragoman.context.snippets import Snippet
from dragoman.context.workspace.client import IndexClient
from dragoman.context.workspace.place import index_file
from dragoman.errors import IndexUnavailableError
from tests.bench.growth_places import Use, calling, defines, draw_places, draw_uses
from tests.bench.growth_workspace import Layout
from tests.bench.report import Row, distribution

KIB, MIB = 1024, 1024 * 1024
ASK_EVERY_S = 0.05
LOOK_EVERY_S = 0.25
LOOK_AROUND_S = 0.2
"""From a file's being opened until somebody types in it; people take longer."""
TELL_EVERY_S = 15.0
SETTLE_S = 1.0
USEFUL_WITHIN_S = 60.0
"""Many times the goal; then the first useful answer is not waited for, and counts as this late."""
FRESH_WITHIN_S = 2.0
"""Many times the goal; a new function that is not in an answer by then is ranked too low to be in any, and is counted."""


@dataclass(frozen=True)
class Effort:
    """How often each thing is measured."""

    places: int = 400
    saves: int = 60
    starts: int = 7
    """Starts from nothing until the first useful answer."""


@dataclass
class Memory:
    """Peaks of memory that is nobody else's (USS), in bytes: of the index, of its crawler, of both at once."""

    index: int = 0
    crawler: int = 0
    together: int = 0

    def look(self, pid: int | None) -> None:
        """Take the processes as they are now into account."""
        if pid is None:
            return
        with contextlib.suppress(psutil.Error):
            index = psutil.Process(pid)
            own = _uss(index)
            crawler = sum(_uss(child) for child in index.children())
            self.index = max(self.index, own)
            self.crawler = max(self.crawler, crawler)
            self.together = max(self.together, own + crawler)


def _processor(client: IndexClient) -> float:
    """Return the seconds of processor time that the index's process has used."""
    assert client.pid is not None
    times = psutil.Process(client.pid).cpu_times()
    return float(times.user + times.system)


def _uss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.NoSuchProcess:
        return 0


async def measure(layout: Layout, cache: Path, effort: Effort, empty: Memory) -> Row:
    """Measure everything about a workspace and return it as a row; ``empty`` is what an index of one file needs."""
    uses = draw_uses(layout, 8 * effort.starts)
    if not uses:
        raise ValueError("No file of the workspace uses a name that it imports from another one.")
    with _indexes_in(cache / "whole"):
        memory = Memory()
        async with _opened(layout.root) as client:
            seconds, status = await _complete(client, memory)
            answered = [use for use in uses if use.is_in(await _ask(client, use.place))]
            if not answered:
                raise ValueError("The whole index answers no question about an import with what is imported.")
            busy = _processor(client)
            opened, cold, warm = await _query(client, draw_places(layout, effort.places))
            busy = _processor(client) - busy
            callable_there = [use for use in uses if use.is_in(await _ask(client, calling(use, use.name)))]
            if not callable_there:
                raise ValueError("The whole index answers no call of an imported function with its head.")
            fresh, missed = await _save(client, layout, callable_there, effort.saves)
            await asyncio.sleep(SETTLE_S)
            memory.look(client.pid)
            assert client.pid is not None
            steady = _uss(psutil.Process(client.pid))
        disk = index_size(layout.root)
        again = await _rescan(layout.root)
    useful = []
    for number, use in enumerate(answered[: effort.starts]):
        with _indexes_in(cache / f"start{number}"):
            useful.append(1000 * await _first_useful(layout.root, use))
    files = len(layout.paths)
    grown = steady - empty.index
    return {
        "indexed": status["files"],
        "symbols": status["symbols"],
        "index_seconds": round(seconds, 2),
        "files_per_second": round(files / seconds, 1),
        **_named("useful", useful, 0),
        "uses": len(uses),
        "uses_answered": len(answered),
        **_named("opened", opened),
        **_named("query", cold),
        **_named("warm", warm),
        "query_cpu_ms": round(1000 * busy / (len(opened) + len(cold) + len(warm)), 2),
        **_named("fresh", fresh),
        "fresh_missed": missed,
        "steady_mib": round(steady / MIB, 1),
        "peak_index_mib": round(memory.index / MIB, 1),
        "peak_crawler_mib": round(memory.crawler / MIB, 1),
        "empty_mib": round(empty.index / MIB, 1),
        "steady_kib_per_file": round(grown / files / KIB, 2),
        "peak_kib_per_file": round(max(grown, memory.together - empty.together) / files / KIB, 2),
        "disk_mib": round(disk / MIB, 1),
        "disk_kib_per_file": round(disk / files / KIB, 2),
        "rescan_seconds": round(again, 2),
    }


async def measure_empty() -> Memory:
    """Return what the processes need for a workspace of one file."""
    with TemporaryDirectory(prefix="dragoman-bench-") as name, _indexes_in(Path(name) / "cache"):
        root = Path(name).resolve() / "workspace"
        root.mkdir()
        (root / "one.py").write_text("def one():\n    return 1\n", encoding="utf-8")
        memory = Memory()
        async with _opened(root) as client:
            await _complete(client, memory, every=0.02)
            await _ask(client, Place("one.py", "python", "def one():\n    ", "\n"))
            await asyncio.sleep(SETTLE_S)
            # What only the beginning needs is no file's share.
            settled = Memory()
            settled.look(client.pid)
        return Memory(settled.index, memory.crawler, settled.index + memory.crawler)


def index_size(root: Path) -> int:
    """Return the bytes of a workspace's index on disk."""
    file = index_file(root)
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))


def _named(what: str, samples: Sequence[float], digits: int = 2) -> Row:
    numbers = distribution([samples], digits)
    row = {f"{what}_{key}": numbers[key] for key in ("samples", "p50", "p95", "p99", "max")}
    return row if numbers["p99"] is not None else {key: value for key, value in row.items() if value is not None}


@contextlib.contextmanager
def _indexes_in(folder: Path) -> Iterator[None]:
    """Keep indexes in a folder of this run's own, as the user's setting would."""
    name = "DRAGOMAN_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.asynccontextmanager
async def _opened(root: Path, near: Sequence[str] = ()) -> AsyncIterator[IndexClient]:
    client = IndexClient(root)
    try:
        if near:
            client.notify("near", {"folders": list(near)})
        yield client
    finally:
        await client.aclose()


async def _ask(client: IndexClient, place: Place) -> list[Snippet]:
    answer = await client.call("gather", place.to_wire())
    return [Snippet.from_wire(one) for one in answer["snippets"]]


async def _complete(client: IndexClient, memory: Memory, every: float = LOOK_EVERY_S) -> tuple[float, dict[str, Any]]:
    """Start the index and wait until it is whole; returns seconds and its status."""
    started = time.perf_counter()
    await client.start()
    waiting = asyncio.create_task(client.call("wait"))
    told = started
    while not waiting.done():
        memory.look(client.pid)
        if time.perf_counter() - told > TELL_EVERY_S:
            told = time.perf_counter()
            status = await client.call("status")
            print(f"  {status['done']:,} files read after {told - started:.0f} s", file=sys.stderr)
        await asyncio.wait([waiting], timeout=every)
    return time.perf_counter() - started, waiting.result()


async def _query(client: IndexClient, places: Sequence[Sequence[Place]]) -> tuple[list[float], ...]:
    """Ask at each place of every file, one after another; returns milliseconds by the number of the place.

    Between its being opened and the first key in it a person takes some time, of which the index gets `LOOK_AROUND_S`.
    """
    taken: list[list[float]] = []
    for at in places:
        times = []
        for number, place in enumerate(at):
            if number == 1:
                await asyncio.sleep(LOOK_AROUND_S)
            started = time.perf_counter()
            await client.call("gather", place.to_wire())
            times.append(1000 * (time.perf_counter() - started))
        taken.append(times)
    return tuple(map(list, zip(*taken, strict=True)))


async def _save(client: IndexClient, layout: Layout, uses: Sequence[Use], count: int) -> tuple[list[float], int]:
    """Save files with a new function each.

    Returns milliseconds until a call elsewhere is answered with its head, and how many never were.
    """
    times: list[float] = []
    missed = 0
    while len(times) < count:
        use = uses[(len(times) + missed) % len(uses)]
        name = f"freshly_saved_{len(times) + missed}"
        place = calling(use, name)
        _append(layout.root / use.home, f"\n\ndef {name}(first_argument, other=0):\n    return first_argument\n")
        started = time.perf_counter()
        client.notify("changed", {"paths": [use.home]})
        while (
            not (found := defines(await _ask(client, place), name)) and time.perf_counter() - started < FRESH_WITHIN_S
        ):
            pass
        if found:
            times.append(1000 * (time.perf_counter() - started))
        else:
            missed += 1
            if missed > count:
                raise IndexUnavailableError(f"Of {missed} new functions no answer had the head; the last is {name!r}.")
    return times, missed


def _append(path: Path, text: str) -> None:
    """Save a file as editors do, by another one in its place: it may be a link to what is not ours."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(path.read_bytes() + text.encode("utf-8"))
    new.replace(path)


async def _rescan(root: Path) -> float:
    """Return the seconds from the start of an index that is up to date until it knows that it is."""
    async with _opened(root) as client:
        seconds, _ = await _complete(client, Memory())
    return seconds


async def _first_useful(root: Path, use: Use) -> float:
    """Return the seconds from a start with nothing until an answer holds what the open file imports."""
    async with _opened(root, near=[use.place.path.rpartition("/")[0]]) as client:
        started = time.perf_counter()
        await client.start()
        while True:
            asked = time.perf_counter()
            if use.is_in(await _ask(client, use.place)) or asked - started > USEFUL_WITHIN_S:
                return time.perf_counter() - started
            await asyncio.sleep(max(0.0, asked + ASK_EVERY_S - time.perf_counter()))
