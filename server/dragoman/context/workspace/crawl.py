"""The walk over a workspace: which files there are, nearest first, whatever state the disk is in."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.limits import CRAWL_DEPTH, CRAWL_FILES, CRAWL_FOLDERS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the workspace: its path from the root, with slashes, its modification time in nanoseconds, its size in bytes."""

    path: str
    mtime_ns: int
    size: int


@dataclass(slots=True)
class Walk:
    """One walk; what could not be seen is known when it has ended."""

    root: Path
    rules: IgnoreRules
    near: Sequence[str] = ()
    """Folders that come first, with what is below them, such as those of open documents."""
    only_near: bool = False
    """Whether the rest of the workspace is left out."""
    limit: int = CRAWL_FILES
    unreadable: list[str] = field(default_factory=list)
    """Folders that could not be read: what is in them may well still be there."""
    cut_short: bool = False
    """Whether there were more files or folders than the limits allow."""

    def __iter__(self) -> Iterator[FoundFile]:
        """Yield the files, folder by folder, breadth first; raises OSError when the root itself cannot be read.

        Links are not followed: what they lead to is found where it is, or is not the workspace's.
        """
        os.scandir(self.root).close()
        folders = deque(dict.fromkeys([*self._wanted_near(), *([] if self.only_near else [""])]))
        seen = set(folders)
        count = 0
        while folders:
            folder = folders.popleft()
            below: list[str] = []
            for file in self._read(folder, below):
                if count >= self.limit:
                    self._stop(f"{self.limit} files")
                    return
                count += 1
                yield file
            for path in below:
                if path not in seen:
                    if len(seen) >= CRAWL_FOLDERS:
                        self._stop(f"{CRAWL_FOLDERS} folders")
                        return
                    seen.add(path)
                    folders.append(path)

    def _wanted_near(self) -> Iterator[str]:
        for folder in self.near:
            path = self.root / folder
            if (
                folder
                and not self.rules.ignores(folder, is_dir=True)
                and is_inside(self.root, folder)
                and path.is_dir()
            ):
                yield folder

    def _read(self, folder: str, below: list[str]) -> Iterator[FoundFile]:
        """Yield a folder's files and collect its folders."""
        try:
            with os.scandir(self.root / folder if folder else self.root) as entries:
                for entry in entries:
                    if (file := self._look(folder, entry, below)) is not None:
                        yield file
        except (FileNotFoundError, NotADirectoryError):
            return  # Gone since it was listed.
        except OSError as error:
            self.unreadable.append(folder)
            logger.debug("the folder %r cannot be read: %s", folder, error.strerror)

    def _look(self, folder: str, entry: os.DirEntry[str], below: list[str]) -> FoundFile | None:
        name = entry.name
        if not name.isascii() and not is_text(name):
            return None
        path = f"{folder}/{name}" if folder else name
        try:
            if entry.is_dir(follow_symlinks=False):
                if path.count("/") < CRAWL_DEPTH and not self.rules.ignores_entry(folder, name, is_dir=True):
                    below.append(path)
                return None
            if not entry.is_file(follow_symlinks=False) or self.rules.ignores_entry(folder, name, is_dir=False):
                return None
            state = entry.stat(follow_symlinks=False)
        except OSError:
            return None
        return FoundFile(path, state.st_mtime_ns, state.st_size)

    def _stop(self, what: str) -> None:
        self.cut_short = True
        logger.warning("the workspace %s has more than %s; the rest is not indexed", self.root, what)


def is_inside(root: Path, path: str) -> bool:
    """Tell whether a path (relative, with slashes) stays in the workspace and goes through no link on its way."""
    base = os.path.realpath(root)
    plain = os.path.normpath(os.path.join(base, path))  # noqa: PTH118 - normpath has no counterpart there
    return plain.startswith(os.path.join(base, "")) and os.path.realpath(plain) == plain  # noqa: PTH118


def is_text(name: str) -> bool:
    """Tell whether a file's name is text; other names cannot be written to the index or shown to anybody."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False
