"""What is in a file, language by language: the plain values that every reader of the index shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

SymbolKind = Literal["class", "function", "method", "attribute", "variable", "type", "module"]

_IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
_IDENTIFIER_OR_BREAK = re.compile(r"[^\W\d]\w{2,}|\n")


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something that a file defines.

    Lines count from 0 and are inclusive.
    ``signature`` is its head on one line, without the body: ``def area(self, width: int) -> int``, ``class Cart(Base)``,
    ``total: int = 0``.
    ``doc`` is the first line of its documentation.
    ``parent`` is the position of the symbol that it stands in within the outline's list, -1 at the top.
    ``bases`` are the names that a class extends or implements, as they are written.
    ``type`` is the name of what it is (an attribute, a variable) or returns (a function), as far as the text says so:
    ``self.cart = Cart()`` has the type ``Cart``.
    """

    name: str
    kind: SymbolKind
    line: int
    end_line: int
    signature: str
    doc: str = ""
    parent: int = -1
    bases: tuple[str, ...] = ()
    type: str = ""


class Import(NamedTuple):
    """One name that a file takes from elsewhere.

    ``module`` is as written without leading dots, ``level`` counts those (Python) or is 1 for a relative path (``./x``).
    ``name`` is what is taken from the module, "" for the module itself, "*" for all of it.
    ``bound`` is the name that it has in this file.
    """

    module: str
    name: str
    bound: str
    line: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file at the borders of its symbols, lines from 0 and inclusive."""

    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A file as the index sees it; chunks cover it without overlap, parents come before what is in them."""

    language: str
    symbols: tuple[Symbol, ...] = ()
    imports: tuple[Import, ...] = ()
    chunks: tuple[Chunk, ...] = ()


def identifiers(text: str) -> list[str]:
    """Return the names in ``text``, three characters and longer, in order and with repetitions."""
    return _IDENTIFIER.findall(text)


def names_by_line(lines: Sequence[str]) -> list[list[str]]:
    """Return the names on each line, as `identifiers` does, in one go."""
    found: list[list[str]] = [[]]
    current = found[0]
    for word in _IDENTIFIER_OR_BREAK.findall("\n".join(lines)):
        if word == "\n":
            current = []
            found.append(current)
        else:
            current.append(word)
    return found if lines else []
