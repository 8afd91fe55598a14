"""What following a suggestion costs a key: the tracker's own time for a change and a reply, by document size and by what happens.

    python -m tests.bench.acceptance [--rounds 5] [--samples 400] [--json]

64 earlier acceptances are watched meanwhile, the most there can be.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from dragoman.completion.acceptance import AcceptanceTracker
from dragoman.completion.query import CompletionQuery, Suggestion
from dragoman.completion.survival import Region
from dragoman.limits import WATCHED_ACCEPTANCES
from dragoman.lsp.documents import Change, Document
from tests.bench.report import Row, Run, Table, distribution, parser, plain, ranged

URI = "file:///w/bench.py"
SUGGESTION = "for key, value in items.items():\n" + "\n".join(
    f"        result[key + {number}] = transform(value, {number})" for number in range(11)
)
SIZES = (300, 10_000, 100_000)

TABLE = Table(
    intro="""
The time that acceptance tracking adds to a key: hearing of a change and of a reply, with 64 acceptances watched.
The goal is less than 0.1 ms, whatever the document's size; the survival check runs 30 s later, once for an acceptance.
""",
    columns={
        "what": plain("what"),
        "lines": plain("lines"),
        "ms, median (range)": ranged("p50"),
        "p95": plain("p95"),
        "p99": plain("p99"),
    },
)


class Typist:
    """A document with a line to type on, and a tracker that is busy with earlier acceptances."""

    def __init__(self, lines: int) -> None:
        self.document = Document(URI, "python", 1, "value = compute(1, 2, 3)\n" * lines)
        self.now = 0.0
        self.tracker = AcceptanceTracker(lambda _event: None, lambda: self.now)
        self.line = lines // 2
        self.character = 0
        self._generation = 0
        self.edit(Change("", (0, 0), (0, 0)))
        for number in range(WATCHED_ACCEPTANCES):
            self.line, self.character = lines // 4 + number, 0
            self.show("word(1) ")
            self.insert("word(1) ")
        self.line = lines // 2

    def edit(self, change: Change) -> float:
        touched = self.document.apply([change], self.document.version + 1, "utf-32")
        started = time.perf_counter()
        self.tracker.document_changed(URI, self.document.lines, first_line=touched.first, last_line=touched.last)
        return (time.perf_counter() - started) * 1000

    def show(self, text: str, *, fresh: bool = True) -> float:
        self._generation += fresh
        query = CompletionQuery(URI, "python", 1, self.document.lines, self.line, self.character)
        suggestion = Suggestion(f"{self._generation}:{self.character}", text, self.character, self.character)
        started = time.perf_counter()
        self.tracker.shown(suggestion, query, model="m", generation=self._generation, source="stream")
        return (time.perf_counter() - started) * 1000

    def insert(self, text: str) -> float:
        took = self.edit(Change(text, (self.line, self.character), (self.line, self.character)))
        self.character += len(text)
        return took

    def clear(self) -> None:
        below = self.line + SUGGESTION.count("\n")
        self.edit(Change("", (self.line, 0), (self.line, self.character)))
        assert below < self.document.lines.line_count
        self.character = 0


def typed_through(typist: Typist, samples: int) -> list[float]:
    """A key and its reply."""
    times: list[float] = []
    while len(times) < samples:
        typist.show(SUGGESTION)
        for at, key in enumerate(SUGGESTION[:30], 1):
            times.append(typist.insert(key) + typist.show(SUGGESTION[at:], fresh=False))
        typist.clear()
    return times[:samples]


def other_key(typist: Typist, samples: int) -> list[float]:
    """A key that nothing was shown for."""
    typist.insert("Q")
    return [typist.insert("q") for _ in range(samples)]


def wrong_key(typist: Typist, samples: int) -> list[float]:
    """A key that rejects what is shown."""
    times = []
    for _ in range(samples):
        typist.show(SUGGESTION)
        times.append(typist.insert("Q"))
        typist.clear()
        typist.now += 3
    return times


def taken(typist: Typist, samples: int) -> list[float]:
    """Twelve lines accepted at once."""
    times = []
    for _ in range(samples):
        typist.show(SUGGESTION)
        times.append(typist.insert(SUGGESTION))
        typist.edit(Change("", (typist.line, 0), (typist.line + SUGGESTION.count("\n") + 1, 0)))
        typist.edit(Change("\n", (typist.line, 0), (typist.line, 0)))
        typist.character = 0
    return times


def survival(text: str, *, loose: bool) -> Callable[[Typist, int], list[float]]:
    """Judge twelve lines of which ``text`` is left."""

    def judge(typist: Typist, samples: int) -> list[float]:
        start = (typist.line, 0)
        typist.edit(Change(text + "\n", start, start))
        times = []
        for _ in range(samples):
            region = Region(SUGGESTION, line=typist.line, last=typist.line + 11, head="", loose=loose)
            started = time.perf_counter()
            region.judge(typist.document.lines)
            times.append((time.perf_counter() - started) * 1000)
        typist.edit(Change("", start, (typist.line + text.count("\n") + 1, 0)))
        return times

    return judge


CASES: dict[str, Callable[[Typist, int], list[float]]] = {
    "key, nothing shown": other_key,
    "key typed through, and its reply": typed_through,
    "key that rejects": wrong_key,
    "twelve lines accepted": taken,
    "after 30 s: all there": survival(SUGGESTION, loose=False),
    "after 30 s: edited": survival(SUGGESTION.replace("transform", "convert"), loose=False),
    "after 30 s: edited and moved": survival(SUGGESTION.replace("transform", "convert"), loose=True),
}


def measure(rounds: int, samples: int) -> list[Row]:
    rows: list[Row] = []
    for lines in SIZES:
        times: dict[str, list[list[float]]] = {name: [] for name in CASES}
        for number in range(rounds):
            typist = Typist(lines)
            for name, case in list(CASES.items())[:: -1 if number % 2 else 1]:
                times[name].append(case(typist, samples if not name.startswith("after") else max(1, samples // 4)))
        rows += [{"what": name, "lines": lines, **distribution(found, 4)} for name, found in times.items()]
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    arguments: argparse.Namespace = parser(str(__doc__), rounds=5, samples=400).parse_args(argv)
    if arguments.quick:
        arguments.rounds, arguments.samples = 1, 3
    rows = Run("acceptance", TABLE, arguments).finish(measure(arguments.rounds, arguments.samples))
    assert statistics.median(row["p50"] for row in rows) > 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
