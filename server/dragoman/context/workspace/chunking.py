"""Cutting a file into pieces that say something by themselves, at the borders of its symbols."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from dragoman.context.workspace.outline import Chunk
from dragoman.limits import CHUNK_MAX_LINES, CHUNK_MIN_LINES

_ABOVE = ("#", "//", "/*", "*", "--", "@", "[", "<!--", '"""')
"""How a line begins that belongs to the definition below it: comments, attributes and decorators."""
_CLOSING = ("}", ")", "]", "end", "</", "else", "elif", "except", "finally", "catch", "case", "default")
"""How a line begins that belongs to what stands above it."""
_BLANK = 1 << 20


def chunks_of(lines: Sequence[str], borders: Iterable[tuple[int, int]]) -> tuple[Chunk, ...]:
    """Return pieces that cover all of ``lines`` in order, none longer than `CHUNK_MAX_LINES`.

    ``borders`` are lines where symbols begin, or where the line before them ends one, with the number of symbols around.
    """
    if not lines:
        return ()
    at: dict[int, int] = {}
    for border, depth in borders:
        line = _with_lead(lines, border)
        if 0 < line < len(lines):
            at[line] = min(depth, at.get(line, depth))
    pieces: list[tuple[int, int]] = []
    # Depth first, with a list of what is left: nesting may be deeper than Python recurses.
    left = [(0, len(lines), 0)]
    deepest = max(at.values(), default=-1)
    starts = sorted(at)
    while left:
        first, end, depth = left.pop()
        if end - first <= CHUNK_MAX_LINES and depth > 0:
            pieces.append((first, end))
        elif depth > deepest:
            pieces += _by_shape(lines, first, end)
        else:
            cuts = [first, *(line for line in _between(starts, first, end) if at[line] <= depth), end]
            left += [(one, other, depth + 1) for one, other in pairwise(cuts)][::-1]
    return tuple(Chunk(first, end - 1) for first, end in _merged(pieces, at))


def _between(starts: list[int], first: int, end: int) -> list[int]:
    return starts[bisect_right(starts, first) : bisect_left(starts, end)]


def _with_lead(lines: Sequence[str], line: int) -> int:
    """Return the line where the comments, attributes and decorators directly above ``line`` begin."""
    if line >= len(lines) or not lines[line].strip():
        # Behind a symbol: the blank lines belong to it.
        while line < len(lines) and not lines[line].strip():
            line += 1
        return _with_lead(lines, line) if line < len(lines) else line
    lowest = max(0, line - CHUNK_MAX_LINES)
    while line > lowest and lines[line - 1].lstrip()[:4].startswith(_ABOVE):
        line -= 1
    return line


def _by_shape(lines: Sequence[str], first: int, end: int) -> list[tuple[int, int]]:
    """Cut where the text itself pauses: behind blank lines and at the least indentation."""
    pieces = []
    while end - first > CHUNK_MAX_LINES:
        lowest = first + CHUNK_MAX_LINES // 2
        highest = min(first + CHUNK_MAX_LINES, end - 1)
        cut = min(range(highest, lowest - 1, -1), key=lambda line: _unfit(lines, line))
        pieces.append((first, cut))
        first = cut
    return [*pieces, (first, end)]


def _unfit(lines: Sequence[str], line: int) -> int:
    """Return how badly a chunk begins at ``line``: deeper is worse, a line that closes is worse, a blank one before is well."""
    text = lines[line][:400]
    stripped = text.strip()
    if not stripped:
        return _BLANK
    width = len(text.expandtabs(4)) - len(text.expandtabs(4).lstrip())
    after_blank = not lines[line - 1].strip()
    return 2 * width + (0 if after_blank else 5) + (40 if stripped.startswith(_CLOSING) else 0)


def _merged(pieces: list[tuple[int, int]], depths: Mapping[int, int]) -> list[tuple[int, int]]:
    """Join neighbours of which one is shorter than `CHUNK_MIN_LINES`, as long as the whole is not too long.

    The head of a class that was split goes with what is in it, not with what stands above.
    """
    joined: list[tuple[int, int]] = []
    for at, (first, end) in enumerate(pieces):
        if joined:
            before, middle = joined[-1]
            after = depths.get(pieces[at + 1][0], -1) if at + 1 < len(pieces) else -1
            is_head = after > depths.get(first, after)
            short = middle - before < CHUNK_MIN_LINES or (end - first < CHUNK_MIN_LINES and not is_head)
            if short and end - before <= CHUNK_MAX_LINES:
                joined[-1] = (before, end)
                continue
        joined.append((first, end))
    return joined
