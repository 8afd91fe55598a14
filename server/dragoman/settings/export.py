"""The settings described for other programs: JSON Schema for editors of TOML, and VS Code's own form."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from dragoman.settings import known
from dragoman.settings.schema import Settings
from dragoman.settings.untrusted import IN_OWN_FILE_ONLY, IN_WORKSPACES


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.toml`` and ``dragoman.toml``, with a description of every key."""
    described = copy.deepcopy(known.schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **described,
        "title": "Dragoman settings",
    }


def vscode_configuration() -> dict[str, Any]:
    """Return VS Code's ``contributes.configuration.properties``: ``dragoman.*`` keys with type, default, scope and order.

    What only the user's own file may set is left out.
    What runs something, sends text somewhere or holds a key has the scope ``machine``: a workspace cannot set it.
    """
    defaults = Settings().model_dump(mode="json")
    properties: dict[str, Any] = {}
    offered = (path for path in known.leaves() if path not in IN_OWN_FILE_ONLY)
    for order, path in enumerate(offered):
        node = known.schema()
        default: Any = defaults
        for part in path:
            node = known.resolve(node)["properties"][part]
            default = default[part]
        entry = _editable({**_inline(node), "default": default})
        properties[".".join(("dragoman", *path))] = {
            **entry,
            "markdownDescription": entry["description"],
            "scope": "resource" if path[0] in IN_WORKSPACES else "machine",
            "order": order,
        }
    return properties


def _editable(entry: dict[str, Any]) -> dict[str, Any]:
    """Rewrite alternatives so that the settings page has a box for them: it has none for ``anyOf``.

    It has one for a number that may be empty.
    A word that stands beside a number and is the default becomes the empty box: null means not set.
    """
    match entry.get("anyOf"):
        case [{"type": str(kind)} as choice, {"type": "null"}]:
            rest = {key: value for key, value in entry.items() if key != "anyOf"}
            return {**choice, **rest, "type": [kind, "null"]}
        case [{"const": word, "type": "string"}, {"type": "number" | "integer" as kind} as choice]:
            if word == entry["default"]:
                rest = {key: value for key, value in entry.items() if key != "anyOf"}
                said = f"{entry['description']} Left empty, it is `{word}` unless a file of yours says otherwise."
                return {**choice, **rest, "type": [kind, "null"], "default": None, "description": said}
    return entry


def _inline(node: Any) -> Any:
    """Put every reference's target in its place: VS Code resolves none; titles only repeat the keys."""
    if isinstance(node, Mapping):
        if "$ref" in node:
            beside = {key: value for key, value in node.items() if key != "$ref"}
            return {**_inline(known.resolve(node)), **_inline(beside)}
        return {
            key: _inline_child(key, value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(node, list):
        return [_inline(part) for part in node]
    return node


def _inline_child(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _inline(child) for name, child in value.items()}
    return _inline(value)
