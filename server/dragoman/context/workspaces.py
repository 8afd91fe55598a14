"""The indexes of an editor's workspace folders: which one a document belongs to, started when it is first needed."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dragoman.cancellation import TaskSet
from dragoman.context.workspace.client import IndexClient
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.errors import IndexUnavailableError
from dragoman.security.paths import is_secret_path

logger = logging.getLogger(__name__)


class Workspaces:
    """Folders with an index each; a document outside of all of them has none."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        excludes: Sequence[str] = (),
        watch: bool = True,
        trusted: Callable[[Path], bool] = lambda _root: False,
        on_event: Callable[[], None] = lambda: None,
    ) -> None:
        # The innermost folder of a document is its own.
        self.folders = tuple(sorted({*map(_real, folders)}, key=lambda path: -len(path.parts)))
        self._excludes = tuple(excludes)
        self._watch = watch
        self._trusted = trusted
        self._indexes: dict[Path, IndexClient] = {}
        self._rules: dict[Path, IgnoreRules] = {}
        self._places: dict[str, tuple[Path, str] | None] = {}
        self._near: dict[Path, list[str]] = {}
        self._tasks = TaskSet()
        self.states: dict[Path, dict[str, Any]] = {}
        """What each index said last of itself: ``state``, ``files``, ``total``, ``problem``."""
        self.on_event = on_event
        self.on_start: Callable[[Path], None] = lambda _root: None

    # -- where a document is -------------------------------------------------------------------------------------------

    def _locate(self, uri: str) -> tuple[Path, str] | None:
        if uri not in self._places:
            if len(self._places) > 2_000:
                self._places.clear()
            self._places[uri] = self._search(uri)
        return self._places[uri]

    def _search(self, uri: str) -> tuple[Path, str] | None:
        parts = urlsplit(uri)
        if parts.scheme != "file":
            return None
        # A link that leads out of the workspace is a file outside of it.
        path = _real(Path(unquote(parts.path)))
        for root in self.folders:
            if path.is_relative_to(root):
                return root, path.relative_to(root).as_posix()
        return None

    def root_of(self, uri: str) -> Path | None:
        """Return the folder that a document belongs to."""
        located = self._locate(uri)
        return located[0] if located else None

    def path_of(self, uri: str) -> str:
        """Return a document's path within its folder, "" for one outside."""
        located = self._locate(uri)
        return located[1] if located else ""

    def shareable_path(self, uri: str) -> str:
        """Return the same, "" also for a file of keys or one that the workspace ignores: its text stays where it is."""
        path = self.path_of(uri)
        return "" if not path or is_secret_path(path) or self.is_ignored(uri) else path

    def is_ignored(self, uri: str) -> bool:
        """Tell whether the workspace's ignore files, or the editor's, exclude a document."""
        located = self._locate(uri)
        if located is None:
            return False
        root, path = located
        if root not in self._rules:
            self._rules[root] = IgnoreRules(root, self._excludes)
        return self._rules[root].ignores(path)

    # -- the indexes ---------------------------------------------------------------------------------------------------

    def find(self, uri: str) -> tuple[IndexClient, str] | None:
        """Return the index that knows a document, started if need be, and the document's path in it."""
        located = self._locate(uri)
        if located is None:
            return None
        root, path = located
        return self._index(root), path

    def running(self, uri: str) -> tuple[IndexClient, str] | None:
        """Return the same, None where the index was not needed yet."""
        located = self._locate(uri)
        if located is None or located[0] not in self._indexes:
            return None
        return self._indexes[located[0]], located[1]

    def running_indexes(self) -> list[tuple[Path, IndexClient]]:
        """Return the indexes whose process runs, with their folders."""
        return [(root, index) for root, index in self._indexes.items() if index.pid is not None]

    def _index(self, root: Path) -> IndexClient:
        if root not in self._indexes:
            self._indexes[root] = index = IndexClient(
                root,
                excludes=self._excludes,
                watch=self._watch,
                trusted=self._trusted(root),
                on_event=lambda message: self._heard(root, message),
                on_start=lambda: self.on_start(root),
            )
            if folders := self._near.get(root):
                index.notify("near", {"folders": folders})
        return self._indexes[root]

    def _heard(self, root: Path, message: dict[str, Any]) -> None:
        if message.get("event") == "progress":
            self.states[root] = {key: value for key, value in message.items() if key != "event"}
            self.on_event()

    def near(self, uri: str) -> None:
        """Hear that a document was opened: its folder is read first. The index itself starts with the first question."""
        located = self._locate(uri)
        if located is not None:
            root, path = located
            folder = path.rpartition("/")[0]
            folders = self._near.setdefault(root, [])
            if folder not in folders:
                folders.insert(0, folder)
                del folders[20:]
                if root in self._indexes:
                    self._indexes[root].notify("near", {"folders": folders})

    async def start(self, uri: str) -> None:
        """Start the index of a document's folder now, so that it has read what it can when the first question comes."""
        located = self._locate(uri)
        if located is not None:
            with contextlib.suppress(IndexUnavailableError):
                await self._index(located[0]).start()

    def files_changed(self, uris: Iterable[str]) -> None:
        """Pass on which files changed on disk."""
        changed: dict[Path, list[str]] = {}
        for uri in uris:
            if (located := self._locate(uri)) is not None:
                changed.setdefault(located[0], []).append(located[1])
        for root, paths in changed.items():
            if root in self._indexes:
                self._indexes[root].notify("changed", {"paths": paths})
            if root in self._rules and any(path.rpartition("/")[2].startswith(".") for path in paths):
                self._rules[root].forget()

    async def aclose(self) -> None:
        """End every index."""
        await self._tasks.aclose()
        for index in self._indexes.values():
            await index.aclose()
        self._indexes.clear()


def is_indexable(folder: Path) -> bool:
    """Tell whether a folder is a project rather than somebody's whole home or disk."""
    real = _real(folder)
    return real != Path(real.anchor) and not _real(Path.home()).is_relative_to(real)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
