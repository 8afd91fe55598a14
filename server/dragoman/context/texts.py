"""Texts as context reads them, line by line and without copying the whole."""

from __future__ import annotations

from typing import Protocol

from dragoman.context.limits import CONTEXT_CHARS_AFTER, CONTEXT_CHARS_BEFORE


class TextView(Protocol):
    """A frozen text, readable line by line in O(1)."""

    @property
    def line_count(self) -> int:
        """Number of lines."""
        ...

    def line(self, index: int) -> str:
        """Return a line with its terminator."""
        ...


def around(text: TextView, line: int, character: int) -> tuple[str, str, int]:
    """Return the text before and after a cursor as far as retrieval reads it, and the line that the former begins in.

    Line breaks are line feeds in both.
    """
    current = text.line(line).rstrip("\r\n")
    head = current[:character][-CONTEXT_CHARS_BEFORE:]
    parts = [head]
    left = CONTEXT_CHARS_BEFORE - len(head)
    first = line
    while first > 0:
        above = text.line(first - 1).rstrip("\r\n")
        left -= len(above) + 1
        if left < 0:
            break
        first -= 1
        parts.append(above)
    rest = current[character:][:CONTEXT_CHARS_AFTER]
    below = [rest]
    left = CONTEXT_CHARS_AFTER - len(rest)
    for number in range(line + 1, text.line_count):
        content = text.line(number).rstrip("\r\n")
        left -= len(content) + 1
        if left < 0:
            break
        below.append(content)
    return "\n".join(reversed(parts)), "\n".join(below), first
