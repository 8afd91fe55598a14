"""A tool that searches the workspace's texts, unsaved ones included."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from dragoman.agents.limits import (
    SEARCH_BYTES,
    SEARCH_FILE_BYTES,
    SEARCH_FILE_MATCHES,
    SEARCH_FILES,
    SEARCH_LINE_CHARS,
    SEARCH_LINE_SECONDS,
    SEARCH_MATCHES,
    SEARCH_PATTERN_CHARS,
    SEARCH_SECONDS,
)
from dragoman.agents.tools.base import Arguments, MaybeText, Sight, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.files import walk_below
from dragoman.agents.tools.globs import match_path
from dragoman.agents.tools.places import Place, find_place, refuse_secret
from dragoman.agents.tools.policy import Permission
from dragoman.context.workspace.contents import decode_text
from dragoman.errors import FileUnfitError, PatternError


class SearchArguments(Arguments):
    """What `Search` takes."""

    pattern: str = Field(min_length=1, max_length=SEARCH_PATTERN_CHARS, description="What to search for, in one line.")
    path: str = Field(".", min_length=1, description="The folder or file to search, relative to the workspace.")
    regex: bool = Field(False, description="Whether the pattern is a regular expression.")
    glob: MaybeText = Field(None, description="Only files whose path fits, such as `*.py` or `src/**`.")
    ignore_case: bool = Field(False, description="Whether capitals make no difference.")


@dataclass(slots=True)
class Found:
    """What a search has found so far."""

    lines: list[str] = field(default_factory=list)
    matches: int = 0
    files: list[str] = field(default_factory=list)
    searched: int = 0
    cut: str = ""


class Search(Tool[SearchArguments]):
    """Searches lines, by text or by regular expression."""

    name = "search"
    description = (
        "Search the project's files line by line; answers `path:line: text`. Files that git ignores are left out."
    )
    permission: ClassVar[Permission] = "read"
    arguments = SearchArguments

    def subjects(self, arguments: SearchArguments, context: ToolContext) -> Subjects:
        """Name the place."""
        place = find_place(context.roots, arguments.path)
        if place.path.is_file():
            refuse_secret(place, remote=context.remote)
        return Subjects(f"Search {place.shown} for {arguments.pattern!r}", (place.shown,))

    async def call(self, arguments: SearchArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Search in a thread, which ends when the call is cancelled."""
        place = find_place(context.roots, arguments.path)
        if place.path.is_file():
            refuse_secret(place, remote=context.remote)
        if not place.path.exists():
            raise FileUnfitError(f"There is no {place.shown!r}.", hint="Use list_files to see what there is.")
        matcher = compile_pattern(arguments.pattern, regex=arguments.regex, ignore_case=arguments.ignore_case)
        sight = await asyncio.to_thread(self.sight, arguments, context)
        found = await search_below(place, matcher, context, sight, glob=arguments.glob)
        text = "\n".join(found.lines) or f"[no match in {found.searched} files]"
        if found.cut:
            text += f"\n[{found.cut}]"
        return ToolResult(
            sight.noted(text),
            {"matches": found.matches, "files": len(found.files), "searched": found.searched, "cut": bool(found.cut)},
        )


async def search_below(
    place: Place, find: Callable[[str], list[int]], context: ToolContext, sight: Sight, *, glob: str | None = None
) -> Found:
    """Search the files of a place in a thread, which ends when the call is cancelled; ``find`` is of `compile_pattern`."""
    unsaved = await context.editor.unsaved()
    stop = threading.Event()
    try:
        found = await asyncio.to_thread(_search, place, glob, sight, find, unsaved, stop)
    finally:
        stop.set()
    # A file that was named has told something without a match too.
    named = [place.path] if place.path.is_file() else []
    await asyncio.to_thread(context.note_shown, *named, *(place.root / path for path in found.files))
    return found


