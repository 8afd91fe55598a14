"""What an agent's ``permissions`` say: ``write = "allow"``, ``"run:pytest *" = "allow"``, ``"edit_file:docs/**" = "deny"``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from dragoman.agents.tools.policy import PERMISSIONS, Permission, Rule, Verdict, protection_of


def read_permissions(
    permissions: Mapping[str, Verdict],
    tools: Mapping[str, Permission],
    is_foreign: Callable[[str], bool] = lambda _name: False,
) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return the rules, and a sentence for each key that is none.

    A key is a permission class or the name of a tool, alone or with a pattern behind a colon: of a command for what runs, of a
    path for what reads or writes, of a host for what uses the network. One that ``is_foreign`` is about tools of a foreign
    server, of which nobody knows yet what they do.
    """
    rules: list[Rule] = []
    problems: list[str] = []
    for key, verdict in permissions.items():
        subject, _, pattern = key.partition(":")
        if is_foreign(key):
            rules.append(Rule(verdict, tool=key))
            continue
        permission = next((one for one in PERMISSIONS if one == subject), None) or tools.get(subject)
        if permission is None:
            near = difflib.get_close_matches(subject, (*PERMISSIONS, *tools), 1, 0.5)
            advice = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PERMISSIONS)} and the tools' names"
            )
            problems.append(f"permissions: {key!r} names no permission and no tool; {advice}")
        elif ":" in key and not pattern.strip():
            problems.append(f"permissions: {key!r} has no pattern behind its colon")
        else:
            rule = Rule(verdict, permission, None if subject in PERMISSIONS else subject)
            if pattern:
                rule = replace(rule, command=pattern) if permission == "run" else replace(rule, path=pattern)
            rules.append(rule)
    return tuple(rules), tuple(problems)


def narrow(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return rules as a file of a workspace may state them: whatever runs, sends, names a tool or a protected file is asked about.

    A workspace may be trusted, and its next commit be somebody else's.
    """
    return tuple(replace(rule, verdict="ask") if _opens(rule) else rule for rule in rules)


def _opens(rule: Rule) -> bool:
    if rule.verdict != "allow":
        return False
    if rule.tool is not None or rule.permission not in {"read", "write"}:
        return True
    return rule.path is not None and protection_of(rule.path.removeprefix("./").removeprefix("/")) is not None


def key_of(rule: Rule) -> str:
    """Return the key that states a rule."""
    pattern = rule.command if rule.command is not None else rule.path
    return f"{rule.tool or rule.permission}{'' if pattern is None else f':{pattern}'}"
