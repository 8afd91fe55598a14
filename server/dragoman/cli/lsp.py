"""``dragoman lsp`` as the help shows it; ``dragoman.start`` runs it before this package is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("lsp")(run_lsp)


def run_lsp(
    stdio: Annotated[bool, typer.Option("--stdio", help="Talk on standard input and output (the default).")] = False,
    tcp: Annotated[
        str | None, typer.Option("--tcp", metavar="HOST:PORT", help="Wait for one client at an address instead.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Read FILE instead of the user's settings file.")
    ] = None,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Write the log to FILE instead of stderr.")
    ] = None,
) -> None:
    """Run the language server; editors start it."""
    from dragoman.start import serve_editor

    arguments = [
        *(["--stdio"] if stdio else []),
        *(["--tcp", tcp] if tcp else []),
        *(["--config", str(config)] if config else []),
        *(["--log-file", str(log_file)] if log_file else []),
    ]
    raise typer.Exit(serve_editor(arguments))
