"""Next edit: what hearing of a key costs, what a search costs, and how often an offered change of a rename is right.

    python -m tests.bench.next_edit [--keys 2000] [--quick] [--json]
    python -m tests.bench.next_edit --versions OLD NEW [--versions OLD NEW …]

Without ``--versions`` the renames are made here: names of Python's own library are renamed by its parser's knowledge (the
functions' parameters and variables, told by ``symtable``), and the offers are compared with the true occurrences.
With it, folders with two versions of a package: a word that was replaced by the same other one at two places or more is a
change that somebody made, and the offers are compared with the newer version.  Years lie between two versions, so many of
those are no renames; an offer at a line that is gone or was rewritten otherwise is neither right nor wrong.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from dragoman.completion.next_edit import NextEdits
from dragoman.completion.next_edit.tokens import compare
from dragoman.completion.query import CompletionQuery
from dragoman.lsp.documents import Change, Document
from tests.bench.report import Row, Run, Table, distribution, parser, plain
from tests.bench.subjects import program

URI = "file:///bench/{name}"
COSTS = ((300, "a key"), (10_000, "a key"), (300, "a search"), (10_000, "a search"))

TABLE = Table(
    intro="""
Next edit: what the server does at each change of a document beside keeping its text, and when somebody asks.
A right offer is one that the true rename has too; found are those of the true rename's places that were offered.
""",
    columns={
        "what": plain("what"),
        "size": plain("size"),
        "p50": lambda row: "–" if row.get("p50") is None else f"{row['p50'] * 1000:.1f} µs",
        "p99": lambda row: "–" if row.get("p99") is None else f"{row['p99'] * 1000:.1f} µs",
        "renames": plain("renames"),
        "offers": plain("offers"),
        "right": lambda row: "–" if row.get("right") is None else f"{row['right']:.1%}",
        "found": lambda row: "–" if row.get("found") is None else f"{row['found']:.1%}",
    },
)


class Typist:
    """A document that is changed, with every change told to `NextEdits`."""

    def __init__(self, text: str, name: str = "file.py") -> None:
        self.next_edits = NextEdits()
        self.document = Document(URI.format(name=name), "python", 1, text)
        self._tell(0, self.document.lines.line_count - 1)

    def _tell(self, first: int, last: int) -> float:
        begun = time.perf_counter()
        self.next_edits.document_changed(
            self.document.uri, self.document.lines, self.document.version, first_line=first, last_line=last
        )
        return time.perf_counter() - begun

    def change(self, line: int, start: int, end: int, text: str) -> float:
        """Replace a range of a line and return the seconds that hearing of it took."""
        change = Change(text, (line, start), (line, end))
        touched = self.document.apply([change], self.document.version + 1, "utf-32")
        return self._tell(touched.first, touched.last)

    def ask(self, line: int, character: int) -> float:
        """Ask for ghost text, as each key does, and return the seconds it took."""
        query = CompletionQuery(
            self.document.uri, "python", self.document.version, self.document.lines, line, character
        )
        begun = time.perf_counter()
        self.next_edits.at_cursor(query)
        return time.perf_counter() - begun

    def offers(self, cursor: tuple[int, int]) -> list[tuple[int, int]]:
        found = self.next_edits.all_edits(self.document.uri, *cursor)
        return [edit.start for edit in found if edit.is_known]


# -- cost ----------------------------------------------------------------------------------------------------------------


def key_cost(lines: int, keys: int) -> tuple[list[float], list[float]]:
    """Type lines here and there; return milliseconds for hearing of each key, and for asking for ghost text after it."""
    typist = Typist(program(lines))
    told, asked = [], []
    typed = "    value = compute(first, second)"
    for number in range(keys):
        line, at = (number // len(typed)) * 7 % (lines - 10) + 5, number % len(typed)
        text = typed[at] if at else "\n" + typed[0]
        line = line if at == 0 else line + 1
        told.append(1000 * typist.change(line, at, at, text))
        asked.append(1000 * typist.ask(line + (at == 0), at + 1))
    return told, asked


def search_cost(lines: int, rounds: int) -> list[float]:
    """Rename a name and ask where it is due; return milliseconds of each first question."""
    head = "def area(width):\n    return width\n\n\n"
    costs = []
    for number in range(rounds):
        typist = Typist(head + program(lines - 4))
        typist.change(0, 9, 14, f"breadth{number}")
        begun = time.perf_counter()
        found = typist.offers((0, 16))
        costs.append(1000 * (time.perf_counter() - begun))
        assert found == [(1, 11)], found
    return costs


# -- renames that a parser knows -----------------------------------------------------------------------------------------


def library_renames(limit: int) -> Iterator[tuple[str, str, list[tuple[int, int]]]]:
    """Yield (text, name, all its places) for parameters and variables of functions in Python's library.

    A name counts when one function binds it and no function inside of it does, so that every `Name` and `arg` in that
    function is the same variable.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.glob("*.py") if path.stat().st_size < 120_000)
    random.Random(7).shuffle(files)
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if not text.isascii() or "\t" in text:
            continue
        functions = [
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        random.Random(path.name).shuffle(functions)
        for function in functions[:4]:
            found = list(variables(function))
            if found:
                name, places = random.Random(function.name).choice(found)
                yield text, name, places
                limit -= 1
                if not limit:
                    return


def variables(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Yield a function's own names with their places, those that nothing inside of it binds anew."""
    places: dict[str, list[tuple[int, int]]] = {}
    bound: Counter[str] = Counter()
    inner: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            places.setdefault(node.id, []).append((node.lineno - 1, node.col_offset))
            if isinstance(node.ctx, ast.Store):
                bound[node.id] += 1
        elif isinstance(node, ast.arg):
            places.setdefault(node.arg, []).append((node.lineno - 1, node.col_offset))
            bound[node.arg] += 1
        elif isinstance(node, ast.Global | ast.Nonlocal):
            inner.update(node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            inner.add(node.name)
        if node is not function and isinstance(
            node, ast.FunctionDef | ast.Lambda | ast.AsyncFunctionDef | ast.ClassDef
        ):
            inner.update(one.arg for one in ast.walk(node) if isinstance(one, ast.arg))
            inner.update(
                one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            )
    body_first = function.body[0].lineno - 1
    for name, found in places.items():
        first = min(found)
        declared = bound[name] and (first[0] < body_first or any(first == place for place in found))
        if declared and name not in inner and len(name) > 2 and name not in {"self", "cls"} and len(found) > 1:
            yield name, sorted(found)


def judge_library(limit: int) -> Row:
    """Rename the first place of each name, and compare the offers with the other places."""
    tally = Tally()
    for text, name, places in library_renames(limit):
        (line, at), *others = places
        new = f"{name}_new"
        typist = Typist(text)
        typist.change(line, at, at + len(name), new)
        shift = len(new) - len(name)
        true = {(row, column + (shift if row == line and column > at else 0)) for row, column in others}
        tally.add(set(typist.offers((line, at + len(new)))), true)
    return tally.row("names of Python's library")


class Tally:
    """Offers and truths, summed."""

    def __init__(self) -> None:
        self.renames = self.offers = self.right = self.true = self.clean = 0

    def add(self, offered: set[tuple[int, int]], true: set[tuple[int, int]]) -> None:
        self.renames += 1
        self.offers += len(offered)
        self.right += len(offered & true)
        self.true += len(true)
        self.clean += offered <= true

    def row(self, what: str) -> Row:
        return {
            "what": what,
            "renames": self.renames,
            "offers": self.offers,
            "right": round(self.right / self.offers, 4) if self.offers else None,
            "found": round(self.right / self.true, 4) if self.true else None,
            "renames_without_a_wrong_offer": self.clean,
        }


# -- renames that somebody made ------------------------------------------------------------------------------------------


def version_renames(old: str, new: str) -> Iterator[tuple[str, str, list[tuple[int, int]], set[int]]]:
    """Yield (old name, new name, places in the old text, unchanged lines) for words that changed alike at two places."""
    olds, news = old.splitlines(), new.splitlines()
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    unchanged: set[int] = set()
    for kind, first, last, second, end in SequenceMatcher(None, olds, news, autojunk=False).get_opcodes():
        if kind == "equal":
            unchanged.update(range(first, last))
        if kind != "replace" or last - first != end - second:
            continue
        for line in range(first, last):
            for hunk in compare(olds[line], news[second + line - first]) or ():
                if hunk.renames is not None:
                    found.setdefault(hunk.renames, []).append((line, hunk.old_at))
    for (before, after), places in found.items():
        if len(places) > 1 and len(before) > 2:
            yield before, after, places, unchanged


def judge_versions(pairs: Iterable[Sequence[str]]) -> Row:
    """Make the first change of each rename in the old text, and compare the offers with the others that were made."""
    tally = Tally()
    for one, other in pairs:
        for path in sorted(Path(one).rglob("*.py")):
            newer = Path(other) / path.relative_to(one)
            if not newer.is_file() or path.stat().st_size > 300_000:
                continue
            old, new = (file.read_text(encoding="utf-8", errors="replace") for file in (path, newer))
            if old == new:
                continue
            for before, after, places, unchanged in version_renames(old, new):
                (line, at), *others = places
                typist = Typist(old)
                typist.change(line, at, at + len(before), after)
                shift = len(after) - len(before)
                true = {(row, column + (shift if row == line and column > at else 0)) for row, column in others}
                offered = typist.offers((line, at + len(after)))
                tally.add({place for place in offered if place in true or place[0] in unchanged}, true)
    return tally.row("renames between versions of packages")


def measure(arguments: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for lines in (300, 10_000):
        told, asked = zip(*(key_cost(lines, arguments.keys) for _ in range(arguments.rounds)), strict=True)
        rows.append({"what": "hearing of a key", "size": f"{lines:,} lines", **distribution(told, 5)})
        rows.append({"what": "asking at that key", "size": f"{lines:,} lines", **distribution(asked, 5)})
        costs = [search_cost(lines, max(3, arguments.keys // 100)) for _ in range(arguments.rounds)]
        rows.append({"what": "the search after a rename", "size": f"{lines:,} lines", **distribution(costs, 5)})
    rows.append(judge_library(arguments.renames))
    if arguments.versions:
        rows.append(judge_versions(arguments.versions))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    made = parser(__doc__ or "", keys=2000, rounds=3, renames=400)
    made.add_argument("--versions", nargs=2, action="append", metavar=("OLD", "NEW"), default=[])
    arguments = made.parse_args(argv)
    if arguments.quick:
        arguments.keys, arguments.rounds, arguments.renames = 60, 1, 5
    run = Run("next_edit", TABLE, arguments)
    run.finish(measure(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
