"""Files that have changed and are not in the index yet: a few are read at once, more between questions, many by the crawler."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from dragoman.context.workspace.crawl import Walk, is_text
from dragoman.context.workspace.crawler import explain
from dragoman.context.workspace.ignore import IGNORE_FILES, IgnoreRules
from dragoman.context.workspace.opening import OpenIndex, is_damage
from dragoman.context.workspace.overlays import Overlays
from dragoman.context.workspace.scanning import Scanning
from dragoman.context.workspace.update import make_entry, read_wanted
from dragoman.limits import INDEX_CHANGES_INLINE, INDEX_CHANGES_QUEUED, INDEX_INLINE_BYTES, INDEX_TIDY_PAGES

logger = logging.getLogger(__name__)


class Changes:
    """The changed files of one workspace, in the order in which they were heard of."""

    def __init__(self, root: Path, index: OpenIndex, scanning: Scanning, overlays: Overlays) -> None:
        self._root = root
        self._index = index
        self._scanning = scanning
        self._overlays = overlays
        self._waiting: dict[str, None] = {}
        self._read_while_scanning: dict[str, None] = {}
        self.rules = IgnoreRules(root)
        self._untidy = False
        self.problem = ""
        """Why saved files cannot be written to the index, as a sentence."""

    def take(self, paths: Iterable[str]) -> None:
        """Hear of changed files (created, saved, renamed, deleted; folders too) and read the first few."""
        for path in paths:
            if path.rpartition("/")[2] in IGNORE_FILES:
                self.rules.forget()
                self._scanning.request()
            if is_text(path):
                self._waiting[path] = None
        if len(self._waiting) > INDEX_CHANGES_QUEUED:
            self._scanning.request(self._waiting)
            self._waiting = {}
        for _ in range(INDEX_CHANGES_INLINE):
            if not self.work():
                break

    def work(self) -> bool:
        """Read one of them; False when there is none."""
        if not self._waiting:
            return False
        path = next(iter(self._waiting))
        del self._waiting[path]
        try:
            self._refresh(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._index.reopen(damaged=True)
            self._scanning.request()
        return True

    def tidy(self) -> bool:
        """Put what was written in order, a little at a time, when nobody waits; False when there is nothing to do."""
        if not self._untidy or self._is_held_up():
            return False
        try:
            self._untidy = self._index.store.tidy(INDEX_TIDY_PAGES)
        except sqlite3.OperationalError as error:
            if is_damage(error):
                raise
            # A lock or a full disk: the next save asks again.
            self._untidy = False
        return self._untidy

    def recheck(self) -> None:
        """Read again what was saved during a crawl: the crawler may have read it before and written it after us."""
        self._waiting.update(self._read_while_scanning)
        self._read_while_scanning = {}

    def _refresh(self, path: str) -> None:
        """Bring the index up to date with one path, whatever is there now."""
        try:
            state = os.lstat(self._root / path)
        except (OSError, ValueError):
            state = None
        if state is None:
            if self._index.store.file(path) is None and self._index.store.has_below(path):
                self._scanning.request()  # A folder has gone, with everything in it.
                return
        elif stat.S_ISDIR(state.st_mode):
            self._take_folder(path)
            return
        elif state.st_size > INDEX_INLINE_BYTES and not self.rules.ignores(path):
            self._scanning.request([path])
            return
        if self._scanning.is_running:
            self._read_while_scanning[path] = None
        self._write(path)

    def _take_folder(self, path: str) -> None:
        """Hear of everything in a new folder."""
        if not self.rules.ignores(path, is_dir=True):
            walk = Walk(self._root, self.rules, [path], only_near=True)
            found = [file.path for file in islice(walk, INDEX_CHANGES_QUEUED + 1)]
            if len(found) > INDEX_CHANGES_QUEUED:
                self._scanning.request()
            else:
                self._waiting.update(dict.fromkeys(found))

    def _write(self, path: str) -> None:
        store = self._index.store
        contents = read_wanted(self._root, self.rules, path)
        try:
            if contents is None:
                if store.file(path) is not None:
                    store.remove([path])
            elif self._is_held_up() and self._overlays.has_room:
                # Fresh at once and written when the crawl has ended, for its transactions may take long on a busy machine.
                self._read_while_scanning[path] = None
                self._overlays.shade(path, contents.text)
                return
            else:
                store.put([make_entry(path, contents)])
                self._untidy = True
        except sqlite3.OperationalError as error:
            if is_damage(error):
                raise
            self._overlays.shade(path, contents.text if contents is not None else None)
            self._report(explain(error))
        else:
            self._overlays.shade(path, None)
            self.problem = ""

    def _is_held_up(self) -> bool:
        """Whether a crawler writes to the index, ours or another server's."""
        return self._scanning.is_running or self._scanning.state == "waiting"

    def _report(self, problem: str) -> None:
        """Say once why saved files cannot be written."""
        if not self.problem:
            logger.warning("%s", problem)
        self.problem = problem
