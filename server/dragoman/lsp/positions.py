"""Positions between the client's units and code points, one line at a time.

A client counts UTF-8 bytes, UTF-16 units or code points; inside Dragoman a character is a code point.
Positions past a line's end mean the line's end before its terminator, and a position inside a character means its start.
"""

from __future__ import annotations

from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_BLOCK = 4096
"""Code points encoded at a time, so that a position in a line of megabytes needs no copy of the whole line."""


def content_length(line: str) -> int:
    """Return the length of ``line`` without its terminator, in code points."""
    if line.endswith("\r\n"):
        return len(line) - 2
    return len(line) - 1 if line.endswith(("\n", "\r")) else len(line)


def to_code_points(line: str, units: int, encoding: Encoding) -> int:
    """Convert ``units`` from the line's start into an index into ``line``, clamped to its content."""
    length = content_length(line)
    if encoding == "utf-32" or line.isascii():
        return min(units, length)
    if units >= 4 * length:
        return length
    index, step = 0, min(_BLOCK, units)
    while units > 0 and step > 0 and index < length:
        block = line[index : min(index + step, length)]
        width = _width(block, encoding)
        if width <= units:
            index += len(block)
            units -= width
            step = min(step, units)
        else:
            step = len(block) // 2
    return index


def to_units(line: str, index: int, encoding: Encoding) -> int:
    """Convert an index into ``line`` into the client's units, clamped to the line's content."""
    index = max(0, min(index, content_length(line)))
    if encoding == "utf-32" or line.isascii():
        return index
    return _width(line[:index], encoding)


def _width(text: str, encoding: Encoding) -> int:
    # A lone surrogate (half a character, from a client that cut one in two) counts as the unit it is.
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
