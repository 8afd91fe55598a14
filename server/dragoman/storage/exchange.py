"""Conversations as lines of JSON: exported as a stream, imported as a whole or not at all, as often as one likes.

The first line says the format and its version, then comes each conversation with its messages behind it::

    {"dragoman": "conversations", "version": 1}
    {"conversation": {"id": "c1", "title": "…", "created_at": "2026-01-31T12:00:00+00:00", …}}
    {"message": {"conversation_id": "c1", "seq": 1, "role": "user", "content": "…", …}}
    {"end": {"conversations": 1, "messages": 1}}

The last line tells a whole file from one that was cut off.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.errors import ImportRejectedError
from dragoman.storage.database import Database
from dragoman.storage.limits import BAD_LINES_NAMED, IMPORT_ROWS, LINE_BYTES, PAGE_ROWS
from dragoman.storage.repositories import fields
from dragoman.storage.repositories.conversations import Conversation, Conversations
from dragoman.storage.repositories.messages import as_data, row_from_data
from dragoman.storage.repositories.statements import check_id, insert_new
from dragoman.storage.tables import conversations, messages
from dragoman.storage.types import storable

FORMAT = "conversations"
VERSION = 1
_KEYS = frozenset({"id", "owner", "title", "agent", "created_at", "updated_at", "archived_at"})

ANY: Final = ""
"""The conversation that a message may belong to where the line that would say so is wrong."""

Lines = Callable[[], Iterable[bytes]]
"""Opens what is imported, from its beginning each time it is called: it is read twice."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: ``conversations`` and ``messages`` are new, the others were there already, alike."""

    conversations: int
    messages: int
    known_conversations: int
    known_messages: int


# -- export ------------------------------------------------------------------------------------------------------------


async def export_lines(
    database: Database, ids: Sequence[str] | None = None, *, archived: bool = True
) -> AsyncIterator[str]:
    """Give the lines of an export, each with its newline: of the conversations named, or of all.

    Memory holds a page of messages at a time.  Raises NotStoredError for an identifier that is not there.
    """
    store = Conversations(database)
    yield _line({"dragoman": FORMAT, "version": VERSION})
    counts = {"conversations": 0, "messages": 0}
    async for conversation in _chosen(store, ids, archived=archived):
        yield _line({"conversation": _conversation_as_data(conversation)})
        counts["conversations"] += 1
        async for message in store.messages(conversation.id, archived=archived):
            yield _line({"message": {"conversation_id": conversation.id, **as_data(message)}})
            counts["messages"] += 1
    yield _line({"end": counts})


async def _chosen(store: Conversations, ids: Sequence[str] | None, *, archived: bool) -> AsyncIterator[Conversation]:
    if ids is not None:
        # All of them first: who names one wrongly gets no half of an export.
        for conversation in [await store.get(conversation_id) for conversation_id in dict.fromkeys(ids)]:
            yield conversation
        return
    last: Conversation | None = None
    while page := await store.list(archived=archived, limit=PAGE_ROWS, before=last):
        for conversation in page:
            yield conversation
        last = page[-1]


def _conversation_as_data(conversation: Conversation) -> dict[str, Any]:
    data = {
        "id": conversation.id,
        "owner": conversation.owner,
        "title": conversation.title,
        "agent": conversation.agent,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "archived_at": None if conversation.archived_at is None else conversation.archived_at.isoformat(),
    }
    return {name: value for name, value in data.items() if value not in (None, "")}


def _line(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


# -- import ------------------------------------------------------------------------------------------------------------


def lines_of(path: Path) -> Lines:
    """Return what opens a file line by line; no line is read beyond what a line may have."""

    def read() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from iter(lambda: file.readline(LINE_BYTES + 1), b"")

    return read


async def import_lines(database: Database, lines: Lines) -> Imported:
    """Take an export in, as a whole or not at all; what is there already, alike, is left as it is.

    Raises ImportRejectedError that names the lines that are wrong, or that say something else than what is kept.
    """
    _check(lines())
    taken = _Tally()
    async with database.write() as connection:
        for batch in _batches(lines()):
            await _take(connection, batch, taken)
        if taken.clashes:
            raise _rejected(taken.clashes, "another message is kept under that number")
        for conversation_id in taken.touched:
            newest = select(func.max(messages.c.seq)).where(messages.c.conversation_id == conversation_id)
            behind = conversations.c.last_seq < newest.scalar_subquery()
            await connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id, behind)
                .values(last_seq=newest.scalar_subquery())
            )
    return Imported(taken.new_conversations, taken.new_messages, taken.known_conversations, taken.known_messages)


@dataclass(slots=True)
class _Tally:
    new_conversations: int = 0
    known_conversations: int = 0
    new_messages: int = 0
    known_messages: int = 0
    touched: dict[str, None] = field(default_factory=dict)
    clashes: list[int] = field(default_factory=list)


Parsed = tuple[int, str, dict[str, Any]]
"""Number of the line, ``conversation`` or ``message``, and its row."""


