"""Files that runs leave behind: kept once however often they come, checked when read, pruned when they take too much."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

from dragoman.errors import NotStoredError, QuotaExceededError
from dragoman.file_lock import try_lock
from dragoman.storage.blobs import Blobs, Part
from dragoman.storage.database import Database
from dragoman.storage.failures import explain_file
from dragoman.storage.limits import BLOCK_BYTES, NAME_BYTES, OPEN_LOCK_STEP_S, ORPHAN_S
from dragoman.storage.repositories.artifacts import Artifact, Artifacts
from dragoman.storage.types import now


class FileStore:
    """Keeps files in a folder, and what is known of them in the database; several processes may share both.

    ``quota`` is the most bytes that all files may take: the oldest that are not pinned go when more come.
    """

    def __init__(self, folder: Path, database: Database, *, quota: int) -> None:
        self._folder = folder
        self._blobs = Blobs(folder)
        self._quota = quota
        self._alone = asyncio.Lock()
        self.artifacts = Artifacts(database)

    async def put(
        self,
        content: bytes | AsyncIterable[bytes],
        *,
        name: str,
        media_type: str = "application/octet-stream",
        run_id: str | None = None,
        owner: str = "",
        pinned: bool = False,
    ) -> Artifact:
        """Keep a file and return its description.

        Raises ValueError for a name that is a path, QuotaExceededError, StorageFullError and the other kinds of StorageError;
        nothing of it is left then.  A crash or a cancel may leave bytes without a name, which `prune` deletes.
        """
        check_name(name)
        part = await asyncio.to_thread(self._blobs.begin)
        try:
            await self._receive(part, content, name)
            artifact = Artifact(
                secrets.token_hex(16), part.digest, name, media_type, part.size, run_id, owner, pinned, now()
            )
            async with self._lock():
                await asyncio.to_thread(self._blobs.place, part)
                try:
                    await self.artifacts.add(artifact)
                    await self._make_room(artifact)
                except BaseException:
                    await self._drop_if_unnamed(artifact.digest)
                    raise
        except BaseException:
            part.discard()
            raise
        return artifact

    async def read(self, artifact_id: str) -> bytes:
        """Return a file's bytes; raises NotStoredError, and ArtifactDamagedError where they are not what was kept."""
        return b"".join([block async for block in self.stream(artifact_id)])

    async def stream(self, artifact_id: str) -> AsyncIterator[bytes]:
        """Give a file's bytes by the megabyte; all of them were checked before the first.  Raises as `read`."""
        artifact = await self.artifacts.get(artifact_id)
        file = await asyncio.to_thread(self._blobs.open, artifact.digest)
        try:
            while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
                yield block
        finally:
            file.close()

    async def delete(self, artifact_id: str) -> bool:
        """Delete a file; False when it is not there.  Its bytes stay while another name has them."""
        async with self._lock():
            try:
                artifact = await self.artifacts.get(artifact_id)
            except NotStoredError:
                return False
            await self.artifacts.delete(artifact_id)
            await self._drop_if_unnamed(artifact.digest)
            return True

    async def prune(self, at_most: int | None = None) -> int:
        """Delete the oldest files that are not pinned until all take no more than ``at_most`` bytes (None: the quota).

        What a crash left behind goes too.  Returns how many were deleted.
        """
        async with self._lock():
            pruned = await self.artifacts.delete_oldest(self._quota if at_most is None else at_most)
            for digest in set(pruned):
                await self._drop_if_unnamed(digest)
            await asyncio.to_thread(self._blobs.delete_old_parts)
            for digest, age_s in await asyncio.to_thread(lambda: list(self._blobs.digests())):
                if age_s > ORPHAN_S:
                    await self._drop_if_unnamed(digest)
            return len(pruned)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _receive(self, part: Part, content: bytes | AsyncIterable[bytes], name: str) -> None:
        blocks = _blocks(content) if isinstance(content, bytes) else content
        async for block in blocks:
            if part.size + len(block) > self._quota:
                raise self._too_large(name)
            await asyncio.to_thread(part.write, block)
        await asyncio.to_thread(part.finish)

    async def _make_room(self, artifact: Artifact) -> None:
        """Prune for a file that has just come; raises QuotaExceededError when the pinned ones leave no room for it."""
        if await self.artifacts.total() <= self._quota:
            return
        pruned = await self.artifacts.delete_oldest(self._quota, but=artifact.id)
        if await self.artifacts.total() > self._quota:
            await self.artifacts.delete(artifact.id)
            raise self._too_large(artifact.name)
        for digest in set(pruned):
            await self._drop_if_unnamed(digest)

    async def _drop_if_unnamed(self, digest: str) -> None:
        if not await self.artifacts.has_digest(digest):
            await asyncio.to_thread(self._blobs.delete, digest)

    def _too_large(self, name: str) -> QuotaExceededError:
        return QuotaExceededError(
            f"The file {name!r} does not fit into the {self._quota} bytes that files may take.",
            hint="Raise `storage.files_quota_mb`, or unpin or delete other files.",
        )

    @contextlib.asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        """Be the only one, of all processes, who gives names to bytes and takes bytes away."""
        async with self._alone:
            path = self._folder / ".lock"
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise explain_file(error, path) from error
            try:
                while not try_lock(descriptor):  # noqa: ASYNC110 - no event tells when another process lets go
                    await asyncio.sleep(OPEN_LOCK_STEP_S)
                yield
            finally:
                os.close(descriptor)


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), BLOCK_BYTES):
        yield content[start : start + BLOCK_BYTES]


def check_name(name: str) -> None:
    """Refuse a name that is a path, that no file system takes, or that hides what it is; raises ValueError."""
    if not name or name in {".", ".."} or any(character in name for character in "/\\:"):
        raise ValueError(f"{name!r:.80} is no name of a file")
    if not name.isprintable() or name != name.strip() or len(name.encode("utf-8", "replace")) > NAME_BYTES:
        raise ValueError(f"{name!r:.80} is no name of a file")
