"""What a task is: a workspace, words, a hidden test, and the calls of a perfect and of a broken model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One edit to make; ``files`` are the workspace, ``hidden`` is Python that fails before and passes after it.

    ``solution`` solves it and ``mistake`` does not; no calls at all is a mistake too.
    """

    name: str
    words: str
    files: Mapping[str, str]
    hidden: str
    solution: tuple[Call, ...]
    mistake: tuple[Call, ...] = ()


def edit(path: str, old: str, new: str) -> Call:
    """Return the call that puts ``new`` where ``old`` stands."""
    return Call("edit_file", {"path": path, "old": old, "new": new})


def write(path: str, content: str) -> Call:
    """Return the call that writes a whole file."""
    return Call("write_file", {"path": path, "content": content})
