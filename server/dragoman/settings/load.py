"""Put the layers together: check each, merge them in order, keep what is right and report the rest."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.settings import check, folders, layers
from dragoman.settings.layers import Fingerprint, Layer, LayerName
from dragoman.settings.merge import Merged, leaf_keys, merge, provider_name
from dragoman.settings.problems import Problem, combine
from dragoman.settings.schema import Settings
from dragoman.settings.toml_lines import find_line
from dragoman.settings.untrusted import (
    refuse_exposure,
    refuse_literal_keys,
    refuse_permissions,
    refuse_server_trust,
    restrict,
)

_MAX_ROUNDS = 50
"""Each round removes every fault found; a table nested deeper than this is not a settings file."""

_WHEREABOUTS = frozenset({"kind", "base_url", "proxy", "ca_file"})
"""Without one of these a provider is left out whole: text must not go to another place, or by another way, than meant."""

_DROPPED: dict[str, Any] = {"name": "dropped", "kind": "embedded"}
"""Stands where a provider was taken out, so that the others keep their index, and with it their line."""


@dataclass(frozen=True, slots=True)
class Source:
    """One layer's whereabouts and state, for ``config path`` and ``doctor``."""

    name: LayerName
    label: str
    path: Path | None
    present: bool
    broken: bool
    keys: tuple[str, ...]
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings that apply, what was wrong, and where each value came from."""

    settings: Settings
    problems: tuple[Problem, ...] = ()
    sources: tuple[Source, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    """The layer's label by dotted key (``providers.NAME.key``); a key that is not here has its default."""
    workspace: Path | None = None
    trusted: bool = False
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Each layer's own values after the check; a later load falls back on them."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are errors."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def origin(self, key: str) -> str | None:
        """Return where a dotted key was set, None when it has its default."""
        return self.origins.get(key)

    def raise_for_errors(self) -> None:
        """Raise a SettingsError that names every error; return when there is none."""
        if error := combine(self.problems):
            raise error


def load_settings(
    *,
    workspace: Path | None = None,
    config_file: Path | None = None,
    editor: object = None,
    editor_sends_defaults: bool = False,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    trusted: bool = False,
    previous: LoadedSettings | None = None,
) -> LoadedSettings:
    """Read every layer and return what applies; never raises for what a source holds.

    ``config_file`` replaces the user's file.
    ``trusted`` lets the workspace's file set what runs or sends.
    ``previous`` supplies the last good value wherever a source holds a bad one now.
    """
    environ = os.environ if environ is None else environ
    stack = [_user_layer(config_file, environ)]
    if workspace is not None and not _same_file(folders.project_file(workspace), stack[0].path):
        stack.append(layers.read_file("project", folders.project_file(workspace)))
    stack += [
        layers.read_environment(environ),
        layers.read_editor(editor, sends_defaults=editor_sends_defaults),
        layers.read_flags(flags),
    ]
    for layer in stack:
        _clean(layer, trusted=trusted, last_good=_last_good(previous, layer))
    merged = merge((layer for layer in stack), trusted=trusted)
    settings = _finish(merged, stack)
    return LoadedSettings(
        settings=settings,
        problems=tuple(problem for layer in stack for problem in layer.problems),
        sources=tuple(_source(layer) for layer in stack),
        origins=merged.origins,
        workspace=workspace,
        trusted=trusted,
        tables={layer.name: layer.data for layer in stack},
    )


def changed_files(loaded: LoadedSettings) -> tuple[Path, ...]:
    """Return the settings files that were written, made or removed since; one ``stat`` each."""
    return tuple(
        source.path
        for source in loaded.sources
        if source.path is not None and layers.fingerprint(source.path) != source.fingerprint
    )


def _user_layer(config_file: Path | None, environ: Mapping[str, str]) -> Layer:
    if config_file is not None:
        return layers.read_file("user", config_file.expanduser(), required=True)
    return layers.read_file("user", folders.user_file(environ))


def _same_file(first: Path, second: Path | None) -> bool:
    if second is None:
        return False
    try:
        return first.samefile(second)
    except OSError:
        return False


def _last_good(previous: LoadedSettings | None, layer: Layer) -> Mapping[str, Any]:
    if previous is None:
        return {}
    same = any(source.name == layer.name and source.label == layer.label for source in previous.sources)
    return previous.tables.get(layer.name, {}) if same else {}


