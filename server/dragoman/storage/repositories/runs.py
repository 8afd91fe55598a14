"""Runs of agents and what happened in them: events are numbered, and never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, delete, select, update

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.limits import LIST_ROWS, PAGE_ROWS
from dragoman.storage.repositories.statements import check_id
from dragoman.storage.tables import events, runs
from dragoman.storage.types import now, storable

RunStatus = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
FINISHED: frozenset[RunStatus] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run; ``output`` or ``error`` and ``finished_at`` are there once it has ended."""

    id: str
    agent: str
    owner: str
    conversation_id: str | None
    task: str
    status: RunStatus
    output: str | None
    error: str | None
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """Something that happened in a run; ``seq`` counts from 1 without a gap."""

    run_id: str
    seq: int
    type: str
    data: Mapping[str, Any] = field(hash=False)
    created_at: datetime


class Runs:
    """Keeps runs and their events in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, run_id: str, *, agent: str, task: str, owner: str = "", conversation_id: str | None = None
    ) -> StoredRun:
        """Keep a run that is queued; raises ValueError for an identifier that is bad or in use."""
        check_id(run_id, "a run's identifier")
        values = {"id": run_id, "agent": agent, "owner": owner, "conversation_id": conversation_id}
        async with self._database.write() as connection:
            if (await connection.execute(select(runs.c.id).where(runs.c.id == run_id))).first() is not None:
                raise ValueError(f"there is a run {run_id!r} already")
            await connection.execute(
                runs.insert().values(**values, task=storable(task), status="queued", created_at=now())
            )
            return _run((await connection.execute(_select().where(runs.c.id == run_id))).one())

    async def update(
        self,
        run_id: str,
        status: RunStatus,
        *,
        output: str | None = None,
        error: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
    ) -> bool:
        """Set where a run stands; False when it has ended already, for an end is never changed.  Raises NotStoredError."""
        values: dict[str, Any] = {"status": status}
        for name, said in (("output", output), ("error", error)):
            if said is not None:
                values[name] = storable(said)
        counts = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        values |= {name: count for name, count in counts.items() if count is not None}
        if status in FINISHED:
            values["finished_at"] = now()
        async with self._database.write() as connection:
            open_run = (runs.c.id == run_id, runs.c.finished_at.is_(None))
            if (await connection.execute(update(runs).where(*open_run).values(**values))).rowcount:
                return True
            if (await connection.execute(select(runs.c.id).where(runs.c.id == run_id))).first() is None:
                raise _missing(run_id)
            return False

    async def record(self, run_id: str, *happened: tuple[str, Mapping[str, Any]]) -> tuple[StoredEvent, ...]:
        """Add events (type and data) at a run's end, all or none; raises NotStoredError, and ValueError for what is no JSON."""
        moment = now()
        async with self._database.write() as connection:
            counted = await connection.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(last_seq=runs.c.last_seq + len(happened))
                .returning(runs.c.last_seq)
            )
            last = counted.scalar_one_or_none()
            if last is None:
                raise _missing(run_id)
            first = last - len(happened) + 1
            kept = tuple(
                StoredEvent(run_id, first + index, kind, dict(data), moment)
                for index, (kind, data) in enumerate(happened)
            )
            if kept:
                await connection.execute(
                    events.insert(),
                    [{name: getattr(event, name) for name in events.c.keys()} for event in kept],  # noqa: SIM118
                )
            return kept

    async def keep_state(self, run_id: str, state: Mapping[str, Any]) -> None:
        """Keep where a run stands, in the place of what was kept before; raises NotStoredError, ValueError for what is no JSON."""
        async with self._database.write() as connection:
            kept = await connection.execute(update(runs).where(runs.c.id == run_id).values(state=dict(state)))
            if not kept.rowcount:
                raise _missing(run_id)

    async def state(self, run_id: str) -> Mapping[str, Any] | None:
        """Return where a run stood when that was last kept, None for one that is unknown or never said."""
        async with self._database.read() as connection:
            return (await connection.execute(select(runs.c.state).where(runs.c.id == run_id))).scalar_one_or_none()

    async def open_states(self, *, limit: int = LIST_ROWS) -> tuple[Mapping[str, Any], ...]:
        """Return where each run stood that has not ended, the newest first."""
        wanted = select(runs.c.state).where(runs.c.finished_at.is_(None), runs.c.state.is_not(None))
        async with self._database.read() as connection:
            return tuple(await connection.scalars(wanted.order_by(runs.c.created_at.desc(), runs.c.id).limit(limit)))

    async def get(self, run_id: str) -> StoredRun:
        """Return a run; raises NotStoredError."""
        async with self._database.read() as connection:
            found = (await connection.execute(_select().where(runs.c.id == run_id))).one_or_none()
        if found is None:
            raise _missing(run_id)
        return _run(found)

    async def list(
        self,
        *,
        agent: str | None = None,
        owner: str | None = None,
        status: RunStatus | None = None,
        limit: int = LIST_ROWS,
        offset: int = 0,
    ) -> Sequence[StoredRun]:
        """Return runs, newest first."""
        wanted = _select().order_by(runs.c.created_at.desc(), runs.c.id).limit(limit).offset(offset)
        for column, value in ((runs.c.agent, agent), (runs.c.owner, owner), (runs.c.status, status)):
            if value is not None:
                wanted = wanted.where(column == value)
        async with self._database.read() as connection:
            return [_run(row) for row in await connection.execute(wanted)]

    async def events(self, run_id: str, after: int = 0, *, limit: int = PAGE_ROWS) -> tuple[StoredEvent, ...]:
        """Return up to ``limit`` events behind ``after``, in order."""
        wanted = select(events).where(events.c.run_id == run_id, events.c.seq > after)
        async with self._database.read() as connection:
            rows = await connection.execute(wanted.order_by(events.c.seq).limit(limit))
            return tuple(StoredEvent(**row._mapping) for row in rows)

    async def delete_before(self, moment: datetime) -> int:
        """Delete runs that ended before a moment, with their events; return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(runs).where(runs.c.finished_at < moment))).rowcount


def _select() -> Any:
    return select(*[column for column in runs.c if column.name not in {"last_seq", "state"}])


def _run(row: Row[Any]) -> StoredRun:
    return StoredRun(**row._mapping)


def _missing(run_id: str) -> NotStoredError:
    return NotStoredError(f"There is no run {run_id!r:.220}.")
