"""What an agent is, wherever it was written down."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from dragoman.agents.mcp.names import READING as READING_ELSEWHERE
from dragoman.agents.mcp.names import is_foreign
from dragoman.agents.permissions import read_permissions
from dragoman.agents.run import RunLimits
from dragoman.agents.toolbox import PERMISSION_OF, READING
from dragoman.agents.tools.policy import Rule
from dragoman.models.base import Role

if TYPE_CHECKING:
    from dragoman.settings.sections import AgentLimitSettings, AgentSettings

Origin = Literal["built-in", "settings", "file"]


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """An agent: its instructions, the model it asks for, the tools it may call, and what needs no question.

    ``model`` is an exact name, None for the model of ``role``.
    """

    name: str
    description: str
    prompt: str
    role: Role = "chat"
    model: str | None = None
    tools: tuple[str, ...] = READING
    rules: tuple[Rule, ...] = ()
    limits: RunLimits = field(default_factory=RunLimits)
    source: Origin = "built-in"


def define(
    name: str,
    section: AgentSettings,
    source: Origin,
    base: AgentDefinition | None = None,
    *,
    servers: Collection[str] = (),
) -> tuple[AgentDefinition, tuple[str, ...]]:
    """Return the agent that a table of settings or a file describes, and a sentence for each thing in it that is wrong.

    What is not set is as in ``base``, an agent of the same name that was known before.
    ``servers`` are the foreign tool servers that are configured: their tools can be named before anybody has seen them.
    """
    known = base or AgentDefinition(name, "", "")
    given = section.model_fields_set
    rules, problems = read_permissions(section.permissions, PERMISSION_OF, lambda key: _is_foreign(key, servers))
    unknown = [tool for tool in section.tools if tool not in PERMISSION_OF and not is_foreign(tool, servers)]
    problems += tuple(f"there is no tool {tool!r}; it is left out" for tool in unknown)
    tools = tuple(tool for tool in dict.fromkeys(section.tools) if tool not in unknown)
    agent = AgentDefinition(
        name,
        section.description if "description" in given else known.description,
        section.prompt if section.prompt.strip() else known.prompt,
        section.role if section.role is not None else known.role,
        section.model if "model" in given else known.model,
        tools if "tools" in given else known.tools,
        (*known.rules, *rules),
        _limits(section.limits, known.limits),
        source,
    )
    return agent, problems


def _is_foreign(key: str, servers: Collection[str]) -> bool:
    """Tell whether a key of permissions is about foreign tools; what they say of themselves is no reason to permit them."""
    return key not in PERMISSION_OF and key != READING_ELSEWHERE and is_foreign(key, servers)


def _limits(section: AgentLimitSettings, known: RunLimits) -> RunLimits:
    return RunLimits(
        known.steps if section.steps is None else section.steps,
        known.tokens if section.tokens is None else section.tokens,
        known.seconds if section.seconds is None else section.seconds,
        known.money if section.money is None else section.money,
    )


def confine(agent: AgentDefinition) -> AgentDefinition:
    """Return the agent as it may be in a workspace that is not trusted: it reads, and spends no more than any other."""
    most = RunLimits()
    limits = RunLimits(
        min(agent.limits.steps, most.steps),
        min(agent.limits.tokens, most.tokens),
        min(agent.limits.seconds, most.seconds),
        agent.limits.money,
    )
    tools = tuple(tool for tool in agent.tools if PERMISSION_OF.get(tool) == "read")
    rules = tuple(rule for rule in agent.rules if rule.verdict != "allow")
    # Whoever names a model or a role chooses among the user's providers, and so where text goes.
    return replace(agent, role="chat", model=None, tools=tools, rules=rules, limits=limits)
