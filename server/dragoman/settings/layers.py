"""Where settings come from: files, environment, editor, command line; each read into a plain table."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dragoman.settings import known
from dragoman.settings.problems import Problem

LayerName = Literal["user", "project", "environment", "editor", "flags"]
Fingerprint = tuple[int, int, int]
"""A file's modification time in nanoseconds, its size in bytes, its inode."""

ENVIRONMENT_PREFIX = "DRAGOMAN_"
CLIENT_KEYS = frozenset({"server", "trace", "client"})
"""Keys of the editor's section that are meant for the editor's own part, not for the server."""

_AT_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)|\s*\(at end of document\)")


@dataclass(slots=True)
class Layer:
    """One source as it was read."""

    name: LayerName
    label: str
    data: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    text: str = ""
    present: bool = False
    broken: bool = False
    fingerprint: Fingerprint | None = None
    labels: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def label_of(self, path: tuple[str | int, ...]) -> str:
        """Return what a person would look for: the file, or the environment variable that holds the key."""
        for length in range(len(path), 0, -1):
            if label := self.labels.get(tuple(str(part) for part in path[:length])):
                return label
        return self.label


def fingerprint(path: Path) -> Fingerprint | None:
    """Return what changes when the file does, None when there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def read_file(name: LayerName, path: Path, *, required: bool = False) -> Layer:
    """Read a TOML file; what goes wrong stands in the layer's problems."""
    layer = Layer(name=name, label=str(path), path=path, fingerprint=fingerprint(path))
    try:
        layer.text = path.read_bytes().decode("utf-8-sig")
        layer.present = True
        layer.data = tomllib.loads(layer.text)
    except (FileNotFoundError, NotADirectoryError):
        if required:
            layer.problems.append(Problem(layer.label, "", "does not exist.", "Check the path, or leave --config out."))
    except tomllib.TOMLDecodeError as error:
        layer.broken = True
        layer.problems.append(_syntax_problem(layer, str(error)))
    except UnicodeDecodeError as error:
        layer.present = layer.broken = True
        layer.problems.append(Problem(layer.label, "", f"is not UTF-8 text (byte {error.start})."))
    except OSError as error:
        layer.present = layer.broken = True
        layer.problems.append(Problem(layer.label, "", f"cannot be read: {error.strerror or error}."))
    return layer


def _syntax_problem(layer: Layer, message: str) -> Problem:
    place = _AT_LINE.search(message)
    said = _AT_LINE.sub("", message)
    said = said[:1].lower() + said[1:]
    if place and place.group(1):
        line, column = int(place.group(1)), int(place.group(2))
    else:
        lines = layer.text.splitlines() or [""]
        line, column = len(lines), len(lines[-1]) + 1
    return Problem(layer.label, "", f"is not valid TOML: {said}.", "Nothing in this file applies.", line, column)


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Read ``DRAGOMAN_SECTION__KEY`` variables; values are JSON or plain text, lists also ``a,b``."""
    layer = Layer(name="environment", label="environment")
    sections: list[str] | None = None
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        path = tuple(part.lower() for part in variable.removeprefix(ENVIRONMENT_PREFIX).split("__"))
        if len(path) == 1:
            # Other variables of ours (DRAGOMAN_LOG, DRAGOMAN_CONFIG_DIR) have no section either.
            sections = known.keys_at(()) if sections is None else sections
            if path[0] not in sections:
                continue
        layer.present = True
        layer.labels[path] = f"environment variable {variable}"
        _put(layer.data, path, _parse(path, environ[variable]))
    if isinstance(providers := layer.data.get("providers"), dict):
        places = {name: str(place) for place, name in enumerate(providers)}
        for path, label in list(layer.labels.items()):
            if len(path) > 1 and path[0] == "providers":
                layer.labels[("providers", places[path[1]], *path[2:])] = label
        layer.data["providers"] = [
            {"name": name, **entry} if isinstance(entry, dict) else {"name": name} for name, entry in providers.items()
        ]
    return layer


def _parse(path: tuple[str, ...], text: str) -> Any:
    schema_path: known.Path = ("providers", 0, *path[2:]) if path[0] == "providers" and len(path) > 2 else path
    kinds = {str(kind) for node in known.nodes_at(schema_path) for kind in [node.get("type")] if kind}
    if kinds and kinds <= {"string", "null"}:
        return text
    lowered = text.strip().lower()
    if "boolean" in kinds and lowered in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        return lowered in {"1", "true", "yes", "on"}
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(value, str) and "array" in kinds:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def read_editor(options: object, *, sends_defaults: bool = False) -> Layer:
    """Read ``initializationOptions`` or the configuration section ``dragoman``.

    Dotted keys are tables, null means not set.
    ``sends_defaults`` says that the editor sends every setting it knows, set or not (VS Code does):
    a value equal to the built-in default then counts as not set.
    """
    layer = Layer(name="editor", label="editor settings")
    if not isinstance(options, Mapping):
        if options is not None:
            layer.problems.append(Problem(layer.label, "", f"must be an object, not {options!r}."))
        return layer
    # A copy, because the checks take out what is wrong, and the table is the caller's.
    table = _expand(copy.deepcopy(dict(options)))
    if isinstance(table.get("dragoman"), dict):
        table = {**{key: value for key, value in table.items() if key != "dragoman"}, **table["dragoman"]}
    layer.data = {key: value for key, value in table.items() if key not in CLIENT_KEYS}
    if sends_defaults:
        _drop_defaults(layer.data)
    layer.present = bool(layer.data)
    return layer


def _expand(options: Mapping[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in options.items():
        if value is None:
            continue
        _put(table, tuple(str(key).split(".")), _expand(value) if isinstance(value, Mapping) else value)
    return table


def _drop_defaults(data: dict[str, Any]) -> None:
    from dragoman.settings.schema import Settings

    defaults = Settings().model_dump(mode="json")
    for path in list(_leaves(data)):
        value, default = _at(data, path), _at(defaults, path)
        if default is not None and value == default:
            _delete(data, path)


def _leaves(table: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*prefix, key))
        else:
            yield (*prefix, key)


def _at(table: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(table, Mapping):
            return None
        table = table.get(part)
    return table


def _delete(data: dict[str, Any], path: tuple[str, ...]) -> None:
    parent = _at(data, path[:-1])
    del parent[path[-1]]
    if not parent and len(path) > 1:
        _delete(data, path[:-1])


def read_flags(flags: Mapping[str, Any] | None) -> Layer:
    """Take what the command line set; None means not given."""
    layer = Layer(name="flags", label="command line")
    layer.data = _expand(copy.deepcopy(dict(flags or {})))
    layer.present = bool(layer.data)
    return layer


def _put(table: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value by its path, merging tables, so that the order of dotted and nested keys does not matter."""
    for part in path[:-1]:
        below = table.get(part)
        if not isinstance(below, dict):
            below = table[part] = {}
        table = below
    last = path[-1]
    if isinstance(value, dict) and isinstance(table.get(last), dict):
        for key, item in value.items():
            _put(table[last], (key,), item)
    else:
        table[last] = value
