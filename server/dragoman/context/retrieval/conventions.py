"""How a project wants to be worked on: what its README, its notes for agents and its style files say, the beginning of each."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Final

from dragoman.context.limits import CONVENTION_CHARS, RETRIEVAL_HEADER_TOKENS
from dragoman.context.retrieval.files import Files
from dragoman.context.snippets import Snippet
from dragoman.context.tokens import rough

SOURCE = "conventions"

NAMES: Final = (
    *("AGENTS.md", "CLAUDE.md", "CONVENTIONS.md", ".cursorrules", ".github/copilot-instructions.md", "CONTRIBUTING.md"),
    *("README.md", "README.rst", "README.txt", "README", ".editorconfig", "docs/CONTRIBUTING.md", "STYLE.md"),
)
"""In the order in which they matter to somebody who is about to change something."""


def read_conventions(files: Files, tokens: int, focus: Sequence[str]) -> list[Snippet]:
    """Return the beginnings of such files within ``tokens``, the most valuable first.

    Those of the folders around the files in ``focus`` come before the root's of the same name. A file that the index does not
    hold is not read: it is ignored or holds keys.
    """
    found: list[Snippet] = []
    left = tokens
    for rank, path in enumerate(_places(focus)):
        if files.get(path) is None:
            continue
        text = "\n".join(files.lines(path))[:CONVENTION_CHARS].strip()
        text = _cut(text, left - RETRIEVAL_HEADER_TOKENS)
        if not text:
            continue
        cost = rough(text)
        found.append(Snippet(SOURCE, path, text, cost, round(1 / (1 + rank), 4), 1))
        left -= cost + RETRIEVAL_HEADER_TOKENS
    return found


def _places(focus: Sequence[str]) -> Iterator[str]:
    folders: dict[str, None] = {}
    for path in focus:
        folder = posixpath.dirname(path)
        while folder:
            folders[folder] = None
            folder = posixpath.dirname(folder)
    # The innermost folder's rules are the ones that count.
    inner = sorted(folders, key=lambda folder: (-folder.count("/"), folder))
    for name in NAMES:
        yield from (f"{folder}/{name}" for folder in inner)
        yield name


def _cut(text: str, tokens: int) -> str:
    """Return whole lines of the beginning within ``tokens``."""
    if tokens <= 0:
        return ""
    if rough(text) <= tokens:
        return text
    kept: list[str] = []
    size = 0
    for line in text.split("\n"):
        size += len(line) + 1
        if rough("x" * size) > tokens:
            break
        kept.append(line)
    return "\n".join(kept).rstrip()
