"""Every tool that an agent can have, and which of them only look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dragoman.agents.tools.base import Tool
from dragoman.agents.tools.diagnostics import Diagnostics, Reports
from dragoman.agents.tools.fetch import FetchUrl
from dragoman.agents.tools.files import FILE_TOOLS
from dragoman.agents.tools.git import GIT_TOOLS
from dragoman.agents.tools.navigation import Navigation
from dragoman.agents.tools.policy import Permission, Policy
from dragoman.agents.tools.project import FindSymbol, Index, RepositoryMap, project_tools
from dragoman.agents.tools.references import FindReferences
from dragoman.agents.tools.registry import ToolRegistry
from dragoman.agents.tools.search import SEARCH_TOOLS
from dragoman.agents.tools.shell import SHELL_TOOLS

_KINDS: Final[tuple[type[Tool[Any]], ...]] = (*FILE_TOOLS, *SEARCH_TOOLS, *GIT_TOOLS, *SHELL_TOOLS, FetchUrl)

PERMISSION_OF: Final[Mapping[str, Permission]] = {
    **{kind.name: kind.permission for kind in _KINDS},
    RepositoryMap.name: RepositoryMap.permission,
    FindSymbol.name: FindSymbol.permission,
    FindReferences.name: FindReferences.permission,
    Diagnostics.name: Diagnostics.permission,
}
"""The permission class of each tool by its name."""

READING: Final = tuple(name for name, permission in PERMISSION_OF.items() if permission == "read")
"""The tools that only look."""

CHANGING: Final = tuple(
    name for name, permission in PERMISSION_OF.items() if permission == "write" and name != "git_commit"
)
"""The tools that change files."""

ESSENTIAL: Final = frozenset(
    {"read_file", "list_files", "search", "edit_file", "write_file", "run_command", "git_diff"}
)
"""What a model with a small window is offered: the rest can be done with these."""


def build_registry(
    index: Index | None = None, reports: Reports | None = None, navigation: Navigation | None = None
) -> ToolRegistry:
    """Return all tools; those that ask the project's index or the editor only where there is one."""
    tools: list[Tool[Any]] = [*(kind() for kind in _KINDS), FindReferences(index, navigation)]
    if index is not None:
        tools += project_tools(index, navigation)
    if reports is not None:
        tools.append(Diagnostics(reports))
    return ToolRegistry(tools)


def is_open(name: str, policy: Policy, agent: str) -> bool:
    """Tell whether any call of one of our tools could be made; what is closed altogether is not worth telling a model of."""
    permission = PERMISSION_OF[name]
    rules = [
        rule
        for rule in policy.rules
        if rule.permission in {None, permission} and rule.tool in {None, name} and rule.agent in {None, agent}
    ]
    if any(rule.verdict == "deny" and rule.path is None and rule.command is None for rule in rules):
        return False
    return policy.defaults[permission] != "deny" or any(rule.verdict != "deny" for rule in rules)
