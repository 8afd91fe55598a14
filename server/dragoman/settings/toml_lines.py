"""Find the line of a key in TOML text; the standard parser keeps no positions."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


def find_line(text: str, path: tuple[str | int, ...]) -> int | None:
    """Return the line, from 1, of the longest part of ``path`` that is written on a line of its own.

    A key inside an inline table or a list gets the line of the key that holds it, a table that is only written as part
    of longer keys the first of those.
    """
    best: tuple[int, int] | None = None
    every = _written_paths(text)
    for line, written in every:
        if written == path[: len(written)] and (best is None or len(written) > best[0]):
            best = (len(written), line)
    if best:
        return best[1]
    return next((line for line, written in every if written[: len(path)] == path), None)


def _written_paths(text: str) -> list[tuple[int, tuple[str | int, ...]]]:
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    found: list[tuple[int, tuple[str | int, ...]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _place(header.group(2), counts, is_array=header.group(1) == "[[")
            found.append((number, table))
        elif key := _KEY.match(line):
            found.append((number, (*table, *_parts(key.group(1)))))
    return found


def _parts(written: str) -> tuple[str, ...]:
    return tuple(next(part for part in match if part) for match in _PART.findall(written) if any(match))


def _place(written: str, counts: dict[tuple[str | int, ...], int], *, is_array: bool) -> tuple[str | int, ...]:
    """Turn a header into a path with the indices of the arrays of tables it passes through."""
    parts = _parts(written)
    path: tuple[str | int, ...] = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        if is_array and position == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
