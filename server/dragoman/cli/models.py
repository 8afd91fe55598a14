"""``dragoman models``: what there is, getting one, trying one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.model_choice import bench_model, explain_role
from dragoman.cli.output import AsJson, ConfigFile, note, out, print_json, print_json_line, print_text

if TYPE_CHECKING:
    from dragoman.app import App
    from dragoman.models.base import Model

commands = typer.Typer(help="What models there are, getting one, trying one.", no_args_is_help=True)
commands.command("explain")(explain_role)
commands.command("bench")(bench_model)


@commands.command("list")
def list_models(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List every model of every provider that answers."""
    asyncio.run(_list(config, as_json=as_json))


async def _list(config: Path | None, *, as_json: bool) -> None:
    from dragoman.cli.setup import open_app
    from dragoman.models.diagnosis import ROLES_IN_USE

    app = open_app(config)
    try:
        await app.models.refresh()
        chosen: dict[tuple[str, str], list[str]] = {}
        for role in ROLES_IN_USE:
            if (info := app.models.current(role).info) is not None:
                chosen.setdefault((info.provider, info.name), []).append(role)
        rows = [
            {
                "name": info.name,
                "provider": info.provider,
                "context_window": info.context_window,
                "capabilities": sorted(info.capabilities),
                "size_bytes": info.size_bytes,
                "fim_family": info.fim_family,
                "roles": chosen.get((info.provider, info.name), []),
            }
            for info in app.models.catalog()
        ]
        _say_silent(app)
    finally:
        await app.aclose()
    if as_json:
        print_json(rows)
    elif rows:
        _print_table(rows)
    else:
        note("There is no model. Get the embedded one with `dragoman models pull`, or start a model server.")


def _say_silent(app: App) -> None:
    for offer in app.models.offers:
        if offer.source.origin == "configured" and (offer.problem or offer.status.problem):
            note(f"dragoman: {offer.problem or offer.status.problem} {offer.status.hint}".rstrip())


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("model", "provider", "window", "size", "can", "used for"):
        number = heading in {"window", "size"}
        table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=heading == "model")
    for row in rows:
        size = f"{row['size_bytes'] / 1e9:.1f} GB" if row["size_bytes"] else ""
        table.add_row(
            row["name"],
            row["provider"],
            f"{row['context_window']:,}" if row["context_window"] else "",
            size,
            ", ".join(row["capabilities"]),
            ", ".join(row["roles"]),
        )
    out().print(table)


@commands.command("pull")
def pull_model(
    name: Annotated[str | None, typer.Argument(help="The model; the embedded default if you name none.")] = None,
    file: Annotated[Path | None, typer.Option("--from", metavar="FILE", help="Take a GGUF file from disk.")] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="P", help="Let this provider fetch it: an Ollama or a LocalAI server."),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Get a model: the embedded one (once, then it works offline), or one that an Ollama or LocalAI server fetches."""
    from dragoman.cli.pulling import pull_embedded, pull_through_provider

    if file is not None and provider not in {None, "embedded"}:
        raise typer.BadParameter("--from puts a file into the embedded provider only.", param_hint="--provider")
    if file is not None and name is not None:
        raise typer.BadParameter("a file keeps its own name; leave NAME out.", param_hint="NAME")
    if provider in {None, "embedded"}:
        result = asyncio.run(pull_embedded(name, file))
    elif name is None:
        raise typer.BadParameter(f"say which model {provider!r} should fetch.", param_hint="NAME")
    else:
        result = asyncio.run(pull_through_provider(str(provider), name, config, as_json=as_json))
        if as_json:
            # The last of several lines.
            print_json_line(result)
            return
    if as_json:
        print_json(result)
    else:
        print_text(f"{result['name']} is there{': ' + result['path'] if result.get('path') else ''}.")


@commands.command("test")
def try_model(
    name: Annotated[str | None, typer.Argument(help="The model; the one that completes if you name none.")] = None,
    limit: Annotated[float, typer.Option("--limit", metavar="SECONDS", help="Wait this long for an answer.")] = 90.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a model fill a hole, and say whether it did and how fast; exit code 1 when it cannot be used."""
    raise typer.Exit(asyncio.run(_try(name, config, limit=limit, as_json=as_json)))


async def _try(name: str | None, config: Path | None, *, limit: float, as_json: bool) -> int:
    from dragoman.cli.setup import open_app
    from dragoman.models.diagnosis import check_fim, worst

    app = open_app(config)
    try:
        model = await (app.models.for_role("completion") if name is None else find_model(app, name))
        findings = await check_fim(model, limit=limit, on_wait=lambda text: None if as_json else note(f"{text} …"))
        info = model.info
    finally:
        await app.aclose()
    failed = worst(findings) == "error"
    if as_json:
        print_json(
            {
                "ok": not failed,
                "name": info.name,
                "provider": info.provider,
                "findings": [finding.as_dict() for finding in findings],
            }
        )
    else:
        for finding in findings:
            print_text(f"{finding.severity}: {finding.sentence}")
            if finding.advice:
                print_text(f"    {finding.advice}")
    return 1 if failed else 0


async def find_model(app: App, name: str) -> Model:
    """Return the model; the error for an unknown one names the nearest, or all there are when none is near."""
    from dragoman.errors import ModelNotFoundError

    try:
        return await app.models.named(name)
    except ModelNotFoundError as error:
        names = sorted({info.name for info in app.models.catalog()})
        if "nearest" in error.hint or not names:
            raise
        raise ModelNotFoundError(error.message, hint=f"There are: {', '.join(names)}.") from None
