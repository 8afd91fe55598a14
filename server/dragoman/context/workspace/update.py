"""Brings an index up to date with the files it is about: one by one when they are saved, or all that have changed."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dragoman.context.workspace.contents import Contents, is_worth_reading, read_contents
from dragoman.context.workspace.crawl import FoundFile, Walk, is_inside, is_text
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.outline import identifiers
from dragoman.context.workspace.reading import read_outline
from dragoman.context.workspace.store import Entry, IndexStore
from dragoman.limits import (
    CRAWL_AHEAD,
    CRAWL_AHEAD_S,
    CRAWL_BATCH_FILES,
    CRAWL_BATCH_TERMS,
    CRAWL_JOIN_SHARE,
    CRAWL_PAUSE_S,
    CRAWL_REPORT_S,
    INDEX_TIDY_PAGES_CRAWLING,
)
from dragoman.syntax.file_types import language_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """What an update has done: files that the index should hold now, written, removed."""

    files: int
    written: int
    removed: int
    cut_short: bool = False


def make_entry(path: str, contents: Contents) -> Entry:
    """Read a file's text into an entry for the index; takes milliseconds, a second for the largest files."""
    language = language_of(path)
    outline = read_outline(language, contents.text)
    lines = contents.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    pieces = ("\n".join(lines[chunk.first_line : chunk.last_line + 1]) for chunk in outline.chunks)
    # Each name once: the words of a piece are not counted.
    terms = tuple(" ".join(dict.fromkeys(identifiers(piece))) for piece in pieces)
    return Entry(path, language, contents.mtime_ns, contents.size, outline, terms)


def read_wanted(root: Path, rules: IgnoreRules, path: str) -> Contents | None:
    """Read one file whose name somebody gave; None when it does not belong to the index (any more)."""
    if not is_text(path) or rules.ignores(path) or not is_inside(root, path):
        return None
    return read_contents(root, path)


def read_entry(root: Path, rules: IgnoreRules, path: str) -> Entry | None:
    """Read one such file into an entry for the index."""
    contents = read_wanted(root, rules, path)
    return None if contents is None else make_entry(path, contents)


class Updater:
    """One update of a whole index.

    ``report`` is called with files done and files found so far, a few times a second.
    ``reading`` is called with every path before it is read, so that who watches knows what it was if this process dies.
    """

    def __init__(
        self,
        store: IndexStore,
        walk: Walk,
        *,
        report: Callable[[int, int], None] = lambda _done, _total: None,
        reading: Callable[[str], None] | None = None,
        skip: Collection[str] = (),
    ) -> None:
        self._store = store
        self._walk = walk
        self._report = report
        self._reading = reading
        self._skip = frozenset(skip)
        self._batch: list[Entry] = []
        self._terms = 0
        self._written = 0
        self._reported = 0.0

    def run(self) -> Update:
        """Walk and write.

        Raises OSError when the root cannot be read and sqlite3.OperationalError when the index cannot be written.
        """
        if self._store.compact_if_worn():
            logger.info("the index is read anew: most of it was of what has changed since")
        known = self._store.known()
        walking = iter(self._walk)
        pending: deque[FoundFile] = deque()
        found = done = kept = 0
        exhausted = False
        while pending or not exhausted:
            # The walk runs ahead a little, so that the total is known early and the nearest files are read at once.
            deadline = time.monotonic() + CRAWL_AHEAD_S
            while not exhausted and len(pending) < CRAWL_AHEAD and time.monotonic() < deadline:
                file = next(walking, None)
                if file is None:
                    exhausted = True
                    break
                found += 1
                if known.get(file.path) == (file.mtime_ns, file.size):
                    del known[file.path]
                    done += 1
                    kept += 1
                elif is_worth_reading(file.path, file.size) and file.path not in self._skip:
                    pending.append(file)
                else:
                    done += 1
            deadline = time.monotonic() + CRAWL_AHEAD_S
            while pending and time.monotonic() < deadline:
                file = pending.popleft()
                done += 1
                if self._read(file.path):
                    known.pop(file.path, None)
                    kept += 1
            self._tell(done, found)
        self._flush()
        if self._written * CRAWL_JOIN_SHARE > kept:
            for _ in self._store.join(INDEX_TIDY_PAGES_CRAWLING):
                time.sleep(CRAWL_PAUSE_S)
        removed = self._remove_rest(known)
        self._report(done, found)
        return Update(kept, self._written, removed, self._walk.cut_short)

    def run_on(self, paths: Iterable[str]) -> Update:
        """Bring only these files up to date, whose names somebody gave; raises as `run`."""
        names = [path for path in dict.fromkeys(paths) if is_text(path)]
        gone = []
        kept = 0
        for done, path in enumerate(names, 1):
            if self._reading is not None:
                self._reading(path)
            entry = None if path in self._skip else read_entry(self._walk.root, self._walk.rules, path)
            if entry is None:
                gone.append(path)
            else:
                kept += 1
                self._add(entry)
            self._tell(done, len(names))
        self._flush()
        self._store.remove(gone)
        return Update(kept, self._written, len(gone))

    def _read(self, path: str) -> bool:
        if self._reading is not None:
            self._reading(path)
        contents = read_contents(self._walk.root, path)
        if contents is None:
            return False
        self._add(make_entry(path, contents))
        return True

    def _add(self, entry: Entry) -> None:
        self._batch.append(entry)
        self._terms += sum(map(len, entry.terms))
        if len(self._batch) >= CRAWL_BATCH_FILES or self._terms >= CRAWL_BATCH_TERMS:
            self._flush()

    def _flush(self) -> None:
        """Write what was read, but for what has changed since: who saved it may have written it to the index already."""
        batch, self._batch, self._terms = self._batch, [], 0
        current = [entry for entry in batch if self._is_current(entry)]
        if current:
            self._store.put(current)
            self._store.tidy(INDEX_TIDY_PAGES_CRAWLING)
            self._written += len(current)
            # A writer that waits for the lock looks for it every few milliseconds.
            time.sleep(CRAWL_PAUSE_S)

    def _is_current(self, entry: Entry) -> bool:
        try:
            state = os.lstat(self._walk.root / entry.path)
        except OSError:
            return False
        return (state.st_mtime_ns, state.st_size) == (entry.mtime_ns, entry.size)

    def _remove_rest(self, known: dict[str, tuple[int, int]]) -> int:
        """Forget files that were not found, except where that means nothing: in folders that could not be read."""
        unreadable = tuple(f"{folder}/" for folder in self._walk.unreadable)
        gone = [path for path in known if not path.startswith(unreadable)]
        for some in _pieces(gone, CRAWL_BATCH_FILES):
            self._store.remove(some)
            time.sleep(CRAWL_PAUSE_S)
        return len(gone)

    def _tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._reported >= CRAWL_REPORT_S:
            self._reported = now
            self._report(done, total)


def _pieces(paths: list[str], size: int) -> Iterator[list[str]]:
    for at in range(0, len(paths), size):
        yield paths[at : at + size]
