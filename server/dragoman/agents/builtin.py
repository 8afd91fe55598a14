"""The agents that come with Dragoman; their instructions are the Markdown files in ``prompts/``."""

from __future__ import annotations

from functools import cache
from typing import Final

from dragoman.agents.definitions import AgentDefinition
from dragoman.agents.mcp.names import ALL
from dragoman.agents.mcp.names import READING as READING_ELSEWHERE
from dragoman.agents.prompts import read_prompt
from dragoman.agents.toolbox import CHANGING, PERMISSION_OF, READING
from dragoman.models.base import Role

_LOOKING: Final = ("read_file", "list_files", "search", "repository_map", "find_symbol", "find_references")
_GIT: Final = ("git_status", "git_diff", "git_log")

_AGENTS: Final[tuple[tuple[str, str, Role, tuple[str, ...]], ...]] = (
    ("assistant", "Answers questions, and does what it is asked in the project.", "chat", (*PERMISSION_OF, ALL)),
    ("editor", "Changes code as it is told.", "edit", (*READING, *CHANGING)),
    ("explainer", "Explains code: what it does and why.", "chat", _LOOKING),
    (
        "fixer",
        "Finds out what is wrong, mends it and checks that it is.",
        "edit",
        (*READING, *CHANGING, "run_command", ALL),
    ),
    ("documenter", "Writes documentation comments and documents.", "edit", (*_LOOKING, *CHANGING)),
    ("tester", "Writes tests and runs them.", "edit", (*READING, *CHANGING, "run_command")),
    ("reviewer", "Looks for mistakes in code, and says only what it is sure of.", "review", (*_LOOKING, *_GIT)),
    ("committer", "Writes commit messages from what has changed.", "chat", ("read_file", *_GIT, "git_commit")),
    ("planner", "Plans a change step by step, and changes nothing.", "chat", (*READING, READING_ELSEWHERE)),
)


@cache
def built_in_agents() -> tuple[AgentDefinition, ...]:
    """Return the agents that are always there."""
    return tuple(
        AgentDefinition(name, description, read_prompt(name), role, tools=tools)
        for name, description, role, tools in _AGENTS
    )
