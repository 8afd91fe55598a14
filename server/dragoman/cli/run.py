"""``dragoman run AGENT "TASK"``: an agent in the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.cli.agent_desk import Allowed, Folder, ModelName, Yes, classes_of, folder_of, open_desk
from dragoman.cli.output import ConfigFile, EventsAsJson, say_error
from dragoman.cli.terminal import is_typed
from dragoman.errors import DragomanError, UnknownAgentError

if TYPE_CHECKING:
    from dragoman.models.base import ChatMessage


def run_agent(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Who is to do it; `dragoman agents list` shows all.")],
    task: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="What is to be done; read from stdin line by line without it."),
    ] = None,
    model: ModelName = None,
    workspace: Folder = None,
    allow: Allowed = None,
    yes: Yes = False,
    config: ConfigFile = None,
    as_json: EventsAsJson = False,
) -> None:
    """Give an agent a task; its answer is printed as it comes, and you are asked before it changes or runs anything."""
    if task is not None and not task.strip():
        raise typer.BadParameter("say what is to be done.", param_hint="TASK")
    if task is None and is_typed():
        raise typer.BadParameter("say what is to be done, or pipe it in.", param_hint="TASK")
    folder, allowed = folder_of(workspace), classes_of(allow, yes=yes)
    if not asyncio.run(_run(agent, task, model, folder, allowed, config, as_json=as_json)):
        raise typer.Exit(1)


async def _run(
    agent: str,
    task: str | None,
    model: str | None,
    folder: Path,
    allowed: frozenset[str],
    config: Path | None,
    *,
    as_json: bool,
) -> bool:
    """Make the run, or one for each line that comes; returns whether all succeeded."""
    from dragoman.cli.following import RunPrinter
    from dragoman.models.base import ChatMessage

    printer = RunPrinter(as_json=as_json)
    async with open_desk(config, folder, allowed) as desk:
        if task is not None:
            return await printer.follow(await desk.agents.start(agent, task, desk.place, model=model))
        # A name that is wrong would be wrong for every line.
        await asyncio.to_thread(desk.agents.get, agent, desk.place.roots, desk.place.trusted)
        history: tuple[ChatMessage, ...] = ()
        well = True
        while (line := await desk.lines.read()) is not None:
            if not line.strip():
                continue
            try:
                run = await desk.agents.start(agent, line, desk.place, history=history, model=model)
            except UnknownAgentError:
                raise
            except DragomanError as error:
                say_error(error)
                well = False
                continue
            if await printer.follow(run):
                history = (*history, ChatMessage("user", line), ChatMessage("assistant", run.output))
            else:
                well = False
        return well
