"""Merge layers: tables key by key, providers by name, lists and values as a whole."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dragoman.settings.layers import Layer, LayerName
from dragoman.settings.untrusted import keep_servers, narrow


@dataclass(slots=True)
class Merged:
    """The sum of the layers, and which of them had the last word on each key."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    layers: dict[str, LayerName] = field(default_factory=dict)

    def last_layer(self, path: tuple[str | int, ...]) -> LayerName:
        """Return the layer that set the key, or the last one that set something in the same table."""
        key = self.key_of(path)
        while key:
            if key in self.layers:
                return self.layers[key]
            below = [layer for set_key, layer in self.layers.items() if set_key.startswith(f"{key}.")]
            if below:
                return below[-1]
            key = key.rpartition(".")[0]
        return "user"

    def key_of(self, path: tuple[str | int, ...]) -> str:
        """Write a path of the merged data as the key that ``origins`` uses."""
        if len(path) > 1 and path[0] == "providers" and isinstance(path[1], int):
            path = ("providers", provider_name(self.data["providers"][path[1]]), *path[2:])
        return ".".join(map(str, path))


def merge(stack: Iterable[Layer], *, trusted: bool) -> Merged:
    """Put later layers over earlier ones; an untrusted project can only narrow what is sent, never widen it."""
    merged = Merged()
    own: Mapping[str, Any] = {}
    for layer in stack:
        data = copy.deepcopy(layer.data)
        if layer.name == "user":
            own = layer.data
        elif layer.name in {"project", "editor"}:
            keep_servers(layer, data, own)
        if layer.name == "project" and not trusted:
            narrow(layer, data, merged.data)
        _merge_table(merged, merged.data, data, layer, ())
    for entry in merged.data.get("providers", []):
        entry["name"] = provider_name(entry)
    return merged


def provider_name(entry: Any) -> str:
    """Return what a provider's entry is called: its name, else its kind."""
    if not isinstance(entry, Mapping):
        return ""
    return str(entry.get("name") or entry.get("kind") or "")


def leaf_keys(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys that a table sets; providers stand under their names."""
    for key, value in data.items():
        if not prefix and key == "providers" and isinstance(value, list):
            for entry in value:
                yield from leaf_keys(entry, f"providers.{provider_name(entry)}.")
        elif isinstance(value, Mapping) and value:
            yield from leaf_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _merge_table(
    merged: Merged, target: dict[str, Any], added: Mapping[str, Any], layer: Layer, path: tuple[str, ...]
) -> None:
    for key, value in added.items():
        here = (*path, key)
        if here == ("providers",):
            _merge_providers(merged, target.setdefault("providers", []), value, layer)
        elif isinstance(value, dict) and here[-1] != "api_key" and (value or key not in target):
            below = target.get(key)
            if not isinstance(below, dict):
                below = target[key] = {}
            _merge_table(merged, below, value, layer, here)
        elif not isinstance(value, dict) or here[-1] == "api_key":
            target[key] = value
            dotted = ".".join(here)
            merged.layers.pop(dotted, None)  # Last word last: `last_layer` takes the newest of a table.
            merged.layers[dotted] = layer.name
            merged.origins[dotted] = layer.label_of(here)


def _merge_providers(merged: Merged, target: list[dict[str, Any]], added: list[dict[str, Any]], layer: Layer) -> None:
    for entry in added:
        name = provider_name(entry)
        same = next((old for old in target if _plain(provider_name(old)) == _plain(name)), None)
        if same is None:
            same = {"name": name}
            target.append(same)
        known_name = provider_name(same)
        values = {key: value for key, value in entry.items() if key != "name"}
        merged.layers[f"providers.{known_name}.name"] = layer.name
        merged.origins.setdefault(f"providers.{known_name}.name", layer.label)
        _merge_table(merged, same, values, layer, ("providers", known_name))


def _plain(name: str) -> str:
    """Fold what an environment variable's name cannot tell apart."""
    return name.lower().replace("-", "_").replace(".", "_")
