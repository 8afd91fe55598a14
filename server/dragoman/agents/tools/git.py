"""Tools that ask git, and one that commits; a repository's own programs are never run."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import Field

from dragoman.agents.limits import (
    GIT_COMMIT_PATHS,
    GIT_LOG_ENTRIES,
    GIT_LOG_ENTRIES_MOST,
    GIT_OUTPUT_BYTES,
    GIT_SECONDS,
)
from dragoman.agents.tools.base import Arguments, MaybeText, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.places import find_place, find_writable, refuse_folder
from dragoman.agents.tools.policy import Permission
from dragoman.agents.tools.processes import run_process
from dragoman.context.workspace.git_changes import safe_environment, safe_git
from dragoman.errors import CommandError, ToolDeniedError
from dragoman.security.diffs import sections, withhold
from dragoman.security.paths import is_secret_path

_QUIET = (
    *("-c", "log.showSignature=false", "-c", "commit.gpgSign=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
    *("-c", "core.editor=false", "-c", "core.pager=cat", "-c", "color.ui=false"),
)


_REVISION: Final = r"^[\w./~^@{}-]{1,200}$"


async def run_git(context: ToolContext, arguments: Sequence[str], *, may_fail: bool = False) -> str:
    """Return what git prints, cut at `GIT_OUTPUT_BYTES`; raises CommandError when it fails, ToolDeniedError without trust."""
    if not context.policy.trusted:
        raise ToolDeniedError(
            "git is only run in workspaces that the user trusts.",
            by="policy",
            hint="Go on without it; the user can trust this workspace with `dragoman trust`.",
        )
    try:
        command = await asyncio.to_thread(safe_git, context.root)
    except OSError:
        raise CommandError("There is no git on this machine.", hint="Go on without it.") from None
    except ValueError as error:
        raise CommandError(f"git is not run in this repository: {error}.") from None
    ended = await run_process(
        [*command, *_QUIET, *arguments],
        cwd=context.root,
        environment=safe_environment(),
        timeout=GIT_SECONDS,
        head=GIT_OUTPUT_BYTES,
        tail=1,
    )
    if ended.timed_out:
        raise CommandError(f"git did not end within {GIT_SECONDS:g} s.", hint="Ask for less, such as one path.")
    if ended.code and not may_fail:
        said = ended.output.strip()[:500] or f"exit code {ended.code}"
        raise CommandError(f"git failed: {said}")
    return ended.output


def _check(revision: str) -> str:
    if revision.startswith("-"):
        raise CommandError(f"{revision!r} is no commit.")
    return revision


class StatusArguments(Arguments):
    """`GitStatus` takes nothing."""


class GitStatus(Tool[StatusArguments]):
    """Shows the branch and what has changed."""

    name = "git_status"
    description = "Show the branch and the files that differ from the last commit, as `git status --short` does."
    permission: ClassVar[Permission] = "read"
    arguments = StatusArguments

    def subjects(self, arguments: StatusArguments, context: ToolContext) -> Subjects:  # noqa: ARG002
        """Name nothing: it shows names only."""
        return Subjects("Show git's status")

    async def call(self, arguments: StatusArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask git."""
        asked = ("status", "-z", "--branch", "--ignore-submodules=all", "--untracked-files=normal", "--", ".")
        text = await run_git(context, asked)
        prefix = (await run_git(context, ("rev-parse", "--show-prefix"))).removesuffix("\n")
        sight = await asyncio.to_thread(self.sight, arguments, context)
        lines = list(_status_lines(text, prefix, sight.shows))
        return ToolResult(sight.noted("\n".join(lines) or "[nothing]"), {"lines": len(lines)})


class DiffArguments(Arguments):
    """What `GitDiff` takes."""

    path: MaybeText = Field(None, min_length=1, description="Only what is below this path.")
    staged: bool = Field(False, description="What is staged instead of all that differs from the last commit.")
    revision: MaybeText = Field(
        None,
        pattern=_REVISION,
        description="Another commit or range to compare with, such as `main...HEAD`.",
    )


