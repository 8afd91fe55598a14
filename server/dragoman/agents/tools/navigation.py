"""What the editor's language servers know of names, and what stands at the places that they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from dragoman.agents.limits import REFERENCE_LINES, SEARCH_LINE_CHARS
from dragoman.agents.tools.base import Sight, ToolContext
from dragoman.agents.tools.places import find_place, refuse_secret
from dragoman.errors import ToolError

KNOWN = "[as the editor's language servers know it]"


class Navigation(Protocol):
    """Who can ask language servers; lines count from 1, and what nobody knows is empty."""

    async def usages(self, path: Path, line: int, name: str) -> Sequence[tuple[Path, int]]:
        """Return the files and lines where a name is used that stands in a line."""
        ...

    async def definitions(self, name: str) -> Sequence[tuple[Path, int]]:
        """Return the files and lines where something of exactly this name is defined."""
        ...


async def lines_at(places: Iterable[tuple[Path, int]], context: ToolContext, sight: Sight) -> list[str]:
    """Return what stands at places that may be read, a line each: `path:line: text`."""
    shown: list[str] = []
    texts: dict[Path, list[str] | None] = {}
    for path, line in places:
        if path not in texts:
            texts[path] = await _read(path, context, sight)
        text = texts[path]
        if text is None or not 0 < line <= len(text):
            continue
        if len(shown) >= REFERENCE_LINES:
            shown.append(f"[stopped at {REFERENCE_LINES}: give a path]")
            break
        context.note_shown(path)
        name = find_place(context.roots, str(path)).shown
        shown.append(f"{name}:{line}: {text[line - 1][:SEARCH_LINE_CHARS]}")
    return shown


async def _read(path: Path, context: ToolContext, sight: Sight) -> list[str] | None:
    """Return a file's lines, None for one that is elsewhere, of keys, not to be shown, or no text."""
    try:
        place = find_place(context.roots, str(path))
        refuse_secret(place, remote=context.remote)
        if not sight.shows(place.shown):
            return None
        document = await context.editor.read(place.path)
    except ToolError:
        return None
    # Not at form feeds and the like, which language servers do not count either.
    return [line.removesuffix("\r") for line in document.text.split("\n")]
