"""What an editor's other servers report, for whoever is to mend it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import Field

from dragoman.agents.tools.base import Arguments, MaybeText, Sight, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.places import find_place
from dragoman.agents.tools.policy import Permission


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
        lines = list(_shown(self._reports.reported(path), sight))
        return ToolResult(sight.noted("\n".join(lines) or "[nothing is reported]"), {"lines": len(lines)})


def _shown(reports: str, sight: Sight) -> Iterator[str]:
    """Yield the lines of reports on files that may be shown; a line that names none goes on with the one before."""
    is_shown = True
    for line in reports.splitlines():
        if (named := re.match(r"(.+?):\d+: ", line)) is not None:
            is_shown = sight.shows(named[1])
        if is_shown:
            yield line
