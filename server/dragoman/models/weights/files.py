"""Moves and hashes big files without holding up the event loop."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

from dragoman.errors import DiskFullError, WeightsError

Progress = Callable[[int, int, str], None]
"""Told several times a second how many bytes are done, of how many, and of what."""

FreeSpace = Callable[[Path], int]
"""Returns the bytes free on the disk that holds a folder."""

STEP_BYTES = 4 * 1024 * 1024
"""Hashing a step takes a few milliseconds in a thread: a cancel comes through between two."""


def free_space(folder: Path) -> int:
    """Return the bytes free on the folder's disk."""
    return shutil.disk_usage(folder).free


def describe_size(count: int) -> str:
    """Return a size for people, in the decimal units in which downloads are counted."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def size_of(path: Path) -> int:
    """Return the file's size in bytes, 0 when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def remove(path: Path) -> None:
    """Delete the file if it is there."""
    path.unlink(missing_ok=True)


def require_space(folder: Path, needed: int, free: FreeSpace, *, what: str) -> None:
    """Raise DiskFullError when fewer than ``needed`` bytes are free."""
    left = free(folder)
    if left < needed:
        raise DiskFullError(
            f"{what} needs {describe_size(needed)} on the disk of {str(folder)!r} and {describe_size(left)} is free.",
            hint="Free some space, or point DRAGOMAN_DATA_DIR to another disk.",
        )


class HashedFile:
    """A file being written, with the SHA-256 of all that it holds; an async context manager."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self._path = path
        self._resume = resume
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self.size = 0
        """Bytes written so far, those of an earlier attempt included."""

    async def __aenter__(self) -> Self:
        kept = await asyncio.to_thread(self._open)
        while block := await asyncio.to_thread(kept.read, STEP_BYTES):
            await asyncio.to_thread(self._hash.update, block)
            self.size += len(block)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._file is not None:
            # Also after a cancel: what is written stays for the next attempt.
            self._file.close()

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b" if self._resume else "w+b")
        self._file.seek(0)
        return self._file

    async def write(self, block: bytes) -> None:
        """Append the block; raises DiskFullError."""
        await asyncio.to_thread(self._write, block)
        self.size += len(block)

    def _write(self, block: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(block)
        except OSError as error:
            raise explain(error, self._path) from error
        self._hash.update(block)

    async def sync(self) -> None:
        """Bring everything to the disk; raises DiskFullError."""
        await asyncio.to_thread(self._sync)

    def _sync(self) -> None:
        assert self._file is not None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise explain(error, self._path) from error

    @property
    def sha256(self) -> str:
        """The hash of what is written so far, in hexadecimal."""
        return self._hash.hexdigest()


def explain(error: OSError, path: Path) -> WeightsError:
    """Return the error in words: a full disk gets its own type."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(
            f"The disk of {str(path.parent)!r} is full.",
            hint="Free some space and run the same command again: it goes on there.",
        )
    return WeightsError(f"{str(path)!r} cannot be written: {error.strerror or error}.")


async def hash_file(path: Path, progress: Progress | None = None, what: str = "checking") -> str:
    """Return the file's SHA-256 in hexadecimal; raises OSError."""
    digest = hashlib.sha256()
    total = size_of(path)
    done = 0
    file = path.open("rb")
    try:
        while block := await asyncio.to_thread(file.read, STEP_BYTES):
            await asyncio.to_thread(digest.update, block)
            done += len(block)
            if progress is not None:
                progress(done, total, what)
    finally:
        file.close()
    return digest.hexdigest()
