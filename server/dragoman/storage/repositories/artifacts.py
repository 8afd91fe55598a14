"""What is known of kept files; the bytes lie in `dragoman.storage.files`, once however many names they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.limits import LIST_ROWS
from dragoman.storage.tables import artifacts


@dataclass(frozen=True, slots=True)
class Artifact:
    """A kept file: ``digest`` is the SHA-256 of its bytes, ``size`` their number; a pinned one is never pruned."""

    id: str
    digest: str
    name: str
    media_type: str
    size: int
    run_id: str | None
    owner: str
    pinned: bool
    created_at: datetime


class Artifacts:
    """Keeps what is known of files in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, artifact: Artifact) -> None:
        """Keep an artifact's description."""
        async with self._database.write() as connection:
            await connection.execute(artifacts.insert().values(**asdict(artifact)))

    async def get(self, artifact_id: str) -> Artifact:
        """Return an artifact's description; raises NotStoredError."""
        async with self._database.read() as connection:
            found = (await connection.execute(select(artifacts).where(artifacts.c.id == artifact_id))).one_or_none()
        if found is None:
            raise missing(artifact_id)
        return _artifact(found)

    async def list(
        self,
        *,
        run_id: str | None = None,
        owner: str | None = None,
        limit: int = LIST_ROWS,
        offset: int = 0,
    ) -> Sequence[Artifact]:
        """Return descriptions, newest first."""
        wanted = select(artifacts).order_by(artifacts.c.created_at.desc(), artifacts.c.id).limit(limit).offset(offset)
        if run_id is not None:
            wanted = wanted.where(artifacts.c.run_id == run_id)
        if owner is not None:
            wanted = wanted.where(artifacts.c.owner == owner)
        async with self._database.read() as connection:
            return [_artifact(row) for row in await connection.execute(wanted)]

    async def pin(self, artifact_id: str, *, pinned: bool = True) -> None:
        """Keep an artifact from being pruned, or let it be; raises NotStoredError."""
        async with self._database.write() as connection:
            done = await connection.execute(
                update(artifacts).where(artifacts.c.id == artifact_id).values(pinned=pinned)
            )
            if not done.rowcount:
                raise missing(artifact_id)

    async def delete(self, artifact_id: str) -> bool:
        """Delete a description; False when it is not there."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(artifacts).where(artifacts.c.id == artifact_id))).rowcount > 0

    async def delete_oldest(self, at_most: int, *, but: str = "") -> tuple[str, ...]:
        """Delete the oldest descriptions that are not pinned until the files take no more than ``at_most`` bytes.

        Returns the digests that they had.

        ``but`` is an artifact that stays.
        """
        deleted = []
        async with self._database.write() as connection:
            while (await connection.execute(_total())).scalar_one() > at_most:
                oldest = (
                    select(artifacts.c.id, artifacts.c.digest)
                    .where(artifacts.c.pinned.is_(False), artifacts.c.id != but)
                    .order_by(artifacts.c.created_at, artifacts.c.id)
                    .limit(1)
                )
                found = (await connection.execute(oldest)).one_or_none()
                if found is None:
                    break
                await connection.execute(delete(artifacts).where(artifacts.c.id == found.id))
                deleted.append(found.digest)
        return tuple(deleted)

    async def total(self) -> int:
        """Return the bytes that all files take."""
        async with self._database.read() as connection:
            return int((await connection.execute(_total())).scalar_one())

    async def has_digest(self, digest: str) -> bool:
        """Tell whether any artifact has these bytes."""
        async with self._database.read() as connection:
            found = await connection.execute(select(artifacts.c.id).where(artifacts.c.digest == digest).limit(1))
            return found.first() is not None


def _total() -> Any:
    blobs = select(artifacts.c.digest, func.max(artifacts.c.size).label("size")).group_by(artifacts.c.digest).subquery()
    return select(func.coalesce(func.sum(blobs.c.size), 0))


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(**row._mapping)


def missing(artifact_id: str) -> NotStoredError:
    """Return the error for an artifact that is not there."""
    return NotStoredError(f"There is no artifact {artifact_id!r:.80}.")
