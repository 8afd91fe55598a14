"""Which files a review looks at: those that were named, those below folders that were, or what differs from the last commit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from dragoman.agents.review_limits import REVIEW_FILES
from dragoman.context.workspace.contents import is_worth_reading
from dragoman.context.workspace.crawl import Walk
from dragoman.context.workspace.git_changes import Hunk, diff, parse_diff
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.errors import FileUnfitError, PathOutsideError, ReviewError, ToolError
from dragoman.security.paths import is_secret_path


@dataclass(frozen=True, slots=True)
class ReviewTarget:
    """A file to be reviewed: ``path`` without links, ``shown`` as the workspace names it.

    ``changed`` are the lines (from 1) that differ from the last commit, None for the whole file.
    ``is_private`` says that it is ignored here or a file of keys: nobody but a model on this machine may read it.
    """

    path: Path
    shown: str
    changed: tuple[range, ...] | None = None
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class ReviewTargets:
    """The files of one review; ``left_out`` counts those beyond the limit, ``problems`` are paths that cannot be read."""

    files: tuple[ReviewTarget, ...]
    left_out: int = 0
    problems: tuple[ToolError, ...] = ()


def find_named(root: Path, paths: Sequence[Path]) -> ReviewTargets:
    """Return the files that were named and those below the folders that were; blocking.

    In folders only what the workspace does not ignore counts; a file that was named counts always.
    """
    root = Path(os.path.realpath(root))
    rules = IgnoreRules(root)
    found: dict[Path, ReviewTarget] = {}
    problems: list[ToolError] = []
    for path in paths:
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(root):
            problems.append(PathOutsideError(f"{str(path)!r} is outside of the project {str(root)!r}."))
        elif real.is_dir():
            for target in _below(root, real, rules):
                found.setdefault(target.path, target)
        elif real.is_file():
            shown = real.relative_to(root).as_posix()
            private = is_secret_path(path) or is_secret_path(real) or rules.ignores(shown)
            found[real] = ReviewTarget(real, shown, is_private=private)
        else:
            problems.append(FileUnfitError(f"There is no file {str(path)!r}."))
    return _bounded(found.values(), problems)


def find_changed(root: Path, *, trusted: bool) -> ReviewTargets:
    """Return the files that differ from the last commit, with the lines that do; blocking.

    Raises ReviewError where git cannot be asked, which it is only in folders that the user trusts.
    """
    root = Path(os.path.realpath(root))
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        raise ReviewError(f"{str(root)!r} is in no git repository.", hint="Name the files that are to be reviewed.")
    if not trusted:
        raise ReviewError(
            f"git is not asked what has changed in {str(root)!r}, because you have not trusted this project.",
            hint="Run `dragoman trust` here, or name the files that are to be reviewed.",
        )
    try:
        hunks = tuple(parse_diff(diff(root)))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ReviewError(f"git does not tell what has changed: {error}.") from None
    rules = IgnoreRules(root)
    changed: dict[str, list[range]] = {}
    for hunk in hunks:
        if not rules.ignores(hunk.path) and is_worth_reading(hunk.path, 1):
            changed.setdefault(hunk.path, []).extend(_changed_lines(hunk))
    targets = []
    for shown, ranges in changed.items():
        path = root / shown
        # A link leads to what is not the commit's.
        if path.is_file() and Path(os.path.realpath(path)) == path and not is_secret_path(path):
            targets.append(ReviewTarget(path, shown, tuple(ranges)))
    return _bounded(targets, [])


def find_changed_lines(root: Path, path: Path, text: str, *, trusted: bool) -> tuple[range, ...] | None:
    """Return the lines of a file, as an editor has it, that the last commit does not have; None when git tells of none; blocking.

    Raises ReviewError as `find_changed`.
    """
    real = Path(os.path.realpath(path))
    target = next((one for one in find_changed(root, trusted=trusted).files if one.path == real), None)
    if target is None or target.changed is None:
        return None
    changed = {row for part in target.changed for row in part}
    try:
        saved = _rows(real.read_bytes().decode("utf-8", "replace"))
    except OSError:
        saved = []
    rows: list[int] = []
    # What is typed and not saved has moved the lines that git counts, and is changed itself.
    for kind, first, last, start, end in SequenceMatcher(None, saved, _rows(text), autojunk=False).get_opcodes():
        if kind == "equal":
            rows += [start + 1 + row - first for row in range(first, last) if row + 1 in changed]
        else:
            rows += range(start + 1, end + 1)
    return tuple(range(row, row + 1) for row in rows)


def _rows(text: str) -> list[str]:
    """Return lines as git and editors count them: a form feed begins none, nor does a line break at the end."""
    rows = [row.removesuffix("\r") for row in text.split("\n")]
    return rows[:-1] if not rows[-1] else rows


def _below(root: Path, folder: Path, rules: IgnoreRules) -> Iterable[ReviewTarget]:
    near = folder.relative_to(root).as_posix() if folder != root else ""
    walk = Walk(root, rules, near=[near] if near else [], only_near=bool(near))
    files = (file for file in walk if is_worth_reading(file.path, file.size))
    for file in sorted(files, key=lambda one: one.path):
        path = root / file.path
        if not is_secret_path(path):
            yield ReviewTarget(path, file.path)


def _changed_lines(hunk: Hunk) -> list[range]:
    """Return the lines of a hunk that the last commit does not have, as ranges."""
    ranges: list[range] = []
    waiting = list(reversed(hunk.added))
    for row, line in enumerate(hunk.lines, hunk.first_line + 1):
        if not waiting or line != waiting[-1]:
            continue
        waiting.pop()
        if ranges and ranges[-1].stop == row:
            ranges[-1] = range(ranges[-1].start, row + 1)
        else:
            ranges.append(range(row, row + 1))
    return ranges


def _bounded(targets: Iterable[ReviewTarget], problems: Sequence[ToolError]) -> ReviewTargets:
    files = tuple(targets)
    return ReviewTargets(files[:REVIEW_FILES], max(0, len(files) - REVIEW_FILES), tuple(problems))
