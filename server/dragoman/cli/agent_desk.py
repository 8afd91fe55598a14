"""What `run` and `chat` need alike: the app, the agents, and the place where they work."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.cli.output import note, say_problems
from dragoman.errors import DragomanError, IndexUnavailableError

if TYPE_CHECKING:
    from dragoman.agents.manager import AgentManager, Workplace
    from dragoman.app import App
    from dragoman.cli.terminal import InputLines
    from dragoman.context.overview import Overview
    from dragoman.context.snippets import Snippet

Folder = Annotated[
    Path | None,
    typer.Option("--workspace", metavar="DIR", help="The project's folder; the one around you by default."),
]
Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", metavar="CLASS", help="Do not ask before the agent may `write` or `run`; repeat it for both."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="The same as --allow write --allow run.")]
ModelName = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Use this model, by its exact name.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """An open app with its agents and the place where they work."""

    app: App
    agents: AgentManager
    place: Workplace
    lines: InputLines
    is_watched: bool

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.place.roots[0]


def folder_of(workspace: Path | None) -> Path:
    """Return the project's folder; raises a usage error when it is none."""
    from dragoman.cli.setup import workspace_of

    if workspace is None:
        return workspace_of()
    if not workspace.is_dir():
        raise typer.BadParameter(f"{str(workspace)!r} is no folder.", param_hint="--workspace")
    return workspace.resolve()


def classes_of(allowed: Sequence[str] | None, *, yes: bool) -> frozenset[str]:
    """Return the permission classes that need no question; raises a usage error for others than write and run."""
    classes = frozenset(allowed or ()) | (frozenset({"write", "run"}) if yes else frozenset())
    for name in sorted(classes - {"write", "run"}):
        raise typer.BadParameter(f"{name!r} is neither 'write' nor 'run'.", param_hint="--allow")
    return classes


@contextlib.asynccontextmanager
async def open_desk(config: Path | None, folder: Path, allowed: frozenset[str]) -> AsyncIterator[Desk]:
    """Open everything and close it again, runs and their tools included."""
    from dragoman import app as root
    from dragoman.agents.manager import Workplace
    from dragoman.agents.tools.documents import DiskEditor
    from dragoman.agents.tools.policy import PERMISSIONS, Rule
    from dragoman.agents.tools.remembered import Memory, RememberedRules
    from dragoman.cli.permission import TerminalApprover
    from dragoman.cli.terminal import InputLines, is_watched
    from dragoman.monitoring.logs import configure_logs
    from dragoman.security.trust import TrustStore

    configure_logs(level="error")
    app = root.build(workspace=folder, config_file=config)
    say_problems(app.loaded.problems)
    index = _PatientIndex(folder)
    try:
        lines, watched = InputLines(), is_watched()
        memory = Memory(RememberedRules(folder))
        memory.add([Rule("allow", name) for name in PERMISSIONS if name in allowed], "run")
        place = Workplace(
            (folder,),
            DiskEditor(),
            TerminalApprover((folder,), lines if watched else None),
            TrustStore.default().is_trusted(folder),
            index=index,
            memory=memory,
            is_watched=True,
        )
        yield Desk(app, await app.agents(), place, lines, watched)
    finally:
        await app.aclose()
        await index.aclose()


@contextlib.asynccontextmanager
async def open_agents(config: Path | None, folder: Path) -> AsyncIterator[tuple[AgentManager, bool]]:
    """Open the agents as they are in a project, and say whether that is trusted; for commands that make no runs."""
    from dragoman import app as root
    from dragoman.monitoring.logs import configure_logs
    from dragoman.security.trust import TrustStore

    configure_logs(level="error")
    app = root.build(workspace=folder, config_file=config)
    say_problems(app.loaded.problems)
    try:
        yield await app.agents(), TrustStore.default().is_trusted(folder)
    finally:
        await app.aclose()


class _PatientIndex:
    """The project's index for a command: begun with the first question, which waits until all is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._overview: Overview | None = None

    async def map(self, focus: Sequence[Path], *, tokens: int, mentioned: Sequence[str]) -> tuple[Snippet, ...]:
        """Return the project's most telling signatures."""
        return await (await self._open()).map(focus, tokens=tokens, mentioned=mentioned)

    async def symbols(self, name: str, *, limit: int) -> tuple[Snippet, ...]:
        """Return the definitions of a name."""
        return await (await self._open()).symbols(name, limit=limit)

    async def _open(self) -> Overview:
        if self._overview is None:
            from dragoman.app import build_overview

            try:
                self._overview = build_overview(self._folder)
            except DragomanError as error:
                raise IndexUnavailableError(error.message, hint=error.hint) from None
            await self._overview.settle()
        return self._overview

    async def aclose(self) -> None:
        """End the index."""
        if self._overview is not None:
            await self._overview.aclose()


def say_faulty(desk: Desk) -> None:
    """Say what is wrong in the agents' descriptions."""
    for problem in desk.agents.problems(desk.place.roots, desk.place.trusted):
        note(f"dragoman: {problem}")
