"""An outline as the index keeps it: one text that is taken apart only as far as somebody looks.

A question opens dozens of outlines and reads a few lines of each; most of a large one stays the text that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from dragoman.context.workspace.outline import Import, Outline, Symbol

_PART, _LINE, _FIELD = "\x1e", "\n", "\x1f"
"""What stands between the parts of a packed outline, the entries of a part, the fields of an entry: none is in a printable text."""

_KINDS: Final = {
    "class": "c",
    "function": "f",
    "method": "m",
    "attribute": "a",
    "variable": "v",
    "type": "t",
    "module": "o",
}
_KIND_OF: Final = {letter: kind for kind, letter in _KINDS.items()}

UNTYPICAL: Final = frozenset({"attribute", "variable", "module"})
"""Kinds of what stands at the top of many files under the same name."""


class Card(NamedTuple):
    """A `Symbol` as retrieval reads it, without its documentation: made by the hundred for each question."""

    name: str
    kind: str
    line: int
    end_line: int
    signature: str
    parent: int
    bases: Sequence[str]
    type: str


def pack(outline: Outline) -> str:
    """Write symbols (without documentation) and imports as one text."""
    symbols = outline.symbols
    return _PART.join(
        (
            _entries(one.name for one in symbols),
            "".join(_KINDS[one.kind] for one in symbols),
            _LINE.join(str(one.line) for one in symbols),
            _LINE.join(str(one.end_line) for one in symbols),
            _entries(one.signature for one in symbols),
            _LINE.join(str(one.parent) for one in symbols),
            _LINE.join(_FIELD.join(map(_plain, one.bases)) for one in symbols),
            _entries(one.type for one in symbols),
            _LINE.join(
                _FIELD.join((_plain(one.module), _plain(one.name), _plain(one.bound), str(one.line), str(one.level)))
                for one in outline.imports
            ),
        )
    )


def find_tops(symbols: Sequence[Symbol]) -> set[int]:
    """Return the positions of what a file is known for: classes, functions and types at its top, the first of each name."""
    first: dict[str, int] = {}
    for at, one in enumerate(symbols):
        if one.parent < 0:
            first.setdefault(one.name, at)
    return {at for at in first.values() if symbols[at].kind not in UNTYPICAL}


class Cards:
    """The symbols of a packed outline, each made when it is first asked for."""

    __slots__ = (
        "_bases",
        "_cards",
        "_children",
        "_ends",
        "_first",
        "_kinds",
        "_lines",
        "_parts",
        "_signatures",
        "_tops",
        "_types",
        "names",
        "parents",
    )

    def __init__(self, packed: str) -> None:
        self._parts = packed.split(_PART)
        self._kinds = self._parts[1]
        self.names: list[str] = self._parts[0].split(_LINE) if self._kinds else []
        """The name of each symbol."""
        self.parents: list[int] = [*map(int, self._parts[5].split(_LINE))] if self._kinds else []
        """The position of what each symbol stands in, -1 at the top."""
        self._cards: list[Card | None] = []
        self._first: dict[str, int] | None = None
        self._tops: list[int] | None = None
        self._children: dict[int, list[int]] | None = None

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Card]:
        return map(self.__getitem__, range(len(self._kinds)))

    def __getitem__(self, at: int) -> Card:
        """Return the symbol at a position; negative ones count from the end."""
        if not self._cards:
            self._cards = [None] * len(self._kinds)
            self._open()
        card = self._cards[at]
        if card is None:
            bases = self._bases[at]
            card = self._cards[at] = Card(
                self.names[at],
                _KIND_OF[self._kinds[at]],
                int(self._lines[at]),
                int(self._ends[at]),
                self._signatures[at],
                self.parents[at],
                bases.split(_FIELD) if bases else (),
                self._types[at],
            )
        return card

    def _open(self) -> None:
        """Split the parts that hold one entry for each symbol."""
        parts = self._parts
        self._lines, self._ends, self._signatures = parts[2].split(_LINE), parts[3].split(_LINE), parts[4].split(_LINE)
        self._bases, self._types = parts[6].split(_LINE), parts[7].split(_LINE)

    def imports(self) -> tuple[Import, ...]:
        """Return the imports, made anew."""
        if not self._parts[8]:
            return ()
        entries = (entry.split(_FIELD) for entry in self._parts[8].split(_LINE))
        return tuple(Import(module, name, bound, int(line), int(level)) for module, name, bound, line, level in entries)

    def find(self, name: str, parent: int = -1) -> int:
        """Return the position of the first symbol ``name`` in ``parent``, -1 when there is none."""
        if self._first is None:
            self._first = dict(zip(reversed(self.names), range(len(self.names) - 1, -1, -1), strict=True))
        at = self._first.get(name, -1)
        while at >= 0 and self.parents[at] != parent:
            try:
                at = self.names.index(name, at + 1)
            except ValueError:
                return -1
        return at

    def tops(self, limit: int) -> list[Card]:
        """Return the first symbols that stand in no other one."""
        if self._tops is None:
            self._tops = [at for at, parent in enumerate(self.parents) if parent < 0]
        return [self[at] for at in self._tops[:limit]]

    def inside(self, parent: int) -> list[Card]:
        """Return the symbols that stand directly in the one at ``parent``."""
        if self._children is None:
            self._children = {}
            for at, around in enumerate(self.parents):
                if around >= 0:
                    self._children.setdefault(around, []).append(at)
        return [self[at] for at in self._children.get(parent, ())]


def _entries(texts: Iterable[str]) -> str:
    return _LINE.join(map(_plain, texts))


def _plain(text: str) -> str:
    """Return a text without what stands between entries; outlines are printable, but nothing may depend on it."""
    return text if text.isprintable() else " ".join(text.split())
