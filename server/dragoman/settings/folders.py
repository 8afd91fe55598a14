"""Where the user's and a project's settings lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

PROJECT_FILE = "dragoman.toml"
USER_FILE = "config.toml"
WORKSPACE_MARKS = (".git", "pyproject.toml", PROJECT_FILE)


def config_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the user's settings folder: ``DRAGOMAN_CONFIG_DIR``, else the platform's."""
    given = (os.environ if environ is None else environ).get("DRAGOMAN_CONFIG_DIR")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_config_path("dragoman", appauthor=False)


def data_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what Dragoman itself keeps: ``DRAGOMAN_DATA_DIR``, else the platform's; not necessarily there."""
    given = (os.environ if environ is None else environ).get("DRAGOMAN_DATA_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("dragoman", appauthor=False)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what can be made again: ``DRAGOMAN_CACHE_DIR``, else the platform's; not necessarily there."""
    given = (os.environ if environ is None else environ).get("DRAGOMAN_CACHE_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("dragoman", appauthor=False)


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """Return the path of the user's settings file, whether or not it exists."""
    return config_folder(environ) / USER_FILE


def project_file(workspace: Path) -> Path:
    """Return the path of a workspace's settings file, whether or not it exists."""
    return workspace / PROJECT_FILE


def find_workspace(start: Path) -> Path | None:
    """Return the nearest folder from ``start`` upward that looks like a project's root, None if none does."""
    folder = start if start.is_dir() else start.parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in WORKSPACE_MARKS):
            return candidate
    return None
