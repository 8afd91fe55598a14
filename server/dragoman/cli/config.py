"""``dragoman config``: what is set, where, and what could be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.output import AsJson, ConfigFile, out, print_json, print_text, say_problems

if TYPE_CHECKING:
    from dragoman.settings import LoadedSettings

commands = typer.Typer(help="What is set, where, and what could be.", no_args_is_help=True)


@commands.command("show")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every setting that applies and where it was set; keys are hidden."""
    from dragoman.cli.setup import load

    loaded = load(config)
    say_problems(loaded.problems)
    settings = loaded.settings.model_dump(mode="json")
    if as_json:
        print_json(settings)
        return
    from rich.text import Text

    console = out()
    for key, value in _flatten(settings):
        line = Text(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        origin = _origin(loaded, key)
        line.append(f"  # {origin or 'default'}", style="dim" if origin is None else "cyan")
        console.print(line)


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if not prefix and key == "providers" and value:
            for provider in value:
                yield from _flatten(
                    {k: v for k, v in provider.items() if k != "name"}, f"providers.{provider['name']}."
                )
        elif isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def _origin(loaded: LoadedSettings, key: str) -> str | None:
    while key:
        if origin := loaded.origin(key):
            return origin
        key = key.rpartition(".")[0]
    return None


@commands.command("check")
def check(
    file: Annotated[Path | None, typer.Argument(help="Check FILE as the user's file instead.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check every source of settings; exit code 1 when one holds an error."""
    from dragoman.cli.setup import load

    loaded = load(file or config)
    if as_json:
        print_json({"ok": not loaded.errors, "problems": [problem.as_dict() for problem in loaded.problems]})
    else:
        for problem in loaded.problems:
            print_text(f"{problem.severity}: {problem}")
        read = [source.label for source in loaded.sources if source.present]
        if not loaded.problems:
            print_text(f"No problems in {', '.join(read)}." if read else "Nothing is set; everything has its default.")
    if loaded.errors:
        raise typer.Exit(1)


@commands.command("schema")
def schema(
    vscode: Annotated[bool, typer.Option("--vscode", help="Print VS Code's configuration properties instead.")] = False,
    _as_json: AsJson = False,
) -> None:
    """Print the JSON schema of the settings, with descriptions and defaults."""
    from dragoman.settings.export import json_schema, vscode_configuration

    print_json(vscode_configuration() if vscode else json_schema())


@commands.command("path")
def path(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show which files are read, in order."""
    from dragoman.cli.setup import load

    loaded = load(config)
    files = [source for source in loaded.sources if source.path is not None]
    if as_json:
        print_json([{"layer": file.name, "path": str(file.path), "exists": file.present} for file in files])
        return
    for file in files:
        trust = "" if file.name == "user" else ", trusted" if loaded.trusted else ", not trusted"
        print_text(f"{file.path}  ({file.name}, {'there' if file.present else 'not there'}{trust})")
