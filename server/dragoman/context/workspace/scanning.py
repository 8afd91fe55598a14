"""The crawler as the index's process sees it: started when there is something to crawl, one at a time, ended when it is done."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from dragoman.context.workspace.place import lock_file
from dragoman.context.workspace.protocol import Channel, Message
from dragoman.file_lock import try_lock
from dragoman.limits import INDEX_CHANGES, INDEX_CRAWL_CRASHES, INDEX_LOCK_POLL_S

logger = logging.getLogger(__name__)

State = Literal["scanning", "waiting", "ready"]


class Scanning:
    """Who asks for crawls and follows them; every call comes from one thread.

    ``post`` is called from another thread with each message of the crawler, and takes it to `take` in that one thread.
    """

    def __init__(self, root: Path, post: Callable[[Message], None]) -> None:
        self._root = root
        self._post = post
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._wants_all = False
        self._wanted: dict[str, None] = {}
        self._retry_at = 0.0
        self._crashes = 0
        self._suspect = ""
        self._skipped: list[str] = []
        self._running_all = False
        self.index: Path | None = None
        """The file to bring up to date; without one nothing is crawled."""
        self.excludes: Sequence[str] = ()
        self.near: Sequence[str] = ()
        self.files = 0
        self.total = 0
        self.problem = ""

    @property
    def state(self) -> State:
        """Whether a crawl of the whole workspace runs here, is due once another server's has ended, or is done."""
        if self._running_all:
            return "scanning"
        return "waiting" if self._wants_all else "ready"

    @property
    def is_running(self) -> bool:
        """Whether there is a crawler now."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """The crawler's process number."""
        return self._process.pid if self._process is not None else None

    def request(self, paths: Iterable[str] | None = None) -> None:
        """Ask for a crawl of these files, or of the whole workspace for None."""
        if self.index is None:
            return
        if paths is None:
            self._wants_all = True
        else:
            self._wanted.update(dict.fromkeys(paths))
            if len(self._wanted) > INDEX_CHANGES:
                self._wants_all = True
        self.tick()

    def tick(self) -> float | None:
        """Start what is due; returns in how many seconds to call this again, None for no need to."""
        if self.index is None or self._process is not None or not (self._wants_all or self._wanted):
            return None
        if (wait := self._retry_at - time.monotonic()) > 0:
            return wait
        if self._wants_all and not self._take_lock(self.index):
            self._retry_at = time.monotonic() + INDEX_LOCK_POLL_S
            return INDEX_LOCK_POLL_S
        self._begin(self.index)
        return None

    def take(self, message: Message) -> bool:
        """Follow one message of the crawler; True when it has ended and something may have changed in `state`."""
        event = message.get("event")
        if event == "progress":
            self.files, self.total = message["files"], message["total"]
        elif event == "reading":
            self._suspect = message["path"]
        elif event == "finished":
            self._crashes = 0
            if self._running_all or message["problem"]:
                self.problem = message["problem"]
            if self._running_all:
                self.files = self.total = message["files"]
        elif event == "ended":
            self._ended(message["code"], finished=message["finished"])
            return True
        return False

    def close(self) -> None:
        """End the crawler, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self._let_go()

    def _begin(self, index: Path) -> None:
        self._running_all = self._wants_all
        plan: Message = {
            "root": str(self._root),
            "index": str(index),
            "excludes": list(self.excludes),
            "near": list(self.near),
            "paths": None if self._wants_all else list(self._wanted),
            "skip": self._skipped,
            "careful": self._crashes > 0,
        }
        self._wants_all = False
        self._wanted.clear()
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dragoman.context", "--name", "dragoman-index-crawler", "--crawl"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Not ours: what holds that pipe open would outlive us in the server's eyes.
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            self._failed(f"The workspace cannot be crawled: {error.strerror or error}.")
            return
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        # The pipe stays open: its end tells the crawler that we are gone.
        channel = Channel(process.stdout, process.stdin)
        channel.send(plan)
        threading.Thread(target=self._follow, args=(process, channel), name="crawler", daemon=True).start()

    def _follow(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        """Pass the crawler's messages on; runs in a thread of its own."""
        finished = False
        try:
            while (message := channel.receive()) is not None:
                finished = finished or message.get("event") == "finished"
                self._post(message)
        except ValueError:
            process.kill()
        channel.close()
        self._post({"event": "ended", "code": process.wait(), "finished": finished})

    def _ended(self, code: int, *, finished: bool) -> None:
        self._process = None
        self._running_all = False
        self._let_go()
        if not finished:
            self._failed(f"The crawler of the workspace ended unexpectedly (exit code {code}).")
        self.tick()

    def _failed(self, problem: str) -> None:
        """Try again later, three times; a file that a crawler died of twice is left out."""
        self._crashes += 1
        self._running_all = False
        self._let_go()
        self.problem = problem
        if self._suspect:
            self._skipped.append(self._suspect)
            logger.warning("%s It was reading %r, which is left out from now on.", problem, self._suspect)
            self._suspect = ""
        else:
            logger.warning("%s", problem)
        self._wants_all = self._crashes <= INDEX_CRAWL_CRASHES
        self._retry_at = time.monotonic() + INDEX_LOCK_POLL_S * self._crashes

    # -- the lock ------------------------------------------------------------------------------------------------------

    def _take_lock(self, index: Path) -> bool:
        """Become the one who crawls for this index; ends with this process however it dies."""
        if self._lock is not None:
            return True
        try:
            descriptor = os.open(lock_file(index), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True  # No lock can be had; crawling twice is slow, not wrong.
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def _let_go(self) -> None:
        descriptor, self._lock = self._lock, None
        if descriptor is not None:
            os.close(descriptor)
