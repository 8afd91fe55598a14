"""Which files belong to the index: what git ignores, what ``.dragomanignore`` and the editor exclude, and what never does."""

from __future__ import annotations

import codecs
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dragoman.context.workspace.patterns import PatternList, glob_pattern
from dragoman.limits import IGNORE_CACHED_FOLDERS, IGNORE_FILE_BYTES, IGNORE_FRESH_S
from dragoman.security.paths import SECRET_FOLDERS, SECRET_PLACES, is_secret_file

GIT_FILE: Final = ".gitignore"
OUR_FILE: Final = ".dragomanignore"
IGNORE_FILES: Final = frozenset({GIT_FILE, OUR_FILE})

NEVER: Final = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})
"""Names that nothing brings back."""

RARELY: Final = frozenset(
    {
        "node_modules",
        "bower_components",
        ".venv",
        "venv",
        "site-packages",
        "__pycache__",
        "__pypackages__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
        ".eggs",
        ".gradle",
        ".terraform",
        ".next",
        ".nuxt",
        ".svelte-kit",
        ".yarn",
        ".cache",
        ".idea",
        ".vs",
        ".DS_Store",
    }
)
"""Names of what tools put beside the user's work; only ``.dragomanignore`` brings them back."""

_Stamp = tuple[int, int] | None


@dataclass(slots=True)
class _IgnoreFile:
    """An ignore file as it was when it was read.

    Its patterns are about what is below ``folder``; when that is above the root, ``prefix`` is the way from there.
    """

    file: Path
    folder: str
    prefix: str
    stamp: _Stamp
    patterns: PatternList

    def judge(self, path: str, name: str, *, is_dir: bool) -> bool | None:
        """Tell what the file says of a path of the workspace, None for nothing."""
        if not self.patterns:
            return None
        below = self.prefix + (path[len(self.folder) + 1 :] if self.folder else path)
        return self.patterns.judge(below, name, is_dir=is_dir)


@dataclass(slots=True)
class _Folder:
    """What decides about the entries of one folder."""

    ignored: bool
    own: tuple[_IgnoreFile, ...]
    """This folder's files, there or not; what is above is the parents'."""
    git: tuple[_IgnoreFile, ...]
    ours: tuple[_IgnoreFile, ...]
    """Those that have patterns, from this folder up."""
    checked: float


