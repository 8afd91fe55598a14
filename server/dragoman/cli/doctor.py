"""``dragoman doctor``: the diagnosis as a person likes to read it."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.output import AsJson, ConfigFile, out, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from dragoman.app import App
    from dragoman.models.diagnosis import Finding

MARKS = {"ok": ("✓", "green"), "note": ("•", "cyan"), "warning": ("!", "yellow"), "error": ("✗", "red")}
PLAIN_MARKS = {"ok": "ok", "note": "note", "warning": "warning", "error": "ERROR"}


def run_doctor(
    file: Annotated[Path | None, typer.Argument(help="Say too whether there can be suggestions in FILE.")] = None,
    config: ConfigFile = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="Do not let the model write anything.")] = False,
    limit: Annotated[float, typer.Option("--limit", metavar="SECONDS", help="Wait this long for an answer.")] = 90.0,
    as_json: AsJson = False,
) -> None:
    """Say what is configured, what answers, how fast, and what to do about what does not."""
    raise typer.Exit(asyncio.run(_examine(config, file, generate=not no_model, limit=limit, as_json=as_json)))


async def _examine(config: Path | None, file: Path | None, *, generate: bool, limit: float, as_json: bool) -> int:
    from dragoman.cli.setup import open_app, workspace_of
    from dragoman.models.diagnosis import conclude, diagnose

    app = open_app(config, file, quiet=True)
    console = out()
    findings: list[Finding] = []
    try:
        waiting: Any = nullcontext()
        if not as_json and console.is_terminal:
            waiting = console.status("looking around")
        with waiting as status:
            printer = _Printer(console)
            heard = (lambda text: status.update(f"{text} …")) if status is not None else (lambda _: None)
            async for finding in diagnose(app.loaded, app.models, generate=generate, limit=limit, on_wait=heard):
                findings.append(finding)
                if not as_json:
                    printer.show(finding)
        findings.append(_check_index(app, workspace_of(file)))
        if not as_json:
            printer.show(findings[-1])
        for finding in _check_tool_servers(app):
            findings.append(finding)
            if not as_json:
                printer.show(finding)
        if file is not None:
            findings.append(_check_file(app, file))
            if not as_json:
                printer.show(findings[-1])
    finally:
        await app.aclose()
    verdict = conclude(findings)
    if as_json:
        print_json(
            {
                "ok": verdict.severity != "error",
                "verdict": verdict.as_dict(),
                "findings": [finding.as_dict() for finding in findings],
            }
        )
    else:
        printer.show_verdict(verdict)
    return 1 if verdict.severity == "error" else 0


def _check_file(app: App, file: Path) -> Finding:
    """Say whether there can be suggestions in the file, and if not, why."""
    from dragoman.app import completion_policy
    from dragoman.cli.complete import query_at, read_lines
    from dragoman.cli.setup import workspace_of
    from dragoman.completion.guards import refuse, refuse_for_target
    from dragoman.context.workspaces import Workspaces
    from dragoman.models.diagnosis import Finding, explain_reason

    lines = read_lines(file)
    query = query_at(file, lines.line_count, 1)
    choice = app.models.current("completion")
    remote = choice.source is not None and not choice.source.provider.is_local
    ignored = Workspaces([workspace_of(file)]).is_ignored
    refused = refuse(query, completion_policy(app.settings)) or refuse_for_target(
        query, remote=remote, is_ignored=ignored
    )
    if refused is None:
        return Finding("ok", "file", f"There can be suggestions in {file} ({query.language}).", "", "ok")
    return Finding("warning", "file", f"{file}: {refused.detail}", explain_reason(refused.reason)[1], refused.reason)


def _check_index(app: App, root: Path) -> Finding:
    """Say what is known of the index of the workspace that other files' text comes from, without building it."""
    from dragoman.app import context_policy
    from dragoman.context.workspace.inspection import inspect_index
    from dragoman.context.workspaces import is_indexable
    from dragoman.models.diagnosis import Finding

    if not context_policy(app.settings).enabled:
        advice = "Set context.completion_tokens and context.sources to let the model read more."
        return Finding("note", "index", "The model reads nothing but the file itself.", advice, "context_off")
    if not is_indexable(root):
        advice = "Run it in a project: a folder with .git, pyproject.toml or dragoman.toml."
        return Finding("note", "index", f"{root} is no project, so it has no index.", advice, "not_indexable")
    known = inspect_index(root)
    facts = {"folder": str(root), "file": str(known.path), "files": known.files, "bytes": known.bytes}
    facts["state"] = known.state
    size = f"{known.files:,} files, {known.bytes / 1e6:.1f} MB on disk"
    if known.state == "absent":
        said = f"{root} has no index yet: it is made when an editor opens a file there."
        return Finding("note", "index", said, "", "index_absent", facts)
    if known.state == "damaged":
        said = f"The index of {root} cannot be read: {known.problem}."
        advice = f"It is made anew when an editor opens a file there; if not, delete {known.path}."
        return Finding("warning", "index", said, advice, "index_damaged", facts)
    if known.state == "scanning":
        return Finding("note", "index", f"The index of {root} is being built: {size}.", "", "index_scanning", facts)
    return Finding("ok", "index", f"{root} is indexed: {size}.", "", "ok", facts)


def _check_tool_servers(app: App) -> list[Finding]:
    """Say of each foreign tool server whether it could be started, without starting it."""
    import shutil

    from dragoman.agents.mcp.servers import McpServers
    from dragoman.models.diagnosis import Finding

    findings = []
    for state in McpServers(app.settings.mcp, app.settings.security).states():
        problem = state.problem
        if not problem and state.kind == "command" and shutil.which(state.where) is None:
            problem = f"The tool server {state.name!r} cannot be started: there is no program {state.where!r}."
        facts = {"name": state.name, "kind": state.kind, "where": state.where}
        if problem:
            findings.append(Finding("warning", "tool servers", problem, "", "tool_server", facts))
        else:
            said = f"{state.name} ({state.where}) is started when an agent first needs it."
            findings.append(Finding("ok", "tool servers", said, "", "ok", facts))
    return findings


class _Printer:
    """Prints findings in blocks, one block to a subject."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._subject = ""
        self._plain = not console.is_terminal and not os.environ.get("FORCE_COLOR")

    def show(self, finding: Finding) -> None:
        """Print one finding, under its subject's heading if that is a new one."""
        from rich.text import Text

        if finding.subject != self._subject:
            self._console.print(Text(f"\n{finding.subject}" if self._subject else finding.subject, style="bold"))
            self._subject = finding.subject
        self._line(finding)

    def show_verdict(self, verdict: Finding) -> None:
        """Print the sum of it all."""
        self._console.print()
        self._line(verdict, style="bold")

    def _line(self, finding: Finding, style: str = "") -> None:
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        if self._plain:
            self._console.print(Text(f"  {PLAIN_MARKS[finding.severity]}: {finding.sentence}"), soft_wrap=True)
            if finding.advice:
                self._console.print(Text(f"      {finding.advice}"), soft_wrap=True)
            return
        mark, colour = MARKS[finding.severity]
        body = Text(
            finding.sentence, style=f"{style} {colour if finding.severity in {'warning', 'error'} else ''}".strip()
        )
        if finding.advice:
            body.append(f"\n→ {finding.advice}", style="not bold default")
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(overflow="fold")
        grid.add_row(Text(mark, style=f"bold {colour}"), body)
        self._console.print(Padding(grid, (0, 0, 0, 2)))
