"""Kept files: once by content, checked when read, within their quota, and nothing half after any failure."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dragoman.errors import (
    ArtifactDamagedError,
    NotStoredError,
    QuotaExceededError,
    StorageFullError,
)
from dragoman.storage.blobs import Blobs
from dragoman.storage.database import Database
from dragoman.storage.files import FileStore
from dragoman.storage.limits import ORPHAN_S
from tests.support import tools


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def store(database: Database, folder: Path) -> FileStore:
    return FileStore(folder, database, quota=1000)


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


async def test_a_file_is_kept_once_however_many_names_it_has(store: FileStore, folder: Path) -> None:
    first = await store.put(b"report", name="report.md", media_type="text/markdown", run_id="r", owner="me")
    second = await store.put(pieces(b"re", b"", b"port"), name="copy.md")
    assert first.digest == second.digest == hashlib.sha256(b"report").hexdigest()
    (path,) = kept(folder)
    assert path.relative_to(folder).parts == (first.digest[:2], first.digest[2:4], first.digest)
    assert path.stat().st_mode & 0o077 == 0
    assert await store.read(second.id) == b"report"
    assert await store.artifacts.list() == [second, first]
    assert await store.artifacts.list(run_id="r", owner="me") == [first]
    assert await store.artifacts.total() == 6

    assert await store.delete(first.id)
    assert await store.read(second.id) == b"report"
    assert await store.delete(second.id)
    assert not await store.delete(second.id)
    assert kept(folder) == []
    with pytest.raises(NotStoredError):
        await store.read(second.id)
    empty = await store.put(b"", name="empty")
    assert await store.read(empty.id) == b""


async def test_the_oldest_that_are_not_pinned_make_room(store: FileStore, folder: Path) -> None:
    pinned = await store.put(b"p" * 400, name="pinned", pinned=True)
    old = await store.put(b"o" * 300, name="old")
    young = await store.put(b"y" * 300, name="young")
    new = await store.put(b"n" * 200, name="new")
    assert await store.artifacts.list() == [new, young, pinned]
    assert len(kept(folder)) == 3
    with pytest.raises(NotStoredError):
        await store.read(old.id)

    # What does not fit beside the pinned ones is refused, and what is there stays.
    with pytest.raises(QuotaExceededError, match="files_quota_mb"):
        await store.put(b"z" * 1001, name="huge")
    assert len(await store.artifacts.list()) == 3
    await store.artifacts.pin(young.id)
    await store.artifacts.pin(new.id)
    with pytest.raises(QuotaExceededError):
        await store.put(b"z" * 200, name="late")
    assert {artifact.id for artifact in await store.artifacts.list()} == {pinned.id, young.id, new.id}
    await store.artifacts.pin(pinned.id, pinned=False)
    assert await store.prune(at_most=500) == 1
    assert {artifact.id for artifact in await store.artifacts.list()} == {young.id, new.id}
    assert len(kept(folder)) == 2


async def test_a_damaged_file_is_not_handed_out_and_is_healed_by_the_next_put(empty: Database, folder: Path) -> None:
    store = FileStore(folder, empty, quota=1000)
    artifact = await store.put(b"report", name="a")
    (path,) = kept(folder)
    path.write_bytes(b"Report")
    with pytest.raises(ArtifactDamagedError):
        await store.read(artifact.id)
    await store.put(b"report", name="b")
    assert await store.read(artifact.id) == b"report"
    secret = folder.parent / "secret"
    secret.write_bytes(b"report")
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(Exception, match=artifact.digest):
        await store.read(artifact.id)
    path.unlink()
    with pytest.raises(NotStoredError, match="gone"):
        await store.read(artifact.id)


async def test_names_and_digests_lead_nowhere_else(empty: Database, folder: Path) -> None:
    store = FileStore(folder, empty, quota=1000)
    for name in ("", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "C:x", "a\0b", "a\n", " a", "x" * 256, "\ud800"):
        with pytest.raises(ValueError, match="no name of a file"):
            await store.put(b"x", name=name)
    blobs = Blobs(folder)
    for digest in ("", "../" * 20 + "etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "a" * 65):
        with pytest.raises(ValueError, match="no SHA-256"):
            blobs.path_of(digest)
    with pytest.raises(NotStoredError):
        await store.read("../../secret")
    assert not folder.exists()


async def test_a_source_that_fails_or_is_cancelled_leaves_nothing(empty: Database, folder: Path) -> None:
    store = FileStore(folder, empty, quota=1000)
    going = asyncio.Event()

    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    async def hangs() -> AsyncIterator[bytes]:
        yield b"half"
        going.set()
        await asyncio.sleep(60)

    with pytest.raises(ConnectionError):
        await store.put(breaks(), name="a")
    task = asyncio.create_task(store.put(hangs(), name="b"))
    await going.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept(folder) == []
    assert await store.artifacts.list() == []


async def test_what_a_crash_left_is_pruned_once_it_is_old(empty: Database, folder: Path) -> None:
    store = FileStore(folder, empty, quota=1000)
    artifact = await store.put(b"named", name="a")
    blobs = Blobs(folder)
    for content in (b"nameless", b"young"):
        part = blobs.begin()
        part.write(content)
        part.finish()
        blobs.place(part)
    half = blobs.begin()
    half.finish()
    long_ago = time.time() - 2 * ORPHAN_S
    for path in (half.path, blobs.path_of(artifact.digest), blobs.path_of(hashlib.sha256(b"nameless").hexdigest())):
        os.utime(path, (long_ago, long_ago))
    assert await store.prune() == 0
    assert sorted(path.read_bytes() for path in kept(folder)) == [b"named", b"young"]


async def test_two_stores_share_a_folder(empty: Database, folder: Path) -> None:
    other = FileStore(folder, empty, quota=10_000)
    store = FileStore(folder, empty, quota=10_000)

    async def churn(which: FileStore) -> None:
        for _ in range(6):
            artifact = await which.put(b"same bytes", name="same")
            assert await which.read(artifact.id) == b"same bytes"
            await which.delete(artifact.id)

    await asyncio.gather(churn(store), churn(other))
    assert kept(folder) == []


FULL = """
import asyncio, pathlib, sys
from dragoman.errors import StorageFullError
from dragoman.storage.database import Database
from dragoman.storage.files import FileStore
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.messages import NewMessage

