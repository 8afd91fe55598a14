"""The counts on this disk: one file that all servers of a user add to, under a lock."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

from dragoman.file_lock import try_lock
from dragoman.limits import USAGE_DAYS, USAGE_LOCK_S
from dragoman.monitoring.usage import Usage
from dragoman.settings.folders import data_folder

logger = logging.getLogger(__name__)

FILE = "usage.json"
VERSION = 1
LOCK_STEP_S = 0.02

Today = Callable[[], date]


def local_today() -> date:
    """Return the date where the user is."""
    moment = time.localtime()
    return date(moment.tm_year, moment.tm_mon, moment.tm_mday)


class UsageStore:
    """Reads and adds to the user's counts; blocking, so the event loop never calls it itself.

    What cannot be written is the caller's to keep: `add` says so by raising OSError.
    """

    def __init__(self, folder: Path, today: Today = local_today, *, file: str = FILE) -> None:
        self.path = folder / file
        self.today = today

    @classmethod
    def default(cls, environ: Mapping[str, str] | None = None, *, file: str = FILE) -> UsageStore:
        """Return the user's own store; ``file`` has the counts of something else than suggestions."""
        return cls(data_folder(environ), file=file)

    def read(self) -> Usage:
        """Return what is counted; a file that makes no sense is set aside with one line in the log, and nothing is counted.

        Raises OSError when the file is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                data = json.load(file)
            if not isinstance(data, dict) or data.get("version") != VERSION:
                raise ValueError("not of this version")
            return Usage.from_dict(data.get("days"))
        except FileNotFoundError:
            return Usage()
        except (ValueError, RecursionError) as error:
            aside = self.path.with_name(f"{self.path.name}.broken")
            logger.warning("the counts in %r make no sense (%s): set aside as %r", str(self.path), error, aside.name)
            with contextlib.suppress(OSError):
                self.path.replace(aside)
            return Usage()

    def add(self, usage: Usage) -> None:
        """Add ``usage`` to what is on disk, and drop what is too old; raises OSError, and then nothing was added."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            merged = self.read()
            merged.merge(usage)
            merged.forget_before((self.today() - timedelta(days=USAGE_DAYS - 1)).isoformat())
            self._write(merged)

    def reset(self) -> bool:
        """Forget everything on disk; False when there was nothing.  Raises OSError."""
        if not self.path.exists():
            return False
        with self._lock():
            self.path.unlink(missing_ok=True)
        return True

    def _write(self, usage: Usage) -> None:
        text = json.dumps({"version": VERSION, "days": usage.as_dict()}, ensure_ascii=False, separators=(",", ":"))
        # Whoever holds the lock is the only writer; what a crash left here is written over.
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of this file; raises OSError when another process does not let go of it."""
        descriptor = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            give_up = time.monotonic() + USAGE_LOCK_S
            while not try_lock(descriptor):
                if time.monotonic() > give_up:
                    raise OSError(f"{self.path.name} is locked by another process")
                time.sleep(LOCK_STEP_S)
            yield
        finally:
            os.close(descriptor)
