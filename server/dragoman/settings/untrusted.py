"""What a project's file may set before its user trusts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dragoman.settings import known
from dragoman.settings.layers import Layer
from dragoman.settings.problems import Problem
from dragoman.settings.toml_lines import find_line

HARMLESS = frozenset({"completion", "context", "review"})
"""Tables that change how Dragoman works, but not what it runs, where it sends text, or what it opens to others.

``models`` is none of them: who may choose among the user's providers sends text from one machine to another.
"""

IN_WORKSPACES = HARMLESS | {"models"}
"""What a workspace that the editor trusts may set: it can choose among providers, and name none."""

IN_OWN_FILE_ONLY = frozenset({("security", "redact"), ("models", "local_only"), ("mcp", "trusted")})
"""Keys that no editor is offered: whatever it sends may have come from a workspace."""

TRUST_HINT = "Run `dragoman trust` in the project's folder if you know who wrote it."


def restrict(layer: Layer) -> None:
    """Take out of an untrusted project's table what runs or sends, each with a warning."""
    existing = known.keys_at(())
    for key in sorted(set(layer.data) & (set(existing) - HARMLESS)):
        del layer.data[key]
        layer.problems.append(
            Problem(
                layer.label,
                key,
                f"{key!r} is not taken from a project that is not trusted.",
                TRUST_HINT,
                find_line(layer.text, (key,)),
                severity="warning",
            )
        )


def narrow(layer: Layer, data: dict[str, Any], below: Mapping[str, Any]) -> None:
    """Keep an untrusted project from opening what its user closed.

    Completion that is off or asked for by key only, languages that are excluded, reviews and vectors that nobody asks for, and
    sources of context that were left out stay so.
    """
    ours, theirs = below.get("completion", {}), data.get("completion", {})
    if ours.get("enabled") is False and theirs.pop("enabled", None):
        _keep(layer, ("completion", "enabled"), "false", "switch it on")
    if ours.get("trigger") == "invoked" and theirs.pop("trigger", "invoked") != "invoked":
        _keep(layer, ("completion", "trigger"), "'invoked'", "widen it")
    if not below.get("review", {}).get("on_save") and data.get("review", {}).pop("on_save", False):
        _keep(layer, ("review", "on_save"), "false", "switch it on")
    if not below.get("context", {}).get("vectors") and data.get("context", {}).pop("vectors", False):
        _keep(layer, ("context", "vectors"), "false", "switch it on")
    allowed, wanted = below.get("context", {}).get("sources"), data.get("context", {}).get("sources")
    if allowed is not None and wanted is not None and not set(wanted) <= set(allowed):
        data["context"]["sources"] = [source for source in wanted if source in allowed]
        _keep(layer, ("context", "sources"), "within yours", "add to it")
    excluded = ours.get("languages", {}).get("exclude", [])
    added = theirs.get("languages", {}).get("exclude")
    if excluded and added is not None:
        theirs["languages"]["exclude"] = [*excluded, *(language for language in added if language not in excluded)]


def _keep(layer: Layer, path: tuple[str, str], value: str, deed: str) -> None:
    key = ".".join(path)
    layer.problems.append(
        Problem(
            layer.label,
            key,
            f"{key!r} stays {value}: a project that is not trusted cannot {deed}.",
            TRUST_HINT,
            find_line(layer.text, path),
            severity="warning",
        )
    )


def refuse_exposure(layer: Layer) -> None:
    """Keep every layer but the user's own file from switching redaction off: an editor reads a workspace's settings too."""
    security = layer.data.get("security")
    if isinstance(security, dict) and security.get("redact", True) is not True:
        _take_out(layer, "security", "redact", "switched off")


def refuse_server_trust(layer: Layer) -> None:
    """Keep every layer but the user's own file from saying which tool servers are believed."""
    mcp = layer.data.get("mcp")
    if isinstance(mcp, dict) and mcp.get("trusted"):
        _take_out(layer, "mcp", "trusted", "set")


def _take_out(layer: Layer, table: str, key: str, done: str) -> None:
    """Take out a key that only the user's own file may have, and say so."""
    del layer.data[table][key]
    layer.problems.append(
        Problem(
            layer.label_of((table, key)),
            f"{table}.{key}",
            f"'{table}.{key}' can be {done} only in the user's own settings file.",
            "`dragoman config path` shows where that is.",
            find_line(layer.text, (table, key)),
        )
    )


def keep_servers(layer: Layer, data: dict[str, Any], own: Mapping[str, Any]) -> None:
    """Keep a project and an editor from changing a tool server of the user's: permissions were given to that one, by its name."""
    mine, theirs = own.get("mcp", {}).get("servers", {}), data.get("mcp", {}).get("servers", {})
    for name in sorted(set(mine) & set(theirs)):
        if theirs.pop(name) == mine[name]:
            continue
        layer.problems.append(
            Problem(
                layer.label_of(("mcp", "servers", name)),
                f"mcp.servers.{name}",
                f"The tool server {name!r} is one of the user's own settings file, and stays as it is there.",
                "Give this one another name.",
                find_line(layer.text, ("mcp", "servers", name)),
                severity="warning",
            )
        )


def refuse_permissions(layer: Layer) -> None:
    """Keep a project and an editor from letting an agent run, send, or write what others run without a question.

    Either may speak for a workspace.
    """
    agents = layer.data.get("agents")
    for name, agent in agents.items() if isinstance(agents, dict) else ():
        permissions = agent.get("permissions") if isinstance(agent, dict) else None
        if not isinstance(permissions, dict):
            continue
        for key in permissions:
            subject, _, pattern = str(key).partition(":")
            if (
                permissions[key] != "allow"
                or subject == "read"
                or (subject == "write" and not _names_settings(pattern))
            ):
                continue
            permissions[key] = "ask"
            layer.problems.append(
                Problem(
                    layer.label_of(("agents", name, "permissions", key)),
                    f"agents.{name}.permissions",
                    f"{key!r} is asked about: only the user's own settings file can allow it without a question.",
                    "`dragoman config path` shows where that is.",
                    find_line(layer.text, ("agents", name, "permissions", key)),
                    severity="warning",
                )
            )


def _names_settings(pattern: str) -> bool:
    """Tell whether a path may be of a file that says what may be done or what others run: those are hidden, or our own."""
    parts = pattern.lower().removeprefix("./").split("/")
    return parts[-1] == "dragoman.toml" or any(part.startswith(".") for part in parts)


def refuse_literal_keys(layer: Layer) -> None:
    """Take keys written out in full out of every layer but the user's own file: they would end up in a repository."""
    providers = layer.data.get("providers")
    if not isinstance(providers, list):
        return
    for index, entry in enumerate(providers):
        if isinstance(entry, dict) and isinstance(entry.get("api_key"), str):
            del entry["api_key"]
            path = ("providers", index, "api_key")
            layer.problems.append(
                Problem(
                    layer.label_of(("providers", str(entry.get("name")), "api_key")),
                    f"providers[{index}].api_key",
                    "a key written out is accepted only in the user's own settings file.",
                    'Write api_key = { env = "NAME" } or { keyring = "service/name" } here.',
                    find_line(layer.text, path),
                )
            )