class IgnoreRules:
    """The rules of one workspace.

    ``excludes`` are the editor's glob patterns, relative to the root.
    Ignore files are read when they are first needed and again when they have changed (looked at every `IGNORE_FRESH_S`).
    Folders above the root count as far as they belong to the same git repository.
    """

    def __init__(self, root: Path, excludes: Sequence[str] = ()) -> None:
        self._root = Path(os.path.realpath(root))
        self._excludes = PatternList(line for glob in excludes for line in glob_pattern(glob))
        self._folders: dict[str, _Folder] = {}

    def ignores(self, path: str, *, is_dir: bool = False) -> bool:
        """Tell whether a path (relative to the root, with slashes) does not belong to the index; "" is the root itself.

        A path that leaves the root is ignored.
        """
        parts = path.split("/") if path else []
        if any(part in {"", ".", ".."} for part in parts):
            return True
        if not parts:
            return False
        folder, _, name = path.rpartition("/")
        return self.ignores_entry(folder, name, is_dir=is_dir)

    def ignores_entry(self, folder: str, name: str, *, is_dir: bool) -> bool:
        """Tell the same of one entry of a folder."""
        state = self._folder(folder)
        return state.ignored or self._judge(state, folder, name, is_dir=is_dir)

    def forget(self) -> None:
        """Read every ignore file again when it is next needed."""
        self._folders.clear()

    def _judge(self, state: _Folder, folder: str, name: str, *, is_dir: bool) -> bool:
        """Decide about an entry of a folder that is not ignored itself."""
        path = f"{folder}/{name}" if folder else name
        if name in NEVER or (_holds_keys(path, name) if not is_dir else name.lower() in SECRET_FOLDERS):
            return True
        for file in state.ours:
            if (verdict := file.judge(path, name, is_dir=is_dir)) is not None:
                return verdict
        if name in RARELY:
            return True
        if self._excludes.judge(path, name, is_dir=is_dir):
            return True
        for file in state.git:
            if (verdict := file.judge(path, name, is_dir=is_dir)) is not None:
                return verdict
        return False

    def _is_environment(self, folder: str) -> bool:
        """Whether the folder is a Python environment, whatever its name."""
        return _stamp(self._root / folder / "pyvenv.cfg") is not None

    def _folder(self, folder: str) -> _Folder:
        """Return what decides in a folder, read again if any file on the way has changed."""
        state = self._folders.get(folder)
        now = time.monotonic()
        if state is not None and now - state.checked < IGNORE_FRESH_S:
            return state
        if state is not None and self._is_fresh(folder, now):
            return state
        if len(self._folders) >= IGNORE_CACHED_FOLDERS:
            self._folders.clear()
        if not folder:
            state = self._read_root(now)
        else:
            above, _, name = folder.rpartition("/")
            parent = self._folder(above)
            if parent.ignored or self._judge(parent, above, name, is_dir=True) or self._is_environment(folder):
                state = _Folder(True, (), (), (), now)
            else:
                state = _extend(parent, self._root / folder, folder, now)
        self._folders[folder] = state
        return state

    def _is_fresh(self, folder: str, now: float) -> bool:
        """Look whether the files of a folder and of those above are as they were; if not, everything is forgotten."""
        at: str | None = folder
        chain = []
        while at is not None:
            state = self._folders.get(at)
            if state is None or any(_stamp(file.file) != file.stamp for file in state.own):
                self._folders.clear()
                return False
            chain.append(state)
            at = at.rpartition("/")[0] if at else None
        for state in chain:
            state.checked = now
        return True

    def _read_root(self, now: float) -> _Folder:
        """Read what decides in the root: git's own lists, the files of the repository's folders above, and the root's."""
        git: list[_IgnoreFile] = []
        top = _repository_top(self._root)
        lists = [Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "git" / "ignore"]
        folders_above: list[Path] = []
        if top is not None:
            lists.append(_info_exclude(top))
            folders_above = [above for above in reversed(self._root.parents) if above == top or top in above.parents]
        for file, folder in [
            *((one, top or self._root) for one in lists),
            *((above / GIT_FILE, above) for above in folders_above),
        ]:
            prefix = f"{self._root.relative_to(folder).as_posix()}/" if folder != self._root else ""
            git.insert(0, _read(file, prefix=prefix))
        base = _Folder(False, tuple(git), tuple(one for one in git if one.patterns), (), now)
        state = _extend(base, self._root, "", now)
        state.own = (*git, *state.own)
        return state


def _extend(parent: _Folder, folder: Path, relative: str, now: float) -> _Folder:
    git, ours = _read(folder / GIT_FILE, relative), _read(folder / OUR_FILE, relative)
    return _Folder(
        ignored=False,
        own=(git, ours),
        git=(git, *parent.git) if git.patterns else parent.git,
        ours=(ours, *parent.ours) if ours.patterns else parent.ours,
        checked=now,
    )


def _read(file: Path, folder: str = "", *, prefix: str = "") -> _IgnoreFile:
    stamp = _stamp(file)
    lines: list[str] = []
    if stamp is not None:
        try:
            with file.open("rb") as opened:
                text = opened.read(IGNORE_FILE_BYTES).removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
            lines = text.split("\n")
        except OSError:
            pass  # As git does: what cannot be read ignores nothing.
    return _IgnoreFile(file, folder, prefix, stamp, PatternList(lines))


def _stamp(file: Path) -> _Stamp:
    try:
        state = os.stat(file)  # noqa: PTH116 - called for every folder, and twice as fast
    except (OSError, ValueError):
        return None
    return (state.st_mtime_ns, state.st_size) if stat.S_ISREG(state.st_mode) else None


def _repository_top(root: Path) -> Path | None:
    """Return the folder of the git repository that the root is in."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
    return None


def _info_exclude(top: Path) -> Path:
    """Return the repository's private list; in a work tree ``.git`` is a file that says where the repository is."""
    git = top / ".git"
    try:
        if git.is_file():
            git = top / git.read_text(encoding="utf-8").partition(":")[2].strip()
            common = git / "commondir"
            if common.is_file():
                git = git / common.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        pass
    return git / "info" / "exclude"


def _holds_keys(path: str, name: str) -> bool:
    return is_secret_file(name) or path.lower().endswith(SECRET_PLACES)
