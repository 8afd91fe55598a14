"""How wrong a text is: counts what its tree could not make sense of, and which brackets it leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dragoman.syntax.grammars import OPENING, Grammar

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
"""Closing brackets by what they close."""
_OPENER_OF = {closer: opener for opener, closer in CLOSER_OF.items()}
_OPENERS = {kind: kind[-1] for kind in OPENING}


class OpenBracket(NamedTuple):
    """A bracket that nothing closes, and the byte it begins at."""

    bracket: str
    offset: int


def count_faults(tree: Tree) -> int:
    """Return how many places of the tree are errors or lack something; 0 for a text that parses."""
    root = tree.root_node
    return _count(root) if root.has_error else 0


def _count(node: Node) -> int:
    if node.is_missing:
        return 1
    faults = int(node.is_error)
    for child in node.children:
        if child.has_error or child.is_missing:
            faults += _count(child)
    return faults


def has_fault_in(tree: Tree, start: int, end: int) -> bool:
    """Tell whether an error or something that is missing lies wholly within two offsets."""
    root = tree.root_node
    return root.has_error and _has_fault_in(root, start, end)


def _has_fault_in(node: Node, start: int, end: int) -> bool:
    if (node.is_error or node.is_missing) and start <= node.start_byte and node.end_byte <= end:
        return True
    return any(
        _has_fault_in(child, start, end)
        for child in node.children
        if (child.has_error or child.is_missing) and child.end_byte >= start and child.start_byte <= end
    )


def open_brackets(grammar: Grammar, tree: Tree, *, start: int = 0, end: int | None = None) -> list[OpenBracket]:
    """Return the brackets between two offsets that are opened and not closed there, outermost first.

    A bracket inside of a string or a comment is no token, so it does not count.
    """
    found: list[OpenBracket] = []
    for node in grammar.tokens(tree, start=start, end=end):
        _apply(found, node)
    return found


def _apply(found: list[OpenBracket], node: Node) -> None:
    kind = node.type
    if kind in _OPENERS:
        found.append(OpenBracket(_OPENERS[kind], node.start_byte))
    elif kind in _OPENER_OF:
        opener = _OPENER_OF[kind]
        for index in range(len(found) - 1, -1, -1):
            if found[index].bracket == opener:
                # What was opened inside of it ends with it.
                del found[index:]
                return
