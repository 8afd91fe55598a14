"""Downloads with a progress bar on a terminal, and with a line now and then without one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

from dragoman.cli.output import note, print_json_line
from dragoman.errors import SettingsError

Report = Callable[[int, int, str], None]

LINE_SECONDS = 5.0
"""Without a terminal a line this often shows life and does not fill a log."""


async def pull_embedded(name: str | None, file: Path | None) -> dict[str, Any]:
    """Bring a model of the embedded provider onto this disk; raises `ModelError`."""
    from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, import_file, pull

    store = WeightsStore()
    with progress_bar() as report:
        if file is not None:
            model = await import_file(store, file, report)
        else:
            model = await pull(store, name or DEFAULT_MODEL, report)
    return {
        "name": model.name,
        "provider": "embedded",
        "path": str(model.path),
        "sha256": model.sha256,
        "bytes": model.bytes,
    }


async def pull_through_provider(
    provider_name: str, model: str, config: Path | None, *, as_json: bool = False
) -> dict[str, Any]:
    """Let a provider fetch a model; raises SettingsError for a provider that is not there or cannot, and `ModelError`.

    Progress is a bar, or with ``as_json`` one object a line. An interrupt closes the connection, which ends the download.
    """
    from dragoman.cli.setup import open_app
    from dragoman.models.providers.downloads import Puller

    app = open_app(config)
    try:
        provider = next((one for one in app.models.providers if one.name == provider_name), None)
        if provider is None:
            known = ", ".join(one.name for one in app.models.providers)
            raise SettingsError(f"There is no provider {provider_name!r}.", hint=f"There are: {known}.")
        if not isinstance(provider, Puller):
            raise SettingsError(
                f"The provider {provider_name!r} is of kind {provider.kind!r}, which fetches no models on request.",
                hint="Use its own way to load a model.",
            )
        with json_lines() if as_json else progress_bar() as report:
            async with aclosing(provider.pull(model)) as steps:
                async for step in steps:
                    report(step.completed or 0, step.total or 0, step.status)
    finally:
        await app.aclose()
    return {"name": model, "provider": provider_name}


@contextmanager
def json_lines() -> Iterator[Report]:
    """Give a function that prints each step as an object of its own, for programs."""
    yield lambda done, total, what: print_json_line({"status": what, "completed": done, "total": total})


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Give a function that shows how many bytes are done, of how many, and of what."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("preparing", total=None)

        def report(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total or None, description=what)

        yield report


class Lines:
    """Reports for a log: the first, the last of each step, and one every few seconds."""

    def __init__(self) -> None:
        self._what = ""
        self._said_at = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say how far it is if it is time to."""
        now = time.monotonic()
        ended = total > 0 and done >= total
        if what == self._what and not ended and now - self._said_at < LINE_SECONDS:
            return
        if what == self._what and ended and self._said_at == float("inf"):
            return
        self._what, self._said_at = what, float("inf") if ended else now
        share = f" {done * 100 // total} % of {total / 1e6:.0f} MB" if total else ""
        note(f"{what}{share}")
