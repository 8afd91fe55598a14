"""Deletes what its user wants deleted after a time: nothing, unless ``storage.retention_days`` says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dragoman.storage.database import Database
from dragoman.storage.repositories.audit import AuditLog
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.runs import Runs
from dragoman.storage.repositories.usage import UsageLedger
from dragoman.storage.types import now


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many of each kind were deleted."""

    messages: int = 0
    conversations: int = 0
    runs: int = 0
    usage: int = 0
    audit: int = 0


async def delete_expired(database: Database, days: int | None) -> Deleted:
    """Delete what was archived, ended or noted more than ``days`` days ago; None deletes nothing.  Raises StorageError."""
    if days is None:
        return Deleted()
    moment = now() - timedelta(days=days)
    store = Conversations(database)
    return Deleted(
        messages=await store.purge(before=moment),
        conversations=await store.delete_archived(before=moment),
        runs=await Runs(database).delete_before(moment),
        usage=await UsageLedger(database).delete_before(moment),
        audit=await AuditLog(database).delete_before(moment),
    )
