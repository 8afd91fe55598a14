"""Conversations and their messages: in order, archived rather than lost, deleted only when somebody says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.limits import LIST_ROWS, PAGE_ROWS, TITLE_CHARS
from dragoman.storage.repositories.messages import Message, NewMessage, as_row, from_row
from dragoman.storage.repositories.statements import check_id, insert_new
from dragoman.storage.tables import conversations, messages
from dragoman.storage.types import now, storable


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages: ``messages`` counts those in its context, ``archived`` those out of it."""

    id: str
    owner: str
    title: str
    agent: str | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    messages: int
    archived: int


class Conversations:
    """Keeps conversations in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- writing -------------------------------------------------------------------------------------------------------

    async def create(
        self, conversation_id: str, *, owner: str = "", title: str = "", agent: str | None = None
    ) -> Conversation:
        """Make a conversation, or return the one that is there already; raises ValueError for a bad identifier."""
        async with self._database.write() as connection:
            await _ensure(connection, conversation_id, now(), owner=owner, title=title, agent=agent)
            return await _get(connection, conversation_id)

    async def append(self, conversation_id: str, *new: NewMessage) -> tuple[Message, ...]:
        """Add messages behind each other at the end, all or none, and return them as they are kept.

        The conversation is made if it is not there, and comes back if it was archived.
        Its title is the beginning of the first user message.
        """
        check_id(conversation_id, "a conversation's identifier")
        moment = now()
        async with self._database.write() as connection:
            if not new:
                await _ensure(connection, conversation_id, moment)
                return ()
            last, title = await _reserve(connection, conversation_id, len(new), moment)
            first = last - len(new) + 1
            rows = [as_row(conversation_id, first + index, message, moment) for index, message in enumerate(new)]
            await connection.execute(messages.insert(), rows)
            if not title and (title := _title_of(new)):
                await connection.execute(
                    update(conversations).where(conversations.c.id == conversation_id).values(title=title)
                )
            return tuple(from_row(row) for row in rows)

    async def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title; raises NotStoredError."""
        await self._change(conversation_id, title=storable(title))

    async def archive(self, conversation_id: str) -> None:
        """Take a conversation out of the list, and keep it; raises NotStoredError."""
        await self._change(conversation_id, archived_at=now())

    async def restore(self, conversation_id: str) -> None:
        """Put an archived conversation back into the list; raises NotStoredError."""
        await self._change(conversation_id, archived_at=None)

    async def archive_before(self, conversation_id: str, seq: int) -> int:
        """Take the messages before ``seq`` out of the context, keep them, and return how many those were."""
        async with self._database.write() as connection:
            done = await connection.execute(
                update(messages).where(*_current(conversation_id), messages.c.seq < seq).values(archived_at=now())
            )
            return done.rowcount

    async def purge(self, conversation_id: str | None = None, *, before: datetime | None = None) -> int:
        """Delete archived messages for good, of one conversation or all, archived before a moment or ever; return how many."""
        conditions: list[ColumnElement[bool]] = [messages.c.archived_at.is_not(None)]
        if conversation_id is not None:
            conditions.append(messages.c.conversation_id == conversation_id)
        if before is not None:
            conditions.append(messages.c.archived_at < before)
        async with self._database.write() as connection:
            return (await connection.execute(delete(messages).where(*conditions))).rowcount

    async def delete(self, conversation_id: str) -> bool:
        """Delete a conversation with everything in it; False when it is not there."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
            return done.rowcount > 0

    async def delete_archived(self, *, before: datetime) -> int:
        """Delete the conversations that were archived before a moment, with everything in them; return how many."""
        async with self._database.write() as connection:
            return (
                await connection.execute(delete(conversations).where(conversations.c.archived_at < before))
            ).rowcount

    # -- reading -------------------------------------------------------------------------------------------------------

    async def get(self, conversation_id: str) -> Conversation:
        """Return a conversation; raises NotStoredError."""
        async with self._database.read() as connection:
            return await _get(connection, conversation_id)

    async def last(self, conversation_id: str, count: int) -> tuple[Message, ...]:
        """Return the newest ``count`` messages that are not archived, oldest first."""
        newest = select(messages).where(*_current(conversation_id)).order_by(messages.c.seq.desc()).limit(count)
        async with self._database.read() as connection:
            rows = (await connection.execute(newest)).mappings().all()
        return tuple(from_row(row) for row in reversed(rows))

    async def count(self, conversation_id: str) -> int:
        """Return how many messages are not archived."""
        async with self._database.read() as connection:
            counted = await connection.execute(select(func.count()).where(*_current(conversation_id)))
            return int(counted.scalar_one())

    async def after(
        self, conversation_id: str, seq: int = 0, *, limit: int = PAGE_ROWS, archived: bool = False
    ) -> tuple[Message, ...]:
        """Return up to ``limit`` messages behind ``seq``, oldest first; with those that are archived if asked."""
        wanted = [messages.c.conversation_id == conversation_id] if archived else [*_current(conversation_id)]
        page = select(messages).where(*wanted, messages.c.seq > seq).order_by(messages.c.seq).limit(limit)
        async with self._database.read() as connection:
            return tuple(from_row(row) for row in (await connection.execute(page)).mappings())

    async def messages(self, conversation_id: str, *, archived: bool = False) -> AsyncIterator[Message]:
        """Give every message, oldest first, a page at a time."""
        seq = 0
        while page := await self.after(conversation_id, seq, limit=PAGE_ROWS, archived=archived):
            for message in page:
                yield message
            seq = page[-1].seq

    async def list(
        self,
        *,
        owner: str | None = None,
        search: str = "",
        archived: bool = False,
        limit: int = LIST_ROWS,
        before: Conversation | None = None,
    ) -> Sequence[Conversation]:
        """Return conversations, the one last written to first: those of ``owner``, with ``search`` in title or messages.

        ``before`` is the last one of the page before.
        """
        table = conversations.c
        wanted = _with_counts()
        if owner is not None:
            wanted = wanted.where(table.owner == owner)
        if not archived:
            wanted = wanted.where(table.archived_at.is_(None))
        if search:
            said = exists().where(
                messages.c.conversation_id == table.id, messages.c.content.icontains(search, autoescape=True)
            )
            wanted = wanted.where(or_(table.title.icontains(search, autoescape=True), said))
        if before is not None:
            same_moment = and_(table.updated_at == before.updated_at, table.id > before.id)
            wanted = wanted.where(or_(table.updated_at < before.updated_at, same_moment))
        wanted = wanted.order_by(table.updated_at.desc(), table.id).limit(limit)
        async with self._database.read() as connection:
            return [_conversation(row) for row in await connection.execute(wanted)]

    async def _change(self, conversation_id: str, **values: Any) -> None:
        async with self._database.write() as connection:
            done = await connection.execute(
                update(conversations).where(conversations.c.id == conversation_id).values(**values)
            )
            if not done.rowcount:
                raise _missing(conversation_id)


async def _reserve(connection: AsyncConnection, conversation_id: str, count: int, moment: datetime) -> tuple[int, str]:
    """Take the next ``count`` numbers of a conversation, made if need be; return the last one, and the title."""
    # The update holds the conversation's row until the end: whoever appends at the same time comes behind us.
    take = (
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(last_seq=conversations.c.last_seq + count, updated_at=moment, archived_at=None)
        .returning(conversations.c.last_seq, conversations.c.title)
    )
    taken = (await connection.execute(take)).one_or_none()
    if taken is None:
        await _ensure(connection, conversation_id, moment)
        taken = (await connection.execute(take)).one()
    return taken.last_seq, taken.title


async def _ensure(
    connection: AsyncConnection,
    conversation_id: str,
    moment: datetime,
    *,
    owner: str = "",
    title: str = "",
    agent: str | None = None,
) -> None:
    check_id(conversation_id, "a conversation's identifier")
    row = {"id": conversation_id, "owner": owner, "title": storable(title), "agent": agent}
    await connection.execute(insert_new(connection, conversations).values(**row, created_at=moment, updated_at=moment))


async def _get(connection: AsyncConnection, conversation_id: str) -> Conversation:
    found = (await connection.execute(_with_counts().where(conversations.c.id == conversation_id))).one_or_none()
    if found is None:
        raise _missing(conversation_id)
    return _conversation(found)


def _with_counts() -> Select[Any]:
    mine = messages.c.conversation_id == conversations.c.id
    current = select(func.count()).where(mine, messages.c.archived_at.is_(None)).correlate(conversations)
    archived = select(func.count()).where(mine, messages.c.archived_at.is_not(None)).correlate(conversations)
    columns = [column for column in conversations.c if column.name != "last_seq"]
    return select(*columns, current.scalar_subquery().label("messages"), archived.scalar_subquery().label("archived"))


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(**row._mapping)


def _current(conversation_id: str) -> tuple[ColumnElement[bool], ...]:
    return messages.c.conversation_id == conversation_id, messages.c.archived_at.is_(None)


def _title_of(new: Sequence[NewMessage]) -> str:
    for message in new:
        if message.role == "user" and (words := message.content.split()):
            line = storable(" ".join(words[:TITLE_CHARS]))
            return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"
    return ""


def _missing(conversation_id: str) -> NotStoredError:
    return NotStoredError(
        f"There is no conversation {conversation_id!r:.220}.",
        hint="`dragoman conversations list` shows those there are.",
    )
