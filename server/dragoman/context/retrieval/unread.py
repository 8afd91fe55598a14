"""Files that an import leads to and that the index has not read yet: asked for out of turn, so that the next question has them."""

from __future__ import annotations

import os.path
import posixpath
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from dragoman.context.limits import RETRIEVAL_UNREAD, RETRIEVAL_UNREAD_KNOWN
from dragoman.context.workspace.outline import Import


class Unread:
    """What one workspace's questions missed; not thread-safe.

    Whoever takes the paths decides whether they may be read: nothing here knows what is ignored.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._wanted: list[str] = []
        self._asked: set[str] = set()
        self._looked: set[tuple[str, str, int]] = set()
        self._missing: deque[tuple[str, Iterable[str]]] = deque()

    def file(self, path: str) -> None:
        """Ask for a file, once."""
        if path not in self._asked and len(self._asked) < RETRIEVAL_UNREAD and not posixpath.isabs(path):
            self._asked.add(path)
            self._wanted.append(path)

    def module(self, path: str, one: Import, candidates: Iterable[str]) -> None:
        """Ask for the first of an import's ``candidates`` that is on disk; each folder's imports are looked for once.

        The look is for later: one import has dozens of candidates, and a question is waiting.
        """
        key = (posixpath.dirname(path), one.module, one.level)
        if key not in self._looked and len(self._looked) < RETRIEVAL_UNREAD_KNOWN:
            self._looked.add(key)
            self._missing.append((path, candidates))

    def work(self) -> bool:
        """Look at the disk for a moment; False when there is nothing to look for."""
        if not self._missing:
            return False
        path, candidates = self._missing[0]
        for candidate in candidates:
            # Without Path, which would cost ten times what the look at the disk does.
            there = os.path.isfile(f"{self._root}/{candidate}")  # noqa: PTH113
            if there and candidate != path and not candidate.startswith(".."):
                self.file(candidate)
                break
        self._missing.popleft()
        return True

    def take(self) -> list[str]:
        """Return what was asked for since the last time."""
        wanted, self._wanted = self._wanted, []
        return wanted
