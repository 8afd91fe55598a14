"""Agents that were defined: what each is, where it came from, and whether it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, delete, select, update

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.repositories.statements import check_id, insert_or_update
from dragoman.storage.tables import agents
from dragoman.storage.types import now

AgentState = Literal["started", "stopped"]


@dataclass(frozen=True, slots=True)
class StoredAgent:
    """An agent by its name; ``definition`` is a JSON object, ``source`` says who defined it (``settings``, ``file``, …)."""

    id: str
    definition: Mapping[str, Any] = field(hash=False)
    source: str
    state: AgentState
    created_at: datetime
    updated_at: datetime


class Agents:
    """Keeps agents in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, agent_id: str, definition: Mapping[str, Any], *, source: str) -> StoredAgent:
        """Keep an agent, or its new definition; it stays started or stopped.  Raises ValueError for what is no JSON."""
        moment = now()
        values = {
            "id": check_id(agent_id, "an agent's name"),
            "definition": dict(definition),
            "source": source,
            "state": "stopped",
            "created_at": moment,
            "updated_at": moment,
        }
        async with self._database.write() as connection:
            change = ("definition", "source", "updated_at")
            await connection.execute(insert_or_update(connection, agents, values, by=("id",), change=change))
            return _agent((await connection.execute(select(agents).where(agents.c.id == agent_id))).one())

    async def set_state(self, agent_id: str, state: AgentState) -> None:
        """Remember that an agent was started or stopped; raises NotStoredError."""
        async with self._database.write() as connection:
            done = await connection.execute(
                update(agents).where(agents.c.id == agent_id).values(state=state, updated_at=now())
            )
            if not done.rowcount:
                raise _missing(agent_id)

    async def get(self, agent_id: str) -> StoredAgent:
        """Return an agent; raises NotStoredError."""
        async with self._database.read() as connection:
            found = (await connection.execute(select(agents).where(agents.c.id == agent_id))).one_or_none()
        if found is None:
            raise _missing(agent_id)
        return _agent(found)

    async def list(self) -> Sequence[StoredAgent]:
        """Return every agent, by name."""
        async with self._database.read() as connection:
            return [_agent(row) for row in await connection.execute(select(agents).order_by(agents.c.id))]

    async def delete(self, agent_id: str) -> bool:
        """Forget an agent; False when it is not there."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(agents).where(agents.c.id == agent_id))).rowcount > 0


def _agent(row: Row[Any]) -> StoredAgent:
    return StoredAgent(**row._mapping)


def _missing(agent_id: str) -> NotStoredError:
    return NotStoredError(f"There is no agent {agent_id!r:.220}.", hint="`dragoman agents list` shows those there are.")
