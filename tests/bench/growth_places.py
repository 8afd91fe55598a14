"""Cursors in a workspace: ordinary lines of its files, and lines that use what their file imports from another one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from dragoman.context.retrieval.place import Place
from dragoman.context.snippets import Snippet
from dragoman.context.texts import around
from tests.bench.context_definitions import Taken, read
from tests.bench.context_samples import chance
from tests.bench.growth_workspace import Layout

SHORTEST_LINE = 12
"""Characters of a line, its indentation included, that somebody would want completed."""
MOST_BEFORE = 6_000
"""Characters before a use of an import: the model reads so many anyway, so the import is among them."""
SHORTEST_NAME = 4
OPEN_FILES = 3
"""Other files that the user has looked at."""
_NO_CODE = ("import ", "from ", "#", '"', "'", "@", "def ", "class ", ")", "]", "}")


class Lines:
    """A text as retrieval reads it."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self.line_count = len(lines)

    def line(self, index: int) -> str:
        """Return a line with its terminator."""
        return f"{self._lines[index]}\n"


@dataclass(frozen=True)
class Use:
    """A cursor in a file that takes ``name`` (as ``taken`` says) from ``home``, where it is defined, and uses it on that line.

    ``others`` are the functions and classes that the file takes from its package besides.
    """

    place: Place
    name: str
    home: str
    taken: Taken
    others: tuple[str, ...] = ()

    def is_in(self, snippets: Iterable[Snippet]) -> bool:
        """Tell whether the signature of anything that the file imports is among the pieces."""
        return defines(snippets, self.name, *self.others)


def defines(snippets: Iterable[Snippet], *names: str) -> bool:
    """Tell whether the head of a function or class of one of the ``names`` is among the pieces."""
    head = re.compile(rf"\b(?:def|class) (?:{'|'.join(map(re.escape, names))})\b")
    return any(head.search(one.text) for one in snippets)


def calling(use: Use, name: str) -> Place:
    """Return a cursor in the brackets of a call of ``name`` in a new file, which imports it from where ``use`` does."""
    taken = use.taken
    head = f"from {'.' * taken.level}{taken.module} import {name}\n"
    path = f"{use.place.path.rpartition('/')[0]}/freshly_made.py"
    return replace(use.place, path=path, before=f"{head}\n\ndef work(value):\n    return {name}(", after=")\n")


def draw_places(layout: Layout, count: int) -> list[tuple[Place, Place, Place]]:
    """Draw cursors in so many files, or in as many as there are: at its beginning, in it, and on the next line of code."""
    found = []
    for path, lines in _texts(layout):
        at = [number for number, line in enumerate(lines) if _is_code(line)]
        if len(at) < 2:
            continue
        first = chance(f"{path}:place") % (len(at) - 1)
        there = (0, at[first], at[first + 1])
        opened, cursor, after = (_place(layout, path, lines, number) for number in there)
        found.append((opened, cursor, after))
        if len(found) == count:
            break
    return found


def draw_uses(layout: Layout, count: int) -> list[Use]:
    """Draw so many uses of imports from the same package, each in another file; fewer where there are no more."""
    known = frozenset(layout.paths)
    found = []
    for path, lines in _texts(layout):
        if (use := _use(layout, known, path, lines)) is not None:
            found.append(use)
            if len(found) == count:
                break
    return found


def _use(layout: Layout, known: frozenset[str], path: str, lines: list[str]) -> Use | None:
    taken = {one.name: (one, home) for one, home in _taken(layout, known, path, lines)}
    before = 0
    for number, line in enumerate(lines):
        before += len(line) + 1
        if before > MOST_BEFORE:
            break
        if _is_code(line):
            for name, (one, home) in taken.items():
                if f"{name}(" in line:
                    return Use(_place(layout, path, lines, number), name, home, one, tuple(sorted({*taken} - {name})))
    return None


def _taken(layout: Layout, known: frozenset[str], path: str, lines: list[str]) -> Iterator[tuple[Taken, str]]:
    """Yield the imports of functions and classes that another file of the package defines, with that file."""
    for one in read("\n".join(lines)).imports:
        home = _home(known, path, one)
        if home is None or len(one.bound) < SHORTEST_NAME or one.bound != one.name:
            continue
        try:
            top = read((layout.root / home).read_text(encoding="utf-8")).tops.get(one.name)
        except UnicodeDecodeError:
            continue
        if top is not None and top.kind != "variable":
            yield one, home


def _home(known: frozenset[str], path: str, taken: Taken) -> str | None:
    """Return the other file of the same package that an import takes from; None when it is not one."""
    if not taken.name or taken.name == "*":
        return None
    parts = list(PurePosixPath(path).parent.parts)
    if taken.level > len(parts):
        return None
    base = parts[: len(parts) - taken.level + 1] if taken.level else []
    module = "/".join([*base, *(taken.module.split(".") if taken.module else [])])
    for home in (f"{module}.py", f"{module}/__init__.py"):
        if home in known and home != path and home.split("/")[0] == path.split("/", maxsplit=1)[0]:
            return home
    return None


def _texts(layout: Layout) -> Iterator[tuple[str, list[str]]]:
    for path in sorted(layout.paths, key=chance):
        try:
            yield path, (layout.root / path).read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            continue


def _is_code(line: str) -> bool:
    return len(line) >= SHORTEST_LINE and line[0] == " " and not line.lstrip().startswith(_NO_CODE)


def _place(layout: Layout, path: str, lines: list[str], line: int) -> Place:
    """Return the cursor where the line begins that is yet to be written."""
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    before, after, first = around(Lines([*lines[:line], indent, *lines[line + 1 :]]), line, len(indent))
    return Place(path, "python", before, after, first_line=first, focus=_beside(layout.root, path))


def _beside(root: Path, path: str) -> tuple[str, ...]:
    folder = (root / path).parent
    others = sorted(one.relative_to(root).as_posix() for one in folder.glob("*.py") if one != root / path)
    return tuple(others[:OPEN_FILES])
