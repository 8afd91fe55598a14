"""Parts of statements that both databases understand in their own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.storage.limits import ID_CHARS


def insert_new(connection: AsyncConnection, table: Table) -> Any:
    """Return an insert that leaves a row alone that is there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_or_update(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any], *, by: Sequence[str], change: Sequence[str]
) -> Any:
    """Return an insert that changes the columns ``change`` of a row that has the same ``by``."""
    statement: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table).values(**values)
    return statement.on_conflict_do_update(
        index_elements=list(by), set_={name: statement.excluded[name] for name in change}
    )


def check_id(value: str, what: str) -> str:
    """Return an identifier that can be kept and shown in a line; raises ValueError."""
    if not value or len(value) > ID_CHARS or not value.isprintable() or value != value.strip():
        raise ValueError(
            f"{what} must be 1 to {ID_CHARS} printable characters without blanks around them, not {value!r:.80}"
        )
    return value
