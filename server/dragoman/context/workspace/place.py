"""Where the index of a workspace lies: in the user's cache folder, never in the workspace, which may be read-only."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from pathlib import Path

from dragoman.context.workspace.store import VERSION, delete
from dragoman.file_lock import try_lock
from dragoman.limits import INDEX_KEPT_DAYS

logger = logging.getLogger(__name__)

_ENDING = ".sqlite"


def index_file(root: Path, folder: Path | None = None) -> Path:
    """Return the path of a workspace's index, whether or not it exists; links and ``..`` in ``root`` make no difference."""
    if folder is None:
        from dragoman.settings.folders import cache_folder

        folder = cache_folder() / "index"
    identity = os.path.realpath(root).encode("utf-8", "surrogateescape")
    return folder / f"{hashlib.sha256(identity).hexdigest()[:16]}-{VERSION}{_ENDING}"


def lock_file(index: Path) -> Path:
    """Return the path of the lock that the one who crawls for this index holds."""
    return index.with_suffix(".lock")


def claim(index: Path) -> None:
    """Make the index's folder, for the user alone, and note that it is in use; raises OSError."""
    index.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.utime(index)


def prune(folder: Path, *, now: float | None = None) -> int:
    """Delete indexes that nobody has used for `INDEX_KEPT_DAYS`; returns how many.  Those being crawled stay."""
    oldest = (time.time() if now is None else now) - INDEX_KEPT_DAYS * 86_400
    deleted = 0
    with contextlib.suppress(OSError):
        for index in list(folder.glob(f"*{_ENDING}")):
            with contextlib.suppress(OSError):
                if _last_use(index) < oldest and _delete_unlocked(index):
                    deleted += 1
    if deleted:
        logger.info("deleted %d indexes that were not used for %d days", deleted, INDEX_KEPT_DAYS)
    return deleted


def _last_use(index: Path) -> float:
    """Return when the index was last opened or written, in seconds since 1970."""
    log = Path(f"{index}-wal")
    return max(path.stat().st_mtime for path in (index, log) if path.exists())


def _delete_unlocked(index: Path) -> bool:
    lock = lock_file(index)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not try_lock(descriptor):
            return False
        delete(index)
        lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    return True
