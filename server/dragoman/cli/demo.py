"""``dragoman demo``."""

from __future__ import annotations

from typing import Annotated

import typer

from dragoman.cli.output import AsJson


def run_demo(
    non_interactive: Annotated[
        bool, typer.Option("--non-interactive", help="Ask nothing; this is so without a terminal anyway.")
    ] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Use this model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the main job: the real server, real typing, ghost text from the embedded model."""
    import importlib

    # By name, because the demo stands beside this package in the floor plan, not below it.
    demo = importlib.import_module("dragoman.demo")
    raise typer.Exit(demo.main(non_interactive=non_interactive, model=model, as_json=as_json) or 0)
