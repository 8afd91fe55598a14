"""Lines of real packages that need names from other files, hidden one at a time.

A line is drawn when it is code (no import, head of a function or class, comment or text), has 25 to 120 characters, holds
a name that occurs nowhere else in its file and is defined in another file of the package, and stands in no other file.
Files that are nearly the same as the target are not in the pool: what only they define is not defined elsewhere.
Every draw comes from the names alone, so two runs ask the same questions.
"""

from __future__ import annotations

import ast
import hashlib
import io
import keyword
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dragoman.context.workspace.outline import identifiers
from tests.bench.context_definitions import Facts, Function, read
from tests.bench.context_packages import Package

PER_PACKAGE = 25
SHORTEST, LONGEST = 25, 120
"""Characters of a line without its indentation."""
NEARLY_THE_SAME = 0.9
"""Line Jaccard above which a file is a copy of another."""
FEWEST_LETTERS = 3
"""Shorter names are counters and found in any text by chance."""


@dataclass(frozen=True)
class Name:
    """A name on a hidden line: column from 0, in characters."""

    text: str
    column: int


@dataclass(frozen=True)
class Sample:
    """A hidden line. ``prefix`` ends with its indentation, ``suffix`` begins with the line break behind it."""

    package: str
    path: str
    line: int
    hidden: str
    """The line without its indentation."""
    prefix: str
    suffix: str
    names: tuple[Name, ...]
    """Those on the line that occur nowhere else in the file."""
    copies: frozenset[str]
    """Files that are nearly the same as this one."""

    @property
    def name(self) -> str:
        """The sample's name in results and caches."""
        return f"{self.package}:{self.path}:{self.line + 1}"

    @property
    def masked(self) -> str:
        """The file without the hidden line."""
        return self.prefix + self.suffix


def draw(package: Package, number: int = PER_PACKAGE) -> list[Sample]:
    """Draw up to ``number`` lines of a package, ordered by file and line."""
    facts = {path: read(text) for path, text in package.files.items()}
    homes = _homes(package.files)
    twins = copies(package.files)
    everywhere: Counter[str] = Counter(name for one in facts.values() for name in one.defined | one.variables)
    places = [
        (chance(f"{package.name}:{path}:{line}"), path, line)
        for path, text in package.files.items()
        for line, content in enumerate(text.split("\n"))
        if SHORTEST <= len(content.strip()) <= LONGEST and homes[content.strip()] <= {path} | twins[path]
    ]
    # Files are looked into only when one of their lines has its turn.
    found: dict[str, dict[int, tuple[Name, ...]]] = {}
    others: dict[str, set[str]] = {}
    chosen: list[Sample] = []
    for _, path, line in sorted(places):
        if path not in found:
            found[path] = dict(_lines(package.files[path], everywhere))
            others[path] = _defined(facts, {path} | twins[path])
        names = found[path].get(line, ())
        if any(name.text in others[path] for name in names):
            chosen.append(_sample(package, path, line, names, frozenset(twins[path])))
        if len(chosen) == number:
            break
    return sorted(chosen, key=lambda sample: (sample.path, sample.line))


def _sample(package: Package, path: str, line: int, names: tuple[Name, ...], twins: frozenset[str]) -> Sample:
    lines = package.files[path].split("\n")
    hidden = lines[line].strip()
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    prefix = "".join(f"{one}\n" for one in lines[:line]) + indent
    suffix = "".join(f"\n{one}" for one in lines[line + 1 :])
    return Sample(package.name, path, line, hidden, prefix, suffix, names, twins)


def _defined(facts: Mapping[str, Facts], without: set[str]) -> set[str]:
    return {name for path, one in facts.items() if path not in without for name in one.defined | one.variables}


def _homes(files: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the files that each line stands in."""
    homes: dict[str, set[str]] = defaultdict(set)
    for path, text in files.items():
        for line in text.split("\n"):
            homes[line.strip()].add(path)
    return homes


def copies(files: Mapping[str, str]) -> dict[str, set[str]]:
    """Return, for each file, the others that are nearly the same: by their distinct lines with text."""
    lines = {path: {line.strip() for line in text.split("\n")} - {""} for path, text in files.items()}
    found: dict[str, set[str]] = {path: set() for path in files}
    by_size = sorted((len(one), path) for path, one in lines.items())
    for at, (size, path) in enumerate(by_size):
        for other_size, other in by_size[at + 1 :]:
            # The Jaccard index is at most the ratio of the sizes.
            if size <= NEARLY_THE_SAME * other_size:
                break
            common = len(lines[path] & lines[other])
            if common > NEARLY_THE_SAME * (size + other_size - common):
                found[path].add(other)
                found[other].add(path)
    return found


def _lines(text: str, defined: Mapping[str, int]) -> Iterator[tuple[int, tuple[Name, ...]]]:
    """Yield the code lines that hold a name which is defined somewhere and occurs nowhere else in the text."""
    try:
        left_out = _headers(ast.parse(text))
        words = _words(text)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return
    lines = text.split("\n")
    counts = Counter(identifiers(text))
    for index, tokens in words.items():
        line = lines[index].strip()
        if index in left_out or not SHORTEST <= len(line) <= LONGEST or line[0] in "#\"'":
            continue
        here = Counter(identifiers(lines[index]))
        names: dict[str, Name] = {}
        for name in tokens:
            if len(name.text) >= FEWEST_LETTERS and counts[name.text] == here[name.text]:
                names.setdefault(name.text, name)
        if any(name in defined for name in names):
            yield index, tuple(names.values())


def _headers(tree: ast.Module) -> set[int]:
    """Return the lines of imports and of the heads of functions and classes."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(range(node.lineno - 1, node.end_lineno or node.lineno))
        elif isinstance(node, Function | ast.ClassDef):
            # A body on the head's own line hides nothing but itself.
            found.update(range(node.lineno - 1, max(node.lineno, node.body[0].lineno - 1)))
    return found


def _words(text: str) -> dict[int, list[Name]]:
    """Return the names of each line of code, without lines that are part of a text or begin with one."""
    words: dict[int, list[Name]] = {}
    inside: set[int] = set()
    first: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row = token.start[0] - 1
        if token.start[0] != token.end[0] and token.type == tokenize.STRING:
            inside.update(range(row, token.end[0]))
        if token.type in {tokenize.STRING, tokenize.COMMENT} and row not in first:
            inside.add(row)
        if token.string.strip():
            first.add(row)
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            words.setdefault(row, []).append(Name(token.string, token.start[1]))
    return {row: names for row, names in words.items() if row not in inside}


def chance(text: str) -> int:
    """Return a number that depends on nothing but the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
