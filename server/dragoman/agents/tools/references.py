"""A tool that finds where a name is used: as the editor's language servers know it, else wherever the word stands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import Field

from dragoman.agents.limits import REFERENCE_DEFINITIONS, REFERENCE_LINES, SEARCH_LINE_CHARS, SYMBOL_PLACES
from dragoman.agents.tools.base import Arguments, Sight, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.places import find_place, refuse_secret
from dragoman.agents.tools.policy import Permission
from dragoman.agents.tools.project import Index
from dragoman.agents.tools.search import compile_pattern, search_below
from dragoman.errors import FileUnfitError, ToolError, WorkspaceIndexError


class Usages(Protocol):
    """Who can ask language servers."""

    async def usages(self, path: Path, line: int, name: str) -> Sequence[tuple[Path, int]]:
        """Return the files and lines (from 1) where a name is used that stands in a line; empty where nobody knows."""
        ...


class ReferencesArguments(Arguments):
    """What `FindReferences` takes."""

    name: str = Field(min_length=1, max_length=200, description="The name of a class, function, method or variable.")
    path: str = Field(".", min_length=1, description="Only uses in this folder or file.")


class FindReferences(Tool[ReferencesArguments]):
    """Shows where a name is used."""

    name = "find_references"
    description = (
        "Find where a name is used: `path:line: text`. Ask this before you rename something or change its signature."
    )
    permission: ClassVar[Permission] = "read"
    arguments = ReferencesArguments

    def __init__(self, index: Index | None = None, usages: Usages | None = None) -> None:
        self._index = index
        self._usages = usages

    def subjects(self, arguments: ReferencesArguments, context: ToolContext) -> Subjects:
        """Name the place."""
        place = find_place(context.roots, arguments.path)
        if place.path.is_file():
            refuse_secret(place, remote=context.remote)
        return Subjects(f"Find where {arguments.name} is used", (place.shown,))

    async def call(self, arguments: ReferencesArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask the language servers about the name's definitions; where they know nothing, search for the word."""
        name = arguments.name.rpartition(".")[2]
        place = find_place(context.roots, arguments.path)
        if place.path.is_file():
            refuse_secret(place, remote=context.remote)
        if not place.path.exists():
            raise FileUnfitError(f"There is no {place.shown!r}.", hint="Use list_files to see what there is.")
        sight = await asyncio.to_thread(self.sight, arguments, context)
        defined = await self._definitions(name)
        known = await self._known(name, defined, context)
        lines = await _lines_of((one for one in known if one[0].is_relative_to(place.path)), context, sight)
        if lines:
            text = "\n".join([*lines, "[as the editor's language servers know it]"])
            return ToolResult(sight.noted(text), {"uses": len(lines)})
        finder = compile_pattern(rf"(?<![\w$]){re.escape(name)}(?![\w$])", regex=True, ignore_case=False)
        found = await search_below(place, finder, context, sight)
        if not found.lines:
            text = f"[the word {name!r} is in none of {found.searched} files]"
            return ToolResult(sight.noted(text), {"uses": 0})
        at = {f"{shown}:{line}" for shown, line in defined}
        marked = [f"{one}  [defined here]" if _place_of(one) in at else one for one in found.lines]
        note = f"[{found.cut or 'every place of this word, whatever it means there'}]"
        return ToolResult(sight.noted("\n".join([*marked, note])), {"uses": found.matches})

    async def _definitions(self, name: str) -> list[tuple[str, int]]:
        """Return the paths and lines where the name is defined; empty without an index that answers."""
        if self._index is None:
            return []
        try:
            found = await self._index.symbols(name, limit=SYMBOL_PLACES)
        except WorkspaceIndexError:
            return []
        return [(one.path, one.line) for one in found]

    async def _known(
        self, name: str, defined: Sequence[tuple[str, int]], context: ToolContext
    ) -> list[tuple[Path, int]]:
        if self._usages is None:
            return []
        found: dict[tuple[Path, int], None] = {}
        for shown, line in defined[:REFERENCE_DEFINITIONS]:
            path = find_place(context.roots, shown).path
            found |= dict.fromkeys(await self._usages.usages(path, line, name))
        return sorted(found)


async def _lines_of(places: Iterable[tuple[Path, int]], context: ToolContext, sight: Sight) -> list[str]:
    """Return what stands at places that may be read, a line each."""
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
    context.note_shown(place.path)
    # Not at form feeds and the like, which language servers do not count either.
    return [line.removesuffix("\r") for line in document.text.split("\n")]


def _place_of(line: str) -> str:
    """Return the beginning of a line of results that says where it is."""
    return ":".join(line.split(":", 2)[:2])