async def main():
    small = pathlib.Path(sys.argv[1])
    async with await Database.open(f"sqlite:///{sys.argv[2]}") as database:
        store = FileStore(small / "files", database, quota=10**9)
        kept = await store.put(b"k" * 1000, name="kept")
        try:
            await store.put(b"x" * 3_000_000, name="large")
        except StorageFullError as error:
            print(error)
        assert [one.id for one in await store.artifacts.list()] == [kept.id]
        assert await store.read(kept.id) == b"k" * 1000
        left = [path for path in small.rglob("*") if path.is_file() and path.name != ".lock"]
        assert len(left) == 1, left
    async with await Database.open(f"sqlite:///{small}/a.db") as database:
        conversations = Conversations(database)
        await conversations.append("c", NewMessage("user", "kept"))
        try:
            await conversations.append("c", NewMessage("user", "x" * 3_000_000))
        except StorageFullError as error:
            print(error)
        assert [one.content for one in await conversations.last("c", 9)] == ["kept"]

asyncio.run(main())
"""


async def test_a_disk_that_is_really_full_is_said_to_be_and_nothing_half_is_left(
    empty_file: Path, tmp_path: Path
) -> None:
    """A file system of two megabytes, in a mount namespace of the test's own."""
    unshare = tools.require("unshare")
    small, program = tmp_path / "small", tmp_path / "full.py"
    script = f"mount -t tmpfs -o size=2m tmpfs {small} && exec {sys.executable} {program} {small} {tmp_path}/a.db"
    small.mkdir()
    program.write_text(FULL, encoding="utf-8")
    done = subprocess.run(
        [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small file system can be mounted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is full") == 2


async def test_a_write_that_the_system_refuses_is_explained(
    empty: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk that only says so at the end, when what was written goes there."""
    store = FileStore(folder, empty, quota=10**9)
    real = os.fsync

    def full(descriptor: int) -> None:
        real(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFullError, match="full"):
        await store.put(b"x" * 10, name="a")
    monkeypatch.undo()
    assert kept(folder) == []
    assert await store.artifacts.list() == []
