"""What agents and chat read of a whole project before they look at any place: its map and its conventions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dragoman.context.limits import CONVENTIONS_TOKENS, MAP_TOKENS, OVERVIEW_S
from dragoman.context.snippets import Snippet
from dragoman.context.workspace.client import IndexClient


class Overview:
    """One project as its index knows it; closing it ends the index.

    Every call raises `dragoman.errors.DragomanError` where the index does not answer.
    """

    def __init__(self, root: Path, index: IndexClient) -> None:
        self.root = Path(os.path.realpath(root))
        self._index = index

    async def settle(self) -> None:
        """Wait until everything is read; for commands, which ask once."""
        await self._index.call("wait")

    async def map(
        self, focus: Iterable[Path] = (), *, tokens: int = MAP_TOKENS, mentioned: Sequence[str] = ()
    ) -> tuple[Snippet, ...]:
        """Return the project's most telling signatures, a snippet for each file, the most valuable last.

        ``focus`` are files that the reader has anyway: what they need comes first; ``mentioned`` are names that it is about.
        """
        params = {"tokens": tokens, "focus": self._paths(focus), "mentioned": list(mentioned)}
        return await self._ask("map", params)

    async def conventions(self, focus: Iterable[Path] = (), *, tokens: int = CONVENTIONS_TOKENS) -> tuple[Snippet, ...]:
        """Return the beginnings of what says how the project is worked on, the most valuable first."""
        return await self._ask("conventions", {"tokens": tokens, "focus": self._paths(focus)})

    async def symbols(self, name: str, *, limit: int) -> tuple[Snippet, ...]:
        """Return the signatures of what is called ``name``, a snippet with its line for each, by path."""
        return await self._ask("definitions", {"name": name, "limit": limit})

    async def _ask(self, method: str, params: dict[str, Any]) -> tuple[Snippet, ...]:
        answer = await self._index.call(method, params, timeout=OVERVIEW_S)
        return tuple(Snippet.from_wire(one) for one in answer["snippets"])

    def _paths(self, focus: Iterable[Path]) -> list[str]:
        real = (Path(os.path.realpath(path)) for path in focus)
        return [path.relative_to(self.root).as_posix() for path in real if path.is_relative_to(self.root)]

    async def aclose(self) -> None:
        """End the index."""
        await self._index.aclose()
