"""``dragoman agents log|runs|resume|permissions``: what agents did, what was broken off, and what was allowed for good."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from dragoman.cli.agent_desk import Allowed, Folder, Yes, classes_of, folder_of, open_agents, open_desk
from dragoman.cli.output import AsJson, ConfigFile, EventsAsJson, note, out, print_json, print_text


def show_log(
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Only what this one did.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many deeds, the newest.")] = 50,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what agents did: their calls of tools and how each ended, and their runs, the newest last."""
    rows = asyncio.run(_log(agent, limit, config))
    if as_json:
        print_json(rows)
    elif not rows:
        note("dragoman: no agent has done anything yet.")
    else:
        _print_log(rows)


def list_interrupted(workspace: Folder = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the runs that a program left unfinished when it was killed; `resume` goes on with one."""
    rows = asyncio.run(_interrupted(folder_of(workspace), config))
    if as_json:
        print_json(rows)
        return
    if not rows:
        note("dragoman: no run was broken off.")
    for row in rows:
        print_text(f"{row['id']}  {row['agent']}, {row['steps']} steps made: {_first_line(row['task'])}")


def resume_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The run, as `runs` shows it.")],
    workspace: Folder = None,
    allow: Allowed = None,
    yes: Yes = False,
    config: ConfigFile = None,
    as_json: EventsAsJson = False,
) -> None:
    """Go on with a run that was broken off, from its last whole step."""
    allowed = classes_of(allow, yes=yes)
    if not asyncio.run(_resume(run_id, folder_of(workspace), allowed, config, as_json=as_json)):
        raise typer.Exit(1)


def show_permissions(
    workspace: Folder = None,
    forget: Annotated[bool, typer.Option("--forget", help="Remember none of them any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what you have allowed or denied for good in a project, or take it all back."""
    from dragoman.agents.tools.policy import describe
    from dragoman.agents.tools.remembered import RememberedRules

    kept = RememberedRules(folder_of(workspace))
    rules = kept.rules()
    if forget:
        kept.forget()
    if as_json:
        print_json([{"verdict": rule.verdict, "rule": describe(rule), "forgotten": forget} for rule in rules])
        return
    for rule in rules:
        print_text(f"{rule.verdict}: {describe(rule)}{' (forgotten)' if forget else ''}")
    if not rules:
        note("dragoman: nothing is allowed or denied for good here.")


async def _interrupted(folder: Path, config: Path | None) -> list[dict[str, Any]]:
    async with open_agents(config, folder) as (agents, _):
        return [
            {"id": one.run_id, "agent": one.agent, "task": one.task, "steps": one.spent.steps}
            for one in await agents.interrupted()
        ]


async def _resume(run_id: str, folder: Path, allowed: frozenset[str], config: Path | None, *, as_json: bool) -> bool:
    from dragoman.cli.following import RunPrinter

    async with open_desk(config, folder, allowed) as desk:
        return await RunPrinter(as_json=as_json).follow(await desk.agents.resume(run_id, desk.place))


def _first_line(text: str) -> str:
    first = text.strip().split("\n", 1)[0]
    return first if len(first) <= 80 else f"{first[:79]}…"


async def _log(agent: str | None, limit: int, config: Path | None) -> list[dict[str, Any]]:
    from dragoman.cli.setup import open_app
    from dragoman.storage.repositories.audit import AuditLog

    app = open_app(config, Path.cwd())
    try:
        log = AuditLog((await app.keep()).database)
        entries = await log.list(actor=None if agent is None else f"agent:{agent}", limit=limit)
    finally:
        await app.aclose()
    return [
        {
            "at": one.at.isoformat(),
            "agent": one.actor.removeprefix("agent:"),
            "action": one.action,
            "target": one.target,
            "outcome": one.outcome,
            "details": dict(one.details),
        }
        for one in reversed(entries)
        if one.actor.startswith("agent:")
    ]


def _print_log(rows: list[dict[str, Any]]) -> None:
    from datetime import datetime

    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from dragoman.cli.terminal import harmless

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("when", "agent", "what", "with", "how it ended"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"when", "agent"})
    for row in rows:
        when = datetime.fromisoformat(row["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        cells = (when, row["agent"], row["action"].removeprefix("tool:"), row["target"], row["outcome"])
        table.add_row(*(escape(harmless(cell)) for cell in cells))
    out().print(table)
