"""Secrets that run over several lines: private keys between their marks, and what a window left of them."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.security.redaction.assignments import is_named_secret
from dragoman.security.redaction.lines import Line, Span, is_rolled_body


def find_blocks(lines: Sequence[str], judged: Sequence[Line]) -> dict[int, Span]:
    """Return the lines that belong to a private key, by index, with what to take out of each.

    A mark at either end is enough; without any, a line counts when it looks rolled and is not part of a public key.
    """
    found: dict[int, Span] = {}
    public: set[int] = set()
    for index, line in enumerate(judged):
        match line.shape:
            case "begin":
                found |= _below(judged, index)
            case "end":
                found |= _above(judged, index)
            case "begin_public":
                public |= _below(judged, index).keys()
            case "end_public":
                public |= _above(judged, index).keys()
    for index, line in enumerate(judged):
        if line.block is None or index in found or index in public:
            continue
        if line.shape == "value" and index:
            if is_named_secret(lines[index - 1], lines[index][line.block.start : line.block.end]):
                found[index] = line.block
            continue
        if line.shape != "body":
            continue
        if is_rolled_body(lines[index], line.block):
            found[index] = Span(line.block.start, line.block.end, "random")
    return found


def _below(judged: Sequence[Line], mark: int) -> dict[int, Span]:
    """Follow a block down from its first mark: headers, whole lines, a short one at the end."""
    index = mark + 1
    while index < len(judged) and judged[index].shape == "header":
        index += 1
    found: dict[int, Span] = {}
    while index < len(judged) and judged[index].shape == "body":
        _take(judged, index, found)
        index += 1
    if index < len(judged) and judged[index].shape == "tail" and (found or index == len(judged) - 1):
        _take(judged, index, found)
    return found


def _above(judged: Sequence[Line], mark: int) -> dict[int, Span]:
    """Follow a block up from its last mark: a short line first, then whole ones."""
    index = mark - 1
    found: dict[int, Span] = {}
    short = index if index >= 0 and judged[index].shape == "tail" else None
    if short is not None:
        index -= 1
    while index >= 0 and judged[index].shape == "body":
        _take(judged, index, found)
        index -= 1
    if short is not None and (found or short == 0):
        _take(judged, short, found)
    if index == 0 and found and judged[0].shape == "tail":
        _take(judged, 0, found)  # A window that was cut through a line left its end.
    return found


def _take(judged: Sequence[Line], index: int, found: dict[int, Span]) -> None:
    block = judged[index].block
    if block is not None:
        found[index] = block
