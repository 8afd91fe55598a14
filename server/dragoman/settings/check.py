"""Check one layer, or the merged whole, and say every problem in a sentence."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from dragoman.settings import known
from dragoman.settings.problems import dotted
from dragoman.settings.schema import Settings

Path = tuple[str | int, ...]

INCOMPLETE = frozenset({"missing", "provider_incomplete"})
"""Errors that another layer may still put right."""

_EXPECTED: dict[str, str] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "string_too_short": "text that is not empty",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
_SENSITIVE = frozenset({"api_key", "headers", "env", "proxy", "database_url", "cache_url"})
_QUOTED = re.compile(r"'([^']*)'")


class Fault:
    """One key that is wrong, with everything the schema said about it."""

    __slots__ = ("alternatives", "hint", "item", "key", "message", "path", "types")

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self.types: set[str] = set()
        self.alternatives: list[str] = []
        self.message = ""
        self.hint = ""
        self.item: Any = None

    @property
    def is_incomplete(self) -> bool:
        """Whether only something of a provider is missing, which another layer may supply."""
        return self.path[:1] == ("providers",) and len(self.path) in {2, 3} and self.types <= INCOMPLETE


def validate(data: Mapping[str, Any]) -> tuple[Settings | None, list[Fault]]:
    """Check a table strictly; returns the settings, or None and one fault for each wrong key."""
    try:
        # JSON mode, because there a strict check still takes a list where the settings hold a tuple.
        return Settings.model_validate_json(json.dumps(data, default=str), strict=True), []
    except ValidationError as error:
        return None, _faults(data, error)


def _faults(data: Mapping[str, Any], error: ValidationError) -> list[Fault]:
    faults: dict[Path, Fault] = {}
    for detail in error.errors(include_url=False):
        kind = detail["type"]
        path = raw_path(data, detail["loc"], whole_key=kind != "missing")
        if kind == "missing":
            path = (*path, detail["loc"][-1])
        if "api_key" in path:
            path = path[: path.index("api_key") + 1]
        fault = faults.setdefault(path, Fault(path, display_key(data, path)))
        fault.types.add(kind)
        if isinstance(detail["loc"][-1], int) and path[-1] != detail["loc"][-1]:
            fault.item = detail["input"]
        _explain(fault, kind, detail.get("ctx") or {}, str(detail["msg"]))
    for fault in faults.values():
        _phrase(fault, value_at(data, fault.path))
    return list(faults.values())


def _explain(fault: Fault, kind: str, context: Mapping[str, Any], message: str) -> None:
    if kind in {"value_error", "provider_incomplete"}:
        fault.message = message.removeprefix("Value error, ")
    elif kind == "literal_error":
        fault.alternatives += _QUOTED.findall(str(context["expected"]))
    elif kind in _EXPECTED:
        expected = _EXPECTED[kind].format(**{name: _number(value) for name, value in context.items()})
        if expected not in fault.alternatives:
            fault.alternatives.append(expected)
    elif kind not in {"extra_forbidden", "missing"}:
        fault.message = message[:1].lower() + message[1:]


def _phrase(fault: Fault, value: Any) -> None:
    key = fault.key
    parent = key.rpartition(".")[0]
    if "api_key" in fault.path:
        fault.message = f'{key!r} must be {{ env = "NAME" }} or {{ keyring = "service/name" }}.'
        fault.hint = "In the user's own file the key itself, in quotes, is accepted too."
    elif fault.types == {"extra_forbidden"}:
        fault.message = f"unknown key {key!r}."
        if near := known.nearest(fault.path):
            fault.hint = f"Did you mean {near if '.' in near or not parent else f'{parent}.{near}'!r}?"
        elif keys := known.keys_at(fault.path[:-1]):
            fault.hint = f"Known here: {', '.join(sorted(keys))}."
    elif fault.types == {"missing"}:
        fault.message = f"{parent!r} has no {fault.path[-1]!r}."
        if options := _choices(fault.path):
            fault.hint = f"Add {fault.path[-1]} = {' or '.join(map(repr, options))}."
    elif fault.message:
        fault.message = f"{key!r} {fault.message.rstrip('.')}."
    elif fault.path == ("providers",) and isinstance(value, Mapping):
        fault.message = "'providers' must be a list of tables."
        fault.hint = 'Write [[providers]] with two brackets, and name = "…" below it.'
    else:
        _phrase_value(fault, key, value)


def _phrase_value(fault: Fault, key: str, value: Any) -> None:
    choices = _choices(fault.path)
    words = [repr(word) if word in choices else word for word in fault.alternatives]
    expected = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "something else"
    subject = f"{key!r}"
    if fault.item is not None:
        subject, value = f"each entry of {key!r}", fault.item
    shown = "what it is" if _SENSITIVE & set(map(str, fault.path)) else _show(value)
    fault.message = f"{subject} must be {expected}, not {shown}."
    if isinstance(value, str) and (near := difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.6)):
        fault.hint = f"Did you mean {near[0]!r}?"


def _choices(path: Path) -> list[str]:
    found: list[str] = []
    for node in [*known.nodes_at(path), *known.nodes_at((*path, 0))]:
        found += node.get("enum", [])
        if "const" in node:
            found.append(node["const"])
    return [choice for choice in found if isinstance(choice, str)]


def _show(value: Any) -> str:
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


def _number(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, int | float) else value


def display_key(data: Mapping[str, Any], path: Path) -> str:
    """Write a path as a key, with a provider's name rather than its place: ``providers.local.base_url``."""
    if len(path) > 1 and path[0] == "providers":
        entry = value_at(data, path[:2])
        name = (entry.get("name") or entry.get("kind")) if isinstance(entry, Mapping) else None
        if isinstance(name, str):
            path = ("providers", name, *path[2:])
    return dotted(path)


def raw_path(data: Any, location: Sequence[str | int], *, whole_key: bool) -> Path:
    """Turn the schema's location into a path of the data: without union tags, and not into a list of plain values."""
    path: Path = ()
    for part in location:
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            if whole_key and not isinstance(data[part], Mapping):
                break
            data = data[part]
        else:
            continue
        path = (*path, part)
    return path


def value_at(data: Any, path: Path) -> Any:
    """Return the value at a path of the data, None when there is none."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
