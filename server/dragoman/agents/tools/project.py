"""Tools that ask the index of the workspace: its map, and where a name is defined."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import Field

from dragoman.agents.limits import MAP_TOKENS_MOST, SYMBOL_PLACES
from dragoman.agents.tools.base import Arguments, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.navigation import KNOWN, Navigation, lines_at
from dragoman.agents.tools.places import find_place
from dragoman.agents.tools.policy import Permission
from dragoman.context.limits import MAP_TOKENS
from dragoman.context.snippets import Snippet
from dragoman.errors import ToolError, WorkspaceIndexError


class Index(Protocol):
    """What the tools need of a project's index; `dragoman.context.overview.Overview` is one."""

    async def map(self, focus: Sequence[Path], *, tokens: int, mentioned: Sequence[str]) -> tuple[Snippet, ...]:
        """Return the project's most telling signatures."""
        ...

    async def symbols(self, name: str, *, limit: int) -> tuple[Snippet, ...]:
        """Return the definitions of a name."""
        ...


class MapArguments(Arguments):
    """What `RepositoryMap` takes."""

    focus: tuple[str, ...] = Field(
        (), max_length=20, description="Files that the task is about; what they use comes first."
    )
    mentioned: tuple[str, ...] = Field((), max_length=50, description="Names that the task is about.")
    tokens: int = Field(MAP_TOKENS, ge=64, le=MAP_TOKENS_MOST, description="How long the map may be.")


class RepositoryMap(Tool[MapArguments]):
    """Shows what the project defines, where."""

    name = "repository_map"
    description = "Show the project's most important definitions, file by file, as signatures. A good first look."
    permission: ClassVar[Permission] = "read"
    arguments = MapArguments

    def __init__(self, index: Index) -> None:
        self._index = index

    def subjects(self, arguments: MapArguments, context: ToolContext) -> Subjects:
        """Name the files in focus."""
        return Subjects(
            "Show the project's map", tuple(find_place(context.roots, one).shown for one in arguments.focus)
        )

    async def call(self, arguments: MapArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask the index."""
        focus = [find_place(context.roots, one).path for one in arguments.focus]
        try:
            found = await self._index.map(focus, tokens=arguments.tokens, mentioned=arguments.mentioned)
        except WorkspaceIndexError as error:
            raise _unavailable(error) from None
        sight = await asyncio.to_thread(self.sight, arguments, context)
        # The most valuable comes last from the index, next to a cursor; a reader begins at the top.
        shown = [one for one in reversed(found) if sight.shows(one.path)]
        text = "\n\n".join(f"{one.path}\n{one.text}" for one in shown)
        return ToolResult(sight.noted(text or "[the index knows no definitions]"), {"files": len(shown)})


class SymbolsArguments(Arguments):
    """What `FindSymbol` takes."""

    name: str = Field(min_length=1, max_length=200, description="The name of a class, function, method or variable.")


class FindSymbol(Tool[SymbolsArguments]):
    """Shows where a name is defined."""

    name = "find_symbol"
    description = (
        "Find where a class, function, method or variable of that exact name is defined: `path:line: signature`."
    )
    permission: ClassVar[Permission] = "read"
    arguments = SymbolsArguments

    def __init__(self, index: Index, navigation: Navigation | None = None) -> None:
        self._index = index
        self._navigation = navigation

    def subjects(self, arguments: SymbolsArguments, context: ToolContext) -> Subjects:  # noqa: ARG002
        """Name the symbol."""
        return Subjects(f"Find the definition of {arguments.name}")

    async def call(self, arguments: SymbolsArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask the index, and the language servers for what it does not know."""
        name = arguments.name.rpartition(".")[2]
        known = [] if self._navigation is None else await self._navigation.definitions(name)
        try:
            found = await self._index.symbols(name, limit=SYMBOL_PLACES)
        except WorkspaceIndexError as error:
            if not known:
                raise _unavailable(error) from None
            found = ()
        sight = await asyncio.to_thread(self.sight, arguments, context)
        shown = [f"{one.path}:{one.line}: {one.text}" for one in found if sight.shows(one.path)]
        at = {(one.path, one.line) for one in found}
        new = [one for one in dict.fromkeys(known) if (_shown(one[0], context), one[1]) not in at]
        if more := await lines_at(new[:SYMBOL_PLACES], context, sight):
            shown += [*more, KNOWN]
        text = "\n".join(shown) or f"[nothing is defined under the name {name!r}; search finds text]"
        return ToolResult(sight.noted(text), {"definitions": len(shown) - bool(more)})


def _shown(path: Path, context: ToolContext) -> str:
    """Return a file's path as results name it, its whole one for what is elsewhere."""
    try:
        return find_place(context.roots, str(path)).shown
    except ToolError:
        return str(path)


def _unavailable(error: WorkspaceIndexError) -> ToolError:
    return ToolError(f"The project's index does not answer: {error.message}", hint="Use search and list_files instead.")


def project_tools(index: Index, navigation: Navigation | None = None) -> tuple[Tool[Any], ...]:
    """Return the tools over one project's index; language servers add what they know."""
    return RepositoryMap(index), FindSymbol(index, navigation)
