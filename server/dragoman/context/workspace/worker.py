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
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from dragoman.context.workspace import place
from dragoman.context.workspace.changes import Changes
from dragoman.context.workspace.garbage import Garbage
from dragoman.context.workspace.git_changes import GitChanges
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.opening import OpenIndex, is_damage
from dragoman.context.workspace.overlays import Overlays
from dragoman.context.workspace.protocol import Channel, Message
from dragoman.context.workspace.scanning import Scanning
from dragoman.context.workspace.store import IndexStore
from dragoman.context.workspace.vector_index import METHODS, VectorIndex
from dragoman.context.workspace.watching import Watcher
from dragoman.limits import INDEX_CLOSE_S, INDEX_COUNT_S, INDEX_REBUILDS, INDEX_RESCAN_S

logger = logging.getLogger(__name__)


class Answers(Protocol):
    """Who answers the questions that are not about the index itself."""

    def call(self, method: str, params: Message) -> Any:
        """Return what can be written as JSON; raises LookupError for a method that there is not."""
        ...

    def work(self) -> bool:
        """Do a little of what can wait; False when there is nothing to do."""
        ...

    def wanted(self) -> list[str]:
        """Return files that questions missed and that are to be read before the crawl gets there."""
        ...


MakeAnswers = Callable[[IndexStore, Path, Overlays, GitChanges], Answers]


