"""Path and command patterns of rules and searches, matched in bounded time whatever the pattern is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from dragoman.agents.limits import GLOB_CHARS, GLOB_PARTS


@lru_cache(maxsize=4_096)
def match_path(pattern: str, path: str) -> bool:
    """Tell whether a path (relative, with slashes) fits a pattern: ``*`` within a part, ``**`` over parts.

    A pattern without a slash is about the name, in any folder; one that ends in a slash is about everything below.
    """
    if len(pattern) > GLOB_CHARS:
        return False
    if pattern.endswith("/"):
        pattern += "**"
    wanted = pattern.removeprefix("./").removeprefix("/").split("/")
    if len(wanted) == 1 and not pattern.startswith("/"):
        wanted = ["**", *wanted]
    parts = path.split("/")
    if len(wanted) > GLOB_PARTS:
        return False
    # fits[i]: the patterns read so far can have taken the first i parts.
    fits = [True, *([False] * len(parts))]
    for part in wanted:
        if part == "**":
            first = next((number for number, fit in enumerate(fits) if fit), len(fits))
            fits = [number >= first for number in range(len(fits))]
        else:
            fits = [False, *(fits[number] and fnmatchcase(parts[number], part) for number in range(len(parts)))]
    return fits[-1]


def match_command(pattern: str, argv: Sequence[str]) -> bool:
    """Tell whether a command fits a pattern: its words as a shell would need them quoted; a last `` *`` may be nothing.

    ``pytest *`` fits ``pytest`` and ``pytest -q``, not ``./pytest``.
    """
    if len(pattern) > GLOB_CHARS:
        return False
    line = command_line(argv)
    return fnmatchcase(line, pattern) or (pattern.endswith(" *") and fnmatchcase(line, pattern[:-2]))


def command_line(argv: Sequence[str]) -> str:
    """Return a command on one line, quoted so that no argument looks like two."""
    return shlex.join(argv)


def literal(text: str) -> str:
    """Return the pattern that fits exactly that text."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)
