"""What the outline of a file takes from its syntax tree, one module for a family of languages."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())
