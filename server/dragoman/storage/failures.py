"""What databases and disks say, in our words: one place that knows their codes."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.errors import (
    DatabaseDamagedError,
    DatabaseLockedError,
    DatabaseRefusedError,
    DatabaseUnreachableError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
)

if TYPE_CHECKING:
    from dragoman.storage.addresses import DatabaseAddress

_FULL_HINT = "Free some space and try again: what was being written is not there, everything else is."
_WRITABLE_HINT = "Check the rights of the file and its folder, or set `storage.database_url`."
_LOCKED_HINT = "Another process writes to it. Try again, and end that process if it hangs."


def explain_database(error: Exception, address: DatabaseAddress) -> StorageError:
    """Return the error for what the database's driver raised, or SQLAlchemy around it; no password is in it."""
    original = getattr(error, "orig", None) or error
    return _explain_sqlite(original, address) if address.path is not None else _explain_postgres(original, address)


def explain_file(error: OSError, path: Path) -> StorageError:
    """Return the error for what the system said of a file."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StorageFullError(f"The disk of {str(path)!r} is full.", hint=_FULL_HINT)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StorageReadOnlyError(
            f"{str(path)!r} cannot be written to: {error.strerror}.",
            hint="Check the rights of the file and its folder.",
        )
    return StorageError(f"{str(path)!r} cannot be used: {error.strerror or error}.")


def _explain_sqlite(original: BaseException, address: DatabaseAddress) -> StorageError:
    code = getattr(original, "sqlite_errorcode", None)
    text = str(original).lower()
    primary = code & 0xFF if isinstance(code, int) else None
    where = f"The database {address.shown!r}"
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or "is locked" in text:
        return DatabaseLockedError(f"{where} is locked.", hint=_LOCKED_HINT)
    if primary == sqlite3.SQLITE_FULL or "is full" in text:
        return StorageFullError(f"{where} cannot grow: the disk is full.", hint=_FULL_HINT)
    if primary == sqlite3.SQLITE_READONLY or "readonly" in text:
        return StorageReadOnlyError(f"{where} is read-only.", hint=_WRITABLE_HINT)
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or "malformed" in text or "not a database" in text:
        return DatabaseDamagedError(
            f"{where} is damaged or no SQLite database.",
            hint="Move it away; a backup from before the last migration may lie beside it (`*.bak`).",
        )
    if primary == sqlite3.SQLITE_CANTOPEN or "unable to open" in text:
        return DatabaseUnreachableError(f"{where} cannot be opened.", hint=_WRITABLE_HINT)
    if primary == sqlite3.SQLITE_IOERR:
        return StorageError(f"{where} cannot be read or written: the disk reports an error.", hint=_FULL_HINT)
    return StorageError(f"{where} refused a statement: {_first_line(original)}")


_REFUSED = frozenset({"28P01", "28000", "3D000", "42501"})
_LOCKED = frozenset({"55P03", "57014", "40001", "40P01"})
_FULL = frozenset({"53100", "53200"})


def _explain_postgres(original: BaseException, address: DatabaseAddress) -> StorageError:
    state = getattr(original, "sqlstate", None) or ""
    text = _first_line(original)
    lowered = str(original).lower()
    where = f"The database {address.shown!r}"
    refused = ("authentication failed", "does not exist", "no password supplied", "no pg_hba.conf entry")
    if state in _REFUSED or (not state and any(words in lowered for words in refused)):
        return DatabaseRefusedError(
            f"{where} refused us: {text}", hint="Check user, password and name in `storage.database_url`."
        )
    if state in _LOCKED:
        return DatabaseLockedError(f"{where} is locked: {text}", hint=_LOCKED_HINT)
    if state in _FULL:
        return StorageFullError(f"{where} has no room: {text}", hint=_FULL_HINT)
    if state == "25006":
        return StorageReadOnlyError(f"{where} is read-only: {text}", hint="Name the primary server, not a replica.")
    # No state: the driver itself failed, so there is no connection.
    if not state or state[:2] in {"08", "53", "57"}:
        return DatabaseUnreachableError(
            f"{where} cannot be reached: {text}", hint="Start the server, or set `storage.database_url`."
        )
    return StorageError(f"{where} refused a statement: {text}")


def _first_line(error: object) -> str:
    """Return the first line of a message that says something; what follows repeats it, or shows the statement."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else "no reason given").rstrip(".")[:300] + "."
