"""Bytes by their SHA-256 in a folder: written whole or not at all, and checked when they are read.

Blocking, so the event loop never calls it itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dragoman.errors import ArtifactDamagedError, NotStoredError
from dragoman.storage.failures import explain_file
from dragoman.storage.limits import BLOCK_BYTES, ORPHAN_S

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PARTS = "parts"


class Blobs:
    """A folder of files named by their content, two levels deep, readable by its user only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, digest: str) -> Path:
        """Return where the bytes lie; raises ValueError for what is no digest, so no path leads out of the folder."""
        if not _DIGEST.match(digest):
            raise ValueError(f"{digest!r:.80} is no SHA-256")
        return self._folder / digest[:2] / digest[2:4] / digest

    def begin(self) -> Part:
        """Return a file to write to; raises StorageError."""
        folder = self._folder / _PARTS
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return Part(folder / secrets.token_hex(16))
        except OSError as error:
            raise explain_file(error, folder) from error

    def place(self, part: Part) -> None:
        """Give a finished part its name; what is there already may be damaged, so it is replaced.  Raises StorageError."""
        target = self.path_of(part.digest)
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.path.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            part.discard()
            raise explain_file(error, target) from error

    def open(self, digest: str) -> BinaryIO:
        """Return the file at its beginning once all of it was checked; raises ArtifactDamagedError and NotStoredError."""
        path = self.path_of(digest)
        try:
            # No link is followed: whoever can write here must not make us hand out another file.
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            raise NotStoredError(f"The file {digest!r} is gone.", hint="It was deleted beside Dragoman.") from None
        except OSError as error:
            raise explain_file(error, path) from error
        file = os.fdopen(descriptor, "rb")
        try:
            if (
                not stat.S_ISREG(os.fstat(descriptor).st_mode)
                or hashlib.file_digest(file, "sha256").hexdigest() != digest
            ):
                raise ArtifactDamagedError(
                    f"The file {digest!r} is damaged.", hint="Delete it, and check the disk that it lies on."
                )
            file.seek(0)
        except OSError as error:
            file.close()
            raise explain_file(error, path) from error
        except BaseException:
            file.close()
            raise
        return file

    def delete(self, digest: str) -> None:
        """Delete the bytes if they are there; raises StorageError."""
        path = self.path_of(digest)
        try:
            path.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent):
                with contextlib.suppress(OSError):  # Not empty: others lie in it.
                    folder.rmdir()
        except OSError as error:
            raise explain_file(error, path) from error

    def digests(self) -> Iterator[tuple[str, float]]:
        """Give the digest of every file, and how many seconds ago it was placed."""
        now = time.time()
        for path in self._folder.glob("??/??/*"):
            if _DIGEST.match(path.name):
                with contextlib.suppress(OSError):
                    yield path.name, now - path.lstat().st_mtime

    def delete_old_parts(self) -> None:
        """Delete what a crash left half written."""
        for path in (self._folder / _PARTS).glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > ORPHAN_S:
                    path.unlink()


class Part:
    """A file being written, with the SHA-256 of what it holds so far; `discard` leaves nothing of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=BLOCK_BYTES)

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, block: bytes) -> None:
        """Append the block; raises StorageError."""
        try:
            self._file.write(block)
        except OSError as error:
            raise explain_file(error, self.path.parent) from error
        self._hash.update(block)
        self.size += len(block)

    def finish(self) -> None:
        """Bring everything to the disk; raises StorageError."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise explain_file(error, self.path.parent) from error

    def discard(self) -> None:
        """Close and delete it."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def _sync_folder(folder: Path) -> None:
    """Bring the folder's entry to the disk, where folders can be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
