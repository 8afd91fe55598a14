"""What a foreign server says of its tools, as far as it is passed on: bounded, checked, and without any rights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dragoman.agents.mcp.limits import DESCRIPTION_CHARS, SCHEMA_CHARS, SCHEMA_DEPTH, SERVER_TOOLS
from dragoman.errors import RequestRejectedError
from dragoman.models.schemas import Schema

_WORDS = frozenset({"description", "title", "examples", "$comment", "default"})
"""Parts of a schema that explain it; without them it still says what is right."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One tool as its server describes it; ``is_reading`` is what the server says of itself, and proves nothing."""

    name: str
    description: str
    schema: Mapping[str, Any]
    is_reading: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The tools of a server that can be offered, and a sentence for each thing that is wrong with the others."""

    tools: tuple[Announced, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to, as text; ``failed`` is the server's own word."""

    text: str
    failed: bool = False


def vet(announced: Iterable[Announced], *, more: bool = False) -> Listing:
    """Return what can be offered of a server's tools; ``more`` says that it has others that were not read.

    Checks each schema, which takes some milliseconds.
    """
    tools: dict[str, Announced] = {}
    faults: list[str] = []
    for one in announced:
        if len(tools) == SERVER_TOOLS:
            more = True
            break
        if one.name in tools:
            faults.append(f"has two tools {_shown(one.name)}; the second is left out")
            continue
        try:
            schema = fit_schema(one.schema)
        except ValueError as error:
            faults.append(f"its tool {_shown(one.name)} is left out: its schema {error}")
            continue
        tools[one.name] = Announced(one.name, plain(one.description), schema, one.is_reading)
    if more:
        faults.append(f"has more tools than are read; the first {len(tools)} are offered")
    return Listing(tuple(tools.values()), tuple(faults))


def _shown(name: str) -> str:
    return repr(plain(name)[:100])


def plain(text: str) -> str:
    """Return a text on one line, without characters that cannot be seen, and no longer than a description may be."""
    words = " ".join("".join(one if one.isprintable() else " " for one in text[: 2 * DESCRIPTION_CHARS]).split())
    return words if len(words) <= DESCRIPTION_CHARS else words[: DESCRIPTION_CHARS - 2] + " …"


def fit_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that can go to a model's server; raises ValueError with what is wrong in it.

    One that a model's server cannot read would fail the whole request, and with it the run.
    """
    given = {key: value for key, value in schema.items() if key not in {"$schema", "$id", "title"}}
    if given.setdefault("type", "object") != "object":
        raise ValueError("is none of an object")
    properties = given.setdefault("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(one, (dict, bool)) for one in properties.values()):
        raise ValueError("has properties that are none")
    if _depth(given) > SCHEMA_DEPTH:
        raise ValueError("is nested too deeply")
    fitted = _shortened(given)
    if len(json.dumps(fitted)) > SCHEMA_CHARS:
        fitted = _bare(given)
    if len(json.dumps(fitted)) > SCHEMA_CHARS:
        raise ValueError(f"is longer than {SCHEMA_CHARS:,} characters")
    try:
        Schema(fitted)
    except RequestRejectedError as error:
        raise ValueError(f"is no JSON schema: {plain(error.message)[:200]}") from None
    return dict(fitted)


def _depth(value: Any) -> int:
    """Return how many containers stand in each other, counted no further than is allowed."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        deepest = max(deepest, depth)
        if deepest > SCHEMA_DEPTH:
            break
        waiting += [(part, depth + 1) for part in inner]
    return deepest


def _shortened(value: Any) -> Any:
    """Return the schema with every description on one line and bounded."""
    if isinstance(value, dict):
        return {
            key: plain(part) if key == "description" and isinstance(part, str) else _shortened(part)
            for key, part in value.items()
        }
    return [_shortened(part) for part in value] if isinstance(value, list) else value


def _bare(value: Any, *, names: bool = False) -> Any:
    """Return the schema without what only explains it; ``names`` says that the keys are names of properties."""
    if isinstance(value, dict):
        return {
            key: _bare(part, names=key in {"properties", "$defs", "definitions"} and not names)
            for key, part in value.items()
            if names or key not in _WORDS
        }
    return [_bare(part) for part in value] if isinstance(value, list) else value
