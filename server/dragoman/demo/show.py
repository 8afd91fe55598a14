"""What a person sees of the demonstration: the model's download, ghost text while it is typed, and what took how long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dragoman.demo.editor import Document, Editor
from dragoman.errors import DragomanError
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, find_entry, pull

KEY_S = 0.09
"""Seconds between two keys: a brisk 130 words a minute."""

CONTEXT_LINES = 4

FROM_MODEL = "from the model"


@dataclass(frozen=True, slots=True)
class Scene:
    """A place in a sample file and what is typed there before the suggestion is taken."""

    title: str
    file: str
    before: str
    """The line at whose end Enter is pressed; the editor indents the new one."""
    indent: str
    typed: str


SCENES = (
    Scene(
        "a function's body from its docstring",
        "cart.py",
        '    """Return what all items cost together."""',
        " " * 4,
        "return ",
    ),
    Scene(
        "a line that fits to the lines after it",
        "dates.py",
        "    first = datetime.fromisoformat(a)",
        " " * 4,
        "second = ",
    ),
    Scene("a method like its neighbours", "stack.py", "    def pop(self) -> object:", " " * 8, "return "),
)


@dataclass(slots=True)
class Measured:
    """One row of the closing table; time in milliseconds."""

    what: str
    ms: float
    note: str = ""


@dataclass(slots=True)
class Stage:
    """What is on the screen and what was measured."""

    console: Console
    interactive: bool
    rows: list[Measured] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    live: Live | None = None

    def measure(self, what: str, seconds: float, note: str = "") -> None:
        """Note a time."""
        self.rows.append(Measured(what, round(seconds * 1000, 1), note))

    def draw(self, scene: Scene, document: Document, ghost: str, caption: str) -> None:
        """Show the document around the cursor with the ghost text in it."""
        if self.live is not None:
            self.live.update(_frame(scene, document, ghost, caption), refresh=True)


def main(*, non_interactive: bool = False, model: str | None = None, as_json: bool = False) -> int:
    """Run the demonstration and return the exit code; Ctrl-C ends it cleanly."""
    console = Console(stderr=as_json)
    stage = Stage(console, interactive=console.is_terminal and not non_interactive)
    try:
        asyncio.run(_run(stage, model or DEFAULT_MODEL))
    except DragomanError as error:
        console.print(f"[red]{error.message}[/red]")
        if error.hint:
            console.print(error.hint)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    if as_json:
        Console().print_json(json.dumps([asdict(row) for row in stage.rows]))
    return 0


async def _run(stage: Stage, model: str) -> None:
    console = stage.console
    console.print()
    console.print(
        "[bold]Dragoman[/bold], the language server for language models: ghost text from a model on this machine."
    )
    console.print()
    await _get_model(stage, model)
    with tempfile.TemporaryDirectory(prefix="dragoman-demo-") as folder:
        workspace = Path(folder) / "sample"
        with resources.as_file(resources.files("dragoman.demo") / "workspace") as source:
            workspace.mkdir()
            for sample in source.glob("*.sample"):
                shutil.copyfile(sample, workspace / sample.stem)
        config = Path(folder) / "config.toml"
        config.write_text(
            f'[[providers]]\nname = "embedded"\nkind = "embedded"\ndefault_model = "{model}"\n', encoding="utf-8"
        )
        async with Editor(workspace, config, stage.status.update) as editor:
            stage.measure("server started and initialized", editor.initialized_s)
            await _wait_for_model(stage, editor, workspace)
            for scene in SCENES:
                await _play(stage, editor, workspace, scene)
            counts = (await editor.command("dragoman.status", {})).get("completion", {})
    _conclude(stage, counts)
    if not any("ghost text" in row.what and row.note == FROM_MODEL for row in stage.rows):
        raise DragomanError(
            f"The model suggested nothing. {stage.status.get('sentence', '')}".strip(),
            hint=str(stage.status.get("advice") or ""),
        )


# -- the model ---------------------------------------------------------------------------------------------------------


async def _get_model(stage: Stage, name: str) -> None:
    store, entry = WeightsStore(), find_entry(name)
    if any(model.name == entry.name and model.health == "ok" for model in await store.installed()):
        return
    size = entry.bytes / 1e6
    stage.console.print(f"The model {entry.name} ({size:.0f} MB) is fetched once; after that no network is needed.")
    started = time.perf_counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    if stage.console.is_terminal:
        with Progress(*columns, console=stage.console) as progress:
            task = progress.add_task("Downloading", total=entry.bytes)

            def show(done: int, total: int, what: str) -> None:
                progress.update(task, completed=done, total=total, description=what.split(maxsplit=1)[0].capitalize())

            await pull(store, entry.name, show)
    else:
        await pull(store, entry.name, _print_tenths(stage.console))
    stage.measure("download of the model, once", time.perf_counter() - started, f"{size:.0f} MB")
    stage.console.print()


def _print_tenths(console: Console) -> Any:
    """Return a progress callback for a log: a line every tenth."""
    said: set[tuple[str, int]] = set()

    def report(done: int, total: int, what: str) -> None:
        step = what.split(maxsplit=1)[0]
        tenth = 10 * done // total if total else 0
        if (step, tenth) not in said:
            said.add((step, tenth))
            console.print(f"  {step}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    return report


async def _wait_for_model(stage: Stage, editor: Editor, workspace: Path) -> None:
    """Open the first file, which starts the engine, and wait until it is ready."""
    started = time.perf_counter()
    editor.open(workspace / "README.md") if (workspace / "README.md").exists() else editor.open(
        workspace / SCENES[-1].file
    )
    with stage.console.status("Loading the model …") if stage.interactive else contextlib.nullcontext():
        while True:
            state = stage.status.get("state")
            if state == "ready":
                break
            if state in {"problem", "no_model", "off"}:
                raise DragomanError(str(stage.status.get("sentence")), hint=str(stage.status.get("advice") or ""))
            if time.perf_counter() - started > 120:
                raise DragomanError("The model was not loaded within two minutes.", hint="`dragoman doctor` says more.")
            await asyncio.sleep(0.02)
    stage.measure("model loaded and ready", time.perf_counter() - started)


# -- a scene -----------------------------------------------------------------------------------------------------------


async def _play(stage: Stage, editor: Editor, workspace: Path, scene: Scene) -> None:
    document = editor.opened.get(workspace / scene.file) or editor.open(workspace / scene.file)
    document.line = document.lines.index(scene.before)
    document.character = len(scene.before)
    editor.insert(document, f"\n{scene.indent}")
    async with _on_screen(stage):
        ghost = await _type(stage, editor, document, scene)
        if not ghost:
            stage.draw(scene, document, "", "the model had nothing to suggest here")
            stage.console.print(f"{scene.file}: the model had nothing to suggest here.")
            return
        ghost = await _type_through(stage, editor, document, scene, ghost)
        stage.draw(scene, document, ghost, "Tab accepts it")
        await _pause(stage, 1.2)
        editor.insert(document, ghost)
        stage.draw(scene, document, "", "accepted")
        await _pause(stage, 0.8)
    if not stage.interactive:
        stage.console.print(f"[bold]{scene.file}[/bold]: {scene.title}")
        shown = document.lines[max(0, document.line - ghost.count("\n") - 2) : document.line + 1]
        stage.console.print(Text("\n".join(f"    {line}" for line in shown), style="cyan"))


async def _type(stage: Stage, editor: Editor, document: Document, scene: Scene) -> str:
    """Type key by key, asking after each as an editor does, and wait for the last answer."""
    asked: asyncio.Task[str] | None = None
    for key in scene.typed:
        if asked is not None and not asked.done():
            asked.cancel()
        editor.insert(document, key)
        asked = asyncio.create_task(editor.suggest(document))
        stage.draw(scene, document, "", "typing")
        await asyncio.sleep(KEY_S)
    assert asked is not None
    started = time.perf_counter() - KEY_S
    stage.draw(scene, document, "", "the model is reading")
    ghost = await asked
    if ghost:
        stage.measure(f"{scene.file}: last key to ghost text", time.perf_counter() - started, FROM_MODEL)
    stage.draw(scene, document, ghost, "ghost text")
    await _pause(stage, 1.0)
    return ghost


async def _type_through(stage: Stage, editor: Editor, document: Document, scene: Scene, ghost: str) -> str:
    """Type the first letters of what is suggested: the rest must stay, without another call."""
    letters = ghost[:3]
    slowest = 0.0
    for key in letters:
        editor.insert(document, key)
        started = time.perf_counter()
        ghost = await editor.suggest(document)
        slowest = max(slowest, time.perf_counter() - started)
        stage.draw(scene, document, ghost, "typing through it")
        await _pause(stage, 0.25)
    stage.measure(f"{scene.file}: a key typed through it", slowest, f"slowest of {len(letters)}, no model call")
    return ghost


async def _pause(stage: Stage, seconds: float) -> None:
    if stage.interactive:
        await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def _on_screen(stage: Stage) -> AsyncIterator[None]:
    if not stage.interactive:
        yield
        return
    with Live(console=stage.console, auto_refresh=False) as live:
        stage.live = live
        try:
            yield
        finally:
            stage.live = None


def _frame(scene: Scene, document: Document, ghost: str, caption: str) -> Group:
    """Draw the lines around the cursor as an editor would."""
    first = max(0, document.line - CONTEXT_LINES)
    last = min(len(document.lines), document.line + CONTEXT_LINES)
    syntax = Syntax("", "python", theme="ansi_dark")
    rows: list[Text] = []
    ghost_lines = ghost.split("\n")
    for index in range(first, last):
        line = document.lines[index]
        text = syntax.highlight(line)
        text.rstrip()
        if index == document.line:
            head = syntax.highlight(line[: document.character])
            head.rstrip()
            head.append(" " * (document.character - len(head)))
            head.append("▏", style="bold yellow")
            head.append(ghost_lines[0], style="italic bright_black")
            head.append(line[document.character :])
            text = head
        rows.append(Text.assemble((f"{index + 1:>3} ", "bright_black"), text))
        if index == document.line:
            rows += [Text.assemble("    ", (more, "italic bright_black")) for more in ghost_lines[1:]]
    return Group(
        Panel(Group(*rows), title=f"{scene.file}: {scene.title}", subtitle=caption, border_style="blue", width=84)
    )


# -- the end -----------------------------------------------------------------------------------------------------------


def _conclude(stage: Stage, counts: dict[str, int]) -> None:
    table = Table(title="What took how long", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("step")
    table.add_column("milliseconds", justify="right")
    table.add_column("", style="bright_black")
    for row in stage.rows:
        table.add_row(row.what, f"{row.ms:,.1f}", row.note)
    stage.console.print()
    stage.console.print(table)
    if counts:
        stage.console.print(
            f"{counts.get('asked', 0)} requests from the editor, {counts.get('generations', 0)} answers asked of the model, "
            f"{counts.get('cache', 0) + counts.get('stream', 0)} suggestions shown."
        )
    stage.console.print("Your editor does the same: the README says how to set up VS Code, Neovim and Emacs.")
