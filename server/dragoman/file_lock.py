"""One process at a time: a lock on an open file, which ends with its holder however that one dies."""

from __future__ import annotations

import sys


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process; False when another one holds it.  Closing the descriptor ends the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
