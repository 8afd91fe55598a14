"""Who did what, when, and how it ended: entries are added and read, and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select

from dragoman.storage.database import Database
from dragoman.storage.limits import LIST_ROWS
from dragoman.storage.tables import audit
from dragoman.storage.types import now, storable


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed; ``id`` rises, ``details`` is a JSON object that holds no secret."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    outcome: str
    details: Mapping[str, Any] = field(hash=False)
    request_id: str


class AuditLog:
    """Keeps deeds in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        actor: str,
        action: str,
        *,
        target: str = "",
        outcome: str = "ok",
        details: Mapping[str, Any] | None = None,
        request_id: str = "",
    ) -> int:
        """Add an entry and return its number; raises ValueError for details that are no JSON."""
        values = {
            "at": now(),
            "actor": storable(actor),
            "action": action,
            "target": storable(target),
            "outcome": outcome,
            "details": dict(details or {}),
            "request_id": storable(request_id),
        }
        async with self._database.write() as connection:
            added = await connection.execute(audit.insert().values(**values).returning(audit.c.id))
            return int(added.scalar_one())

    async def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = LIST_ROWS,
    ) -> Sequence[AuditEntry]:
        """Return entries, newest first; ``before`` is the last number of the page before."""
        wanted = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if actor is not None:
            wanted = wanted.where(audit.c.actor == actor)
        if action is not None:
            wanted = wanted.where(audit.c.action == action)
        if since is not None:
            wanted = wanted.where(audit.c.at >= since)
        if before is not None:
            wanted = wanted.where(audit.c.id < before)
        async with self._database.read() as connection:
            return [_entry(row) for row in await connection.execute(wanted)]

    async def delete_before(self, moment: datetime) -> int:
        """Delete entries from before a moment and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(audit).where(audit.c.at < moment))).rowcount


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**row._mapping)
