"""Grammars, loaded one at a time and never while anybody waits.

A grammar is a shared library: loading one costs some ten milliseconds and two megabytes, so a server whose user writes
Python never loads another.
Loaded grammars are kept for the life of the process, as modules are.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dragoman.limits import OUTLINE_BROKEN_BYTES, OUTLINE_DEPTH, OUTLINE_PARSE_S, PARSE_BUDGET_S
from dragoman.syntax.languages import PROSE, WHEELS, Wheel

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser, Query, Tree

logger = logging.getLogger(__name__)

_SHORT = 4_096
"""Bytes that are parsed within the budget whatever they are."""
_CHUNK = 512
"""How much the parser reads at a time where it can be stopped.

The binding never frees the last piece that it read this way, so pieces are small, and texts that are mostly known go
another way.
"""
_UNTIMED = 262_144
_PIECE = 4_096
"""The same two for a file of the index: nobody waits for it, and a process that reads a hundred thousand files must not lose
a piece of each."""
_LOOK = 16_384
"""How far apart a tree's depth is looked at, in bytes."""
OPENING = ("(", "[", "{", "${", "#{", "#[", "@(", "$(", "%(", "$((")
"""Tokens that open a bracket, in any grammar; the bracket is the last character."""
_BRACKETS = frozenset({*OPENING, ")", "]", "}"})


class Grammar:
    """A language's parser, to be used by one thread at a time.

    ``checkable`` is False for a language in which every text is right.
    """

    __slots__ = ("_brackets", "_parser", "_queries", "checkable", "language", "name", "recent")

    def __init__(self, name: str, language: Language, parser: Parser, *, checkable: bool) -> None:
        self.name = name
        self.language = language
        self.checkable = checkable
        self._parser = parser
        self.recent: tuple[bytes, Tree] | None = None
        """The text parsed last with its tree: the next one is mostly the same text."""
        self._brackets: Query | None = None
        self._queries: dict[str, Query] = {}

    def parse(self, source: bytes, old: Tree | None = None) -> Tree | None:
        """Return the tree of ``source`` (UTF-8), None when it is read for the first time and takes `PARSE_BUDGET_S`.

        ``old`` is a tree of an earlier text, edited to fit this one; what did not change is taken over from it.
        """
        if old is not None:
            return self._parser.parse(source, old)
        if len(source) < _SHORT:
            return self._parser.parse(source)
        # The processor's time, not the clock's: on a busy machine a text is no worse than elsewhere.
        return _parse_until(self._parser, source, time.thread_time() + PARSE_BUDGET_S, _CHUNK)

    def parse_whole(self, source: bytes) -> Tree | None:
        """Return the tree of a file that nobody waits for, None when it takes `OUTLINE_PARSE_S` or is too deep to be searched.

        Any thread may call it: each call has a parser of its own.
        """
        import tree_sitter

        parser = tree_sitter.Parser(self.language)
        if len(source) < _UNTIMED:
            tree: Tree | None = parser.parse(source)
        else:
            tree = _parse_until(parser, source, time.thread_time() + OUTLINE_PARSE_S, _PIECE)
        return None if tree is None or _is_deep(tree) else tree

    def captures(self, query: str, tree: Tree) -> dict[str, list[Node]]:
        """Return the nodes of ``tree`` by the names that ``query`` gives them; a query is compiled once.

        Any thread may call it.
        """
        import tree_sitter

        return tree_sitter.QueryCursor(self._compiled(query)).captures(tree.root_node)

    def matches(self, query: str, tree: Tree) -> list[tuple[int, dict[str, list[Node]]]]:
        """Return each match of ``query`` in ``tree``: the number of its pattern, and what it names.

        A query is compiled once; any thread may call it.
        """
        import tree_sitter

        return tree_sitter.QueryCursor(self._compiled(query)).matches(tree.root_node)

    def _compiled(self, source: str) -> Query:
        import tree_sitter

        compiled = self._queries.get(source)
        if compiled is None:
            compiled = self._queries[source] = tree_sitter.Query(self.language, source)
        return compiled

    def tokens(self, tree: Tree, *, start: int = 0, end: int | None = None) -> list[Node]:
        """Return the bracket tokens of ``tree`` between two offsets, in order; the parser's own inventions are none."""
        import tree_sitter

        if self._brackets is None:
            kinds = {
                kind
                for number in range(self.language.node_kind_count)
                if not self.language.node_kind_is_named(number)
                and (kind := self.language.node_kind_for_id(number)) in _BRACKETS
            }
            source = "[" + " ".join(f'"{kind}"' for kind in sorted(kinds)) + "] @bracket" if kinds else ""
            self._brackets = tree_sitter.Query(self.language, source)
        cursor = tree_sitter.QueryCursor(self._brackets)
        cursor.set_byte_range(start, tree.root_node.end_byte if end is None else end)
        found = cursor.captures(tree.root_node).get("bracket", [])
        return sorted(
            (node for node in found if node.start_byte >= start and not node.is_missing),
            key=lambda node: node.start_byte,
        )


