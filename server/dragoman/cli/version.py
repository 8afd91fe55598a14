"""``dragoman version``."""

from __future__ import annotations

import platform

import typer

from dragoman import __version__
from dragoman.cli.output import AsJson, print_json, print_text


def show_and_exit(wanted: bool) -> None:
    """Answer ``--version``."""
    if wanted:
        print_text(f"dragoman {__version__}")
        raise typer.Exit


def run_version(as_json: AsJson = False) -> None:
    """Show the version."""
    if as_json:
        print_json({"version": __version__, "python": platform.python_version(), "platform": platform.platform()})
    else:
        print_text(f"dragoman {__version__}")
