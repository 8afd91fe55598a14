"""``dragoman agents``: who there is, what each may do, and letting one work or not."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli import agent_runs
from dragoman.cli.agent_desk import Folder, folder_of
from dragoman.cli.output import AsJson, ConfigFile, note, out, print_json, print_text

if TYPE_CHECKING:
    from dragoman.agents.definitions import AgentDefinition
    from dragoman.agents.manager import AgentManager

commands = typer.Typer(help="Who there is, what each may do, and letting one work or not.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The agent, as `list` shows it.")]


@commands.command("list")
def list_agents(workspace: Folder = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the agents: the built-in ones, yours, and those that the project brings along."""
    rows, problems = asyncio.run(_list(folder_of(workspace), config))
    for problem in problems:
        note(f"dragoman: {problem}")
    if as_json:
        print_json(rows)
    else:
        _print_table(rows)


@commands.command("show")
def show_agent(name: Name, workspace: Folder = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show what an agent is told and what it may do."""
    found = asyncio.run(_show(name, folder_of(workspace), config))
    if as_json:
        print_json(found)
        return
    for key in ("name", "description", "source", "state", "role", "model"):
        if found[key]:
            print_text(f"{key}: {found[key]}")
    print_text(f"tools: {', '.join(found['tools']) or 'none'}")
    for server in found["tool_servers"]:
        print_text(
            f"tool server: {server['name']} ({server['where']}){': ' if server['problem'] else ''}{server['problem']}"
        )
    for key, verdict in found["permissions"].items():
        print_text(f"permission: {key} = {verdict}")
    limits = found["limits"]
    print_text(f"limits: {', '.join(f'{name} {value:g}' for name, value in limits.items() if value is not None)}")
    print_text(f"\n{found['prompt']}")


@commands.command("start")
def start_agent(name: Name, workspace: Folder = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Let an agent work again that was stopped."""
    _set(name, folder_of(workspace), config, stopped=False, as_json=as_json)


@commands.command("stop")
def stop_agent(name: Name, workspace: Folder = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Give an agent no more tasks, in editors too, until it is started again."""
    _set(name, folder_of(workspace), config, stopped=True, as_json=as_json)


commands.command("log")(agent_runs.show_log)
commands.command("runs")(agent_runs.list_interrupted)
commands.command("resume")(agent_runs.resume_run)
commands.command("permissions")(agent_runs.show_permissions)


def _set(name: str, folder: Path, config: Path | None, *, stopped: bool, as_json: bool) -> None:
    changed = asyncio.run(_change(name, folder, config, stopped=stopped))
    if as_json:
        print_json({"name": name, "state": "stopped" if stopped else "idle", "changed": changed})
    elif stopped:
        print_text(f"{name} takes no more tasks." if changed else f"{name} was stopped already.")
    else:
        print_text(f"{name} takes tasks again." if changed else f"{name} was not stopped.")


async def _list(folder: Path, config: Path | None) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from dragoman.cli.agent_desk import open_agents

    async with open_agents(config, folder) as (agents, trusted):
        found = agents.agents((folder,), trusted)
        return [_summary(agent, agents) for agent in found], agents.problems((folder,), trusted)


async def _show(name: str, folder: Path, config: Path | None) -> dict[str, Any]:
    from dragoman.agents.mcp.names import wanted_servers
    from dragoman.agents.permissions import key_of
    from dragoman.cli.agent_desk import open_agents

    async with open_agents(config, folder) as (agents, trusted):
        agent = agents.get(name, (folder,), trusted)
        names = [one.name for one in agents.tool_servers()]
        return {
            **_summary(agent, agents),
            "permissions": {key_of(rule): rule.verdict for rule in agent.rules},
            "limits": asdict(agent.limits),
            "prompt": agent.prompt,
            "tool_servers": [
                asdict(agents.tool_servers()[names.index(one)]) for one in wanted_servers(names, agent.tools)
            ],
        }


async def _change(name: str, folder: Path, config: Path | None, *, stopped: bool) -> bool:
    from dragoman.cli.agent_desk import open_agents

    async with open_agents(config, folder) as (agents, trusted):
        agents.get(name, (folder,), trusted)
        was = agents.instance(name).state == "stopped"
        if stopped:
            await agents.stop(name)
        else:
            agents.start_agent(name)
        return was != stopped


def _summary(agent: AgentDefinition, agents: AgentManager) -> dict[str, Any]:
    return {
        "name": agent.name,
        "description": agent.description,
        "source": agent.source,
        "state": agents.instance(agent.name).state,
        "role": agent.role,
        "model": agent.model,
        "tools": list(agent.tools),
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("agent", "what it does", "model", "from", "state"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "agent")
    for row in rows:
        model = row["model"] or f"that for {row['role']}"
        table.add_row(*map(escape, (row["name"], row["description"], model, row["source"], row["state"])))
    out().print(table)
