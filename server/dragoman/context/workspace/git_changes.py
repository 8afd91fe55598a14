"""What differs from the last commit, and the branch's name: asked of git in the background, never while a question waits.

A repository can name programs that git then runs, so git is only asked in a workspace that the user trusts, and even there
with everything off that would run or fetch something.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dragoman.context.limits import GIT_DIFF_BYTES, GIT_EVERY_S, GIT_HEAD_BYTES, GIT_HEAD_S, GIT_HUNKS, GIT_TIMEOUT_S

logger = logging.getLogger(__name__)

_SAFE: Final = (
    "--no-pager",
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false"),
    *("-c", "diff.external=", "-c", "protocol.allow=never", "-c", "submodule.recurse=false"),
)
_DIFF: Final = (
    *("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=all"),
    *("--diff-filter=AM", "--unified=2", "--src-prefix=a/", "--dst-prefix=b/", "--relative", "--", "."),
)
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_FILTER_KEY = re.compile(r"filter\.(.+)\.[a-z]+")
_PLAIN_NAME = re.compile(r"[\w.-]+")
_WORDS = re.compile(r"[^\W\d_]{3,}")
_USUAL = frozenset(
    {
        "main",
        "master",
        "trunk",
        "dev",
        "develop",
        "development",
        "feature",
        "feat",
        "fix",
        "bugfix",
        "hotfix",
        "bug",
        "issue",
    }
    | {
        "release",
        "chore",
        "test",
        "wip",
        "refactor",
        "branch",
        "user",
        "users",
        "the",
        "and",
        "for",
        "with",
        "from",
        "add",
    }
)


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of a file around a change, as they are now; ``added`` are those of them that the last commit does not have.

    ``first_line`` counts from 0.
    """

    path: str
    first_line: int
    lines: tuple[str, ...]
    added: tuple[str, ...]


class GitChanges:
    """What git says of one workspace, some seconds old; ask it from one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hunks: tuple[Hunk, ...] = ()
        self._thread: threading.Thread | None = None
        self._next = 0.0
        self._head: tuple[float, frozenset[str]] = (-GIT_HEAD_S, frozenset())
        self.trusted = False
        """Whether git may be run here at all."""

    def hunks(self) -> tuple[Hunk, ...]:
        """Return the changes known now; newer ones are sought meanwhile, for the next question."""
        self.refresh()
        return self._hunks if self.trusted else ()

    def refresh(self) -> None:
        """Ask git anew, in a thread, unless that was done a moment ago."""
        now = time.monotonic()
        if not self.trusted or now < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = now + GIT_EVERY_S
        self._thread = threading.Thread(target=self._ask, name="git", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Wait for the question under way, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def _ask(self) -> None:
        began = time.monotonic()
        try:
            self._hunks = tuple(parse_diff(diff(self._root)))[:GIT_HUNKS]
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._hunks = ()
            logger.debug("git does not tell what has changed: %s", error)
        # A repository where that takes seconds is asked less often.
        self._next = max(self._next, began + GIT_EVERY_S, time.monotonic() + 10 * (time.monotonic() - began))

    def branch_words(self) -> frozenset[str]:
        """Return the words of the branch's name, lower case, without those that many branches have; runs nothing."""
        now = time.monotonic()
        if now - self._head[0] >= GIT_HEAD_S:
            self._head = now, frozenset(_branch_words(self._root))
        return self._head[1]


def diff(root: Path) -> str:
    """Return the changes of the working tree below ``root`` as a unified diff, cut at `GIT_DIFF_BYTES`.

    Raises OSError without git, ValueError for a repository that git shall not be asked about.
    """
    return _run([*safe_git(root), *_DIFF], root)


def safe_git(root: Path) -> list[str]:
    """Return the beginning of a git command that runs nothing that the repository around ``root`` names; see `safe_environment`.

    Raises OSError without git, ValueError for a repository that git shall not be asked about.
    """
    git = shutil.which("git")
    if git is None or not Path(git).is_absolute() or Path(git).is_relative_to(root):
        raise FileNotFoundError("there is no git")
    # Filters are programs as well, and have to be switched off by their names.
    options = list(_SAFE)
    names = _run([git, *_SAFE, "config", "--name-only", "--get-regexp", r"^filter\."], root)
    for name in {found[1] for line in names.splitlines() if (found := _FILTER_KEY.fullmatch(line.strip()))}:
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(f"it has a filter {name!r}")
        for end in ("clean=", "smudge=", "process=", "required=false"):
            options += ["-c", f"filter.{name}.{end}"]
    return [git, *options]


def safe_environment() -> dict[str, str]:
    """Return the environment for `safe_git`: no settings from outside, no questions, no fetching."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        # Nothing is fetched over any of them.
        "GIT_ALLOW_PROTOCOL": "none",
        "LC_ALL": "C",
    }
    return environment


def _run(command: list[str], root: Path) -> str:
    with subprocess.Popen(
        command,
        cwd=root,
        env=safe_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        timer = threading.Timer(GIT_TIMEOUT_S, _end, [process])
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None
            output = process.stdout.read(GIT_DIFF_BYTES)
        finally:
            _end(process)
            timer.cancel()
    # What was cut off may end within a character.
    return output.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and whatever it started."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (OSError, AttributeError):
            process.kill()


def parse_diff(text: str) -> Iterator[Hunk]:
    """Yield the hunks of a unified diff whose new files begin with ``b/``; the last one may be cut off."""
    path, first = "", -1
    lines: list[str] = []
    added: list[str] = []

    def ended() -> Iterator[Hunk]:
        if path and first >= 0 and any(line.strip() for line in added):
            yield Hunk(path, first, tuple(lines), tuple(added))
        lines.clear()
        added.clear()

    for line in text.split("\n"):
        if line.startswith("diff --git "):
            yield from ended()
            path, first = "", -1
        elif first < 0 and line.startswith("+++ "):
            # A name with odd characters stands in quotes: such files are left out.
            path = line[6:].rstrip("\t") if line.startswith("+++ b/") else ""
        elif (found := _HUNK.match(line)) is not None:
            yield from ended()
            first = max(0, int(found[1]) - 1)
        elif first >= 0 and line[:1] in {"+", " "}:
            lines.append(line[1:].rstrip("\r"))
            if line[0] == "+":
                added.append(lines[-1])
    yield from ended()


def _branch_words(root: Path) -> list[str]:
    head = _read_head(root)
    reference, found, branch = head.partition("refs/heads/")
    if not found or not reference.startswith("ref:"):
        return []
    return [word for word in map(str.lower, _WORDS.findall(branch.strip())) if word not in _USUAL]


def _read_head(root: Path) -> str:
    """Return what ``HEAD`` of the repository around ``root`` says, "" where there is none."""
    for folder in (root, *root.parents):
        git = folder / ".git"
        try:
            mode = git.stat().st_mode
            if stat.S_ISREG(mode):
                # A work tree, or a submodule: the file says where its repository lies.
                git = folder / _read(git).partition("gitdir:")[2].strip()
            return _read(git / "HEAD")
        except (OSError, ValueError):
            continue
    return ""


def _read(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path.name!r} is no file")
    with path.open("rb") as file:
        return file.read(GIT_HEAD_BYTES).decode("utf-8", "replace")
