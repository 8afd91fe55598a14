"""Conversations on both databases: order, archive, lists, and texts that no database likes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.messages import NewMessage, StoredImage, StoredToolCall
from dragoman.storage.retention import Deleted, delete_expired


def said(*texts: str) -> list[NewMessage]:
    return [NewMessage("user", text) for text in texts]


@pytest.fixture
def store(database: Database) -> Conversations:
    return Conversations(database)


async def test_a_message_comes_back_as_it_was_kept(store: Conversations) -> None:
    at = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    question = NewMessage(
        "user",
        "What is this? 🐘",
        images=(StoredImage("image/png", b"\x89PNG\0"), StoredImage("image/png", artifact="abc")),
        tokens=7,
        created_at=at,
    )
    calls = (StoredToolCall("1", "look", '{"at": "\\u0000"}'), StoredToolCall("2", "ask", "{not json"))
    answer = NewMessage("assistant", "", tool_calls=calls, model="qwen")
    result = NewMessage("tool", "an elephant", tool_call_id="1")

    kept = await store.append("c", question, answer, result)

    assert [message.seq for message in kept] == [1, 2, 3]
    assert (kept[0].images, kept[0].tokens, kept[0].created_at) == (question.images, 7, at)
    assert kept[0].created_at.utcoffset() == timedelta(0)
    assert (kept[1].tool_calls, kept[1].model) == (calls, "qwen")
    assert kept[2].tool_call_id == "1"
    assert await store.last("c", 10) == kept
    assert await store.after("c", 1, limit=1) == kept[1:2]


async def test_texts_that_no_database_takes_are_kept_with_a_mark(store: Conversations) -> None:
    call = StoredToolCall("\ud800", "x\0", "y")
    (kept,) = await store.append("c", NewMessage("assistant", "a\0b\ud83dc\U0001f418", tool_calls=(call,)))
    assert kept.content == "a\ufffdb\ufffdc\U0001f418"
    assert "\0" not in kept.tool_calls[0].name
    assert (await store.last("c", 1)) == (kept,)


async def test_messages_of_many_writers_are_numbered_without_gap_and_blocks_stay_together(store: Conversations) -> None:
    await asyncio.gather(*(store.append("c", *said(f"{writer} asks", f"{writer} says")) for writer in range(12)))
    messages = await store.last("c", 100)
    assert [message.seq for message in messages] == list(range(1, 25))
    for first, second in zip(messages[::2], messages[1::2], strict=True):
        assert first.content.split()[0] == second.content.split()[0]


async def test_archived_messages_leave_the_context_and_are_still_there(store: Conversations) -> None:
    kept = await store.append("c", *said("1", "2", "3", "4"))
    assert await store.archive_before("c", 3) == 2
    assert await store.archive_before("c", 3) == 0
    assert await store.last("c", 10) == kept[2:]
    assert await store.count("c") == 2
    assert [message.content async for message in store.messages("c", archived=True)] == ["1", "2", "3", "4"]
    (conversation,) = await store.list()
    assert (conversation.messages, conversation.archived) == (2, 2)

    assert await store.purge("other") == 0
    assert await store.purge("c") == 2
    assert [message.content async for message in store.messages("c", archived=True)] == ["3", "4"]
    # A number is never used again.
    assert (await store.append("c", *said("5")))[0].seq == 5


async def test_lists_are_newest_first_by_owner_by_page_and_by_what_was_said(store: Conversations) -> None:
    await store.create("mine", owner="me", title="Groceries")
    await store.create("yours", owner="you")
    await store.append("yours", *said("ÄRGER mit 100 % der_Fälle"))
    await store.append("mine", *said("bread"))

    async def ids(**how: object) -> list[str]:
        return [conversation.id for conversation in await store.list(**how)]  # type: ignore[arg-type]

    assert await ids() == ["mine", "yours"]
    assert await ids(owner="you") == ["yours"]
    assert await ids(search="ärger") == ["yours"]
    assert await ids(search="0 % DER_f") == ["yours"]
    assert await ids(search="100%") == []
    assert await ids(search="der.F") == []
    assert await ids(search="GROC") == ["mine"]
    (first,) = await store.list(limit=1)
    assert await ids(before=first) == ["yours"]
    await store.archive("mine")
    assert await ids() == ["yours"]
    assert await ids(archived=True) == ["mine", "yours"]
    await store.append("mine", *said("milk"))
    assert await ids() == ["mine", "yours"]


async def test_a_title_is_the_beginning_of_the_first_question(store: Conversations) -> None:
    await store.append("c", NewMessage("system", "Be kind."))
    assert (await store.get("c")).title == ""
    await store.append("c", *said("  Why is\nthe sky blue?  " + "Why? " * 50))
    title = (await store.get("c")).title
    assert title.startswith("Why is the sky blue? Why?")
    assert len(title) <= 80
    await store.rename("c", "Sky")
    await store.append("c", *said("And the sea?"))
    assert (await store.get("c")).title == "Sky"


async def test_what_is_deleted_or_was_never_there_is_said_to_be_missing(store: Conversations) -> None:
    await store.append("c", *said("1"))
    assert await store.delete("c")
    assert not await store.delete("c")
    assert await store.last("c", 10) == ()
    for call in (store.get("c"), store.rename("c", "x"), store.archive("c")):
        with pytest.raises(NotStoredError, match="'c'"):
            await call


async def test_a_bad_identifier_is_refused(store: Conversations) -> None:
    for bad in ("", " c", "c\n", "c\0", "x" * 201, "\ud800"):
        with pytest.raises(ValueError, match="identifier"):
            await store.append(bad, *said("1"))


async def test_nothing_is_deleted_by_age_unless_its_user_says_so(store: Conversations, database: Database) -> None:
    from sqlalchemy import update

    from dragoman.storage.tables import conversations, messages

    await store.append("c", *said("1", "2"))
    await store.append("old", *said("3"))
    await store.archive_before("c", 2)
    await store.archive("old")
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    async with database.write() as connection:
        for table in (conversations, messages):
            await connection.execute(update(table).where(table.c.archived_at.is_not(None)).values(archived_at=long_ago))

    assert await delete_expired(database, None) == Deleted()
    assert await delete_expired(database, 30) == Deleted(messages=1, conversations=1)
    assert [message.content async for message in store.messages("c", archived=True)] == ["2"]
    assert await delete_expired(database, 30) == Deleted()