def _is_deep(tree: Tree) -> bool:
    """Tell whether ``tree`` is nested deeper, or an error in it longer, than `OUTLINE_DEPTH`: a look every few kilobytes.

    A query's time grows with the square of both, and its own way to be stopped crashes the process.
    """
    cursor = tree.walk()
    is_broken = tree.root_node.has_error
    if is_broken and tree.root_node.end_byte > OUTLINE_BROKEN_BYTES:
        return True
    if tree.root_node.is_error and tree.root_node.child_count > OUTLINE_DEPTH:
        return True
    for offset in range(_LOOK // 2, tree.root_node.end_byte, _LOOK):
        cursor.reset(tree.root_node)
        depth = 0
        while cursor.goto_first_child_for_byte(offset) is not None:
            depth += 1
            if depth > OUTLINE_DEPTH:
                return True
            if is_broken and (node := cursor.node) is not None and node.is_error and node.child_count > OUTLINE_DEPTH:
                return True
    return False


def _parse_until(parser: Parser, source: bytes, until: float, piece: int) -> Tree | None:
    """Parse ``source``, read in pieces, and give up at ``until`` of this thread's processor time."""

    def read(offset: int, point: object) -> bytes:  # noqa: ARG001 - the parser passes both.
        return source[offset : offset + piece]

    def late(offset: int, has_error: bool) -> bool:  # noqa: ARG001 - the parser passes both.
        return time.thread_time() > until

    try:
        return parser.parse(read, progress_callback=late)
    except ValueError:
        # Without a reset the next parse would go on with this text.
        parser.reset()
        return None


_lock = threading.Lock()
_known: dict[Wheel, Grammar | None] = {}
"""Grammars that were asked for; None while one is being loaded, and for ever when its wheel is missing or broken."""


def grammar(language: str) -> Grammar | None:
    """Return the grammar of the editor's ``language`` if it is loaded; the first call begins to load it in a thread."""
    wheel = WHEELS.get(language)
    if wheel is None:
        return None
    with _lock:
        if wheel in _known:
            return _known[wheel]
        _known[wheel] = None
    threading.Thread(target=_load, args=(wheel,), name=f"load-{wheel.module}", daemon=True).start()
    return None


def load(language: str) -> Grammar | None:
    """Return the grammar of ``language``, loading it here and now; None when there is none.

    For threads and commands: the event loop calls `grammar`.
    """
    wheel = WHEELS.get(language)
    if wheel is None:
        return None
    return _known.get(wheel) or _load(wheel)


def _load(wheel: Wheel) -> Grammar | None:
    try:
        # Here and not above: the language server's start must not pay for it.
        import tree_sitter

        pointer: Callable[[], Any] = getattr(importlib.import_module(wheel.module), wheel.function)
        language = tree_sitter.Language(pointer())
        found = Grammar(
            wheel.module.removeprefix("tree_sitter_"),
            language,
            tree_sitter.Parser(language),
            checkable=wheel.module not in PROSE,
        )
    except Exception as error:  # noqa: BLE001 - a missing, broken or incompatible wheel costs the syntax, nothing else.
        logger.info("no grammar from %s: %s", wheel.module, error)
        found = None
    with _lock:
        # Two may have loaded it; everybody uses the first.
        _known[wheel] = found = _known.get(wheel) or found
    return found