class Worker:
    """One workspace's index, from the first message to the end of the pipe."""

    def __init__(self, root: Path, index: Path, channel: Channel, make_answers: MakeAnswers) -> None:
        self._root = Path(os.path.realpath(root))
        self._channel = channel
        self._make_answers = make_answers
        self._answers: Answers | None = None
        self._answered_by: IndexStore | None = None
        self._inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._index = OpenIndex(index)
        self._scanning = Scanning(self._root, lambda message: self._inbox.put(("crawler", message)))
        self._scanning.index = None if self._index.in_memory else self._index.path
        self._overlays = Overlays()
        self._vectors = VectorIndex(self._root, self._index)
        self._git = GitChanges(self._root)
        self._changes = Changes(self._root, self._index, self._scanning, self._overlays)
        self._waiting: list[int] = []
        self._cancelled: set[int] = set()
        self._cancels: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._rebuilt = 0
        self._counts = Counts()
        self._last_words: Message = {}
        self._watcher: Watcher | None = None
        self._rescan_at: float | None = None
        self._garbage = Garbage()

    def run(self) -> None:
        """Serve until the server closes its end."""
        self._garbage.begin()
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        try:
            while (item := self._next()) is not None:
                source, message = item
                if source == "server":
                    self._handle(message)
                elif source == "crawler":
                    self._follow(message)
                elif source == "files":
                    self._changes.take(message)
                else:
                    self._rescan_at = time.monotonic() + INDEX_RESCAN_S
                self._changes.work()
        finally:
            self._close()

    # -- what to do next -----------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, Any] | None:
        """Return the next message, doing what can wait while there is none; None at the end."""
        while True:
            self._garbage.collect_if_much()
            with contextlib.suppress(queue.Empty):
                source, message = self._inbox.get_nowait()
                return None if source == "end" else (source, message)
            if self._changes.work() or self._overlays.settle_one():
                continue
            if self._answers is None:
                # Before the first question: what answers it takes a moment to be imported.
                self._answers, self._answered_by = self._make(), self._index.store
                self._garbage.begin()
                continue
            if wanted := self._answers.wanted():
                self._changes.take(wanted)
                continue
            if self._answers.work() or self._changes.tidy():
                continue
            self._answer_waiting()
            self._garbage.collect_at_leisure()
            with contextlib.suppress(queue.Empty):
                source, message = self._inbox.get(timeout=self._tick())
                return None if source == "end" else (source, message)

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
                    self._cancels.put(message["params"]["id"])
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
        if identity is not None and self._is_cancelled(identity):
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

    def _is_cancelled(self, identity: int) -> bool:
        with contextlib.suppress(queue.Empty):
            while True:
                self._cancelled.add(self._cancels.get_nowait())
        # Requests come in order: a cancel for an older one came too late.
        self._cancelled = {one for one in self._cancelled if one >= identity}
        return identity in self._cancelled

    def _ask(self, method: str, params: Message) -> Any:
        self._look_at_file()
        if method in METHODS:
            complete = self._scanning.state == "ready" and not self._scanning.is_running
            return self._vectors.call(method, params, self._changes.rules, complete=complete)
        if self._answers is None:
            self._answers = self._make()
        try:
            return self._answers.call(method, params)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                self._begin_anew(damaged=True)
            raise

    def _make(self) -> Answers:
        return self._make_answers(self._index.store, self._root, self._overlays, self._git)

    def _look_at_file(self) -> None:
        """Notice that another server has made the index anew, or that somebody has deleted it."""
        if self._answered_by is not self._index.store:
            self._answers, self._answered_by = None, self._index.store
        if self._index.is_replaced:
            self._begin_anew()

    def _begin_anew(self, *, damaged: bool = False) -> None:
        self._rebuilt += damaged
        if self._rebuilt > INDEX_REBUILDS:
            return  # The disk is at fault, and reading everything again would never end.
        self._index.reopen(damaged=damaged)
        self._scanning.index = None if self._index.in_memory else self._index.path
        self._answers, self._answered_by = None, self._index.store
        self._scanning.request()

    def _on_start(self, params: Message) -> None:
        self._scanning.near = params.get("near", ())
        self._set_excludes(params.get("excludes", ()))
        self._git.trusted = params.get("trusted") is True
        self._git.refresh()
        if params.get("watch"):
            self._watcher = Watcher(
                self._root,
                self._is_wanted,
                changed=lambda paths: self._inbox.put(("files", paths)),
                failed=lambda: self._inbox.put(("unwatched", None)),
            )
            self._watcher.start()
        self._scanning.request()

    def _is_wanted(self, path: str) -> bool:
        """Whether a change there matters; called in the watcher's thread."""
        return not self._changes.rules.ignores(path)

    def _on_excludes(self, params: Message) -> None:
        self._set_excludes(params.get("patterns", ()))
        self._scanning.request()

    def _set_excludes(self, patterns: Iterable[str]) -> None:
        self._scanning.excludes = [*patterns]
        self._changes.rules = IgnoreRules(self._root, self._scanning.excludes)

    def _on_changed(self, params: Message) -> None:
        self._changes.take(params.get("paths", ()))

    def _on_overlay(self, params: Message) -> None:
        path, text = params["path"], params.get("text")
        if text is None:
            self._overlays.close(path)
        elif not self._changes.rules.ignores(path):
            self._overlays.open(path, text)

    def _on_near(self, params: Message) -> None:
        self._scanning.near = params.get("folders", ())

    def _on_rescan(self, _params: Message) -> None:
        self._changes.rules.forget()
        self._scanning.request()

    def _on_status(self, _params: Message) -> Message:
        counts = self._counts.of(self._index.store)
        scanning = self._scanning
        return {
            "state": scanning.state,
            "files": counts["files"],
            "symbols": counts["symbols"],
            "done": scanning.files if scanning.state == "scanning" else counts["files"],
            "total": max(scanning.total, counts["files"]) if scanning.state == "scanning" else counts["files"],
            "bytes": self._index.size,
            "root": str(self._root),
            "problem": self._index.problem or self._changes.problem or scanning.problem,
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

    # -- the crawler's messages ----------------------------------------------------------------------------------------

    def _follow(self, message: Message) -> None:
        if message.get("event") == "log":
            if message != self._last_words:  # Each crawl of a workspace that is too large says so.
                self._channel.send(message)
            self._last_words = message
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
        if message.get("damaged"):
            self._begin_anew(damaged=True)
        if ended:
            self._look_at_file()
            self._changes.recheck()
            place.prune(self._index.path.parent)

    def _answer_waiting(self) -> None:
        """Answer those who wait for the crawl, when it is complete."""
        if self._waiting and self._scanning.state == "ready" and not self._scanning.is_running:
            waiting, self._waiting = self._waiting, []
            for identity in waiting:
                self._channel.send({"id": identity, "result": self._on_status({})})

    # -- beginning and end ---------------------------------------------------------------------------------------------

    def _close(self) -> None:
        self._scanning.close()
        if self._watcher is not None:
            self._watcher.stop()
        self._vectors.close()
        self._index.close()


class Counts:
    """How much there is in an index, counted anew no more often than that pays."""

    def __init__(self) -> None:
        self._counts = {"files": 0, "symbols": 0}
        self._version: object = None
        self._next = 0.0

    def of(self, store: IndexStore) -> dict[str, int]:
        """Return the numbers; in a large index they may be `INDEX_COUNT_S` old."""
        began = time.monotonic()
        with contextlib.suppress(sqlite3.Error):
            version = (store, store.version())
            if version != self._version and began >= self._next:
                self._counts = store.counts()
                self._version = version
                took = time.monotonic() - began
                self._next = began + (INDEX_COUNT_S if took > INDEX_COUNT_S / 1_000 else 0.0)
        return self._counts
