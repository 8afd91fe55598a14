"""Which keys exist, and which of them a wrong one may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

Path = tuple[str | int, ...]


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """Return the JSON schema of the settings; built once, some 10 ms."""
    from dragoman.settings.schema import Settings

    return Settings.model_json_schema()


def resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a ``$ref`` of the schema."""
    while "$ref" in node:
        node = schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def options(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alternatives of a schema node, references followed."""
    node = resolve(node)
    if "anyOf" in node:
        return [option for part in node["anyOf"] for option in options(part)]
    return [node]


def children(node: Mapping[str, Any], part: str | int) -> list[Mapping[str, Any]]:
    """Return the schema nodes one step below ``node``."""
    found: list[Mapping[str, Any]] = []
    for option in options(node):
        if isinstance(part, int):
            if isinstance(option.get("items"), Mapping):
                found += options(option["items"])
        elif part in option.get("properties", {}):
            found += options(option["properties"][part])
        elif isinstance(option.get("additionalProperties"), Mapping):
            found += options(option["additionalProperties"])
    return found


def nodes_at(path: Path) -> list[Mapping[str, Any]]:
    """Return the schema nodes of a path; empty when there is no such key."""
    nodes: list[Mapping[str, Any]] = [schema()]
    for part in path:
        nodes = [child for node in nodes for child in children(node, part)]
    return nodes


def keys_at(path: Path) -> list[str]:
    """Return the keys a table may have."""
    return [key for node in nodes_at(path) for key in node.get("properties", {})]


def leaves(node: Mapping[str, Any] | None = None, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every key that holds a value rather than a table, below the tables that have a fixed name."""
    for key, child in resolve(node or schema()).get("properties", {}).items():
        below = resolve(child)
        if below.get("properties"):
            yield from leaves(below, (*prefix, key))
        elif "properties" not in below:
            yield (*prefix, key)


def nearest(path: Path) -> str | None:
    """Return the last part, or the whole dotted key, that a wrong path most likely meant; None if nothing is near."""
    wrong = str(path[-1])
    if close := _closest(wrong, keys_at(path[:-1])):
        return close
    if any(isinstance(part, int) for part in path):
        return None
    every = {".".join(leaf): leaf[-1] for leaf in leaves()}
    same = [key for key, last in every.items() if last == wrong]
    if same:
        return same[0]
    return _closest(".".join(map(str, path)), list(every))


def _closest(wrong: str, candidates: Sequence[str]) -> str | None:
    plain = {candidate.lower().replace("-", "_"): candidate for candidate in candidates}
    found = difflib.get_close_matches(wrong.lower().replace("-", "_"), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None
