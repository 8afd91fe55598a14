"""An outline while it is being read: the text as the parser sees it, and the symbols found so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dragoman.context.workspace.outline import Import, Symbol, SymbolKind
from dragoman.limits import OUTLINE_IMPORTS, OUTLINE_NAME_CHARS, OUTLINE_SYMBOLS
from dragoman.syntax.window import encode

if TYPE_CHECKING:
    from tree_sitter import Node


class Source:
    """A text with one kind of line end, so that the parser and everybody else count the same lines.

    ``lines`` have no terminators; the empty line behind the last terminator is none.
    """

    __slots__ = ("data", "lines")

    def __init__(self, text: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.data = encode(text)
        self.lines = text.removesuffix("\n").split("\n") if text else []

    def text(self, start: int = 0, end: int | None = None) -> str:
        """Return the text between two offsets in bytes."""
        return self.data[start:end].decode("utf-8", "replace")

    def of(self, node: Node) -> str:
        """Return the text of ``node``."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a symbol stands: its lines, and the line at which what belongs to it begins (decorators)."""

    line: int
    end_line: int
    lead: int


def place_of(node: Node, lead: Node | None = None) -> Place:
    """Return the lines of ``node``; what belongs to it begins where ``lead`` does."""
    line = node.start_point[0]
    end, column = node.end_point
    if column == 0 and end > line:
        end -= 1
    return Place(line, end, line if lead is None else lead.start_point[0])


def first_named(node: Node) -> Node | None:
    """Return the first child of ``node`` that is neither punctuation nor a comment."""
    return next((child for child in node.named_children if "comment" not in child.type), None)


def printable(text: str) -> str:
    """Return ``text`` on one line, without characters that only move a cursor."""
    if text.isprintable():
        return text.strip()
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


class Draft:
    """Symbols and imports in the order of the text, bounded; nodes are entered in that order too.

    ``borders`` are lines at which a chunk may begin, each with the number of symbols around it.
    """

    __slots__ = ("_depths", "_last", "_open", "borders", "imports", "source", "symbols")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.symbols: list[Symbol] = []
        self.imports: list[Import] = []
        self.borders: list[tuple[int, int]] = []
        self._depths: list[int] = []
        self._open: list[tuple[int, int]] = []
        self._last = max(0, len(source.lines) - 1)

    def around(self, offset: int) -> int:
        """Return the innermost open symbol at ``offset``, -1 for none; what ended before it is closed."""
        while self._open and self._open[-1][0] <= offset:
            self._open.pop()
        return self._open[-1][1] if self._open else -1

    def open(self, symbol: int, end: int) -> None:
        """Let what stands before the offset ``end`` be inside of ``symbol``; -1 hides what is there from the rest."""
        self._open.append((end, symbol))

    def close(self) -> None:
        """Close all open symbols: what follows is entered from the top of the text again."""
        self._open.clear()

    def mark(self, place: Place, depth: int = 0) -> None:
        """Let chunks begin and end around something that stands in ``depth`` symbols."""
        self.borders += [(min(place.lead, place.line), depth), (place.end_line + 1, depth)]

    def add(
        self,
        name: str,
        kind: SymbolKind,
        place: Place,
        signature: str,
        *,
        parent: int = -1,
        doc: str = "",
        bases: tuple[str, ...] = (),
        type: str = "",  # noqa: A002 - it is the symbol's own word.
        border: bool = True,
    ) -> int:
        """Append a symbol and return its position, -1 when it has no name or there is no room for it."""
        name = printable(name)
        if not name or len(name) > OUTLINE_NAME_CHARS or len(self.symbols) >= OUTLINE_SYMBOLS:
            return -1
        line, end = min(place.line, self._last), min(place.end_line, self._last)
        self.symbols.append(
            Symbol(
                name,
                kind,
                line,
                end,
                printable(signature) or name,
                printable(doc),
                parent,
                tuple(each for base in bases if (each := printable(base))),
                printable(type),
            )
        )
        depth = self._depths[parent] + 1 if parent >= 0 else 0
        self._depths.append(depth)
        if border:
            self.mark(place, depth)
        return len(self.symbols) - 1

    def take(self, module: str, name: str, bound: str, line: int, level: int = 0) -> None:
        """Append an import, while there is room."""
        module, name, bound = printable(module), printable(name), printable(bound)
        if (
            bound
            and len(self.imports) < OUTLINE_IMPORTS
            and max(len(module), len(name), len(bound)) <= OUTLINE_NAME_CHARS
        ):
            self.imports.append(Import(module, name, bound, min(line, self._last), level))

    def redefine(self, symbol: int, place: Place, signature: str, *, doc: str, type: str) -> None:  # noqa: A002
        """Let a symbol that was added already stand elsewhere and say more."""
        line, end = min(place.line, self._last), min(place.end_line, self._last)
        known = self.symbols[symbol]
        self.symbols[symbol] = replace(
            known, line=line, end_line=end, signature=printable(signature), doc=printable(doc), type=type or known.type
        )
        self.mark(place, self._depths[symbol])

    def amend(self, symbol: int, **changes: str) -> None:
        """Change fields of a symbol that was added already."""
        changes = {field: printable(text) for field, text in changes.items()}
        self.symbols[symbol] = replace(self.symbols[symbol], **changes)  # type: ignore[arg-type]

    def extend(self, symbol: int, base: str) -> None:
        """Add a base to a class that was added already."""
        known, base = self.symbols[symbol], printable(base)
        if base and base not in known.bases:
            self.symbols[symbol] = replace(known, bases=(*known.bases, base))
