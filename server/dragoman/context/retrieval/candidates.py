"""What the sources find: lines that may be shown, and what speaks for each name in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from dragoman.context.limits import RETRIEVAL_ITEMS
from dragoman.context.retrieval.files import File, Files
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.resolution import Resolver
from dragoman.context.retrieval.scope import Scope
from dragoman.context.workspace.cards import Card
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
    """Items and signals, put together from all sources; a line is in it once, under the source that found it first.

    ``signals`` has for each signal the names that it speaks for, with how strongly it does so.
    """

    items: dict[tuple[str, int, str], Item] = field(default_factory=dict)
    signals: defaultdict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))

    def names(self) -> set[str]:
        """Return all names that anything speaks for."""
        return set().union(*self.signals.values())

    def signals_of(self, name: str) -> Signals:
        """Return what speaks for a name."""
        return {signal: strengths[name] for signal, strengths in self.signals.items() if name in strengths}

    def speak(self, name: str, signal: str, strength: float = 1.0) -> None:
        """Note that ``signal`` speaks for ``name``; the strongest one counts."""
        strengths = self.signals[signal]
        if strengths.get(name, 0.0) < strength:
            strengths[name] = strength

    def speak_for(self, names: Iterable[str], signal: str, strength: float = 1.0) -> None:
        """Note the same for several names."""
        strengths = self.signals[signal]
        for name in names:
            if strengths.get(name, 0.0) < strength:
                strengths[name] = strength

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
        self._put(source, file, symbol, worth)

    def add_symbols(self, source: str, file: File, symbols: Sequence[Card], signal: str, strength: float = 1.0) -> None:
        """Put several symbols of one file into the pool."""
        self.speak_for([symbol.name for symbol in symbols], signal, strength)
        for symbol in symbols:
            self._put(source, file, symbol, 0.0)

    def _put(self, source: str, file: File, symbol: Card, worth: float) -> None:
        items, text = self.items, symbol.signature
        key = (file.path, symbol.line, text)
        if key not in items and len(items) < RETRIEVAL_ITEMS:
            header = file.symbols[symbol.parent].signature if symbol.parent >= 0 else ""
            items[key] = Item(source, file.path, symbol.line, text, names_of(text), header, False, worth)


@lru_cache(maxsize=20_000)
def names_of(text: str) -> tuple[str, ...]:
    """Return the names in a signature, each once."""
    return tuple(dict.fromkeys(identifiers(text)))
