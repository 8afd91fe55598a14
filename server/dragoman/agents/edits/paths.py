"""Paths as models write them around their edits, and whether two of them mean one file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from dragoman.agents.edit_limits import PATH_CHARS

_WRAPPED: Final = re.compile(
    r"\s*(?:[#>*\-]+\s+|//\s*|<!--\s*)?(?:\*\*)?(?:(?:file|path|filename)\s*:\s*)?"
    r"(?P<quote>`|\*\*|'|\")?(?P<path>[^`'\"*:<>|]+?)(?P=quote)?(?:\*\*)?\s*:?\s*(?:-->)?\s*",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(r"(?:[^\s/\\]+[/\\])+[^\s/\\]+|[^\s/\\]*\.[A-Za-z][A-Za-z0-9_]{0,9}")
_TITLE: Final = re.compile(r"(?:title|file|filename|path)\s*=\s*[\"']?([^\"']+?)[\"']?\s*$", re.IGNORECASE)


def path_of_line(line: str) -> str:
    """Return the path that a line consists of, whatever marks stand around it; "" when it is something else."""
    if len(line) > PATH_CHARS or not line.strip():
        return ""
    match = _WRAPPED.fullmatch(line)
    if match is None:
        return ""
    path = match["path"].strip()
    # In quotes a path may have spaces and a name without an ending; bare, that would be a sentence.
    fits = bool(match["quote"]) and not path.endswith((".", ",", ")")) and len(path.split()) <= 4
    return _tidy(path) if fits or _NAMED.fullmatch(path) else ""


def path_of_info(info: str) -> str:
    """Return the path in what stands behind a fence: ``python:src/a.py``, ``src/a.py``, ``python title="src/a.py"``."""
    if title := _TITLE.search(info):
        return _tidy(title[1])
    for word in re.split(r"[\s:]+", info, maxsplit=1)[::-1]:
        if _NAMED.fullmatch(word):
            return _tidy(word)
    return ""


def _tidy(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")


def is_same_path(one: str, other: str) -> bool:
    """Return whether two paths may mean one file: the shorter is the end of the longer; an empty one means any."""
    first, second = PurePosixPath(_tidy(one)).parts, PurePosixPath(_tidy(other)).parts
    count = min(len(first), len(second))
    return count == 0 or first[-count:] == second[-count:]
