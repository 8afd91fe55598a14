"""``dragoman trust``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dragoman.cli.output import AsJson, note, print_json, print_text


def run_trust(
    path: Annotated[Path | None, typer.Argument(help="The project's folder; the one around you by default.")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust it no longer.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show the folders you trust.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a project's dragoman.toml name providers, keys, commands and whatever else runs or sends."""
    from dragoman.cli.setup import workspace_of
    from dragoman.security.trust import TrustStore

    store = TrustStore.default()
    if listed:
        names = [str(trusted) for trusted in store.folders()]
        if as_json:
            print_json(names)
        else:
            for name in names:
                print_text(name)
        return
    folder = (path or workspace_of()).resolve()
    if not revoke and folder in {Path.home(), Path(folder.anchor)}:
        note(f"dragoman: {str(folder)!r} holds everything you have, not one project.")
        note("  Name the project's own folder.")
        raise typer.Exit(1)
    changed = store.revoke(folder) if revoke else store.trust(folder)
    if as_json:
        print_json({"path": str(folder), "trusted": not revoke, "changed": changed})
    elif revoke:
        print_text(f"{folder} is not trusted any more." if changed else f"{folder} was not trusted.")
    else:
        print_text(f"{folder} is trusted now." if changed else f"{folder} was trusted already.")
        _say_what_it_sets(folder)


def _say_what_it_sets(folder: Path) -> None:
    from dragoman.settings import load_settings
    from dragoman.settings.untrusted import HARMLESS

    loaded = load_settings(workspace=folder, trusted=True)
    for source in loaded.sources:
        if source.name == "project" and (keys := [key for key in source.keys if key.split(".")[0] not in HARMLESS]):
            print_text(f"Its dragoman.toml now sets {', '.join(keys)}.")