def compile_pattern(pattern: str, *, regex: bool, ignore_case: bool) -> Callable[[str], list[int]]:
    """Return what finds, in a text, the positions of all matches that begin on lines of their own; raises PatternError.

    The library `regex` gives up after a time and leaves other threads their turn meanwhile; Python's own does neither.
    """
    import regex as expressions

    flags = expressions.MULTILINE | (expressions.IGNORECASE if ignore_case else 0)
    try:
        compiled = expressions.compile(pattern if regex else expressions.escape(pattern), flags)
    except (expressions.error, RecursionError, OverflowError, ValueError) as error:
        raise PatternError(
            f"{pattern!r} is no regular expression: {error}.", hint="Mend it, or search for plain text without regex."
        ) from None

    def find(text: str) -> list[int]:
        positions: list[int] = []
        limit = time.monotonic() + SEARCH_LINE_SECONDS
        position = 0
        try:
            while position <= len(text) and len(positions) <= SEARCH_FILE_MATCHES:
                left = limit - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                match = compiled.search(text, position, timeout=left, concurrent=True)
                if match is None:
                    break
                positions.append(match.start())
                end = text.find("\n", match.start())
                position = end + 1 if end >= 0 else len(text) + 1
        except TimeoutError:
            raise PatternError(
                f"{pattern!r} takes too long: it tries the same text in too many ways.",
                hint="Take out repetitions within repetitions, such as `(a+)+`.",
            ) from None
        return positions

    return find


def _search(
    place: Place,
    glob: str | None,
    sight: Sight,
    find: Callable[[str], list[int]],
    unsaved: Mapping[Path, str],
    stop: threading.Event,
) -> Found:
    found = Found()
    until = time.monotonic() + SEARCH_SECONDS
    read = 0
    is_file = place.path.is_file()
    for path in (place.shown,) if is_file else walk_below(place, SEARCH_FILES):
        if stop.is_set():
            break
        if time.monotonic() > until or read > SEARCH_BYTES:
            found.cut = f"stopped after {found.searched} files: search a folder below, or give a glob"
            break
        if (glob is not None and not match_path(glob, path)) or not sight.shows(path):
            continue
        text = unsaved.get(place.root / path)
        if text is None:
            text = _read(place.root / path)
        if text is None:
            continue
        read += len(text)
        found.searched += 1
        _collect(found, path, text, find(text))
        if found.matches >= SEARCH_MATCHES:
            found.cut = f"stopped at {found.matches} matches: make the pattern closer, or give a path or a glob"
            break
    else:
        if found.searched >= SEARCH_FILES:
            found.cut = f"stopped after {SEARCH_FILES} files: search a folder below"
    return found


def _collect(found: Found, path: str, text: str, positions: list[int]) -> None:
    if not positions:
        return
    found.files.append(path)
    number, counted = 1, 0
    for position in positions[:SEARCH_FILE_MATCHES]:
        number += text.count("\n", counted, position)
        counted = position
        start, end = text.rfind("\n", 0, position) + 1, text.find("\n", position)
        line = text[start : end if end >= 0 else len(text)].rstrip("\r")
        if len(line) > SEARCH_LINE_CHARS:
            first = max(0, min(position - start - SEARCH_LINE_CHARS // 3, len(line) - SEARCH_LINE_CHARS))
            line = f"…{line[first : first + SEARCH_LINE_CHARS]}…"
        found.lines.append(f"{path}:{number}: {line}")
        found.matches += 1
    if len(positions) > SEARCH_FILE_MATCHES:
        found.lines.append(f"[more in {path}]")


def _read(path: Path) -> str | None:
    """Return a file's text, None for what is no text, too large or gone."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > SEARCH_FILE_BYTES:
            return None
        return decode_text(path.read_bytes())
    except OSError:
        return None


SEARCH_TOOLS: tuple[type[Tool[Any]], ...] = (Search,)
"""All of them."""
