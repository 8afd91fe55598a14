"""Agents that a project brings along: ``.dragoman/agents/NAME.md``, a head with its keys and the instructions below."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dragoman.agents.definitions import AgentDefinition, confine, define
from dragoman.agents.front_matter import split_head
from dragoman.agents.permissions import narrow
from dragoman.agents.runtime_limits import DEFINITION_BYTES, DEFINITION_FILES
from dragoman.settings.check import validate

FOLDER: Final = ".dragoman/agents"

_NAME = re.compile(r"[A-Za-z][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class FoundAgents:
    """What a folder holds: agents by name, and a sentence for each file that is faulty, by the agent's name."""

    agents: Mapping[str, AgentDefinition]
    problems: Mapping[str, str]


def read_agent_files(
    root: Path, known: Mapping[str, AgentDefinition], *, trusted: bool, servers: Collection[str] = ()
) -> FoundAgents:
    """Return the agents of a workspace's folder; blocking.

    An agent of a name that is ``known`` takes that one's place in a workspace that the user trusts, and keeps what was denied
    to it; in any other it is left out. What a file allows beyond reading and writing is asked about anyway, and without trust
    its agents only read.
    """
    agents: dict[str, AgentDefinition] = {}
    problems: dict[str, str] = {}
    try:
        folder = (root / FOLDER).resolve()
        # A link may lead to where the user's own files are.
        paths = sorted(folder.glob("*.md"))[:DEFINITION_FILES] if folder.is_relative_to(root.resolve()) else []
    except OSError:
        return FoundAgents({}, {})
    for path in paths:
        name, shown = path.stem, f"{FOLDER}/{path.name}"
        if name in known and not trusted:
            problems[name] = f"{shown}: an agent {name!r} is known already, and this workspace is not trusted"
            continue
        try:
            if path.is_symlink() or not path.is_file():
                raise ValueError("is no file of its own")
            agents[name] = _read(path, name, known.get(name), trusted=trusted, servers=servers)
        except OSError as error:
            problems[name] = f"{shown}: cannot be read: {error.strerror or error}"
        except ValueError as error:
            problems[name] = f"{shown}: {error}"
    return FoundAgents(agents, problems)


def _read(
    path: Path, name: str, known: AgentDefinition | None, *, trusted: bool, servers: Collection[str]
) -> AgentDefinition:
    """Return the agent of one file; raises ValueError with what is wrong, and OSError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for an agent: a letter, then letters, digits, - and _")
    with path.open("rb") as file:
        data = file.read(DEFINITION_BYTES + 1)
    if len(data) > DEFINITION_BYTES:
        raise ValueError(f"is longer than {DEFINITION_BYTES:,} bytes")
    try:
        head, body = split_head(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8 text") from None
    head = _without_name(head, name)
    if "prompt" in head:
        raise ValueError("'prompt' has no place in the head: the text below it is the prompt")
    if not body:
        raise ValueError("has no instructions below its head")
    settings, faults = validate({"agents": {name: {**head, "prompt": body}}})
    if settings is None:
        raise ValueError(" ".join(f"{one.message} {one.hint}".strip() for one in faults).replace(f"agents.{name}.", ""))
    agent, problems = define(name, settings.agents[name], "file", servers=servers)
    if problems:
        raise ValueError("; ".join(problems))
    agent = replace(agent, rules=narrow(agent.rules))
    if not trusted:
        return confine(agent)
    denied = tuple(rule for rule in known.rules if rule.verdict != "allow") if known is not None else ()
    return replace(agent, rules=(*agent.rules, *denied))


def _without_name(head: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the head without a name, which may only repeat the file's; tools may stand in one line with commas."""
    if str(head.get("name", name)) != name:
        raise ValueError(f"'name' is {str(head['name'])!r}, and the file's name says {name!r}")
    tools = head.get("tools")
    if isinstance(tools, str):
        head = {**head, "tools": [one.strip() for one in tools.split(",") if one.strip()]}
    return {key: value for key, value in head.items() if key != "name"}
