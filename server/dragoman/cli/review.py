"""``dragoman review``: a model looks for mistakes in files, or in what has changed since the last commit."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.cli.output import ConfigFile, note, print_json, say_error
from dragoman.errors import FileUnfitError, ModelError, ReviewError

if TYPE_CHECKING:
    from dragoman.agents.reviews.findings import Finding
    from dragoman.agents.reviews.sarif import ReviewedFile
    from dragoman.agents.reviews.targets import ReviewTargets


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def run_review(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files and folders; what differs from the last commit without any."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="`text` prints findings as they come, the others all at the end.")
    ] = Format.TEXT,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Review files, or your changes; nothing is changed. A finding is no failure: the exit code is 0 when all was reviewed."""
    if as_json and form is Format.SARIF:
        raise typer.BadParameter("--json and --format sarif contradict each other.", param_hint="--format")
    if not asyncio.run(_review(paths or [], Format.JSON if as_json else form, config)):
        raise typer.Exit(1)


async def _review(paths: list[Path], form: Format, config: Path | None) -> bool:
    """Review everything; returns whether all could be."""
    from dragoman.agents.reviews.dismissals import Dismissals
    from dragoman.agents.reviews.reviewing import FileReview
    from dragoman.agents.reviews.sarif import ReviewedFile
    from dragoman.cli.setup import open_app, workspace_of

    root = workspace_of(paths[0] if paths else None)
    targets = await _find(root, paths)
    dismissed = await asyncio.to_thread(Dismissals.of_workspace(root).fingerprints)
    app = open_app(config, root)
    reviewed: list[ReviewedFile] = []
    skipped = lost = 0
    well = not targets.problems
    try:
        for target in targets.files:
            try:
                review = await FileReview.open(target, dismissed)
                file = ReviewedFile(target.shown, review.text)
                reviewed.append(file)
                async with aclosing(review.findings(app.models)) as findings:
                    async for finding in findings:
                        file.findings.append(finding)
                        if form is Format.TEXT:
                            _print(finding)
            except (FileUnfitError, ReviewError, ModelError) as error:
                say_error(error)
                well = False
                if isinstance(error, ModelError):
                    break  # It would be the same for every file; what was found counts.
            else:
                skipped, lost = skipped + review.skipped, lost + review.lost
    finally:
        await app.aclose()
    if form is not Format.TEXT:
        _print_all(form, reviewed, skipped, lost, succeeded=well)
    if well or any(file.findings for file in reviewed):
        _say_sum(reviewed, skipped, lost)
    return well


async def _find(root: Path, paths: list[Path]) -> ReviewTargets:
    from dragoman.agents.reviews.targets import find_changed, find_named
    from dragoman.security.trust import TrustStore

    if paths:
        targets = await asyncio.to_thread(find_named, root, paths)
    else:
        targets = await asyncio.to_thread(find_changed, root, trusted=TrustStore.default().is_trusted(root))
    for problem in targets.problems:
        say_error(problem)
    if targets.left_out:
        note(f"dragoman: {targets.left_out} more files are left out; name fewer at a time.")
    return targets


def _print(finding: Finding) -> None:
    from dragoman.cli.terminal import harmless

    message = " ".join(harmless(finding.message).split())
    path = harmless(finding.path)
    sys.stdout.write(f"{path}:{finding.line}: {finding.severity}: {message} [{finding.code}]\n")
    for one in finding.related:
        sys.stdout.write(f"{path}:{one.line}: note: {' '.join(harmless(one.message).split())}\n")
    sys.stdout.flush()


def _print_all(form: Format, files: list[ReviewedFile], skipped: int, lost: int, *, succeeded: bool) -> None:
    from dragoman import __version__
    from dragoman.agents.reviews.sarif import as_sarif

    if form is Format.SARIF:
        print_json(as_sarif(files, version=__version__, succeeded=succeeded))
        return
    findings = [asdict(finding) for file in files for finding in file.findings]
    print_json({"files": [file.path for file in files], "findings": findings, "skipped": skipped, "lost": lost})


def _say_sum(files: list[ReviewedFile], skipped: int, lost: int) -> None:
    count = sum(len(file.findings) for file in files)
    said = f"{_number(count, 'finding')} in {_number(len(files), 'file')}"
    if not files:
        said = "nothing to review"
    if skipped:
        said += f"; {skipped} more could not be read"
    if lost:
        said += f"; {lost} more spoke of text that is not there"
    note(f"dragoman: {said}.")


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
