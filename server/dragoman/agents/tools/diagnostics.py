"""What an editor's other servers report, for whoever is to mend it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import Field

from dragoman.agents.tools.base import Arguments, MaybeText, Sight, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.places import find_place, refuse_secret
from dragoman.agents.tools.policy import Permission
from dragoman.errors import PathOutsideError, ToolError
from dragoman.security.paths import is_secret_path

_NAMED = re.compile(r"(.+?):\d+: ")


class Reports(Protocol):
    """Who knows what is reported."""

    def reported(self, path: Path | None) -> str:
        """Return what is reported of a file, or of all that are open for None: a line each, empty without any."""
        ...


class DiagnosticsArguments(Arguments):
    """What `Diagnostics` takes."""

    path: MaybeText = Field(None, min_length=1, description="Only what is reported of this file.")


class Diagnostics(Tool[DiagnosticsArguments]):
    """Shows what compilers and linters report in the editor."""

    name = "diagnostics"
    description = "Show the errors and warnings that the editor has for the open files, from all language servers."
    permission: ClassVar[Permission] = "read"
    arguments = DiagnosticsArguments

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def subjects(self, arguments: DiagnosticsArguments, context: ToolContext) -> Subjects:
        """Name the file."""
        shown = (find_place(context.roots, arguments.path).shown,) if arguments.path else ()
        return Subjects("Show what is reported in the editor", shown)

    async def call(self, arguments: DiagnosticsArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask the editor's side."""
        path = find_place(context.roots, arguments.path).path if arguments.path else None
        sight = await asyncio.to_thread(self.sight, arguments, context)
        lines = await asyncio.to_thread(_shown, self._reports.reported(path), sight, context)
        return ToolResult(sight.noted("\n".join(lines) or "[nothing is reported]"), {"lines": len(lines)})


def _shown(reports: str, sight: Sight, context: ToolContext) -> list[str]:
    """Return the lines of reports on files that may be shown; looks at the disk."""

    def may_be_shown(name: str) -> bool:
        if not sight.shows(name):
            return False
        try:
            place = find_place(context.roots, name)
            refuse_secret(place, remote=context.remote)
        except PathOutsideError:
            return not (context.remote and is_secret_path(Path(name)))
        except ToolError:
            return False
        context.note_shown(place.path)
        return True

    return list(lines_on(reports, may_be_shown))


def lines_on(reports: str, is_wanted: Callable[[str], bool]) -> Iterator[str]:
    """Yield the lines of reports on files that are wanted; a line that names none goes on with the one before."""
    known: dict[str, bool] = {}
    is_shown = True
    for line in reports.split("\n"):
        if (named := _NAMED.match(line)) is not None:
            if named[1] not in known:
                known[named[1]] = is_wanted(named[1])
            is_shown = known[named[1]]
        if is_shown and line:
            yield line


def named_files(reports: str) -> set[str]:
    """Return the files that reports are about."""
    return {named[1] for line in reports.split("\n") if (named := _NAMED.match(line)) is not None}