class GitDiff(Tool[DiffArguments]):
    """Shows changes as a unified diff."""

    name = "git_diff"
    description = "Show what differs from the last commit as a unified diff. Files of keys are left out."
    permission: ClassVar[Permission] = "read"
    arguments = DiffArguments

    def subjects(self, arguments: DiffArguments, context: ToolContext) -> Subjects:
        """Name the path."""
        shown = find_place(context.roots, arguments.path).shown if arguments.path else "."
        return Subjects(f"Show git's diff of {shown}", (shown,))

    async def call(self, arguments: DiffArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask git; the diff is cut at whole sections' ends where it is too long."""
        revision = _check(arguments.revision or "HEAD")
        below = [find_place(context.roots, arguments.path).path] if arguments.path else ["."]
        asked = (
            *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "--relative"),
            *("--src-prefix=a/", "--dst-prefix=b/"),
            *(["--cached"] if arguments.staged else []),
            *(revision, "--", *map(str, below)),
        )
        text = await run_git(context, asked)
        sight = await asyncio.to_thread(self.sight, arguments, context)

        def is_withheld(path: str) -> bool:
            if (context.remote and is_secret_path(context.root / path)) or not sight.shows(path):
                return True
            context.note_shown(context.root / path)
            return False

        text = _fitted(await asyncio.to_thread(withhold, text, is_withheld), context.result_chars - _NOTE_CHARS)
        return ToolResult(sight.noted(text.rstrip("\n") or "[no differences]"), {"characters": len(text)})


class LogArguments(Arguments):
    """What `GitLog` takes."""

    path: MaybeText = Field(None, min_length=1, description="Only commits that changed something below this path.")
    revision: MaybeText = Field(
        None, pattern=_REVISION, description="Only commits of this range, such as `main..HEAD`."
    )
    count: int = Field(GIT_LOG_ENTRIES, ge=1, le=GIT_LOG_ENTRIES_MOST, description="How many, the newest first.")