def _clean(layer: Layer, *, trusted: bool, last_good: Mapping[str, Any]) -> None:
    """Leave in the layer only what may be set there and is right by itself."""
    if layer.broken and last_good:
        layer.data = copy.deepcopy(dict(last_good))
        kept = "The last good settings of this file still apply."
        layer.problems = [dataclasses.replace(problem, hint=kept) for problem in layer.problems]
        return
    if layer.name == "project" and not trusted:
        restrict(layer)
    if layer.name != "user":
        refuse_literal_keys(layer)
        refuse_exposure(layer)
        refuse_server_trust(layer)
    if layer.name in {"project", "editor"}:
        refuse_permissions(layer)
    tried: set[check.Path] = set()
    for _ in range(_MAX_ROUNDS):
        _settings, faults = check.validate(layer.data)
        faults = [fault for fault in faults if not fault.is_incomplete]
        if not faults:
            break
        for fault in _from_the_back(faults):
            if fault.path not in tried:
                layer.problems.append(_problem(layer, fault))
            if fault.path in tried or not _restore(layer.data, fault.path, last_good):
                _remove(layer.data, fault.path)
            tried.add(fault.path)
    if isinstance(providers := layer.data.get("providers"), list):
        layer.data["providers"] = [entry for entry in providers if entry is not _DROPPED]
    layer.problems.sort(key=lambda problem: (problem.line or 0, problem.key))


def _finish(merged: Merged, stack: Iterable[Layer]) -> Settings:
    """Check the merged whole; what only the sum of the layers gets wrong is laid to the layer that spoke last."""
    by_name = {layer.name: layer for layer in stack}
    for _ in range(_MAX_ROUNDS):
        settings, faults = check.validate(merged.data)
        if settings is not None:
            return settings
        for fault in _from_the_back(faults):
            layer = by_name[merged.last_layer(fault.path)]
            layer.problems.append(_problem(layer, fault, local=_local_path(layer, merged.data, fault.path)))
            if fault.path[0] == "providers":
                merged.data["providers"][fault.path[1]] = None
            else:
                _remove(merged.data, fault.path)
        if "providers" in merged.data:
            merged.data["providers"] = [entry for entry in merged.data["providers"] if entry is not None]
    return Settings()


def _from_the_back(faults: Iterable[check.Fault]) -> list[check.Fault]:
    """Order faults so that removing one entry of a list does not move another fault's place."""
    return sorted(
        faults,
        key=lambda fault: [f"{part:09d}" if isinstance(part, int) else part for part in fault.path],
        reverse=True,
    )


def _problem(layer: Layer, fault: check.Fault, *, local: check.Path | None = None) -> Problem:
    path = fault.path if local is None else local
    line = find_line(layer.text, path) if layer.text else None
    return Problem(layer.label_of(path), fault.key, fault.message, fault.hint, line)


def _local_path(layer: Layer, merged: Mapping[str, Any], path: check.Path) -> check.Path:
    if len(path) < 2 or path[0] != "providers":
        return path
    name = provider_name(merged["providers"][path[1]])
    for index, entry in enumerate(layer.data.get("providers", [])):
        if provider_name(entry) == name:
            return ("providers", index, *path[2:])
    return path


def _restore(data: dict[str, Any], path: check.Path, last_good: Mapping[str, Any]) -> bool:
    old_path = path
    if len(path) > 1 and path[0] == "providers":
        name = provider_name(data["providers"][path[1]])
        names = [provider_name(entry) for entry in last_good.get("providers", [])]
        if name not in names:
            return False
        old_path = ("providers", names.index(name), *path[2:])
    old = check.value_at(last_good, old_path)
    if old is None:
        return False
    check.value_at(data, path[:-1])[path[-1]] = copy.deepcopy(old)
    return True


def _remove(data: dict[str, Any], path: check.Path) -> None:
    if len(path) > 1 and path[0] == "providers" and (len(path) == 2 or path[2] in _WHEREABOUTS):
        data["providers"][path[1]] = _DROPPED
        return
    parent = check.value_at(data, path[:-1])
    if check.value_at(data, path) is not None or (isinstance(parent, dict) and path[-1] in parent):
        del parent[path[-1]]
    elif len(path) > 1:
        _remove(data, path[:-1])


def _source(layer: Layer) -> Source:
    return Source(
        name=layer.name,
        label=layer.label,
        path=layer.path,
        present=layer.present,
        broken=layer.broken,
        keys=tuple(leaf_keys(layer.data)),
        fingerprint=layer.fingerprint,
    )
