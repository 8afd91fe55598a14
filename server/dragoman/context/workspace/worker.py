"""The index's process: answers questions at once, whatever else goes on.

One thread does everything, in the order in which the server asked; the crawl is another process's.
Between two messages it reads one changed file or prepares one open document, so no question waits for more than that.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from dragoman.context.workspace import place
from dragoman.context.workspace.contents import read_contents
from dragoman.context.workspace.crawler import explain
from dragoman.context.workspace.ignore import IGNORE_FILES, IgnoreRules
from dragoman.context.workspace.overlays import Overlays
from dragoman.context.workspace.protocol import Channel, Message
from dragoman.context.workspace.scanning import Scanning
from dragoman.context.workspace.store import IndexStore
from dragoman.context.workspace.update import read_entry
from dragoman.context.workspace.watching import Watcher
from dragoman.limits import (
    INDEX_CHANGES_INLINE,
    INDEX_CHANGES_QUEUED,
    INDEX_CLOSE_S,
    INDEX_INLINE_BYTES,
    INDEX_RESCAN_S,
)

logger = logging.getLogger(__name__)


class Answers(Protocol):
    """Who answers the questions that are not about the index itself."""

    def call(self, method: str, params: Message) -> Any:
        """Return what can be written as JSON; raises LookupError for a method that there is not."""
        ...


MakeAnswers = Callable[[IndexStore, Path, Overlays], Answers]


class Worker:
    """One workspace's index, from the first message to the end of the pipe."""

    def __init__(self, root: Path, index: Path, channel: Channel, make_answers: MakeAnswers) -> None:
        self._root = Path(os.path.realpath(root))
        self._channel = channel
        self._make_answers = make_answers
        self._answers: Answers | None = None
        self._inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._problem = ""
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._index, self._store = self._open(index)
        self._rules = IgnoreRules(self._root)
        self._scanning = Scanning(self._root, self._index, lambda message: self._inbox.put(("crawler", message)))
        self._overlays = Overlays()
        self._changed: dict[str, None] = {}
        self._changed_while_scanning: dict[str, None] = {}
        self._waiting: list[int] = []
        self._cancelled: set[int] = set()
        self._watcher: Watcher | None = None
        self._rescan_at: float | None = None

    def run(self) -> None:
        """Serve until the server closes its end."""
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        try:
            while (item := self._next()) is not None:
                source, message = item
                if source == "server":
                    self._handle(message)
                elif source == "crawler":
                    self._follow(message)
                else:
                    self._take_changes(message)
                self._work()
        finally:
            self._close()

    # -- what to do next -----------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, Any] | None:
        """Return the next message, doing what can wait while there is none; None at the end."""
        while True:
            with contextlib.suppress(queue.Empty):
                source, message = self._inbox.get_nowait()
                return None if source == "end" else (source, message)
            if self._work() or self._overlays.settle_one():
                continue
            self._answer_waiting()
            with contextlib.suppress(queue.Empty):
                source, message = self._inbox.get(timeout=self._tick())
                return None if source == "end" else (source, message)

    def _work(self) -> bool:
        """Read one changed file; False when there is none."""
        if not self._changed:
            return False
        path = next(iter(self._changed))
        del self._changed[path]
        self._refresh(path)
        return True

    def _tick(self) -> float | None:
        """Start what is due; returns in how many seconds something else will be."""
        waits = []
        if self._rescan_at is not None:
            if (left := self._rescan_at - time.monotonic()) <= 0:
                self._rescan_at = time.monotonic() + INDEX_RESCAN_S
                self._scanning.request()
                left = INDEX_RESCAN_S
            waits.append(left)
        if (left_to_scan := self._scanning.tick()) is not None:
            waits.append(left_to_scan)
        return max(0.0, min(waits)) if waits else None

    def _receive(self) -> None:
        """Pass the server's messages to the one thread; runs in a thread of its own."""
        try:
            while (message := self._channel.receive()) is not None:
                if message.get("method") == "cancel":
                    # Heard here, or it would come behind what it cancels.
                    self._cancelled.add(message["params"]["id"])
                else:
                    self._inbox.put(("server", message))
        except ValueError as error:
            logger.error("the server sent something that is not the protocol: %s", error)  # noqa: TRY400
        self._inbox.put(("end", None))
        # The other thread may be deep in a database or a parser.
        time.sleep(INDEX_CLOSE_S / 2)
        self._scanning.close()
        os._exit(0)

    # -- the server's messages -----------------------------------------------------------------------------------------

    def _handle(self, message: Message) -> None:
        identity = message.get("id")
        if identity is not None and identity in self._cancelled:
            self._cancelled.discard(identity)
            return
        method, params = message["method"], message.get("params") or {}
        if method == "wait" and identity is not None:
            self._waiting.append(identity)
            return
        try:
            handler = self._OWN.get(method)
            result = handler(self, params) if handler is not None else self._ask(method, params)
        except Exception as error:
            logger.exception("the index could not answer %r", method)
            answer: Message = {
                "error": {"code": "failed", "message": f"The index could not answer {method!r}: {error!r}."}
            }
        else:
            answer = {"result": result}
        if identity is not None:
            self._channel.send({"id": identity, **answer})
            # Requests come in order: no cancel for an older one can be of use.
            self._cancelled = {one for one in self._cancelled if one > identity}

    def _ask(self, method: str, params: Message) -> Any:
        if self._answers is None:
            self._answers = self._make_answers(self._store, self._root, self._overlays)
        return self._answers.call(method, params)

    def _on_start(self, params: Message) -> None:
        self._scanning.near = params.get("near", ())
        self._set_excludes(params.get("excludes", ()))
        if params.get("watch"):
            self._watcher = Watcher(self._root, lambda paths: self._inbox.put(("files", paths)))
            if not self._watcher.start():
                self._rescan_at = time.monotonic() + INDEX_RESCAN_S
        self._scanning.request()

    def _on_excludes(self, params: Message) -> None:
        self._set_excludes(params.get("patterns", ()))
        self._scanning.request()

    def _set_excludes(self, patterns: Iterable[str]) -> None:
        self._scanning.excludes = [*patterns]
        self._rules = IgnoreRules(self._root, self._scanning.excludes)

    def _on_changed(self, params: Message) -> None:
        self._take_changes(params.get("paths", ()))

    def _on_overlay(self, params: Message) -> None:
        path, text = params["path"], params.get("text")
        if text is None:
            self._overlays.close(path)
        elif not self._rules.ignores(path):
            self._overlays.open(path, text)

    def _on_near(self, params: Message) -> None:
        self._scanning.near = params.get("folders", ())

    def _on_rescan(self, _params: Message) -> None:
        self._rules.forget()
        self._scanning.request()

    def _on_status(self, _params: Message) -> Message:
        counts = {"files": 0, "symbols": 0}
        with contextlib.suppress(sqlite3.Error):
            counts = self._store.counts()
        scanning = self._scanning
        return {
            "state": scanning.state,
            "files": counts["files"],
            "symbols": counts["symbols"],
            "done": scanning.files,
            "total": max(scanning.total, counts["files"]) if scanning.state == "scanning" else counts["files"],
            "bytes": _bytes_of(self._index),
            "root": str(self._root),
            "problem": self._problem or scanning.problem,
            "watching": self._watcher is not None and self._watcher.is_running,
            "crawler": scanning.pid,
        }

    _OWN = {  # noqa: RUF012 - a table that nobody changes
        "start": _on_start,
        "excludes": _on_excludes,
        "changed": _on_changed,
        "overlay": _on_overlay,
        "near": _on_near,
        "rescan": _on_rescan,
        "status": _on_status,
    }

    # -- changed files -------------------------------------------------------------------------------------------------

    def _take_changes(self, paths: Iterable[str]) -> None:
        """Read what has changed: a few files at once, more between questions, many in the crawler."""
        for path in paths:
            if path.rpartition("/")[2] in IGNORE_FILES:
                self._rules.forget()
                self._scanning.request()
            self._changed[path] = None
        if len(self._changed) > INDEX_CHANGES_QUEUED:
            self._scanning.request(self._changed)
            self._changed = {}
        for _ in range(INDEX_CHANGES_INLINE):
            if not self._work():
                break

    def _refresh(self, path: str) -> None:
        """Bring the index up to date with one path, whatever is there now."""
        if self._scanning.is_running:
            self._changed_while_scanning[path] = None
        try:
            state = os.lstat(self._root / path)
        except (OSError, ValueError):
            state = None
        if state is None and self._store.file(path) is None:
            # A folder may have gone, with everything in it.
            self._forget_below(path)
        elif state is not None and stat.S_ISDIR(state.st_mode):
            if not self._rules.ignores(path, is_dir=True):
                self._scanning.request()
        elif state is not None and state.st_size > INDEX_INLINE_BYTES:
            self._scanning.request([path])
        else:
            self._write(path)

    def _write(self, path: str) -> None:
        try:
            entry = read_entry(self._root, self._rules, path)
            if entry is None:
                self._store.remove([path])
            else:
                self._store.put([entry])
        except sqlite3.Error as error:
            self._report(explain(error))
            contents = None if self._rules.ignores(path) else read_contents(self._root, path)
            self._overlays.shade(path, contents.text if contents is not None else None)
        else:
            if self._overlays.get(path) is not None:
                self._overlays.shade(path, None)

    def _forget_below(self, folder: str) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._store.has_below(folder):
                self._scanning.request()

    # -- the crawler's messages ----------------------------------------------------------------------------------------

    def _follow(self, message: Message) -> None:
        if message.get("event") == "log":
            self._channel.send(message)
            return
        was = self._scanning.state
        ended = self._scanning.take(message)
        if message.get("event") == "progress" or was != self._scanning.state:
            status = self._scanning
            self._channel.send(
                {
                    "event": "progress",
                    "state": status.state,
                    "files": status.files,
                    "total": status.total,
                    "problem": status.problem,
                }
            )
        if message.get("event") == "finished" and message["problem"]:
            logger.warning("%s", message["problem"])
        if ended:
            # The crawler may have read these before they were saved and written them after we did.
            self._changed.update(self._changed_while_scanning)
            self._changed_while_scanning = {}
            place.prune(self._index.parent)

    def _answer_waiting(self) -> None:
        """Answer those who wait for the crawl, when it is complete."""
        if self._waiting and self._scanning.state == "ready" and not self._scanning.is_running:
            waiting, self._waiting = self._waiting, []
            for identity in waiting:
                self._channel.send({"id": identity, "result": self._on_status({})})

    # -- beginning and end ---------------------------------------------------------------------------------------------

    def _open(self, index: Path) -> tuple[Path, IndexStore]:
        """Open the index, or where that cannot be, one that lives as long as this process: in a temporary file, in memory."""
        try:
            place.claim(index)
            return index, IndexStore.open(index, write=True)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="dragoman-index-", ignore_cleanup_errors=True)
            index = Path(self._temporary.name) / index.name
            store = IndexStore.open(index, write=True)
        except (OSError, sqlite3.Error):
            self._report(f"Nothing is indexed but what is saved now: there is no room for an index ({reason}).")
            return Path(os.devnull) / "index", IndexStore.open(None, write=True)
        self._report(f"The index is kept for this session only: its folder cannot be written ({reason}).")
        return index, store

    def _report(self, problem: str) -> None:
        """Remember what is wrong, and say so once."""
        if problem != self._problem:
            self._problem = problem
            logger.warning("%s", problem)

    def _close(self) -> None:
        self._scanning.close()
        if self._watcher is not None:
            self._watcher.stop()
        with contextlib.suppress(sqlite3.Error):
            self._store.close()
        if self._temporary is not None:
            self._temporary.cleanup()


def _bytes_of(index: Path) -> int:
    """Return how much the index takes on the disk."""
    total = 0
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            total += os.stat(f"{index}{end}").st_size  # noqa: PTH116
    return total
