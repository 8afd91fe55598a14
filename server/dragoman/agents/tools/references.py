"""A tool that finds where a name is used: as the editor's language servers know it, else wherever the word stands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from dragoman.agents.limits import REFERENCE_DEFINITIONS, SYMBOL_PLACES
from dragoman.agents.tools.base import Arguments, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.navigation import KNOWN, Navigation, lines_at
from dragoman.agents.tools.places import find_place, refuse_secret
from dragoman.agents.tools.policy import Permission
from dragoman.agents.tools.project import Index
from dragoman.agents.tools.search import compile_pattern, search_below
from dragoman.errors import FileUnfitError, WorkspaceIndexError


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

    def __init__(self, index: Index | None = None, navigation: Navigation | None = None) -> None:
        self._index = index
        self._navigation = navigation

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
        lines = await lines_at((one for one in known if one[0].is_relative_to(place.path)), context, sight)
        if lines:
            text = "\n".join([*lines, KNOWN])
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
        if self._navigation is None:
            return []
        found: dict[tuple[Path, int], None] = {}
        for shown, line in defined[:REFERENCE_DEFINITIONS]:
            path = find_place(context.roots, shown).path
            found |= dict.fromkeys(await self._navigation.usages(path, line, name))
        return sorted(found)


def _place_of(line: str) -> str:
    """Return the beginning of a line of results that says where it is."""
    return ":".join(line.split(":", 2)[:2])