class GitLog(Tool[LogArguments]):
    """Shows the last commits."""

    name = "git_log"
    description = "Show the last commits, one a line: short hash, date, author, subject."
    permission: ClassVar[Permission] = "read"
    arguments = LogArguments

    def subjects(self, arguments: LogArguments, context: ToolContext) -> Subjects:
        """Name the path."""
        shown = find_place(context.roots, arguments.path).shown if arguments.path else "."
        return Subjects(f"Show git's log of {shown}", (shown,))

    async def call(self, arguments: LogArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Ask git."""
        below = [str(find_place(context.roots, arguments.path).path)] if arguments.path else ["."]
        asked = ("log", f"--max-count={arguments.count}", "--format=%h %as %an: %s", "--no-color")
        text = await run_git(context, (*asked, _check(arguments.revision or "HEAD"), "--", *below))
        return ToolResult(text.rstrip("\n") or "[no commits]", {"commits": text.count("\n")})


class CommitArguments(Arguments):
    """What `GitCommit` takes."""

    message: str = Field(min_length=1, max_length=20_000, description="The subject, an empty line, and the body.")
    paths: tuple[str, ...] = Field(
        min_length=1, max_length=GIT_COMMIT_PATHS, description="The files to commit; others stay as they are."
    )


class GitCommit(Tool[CommitArguments]):
    """Commits files as they are on the disk; hooks are not run."""

    name = "git_commit"
    description = "Commit the named files with a message. Nothing else is committed, and no hook is run."
    permission: ClassVar[Permission] = "write"
    arguments = CommitArguments

    def subjects(self, arguments: CommitArguments, context: ToolContext) -> Subjects:
        """Name the files."""
        shown = tuple(find_writable(context.roots, path).shown for path in arguments.paths)
        subject = arguments.message.strip().partition("\n")[0][:100]
        return Subjects(f"Commit {', '.join(shown[:5])}{' …' if len(shown) > 5 else ''}: {subject}", shown)

    async def call(self, arguments: CommitArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Add and commit; a file that passes through a filter of the repository is refused, and so is a folder."""
        places = [find_writable(context.roots, path) for path in arguments.paths]
        for place in places:
            refuse_folder(place)
        secret = next((place.shown for place in places if is_secret_path(place.path)), None)
        if secret is not None:
            raise CommandError(f"{secret!r} is expected to hold keys, which no commit shall have.")
        # Taken as they are written, never as patterns.
        named = [str(place.path) for place in places]
        paths = [f":(literal){path}" for path in named]
        tracked = await run_git(context, ("ls-files", "-z", "--cached", "--", *paths))
        if below := _others(tracked, context.root, {place.path for place in places}):
            # A folder that is gone: rules and keys are judged by each file's own name.
            raise CommandError(f"{min(below)!r} is below one of the paths.", hint="Name each file to be committed.")
        attributes = await run_git(context, ("check-attr", "filter", "--", *named))
        if any(not line.endswith((": unspecified", ": unset")) for line in attributes.splitlines()):
            raise CommandError(
                "One of the files passes through a filter of the repository, which is not run.",
                hint="Ask the user to commit it.",
            )
        await run_git(context, ("add", "--", *paths))
        message = await asyncio.to_thread(_write_message, arguments.message)
        try:
            said = await run_git(
                context,
                (
                    *("commit", "--no-verify", "--no-gpg-sign", "--no-edit", "--cleanup=strip"),
                    *("-F", str(message), "--only", "--", *paths),
                ),
            )
        finally:
            message.unlink(missing_ok=True)
        commit = (await run_git(context, ("rev-parse", "HEAD"))).strip()
        return ToolResult(said.strip(), {"commit": commit, "paths": [place.shown for place in places]})


def _status_lines(listed: str, prefix: str, is_shown: Callable[[str], bool]) -> Iterator[str]:
    """Yield lines for a person of what ``git status -z`` says: the branch, then two letters and a path, for a rename two.

    Git gives paths from the repository's top; ``prefix`` leads to the workspace, and what is beside that is not shown.
    """
    fields = iter(listed.split("\0"))
    for field in fields:
        if field.startswith("## ") or not field:
            if field:
                yield field
            continue
        state, names = field[:2], [field[3:]]
        if "R" in state or "C" in state:
            names.insert(0, next(fields, ""))
        inside = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        if len(inside) == len(names) and all(map(is_shown, inside)):
            shown = (name if name.isprintable() else json.dumps(name, ensure_ascii=False) for name in inside)
            yield f"{state} {' -> '.join(shown)}"


def _fitted(diff: str, limit: int) -> str:
    """Return a diff within so many characters: whole files' sections as long as there is room, then a beginning with its head."""
    if len(diff) <= limit:
        return diff
    kept: list[str] = []
    left, parts = limit - _NOTE_CHARS, sections(diff)
    for number, part in enumerate(parts):
        if len(part) <= left:
            kept.append(part)
            left -= len(part)
            continue
        kept.append(part[: part.rfind("\n", 0, left) + 1])
        rest = len(parts) - number - 1
        more = "" if not rest else " and 1 more file" if rest == 1 else f" and {rest:,} more files"
        kept.append(f"[… the rest of it{more} left out; give a path …]\n")
        break
    return "".join(kept)


_NOTE_CHARS = 100
"""What the line at the end of a diff that was cut may have."""


def _others(listed: str, folder: Path, named: Set[Path]) -> set[str]:
    """Return the names, as git lists them in a folder, of files other than those that are named."""
    real = os.path.realpath(folder)
    return {name for name in listed.split("\0") if name and Path(os.path.normpath(f"{real}/{name}")) not in named}


def _write_message(text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="dragoman-commit-")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return Path(name)


GIT_TOOLS: tuple[type[Tool[Any]], ...] = (GitStatus, GitDiff, GitLog, GitCommit)
"""All of them, in the order in which a model reads of them."""
