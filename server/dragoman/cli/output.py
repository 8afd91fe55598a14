"""What commands print: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dragoman.errors import DragomanError
    from dragoman.settings import Problem

AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs.")]
EventsAsJson = Annotated[bool, typer.Option("--json", help="Print one event a line, for programs.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read FILE instead of the user's settings file."),
]


def print_json(data: Any) -> None:
    """Print data as JSON."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def print_json_line(data: Any) -> None:
    """Print data as JSON in one line, at once: one of several that are read as they come."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Print a line exactly as it is."""
    sys.stdout.write(f"{text}\n")


def out() -> Console:
    """Return the console for what a person reads."""
    from rich.console import Console

    # What goes into a file or a pipe is searched, not looked at: nothing is folded there.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def beside() -> Console:
    """Return the console for what a person reads beside the data, on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 200)


def note(text: str) -> None:
    """Say something beside the data."""
    sys.stderr.write(f"{text}\n")


def say_error(error: DragomanError) -> None:
    """Say in a sentence what failed, and below it what to do."""
    note(f"dragoman: {error.message}")
    if error.hint:
        note(f"  {error.hint}")


def say_problems(problems: Iterable[Problem]) -> None:
    """Say what is wrong in the settings; the command goes on with the rest."""
    for problem in problems:
        note(f"dragoman: {problem}")


def silence_stdout() -> None:
    """Let the interpreter end quietly when nobody reads stdout any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
