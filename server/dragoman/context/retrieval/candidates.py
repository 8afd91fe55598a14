"""What the sources find: lines that may be shown, and what speaks for each name in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from dragoman.context.limits import RETRIEVAL_ITEMS
from dragoman.context.retrieval.files import Card, File, Files
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.resolution import Resolver
from dragoman.context.retrieval.scope import Scope
from dragoman.context.workspace.git_changes import GitChanges
from dragoman.context.workspace.outline import identifiers

SIGNALS: Final = (
    "receiver",
    "base_member",
    "typed_member",
    "imported_member",
    "star_member",
    "imported_parameter",
    "own_file",
    "sibling",
    "importer",
    "similar",
    "similar_window",
    "similar_count",
    "focus",
    "edited",
    "similar_line",
    "words",
    "telling_words",
    "private",
    "dunder",
)
"""What may speak for a name, each between 0 and 1; `scoring` weighs them."""

Signals = dict[str, float]


@dataclass(slots=True)
class Item:
    """Lines that may be shown of a file, below ``header`` where they stand in a class.

    ``names`` are what the lines would tell a reader; ``line`` counts from 0, -1 for text of no one place.
    """

    source: str
    path: str
    line: int
    text: str
    names: tuple[str, ...]
    header: str = ""
    whole: bool = False
    """Whether it is code as it stands in the file, not a signature."""
    score: float = 0.0
    """What it is worth beside its names."""


@dataclass(slots=True)
class Question:
    """One place with everything that the sources read it with."""

    place: Place
    scope: Scope
    own: File | None
    files: Files
    resolver: Resolver
    changes: GitChanges | None = None


class Source(Protocol):
    """One place that context is taken from."""

    @property
    def name(self) -> str:
        """The name in ``context.sources`` and in the provenance."""
        ...

    def collect(self, question: Question, pool: Pool) -> None:
        """Put what it finds into the pool."""
        ...


@dataclass(slots=True)
class Pool:
    """Items and signals, put together from all sources; a line is in it once, under the source that found it first."""

    items: dict[tuple[str, int, str], Item] = field(default_factory=dict)
    signals: dict[str, Signals] = field(default_factory=dict)

    def speak(self, name: str, signal: str, strength: float = 1.0) -> None:
        """Note that ``signal`` speaks for ``name``; the strongest one counts."""
        signals = self.signals.get(name)
        if signals is None:
            self.signals[name] = {signal: strength}
        elif signals.get(signal, 0.0) < strength:
            signals[signal] = strength

    def speak_for(self, signal: str, strengths: Iterable[tuple[str, float]]) -> None:
        """Note the same for many names at once."""
        known = self.signals
        for name, strength in strengths:
            signals = known.get(name)
            if signals is None:
                known[name] = {signal: strength}
            elif signals.get(signal, 0.0) < strength:
                signals[signal] = strength

    def add(self, item: Item) -> None:
        """Put an item into the pool, as long as there is room."""
        key = (item.path, item.line, item.text)
        if key not in self.items and len(self.items) < RETRIEVAL_ITEMS:
            self.items[key] = item

    def add_symbol(
        self, source: str, file: File, symbol: Card, signal: str, strength: float = 1.0, *, worth: float = 0.0
    ) -> None:
        """Put a symbol's signature into the pool and let ``signal`` speak for its name.

        ``worth`` is what the signature is worth to who knows the name already: its parameters, what it returns.
        """
        self.speak(symbol.name, signal, strength)
        if (file.path, symbol.line, symbol.signature) in self.items:
            return
        header = file.symbols[symbol.parent].signature if symbol.parent >= 0 else ""
        self.add(
            Item(source, file.path, symbol.line, symbol.signature, names_of(symbol.signature), header, score=worth)
        )

    def add_symbols(self, source: str, file: File, symbols: Sequence[Card], signal: str, strength: float = 1.0) -> None:
        """Put several symbols of one file into the pool."""
        for symbol in symbols:
            self.add_symbol(source, file, symbol, signal, strength)


@lru_cache(maxsize=20_000)
def names_of(text: str) -> tuple[str, ...]:
    """Return the names in a signature, each once."""
    return tuple(dict.fromkeys(identifiers(text)))
