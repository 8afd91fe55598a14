"""Everything that can be set: read from five layers, checked, merged into one frozen `Settings`."""

from __future__ import annotations

from dragoman.settings.load import LoadedSettings, Source, changed_files, load_settings
from dragoman.settings.problems import Problem
from dragoman.settings.providers import ModelEntry, ProviderSettings
from dragoman.settings.schema import Settings
from dragoman.settings.secrets import resolve_key

__all__ = [
    "LoadedSettings",
    "ModelEntry",
    "Problem",
    "ProviderSettings",
    "Settings",
    "Source",
    "changed_files",
    "load_settings",
    "resolve_key",
]
