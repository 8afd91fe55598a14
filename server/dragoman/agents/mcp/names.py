"""Names of foreign tools: SERVER_TOOL, valid for every model, the same each time, and never another tool's.

A permission is remembered by a tool's name, so a name must not pass from one tool to another when a server comes or goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence

from dragoman.agents.mcp.limits import NAME_CHARS
from dragoman.agents.tools.policy import Rule

ALL = "mcp"
"""Stands for every foreign tool in an agent's list of tools, and in its permissions."""

READING = "mcp:read"
"""Stands for those that only look, as their servers say, in an agent's list of tools."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def slug(server: str) -> str:
    """Return a server's name as it stands before those of its tools."""
    plain = _UNFIT.sub("_", server)
    return plain if plain == server else f"{plain}_{_digest(server)}"


def offered_name(server: str, tool: str, servers: Iterable[str], taken: Collection[str]) -> str:
    """Return the name under which a server's tool is offered.

    ``servers`` are all that are configured, running or not; ``taken`` are the names of our own tools.
    A name that had to be changed, or could be another's, ends in a digest of what it stands for.
    """
    plain = f"{slug(server)}_{_UNFIT.sub('_', tool)}"
    mine = len(slug(server))
    is_ambiguous = any(len(slug(one)) > mine and plain.startswith(f"{slug(one)}_") for one in servers)
    if _UNFIT.search(tool) is None and len(plain) <= NAME_CHARS and plain not in taken and not is_ambiguous:
        return plain
    digest = _digest(f"{server}\0{tool}")
    return f"{plain[: NAME_CHARS - len(digest) - 1]}_{digest}"


def is_foreign(name: str, servers: Iterable[str]) -> bool:
    """Tell whether a name in an agent's description speaks of foreign tools: ``mcp``, ``SERVER_*``, ``SERVER_TOOL``."""
    return name in {ALL, READING} or any(name.startswith(f"{slug(one)}_") and _is_plain(name) for one in servers)


def _is_plain(name: str) -> bool:
    return _UNFIT.search(name.removesuffix("*")) is None


def is_wanted(name: str, server: str, *, reading: bool, wanted: Collection[str]) -> bool:
    """Tell whether an agent that lists ``wanted`` has the tool of that offered name."""
    return name in wanted or ALL in wanted or f"{slug(server)}_*" in wanted or (reading and READING in wanted)


def wanted_servers(servers: Iterable[str], wanted: Collection[str]) -> tuple[str, ...]:
    """Return the servers of which an agent that lists ``wanted`` may have a tool."""
    every = ALL in wanted or READING in wanted
    return tuple(one for one in servers if every or any(name.startswith(f"{slug(one)}_") for name in wanted))


def rules_for(name: str, server: str, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return what an agent's rules say of one foreign tool, as rules for its name alone.

    A denial counts wherever it stands; else the closest of ``SERVER_TOOL``, ``SERVER_*`` and ``mcp``; else there is a question,
    for no permission that was given to a class of our own tools was given to a stranger's.
    """
    levels = [[rule for rule in rules if rule.tool == subject] for subject in (name, f"{slug(server)}_*", ALL)]
    denials = [rule for level in levels for rule in level if rule.verdict == "deny"]
    closest = next((level for level in levels if level), [])
    if not denials and not closest:
        return (Rule("ask", tool=name),)
    return tuple(Rule(rule.verdict, tool=name, agent=rule.agent) for rule in (*denials, *closest))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