async def _take(connection: AsyncConnection, batch: Sequence[Parsed], taken: _Tally) -> None:
    for _, kind, row in batch:
        if kind == "conversation":
            insert = insert_new(connection, conversations).values(**row).returning(conversations.c.id)
            if (await connection.execute(insert)).first() is not None:
                taken.new_conversations += 1
            else:
                taken.known_conversations += 1
            taken.touched[row["id"]] = None
    rows = {(row["conversation_id"], row["seq"]): (number, row) for number, kind, row in batch if kind == "message"}
    if not rows:
        return
    seqs: dict[str, list[int]] = {}
    for conversation_id, seq in rows:
        seqs.setdefault(conversation_id, []).append(seq)
    for conversation_id, numbers in seqs.items():
        there = select(messages).where(
            messages.c.conversation_id == conversation_id,
            messages.c.seq.between(min(numbers), max(numbers)),
            messages.c.seq.in_(numbers),
        )
        for kept in (await connection.execute(there)).mappings():
            number, row = rows.pop((conversation_id, kept["seq"]))
            # Whether it is archived may have changed since; what was said may not.
            if any(kept[name] != row[name] for name in row if name != "archived_at"):
                taken.clashes.append(number)
            taken.known_messages += 1
    if rows:
        await connection.execute(messages.insert(), [row for _, row in rows.values()])
        taken.new_messages += len(rows)


def _check(lines: Iterable[bytes]) -> None:
    """Read everything once, so that nothing is written of a file that is wrong, and all wrong lines are named at once."""
    bad: list[int] = []
    reason = ""
    for number, result in _parsed(lines):
        if isinstance(result, ValueError):
            reason = reason or str(result)
            bad.append(number)
    if bad:
        raise _rejected(bad, reason)


def _batches(lines: Iterable[bytes]) -> Iterator[list[Parsed]]:
    batch: list[Parsed] = []
    for number, result in _parsed(lines):
        if isinstance(result, ValueError):
            raise _rejected([number], f"it has changed since it was checked: {result}")
        batch.append((number, *result))
        if len(batch) >= IMPORT_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _parsed(lines: Iterable[bytes]) -> Iterator[tuple[int, tuple[str, dict[str, Any]] | ValueError]]:
    """Give each line's number and what it says, or what is wrong with it; the first line and the end are checked."""
    conversation: str | None = None
    counts = {"conversations": 0, "messages": 0}
    seen: set[str] = set()
    seq = number = 0
    ended, sound = False, True
    for number, line in enumerate(lines, 1):
        try:
            kind, value = _entry(number, line, ended=ended)
            if kind == "header":
                continue
            if kind == "end":
                ended = True
                if sound and value != counts:
                    raise ValueError(f"the file says it holds {value!r:.80}, and it holds {counts}")
                continue
            if kind == "conversation":
                row = _conversation_row(value)
                if row["id"] in seen:
                    raise ValueError(f"its conversation {row['id']!r:.80} came before")
                seen.add(row["id"])
                conversation, seq = row["id"], 0
            else:
                row = _message_row(value, conversation, seq)
                seq = row["seq"]
        except ValueError as error:
            # A conversation that is wrong must not make all its messages wrong too, nor the sum at the end.
            conversation, seq, sound = ANY, 0, False
            yield number, error
            continue
        counts[f"{kind}s"] += 1
        yield number, (kind, row)
    if not ended:
        yield number + 1, ValueError("the file ends before its last line: it was cut off")


def _entry(number: int, line: bytes, *, ended: bool) -> tuple[str, Mapping[str, Any]]:
    if len(line) > LINE_BYTES:
        raise ValueError(f"it is longer than {LINE_BYTES} bytes")
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(data, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - what is in a file
    if number == 1:
        if data.get("dragoman") != FORMAT:
            raise ValueError("it does not begin as an export of conversations")
        if data.get("version") != VERSION:
            raise ValueError(f"it is of version {data.get('version')!r:.20}, and this Dragoman reads version {VERSION}")
        return "header", data
    if ended:
        raise ValueError("it stands behind the file's end")
    kind = next(iter(data), "")
    if len(data) != 1 or kind not in {"conversation", "message", "end"} or not isinstance(data[kind], dict):
        raise ValueError("it is neither a conversation nor a message")
    return kind, data[kind]


def _conversation_row(data: Mapping[str, Any]) -> dict[str, Any]:
    fields.only(data, _KEYS)
    created_at = fields.moment(data, "created_at")
    return {
        "id": check_id(fields.text(data, "id"), "'id'"),
        "owner": storable(fields.text_or_none(data, "owner") or ""),
        "title": storable(fields.text_or_none(data, "title") or ""),
        "agent": fields.text_or_none(data, "agent"),
        "created_at": created_at,
        "updated_at": fields.moment_or_none(data, "updated_at") or created_at,
        "archived_at": fields.moment_or_none(data, "archived_at"),
    }


def _message_row(data: Mapping[str, Any], conversation: str | None, last: int) -> dict[str, Any]:
    conversation_id = fields.text(data, "conversation_id")
    if conversation is None:
        raise ValueError("it stands behind no conversation")
    if conversation not in {ANY, conversation_id}:
        raise ValueError(f"its conversation {conversation_id!r:.80} is not the one that it stands behind")
    row = row_from_data(conversation_id, {name: value for name, value in data.items() if name != "conversation_id"})
    if row["seq"] <= last:
        raise ValueError(f"its number {row['seq']} is not above the one before")
    return row


def _rejected(lines: Sequence[int], reason: str) -> ImportRejectedError:
    named = ", ".join(str(number) for number in lines[:BAD_LINES_NAMED])
    more = f" and {len(lines) - BAD_LINES_NAMED} more" if len(lines) > BAD_LINES_NAMED else ""
    which = f"Line {named} is" if len(lines) == 1 else f"Lines {named}{more} are"
    return ImportRejectedError(
        f"{which} wrong, so nothing was imported: line {lines[0]}: {reason}.",
        lines=tuple(lines),
        hint="Mend or remove what is wrong and import the file again.",
    )
