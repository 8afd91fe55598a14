"""``dragoman map``: the project's most telling signatures within a number of tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.output import AsJson, note, print_json, print_text
from dragoman.cli.setup import workspace_of
from dragoman.errors import DragomanError

if TYPE_CHECKING:
    from dragoman.context.snippets import Snippet


def run_map(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH…", help="Files that you look at: what they need comes first.")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="The most tokens that the map may have.")] = 1024,
    mentioned: Annotated[
        list[str] | None, typer.Option("--mention", metavar="NAME", help="A name that it is about; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the project's map as agents read it; the files that you name are left out of it."""
    found = asyncio.run(_draw(paths or [], tokens, mentioned or []))
    if as_json:
        print_json([_as_dict(one) for one in found])
        return
    for one in sorted(found, key=lambda one: one.path):
        print_text(f"{one.path}\n{_indented(one.text)}\n")
    if not found:
        note("dragoman: there is nothing to show: no file here defines anything, or the map is too small for a line.")


async def _draw(paths: list[Path], tokens: int, mentioned: list[str]) -> tuple[Snippet, ...]:
    from dragoman.app import build_overview

    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise DragomanError(f"There is no file {str(missing)!r}.")
    overview = build_overview(workspace_of(paths[0] if paths else None))
    try:
        # A command asks once: it waits for what an editor would have had long ago.
        await overview.settle()
        return await overview.map(paths, tokens=tokens, mentioned=mentioned)
    finally:
        await overview.aclose()


def _as_dict(snippet: Snippet) -> dict[str, Any]:
    return {"path": snippet.path, "text": snippet.text, "tokens": snippet.tokens, "score": snippet.score}


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
