"""What model calls cost: one record a call, without a word of what was said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Integer, Row, case, delete, func, select

from dragoman.storage.database import Database
from dragoman.storage.limits import LIST_ROWS
from dragoman.storage.tables import usage

Grouping = Literal["model", "provider", "role", "operation", "owner"]


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One call of a model: tokens as the server counted them (``estimated`` where it did not), times in seconds.

    ``outcome`` is ``ok``, ``cancelled`` (the caller had enough) or the code of the error; ``cost`` is None where no price is known.
    """

    at: datetime
    provider: str
    model: str
    operation: str
    outcome: str
    duration_s: float
    role: str = ""
    owner: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    first_token_s: float | None = None
    cost: float | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What the calls of one model, provider, … add up to; ``name`` says which one."""

    name: str
    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost: float | None
    mean_duration_s: float


class UsageLedger:
    """Keeps records of calls in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, records: Iterable[UsageRecord]) -> None:
        """Keep records, all or none."""
        rows = [asdict(record) for record in records]
        if rows:
            async with self._database.write() as connection:
                await connection.execute(usage.insert(), rows)

    async def newest(self, limit: int = LIST_ROWS) -> Sequence[UsageRecord]:
        """Return the newest records, newest first."""
        columns = [column for column in usage.c if column.name != "id"]
        wanted = select(*columns).order_by(usage.c.at.desc(), usage.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            return [UsageRecord(**row._mapping) for row in await connection.execute(wanted)]

    async def sums(
        self, by: Grouping, *, since: datetime | None = None, owner: str | None = None
    ) -> Sequence[UsageSum]:
        """Return what calls add up to, the most used first."""
        group = usage.c[by]
        calls = func.count()
        wanted = select(
            group.label("name"),
            calls.label("calls"),
            func.sum(case((usage.c.outcome.in_(("ok", "cancelled")), 0), else_=1).cast(Integer)).label("failed"),
            func.sum(usage.c.prompt_tokens).label("prompt_tokens"),
            func.sum(usage.c.completion_tokens).label("completion_tokens"),
            func.sum(usage.c.cached_tokens).label("cached_tokens"),
            func.sum(usage.c.cost).label("cost"),
            func.avg(usage.c.duration_s).label("mean_duration_s"),
        )
        wanted = wanted.group_by(group).order_by(calls.desc(), group)
        if since is not None:
            wanted = wanted.where(usage.c.at >= since)
        if owner is not None:
            wanted = wanted.where(usage.c.owner == owner)
        async with self._database.read() as connection:
            return [_sum(row) for row in await connection.execute(wanted)]

    async def delete_before(self, moment: datetime) -> int:
        """Delete records from before a moment and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(usage).where(usage.c.at < moment))).rowcount


def _sum(row: Row[Any]) -> UsageSum:
    return UsageSum(**row._mapping)
