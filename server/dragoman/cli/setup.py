"""What every command needs first: where it is, what is set, where it logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.cli.output import say_problems

if TYPE_CHECKING:
    from dragoman.app import App
    from dragoman.settings import LoadedSettings


def workspace_of(start: Path | None = None) -> Path:
    """Return the project's folder: the nearest upward that looks like one, else the current one."""
    from dragoman.settings.folders import find_workspace

    return find_workspace((start or Path.cwd()).resolve()) or Path.cwd()


def load(config_file: Path | None, start: Path | None = None) -> LoadedSettings:
    """Read the settings as they apply to the project around ``start``."""
    from dragoman.security.trust import TrustStore
    from dragoman.settings import load_settings

    workspace = workspace_of(start)
    return load_settings(
        workspace=workspace, config_file=config_file, trusted=TrustStore.default().is_trusted(workspace)
    )


def open_app(config_file: Path | None, start: Path | None = None, *, quiet: bool = False) -> App:
    """Build the app for the project around ``start``; what is wrong in the settings is said unless ``quiet``."""
    from dragoman import app as root
    from dragoman.monitoring.logs import configure_logs

    configure_logs(level="error")
    app = root.build(workspace=workspace_of(start), config_file=config_file)
    if not quiet:
        say_problems(app.loaded.problems)
    return app
