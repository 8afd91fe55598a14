"""Conversations as lines: out and in again unchanged, as often as one likes, wrong files named by line and not taken."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.errors import ImportRejectedError, NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.exchange import Imported, export_lines, import_lines, lines_of
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.messages import Message, NewMessage, StoredImage, StoredToolCall

AT = "2026-01-31T12:00:00+00:00"


async def exported(database: Database, **how: Any) -> list[str]:
    return [line async for line in export_lines(database, **how)]


def opener(lines: Iterable[str]) -> Callable[[], list[bytes]]:
    encoded = [line.encode() for line in lines]
    return lambda: encoded


async def fill(database: Database) -> None:
    store = Conversations(database)
    picture = StoredImage("image/png", bytes(range(256)))
    call = StoredToolCall("1", "look", "{}")
    await store.append("a", NewMessage("user", "Look\u2028here 🐘", images=(picture,), tokens=3))
    await store.append(
        "a", NewMessage("assistant", "", tool_calls=(call,), model="m"), NewMessage("tool", "x", tool_call_id="1")
    )
    await store.archive_before("a", 2)
    await store.create("empty", owner="me", title="Nothing yet", agent="reviewer")
    await store.archive("empty")


async def test_what_was_exported_comes_back_the_same_and_only_once(database: Database, tmp_path: Path) -> None:
    await fill(database)
    lines = await exported(database)
    assert lines[0] == '{"dragoman":"conversations","version":1}\n'
    assert lines[-1] == '{"end":{"conversations":2,"messages":3}}\n'
    assert all(line.count("\n") == 1 for line in lines)

    async with await Database.open(f"sqlite:///{tmp_path}/other.db") as other:
        (tmp_path / "export.jsonl").write_text("".join(lines), encoding="utf-8")
        done = await import_lines(other, lines_of(tmp_path / "export.jsonl"))
        assert done == Imported(2, 3, 0, 0)
        assert await exported(other) == lines
        # Again, and into where it came from: nothing changes.
        assert await import_lines(other, opener(lines)) == Imported(0, 0, 2, 3)
        assert await import_lines(database, opener(lines)) == Imported(0, 0, 2, 3)
        assert await exported(other) == lines
        # What is said next is numbered behind what was imported.
        (message,) = await Conversations(other).append("a", NewMessage("user", "and now?"))
        assert message.seq == 4
        assert await import_lines(other, opener(lines)) == Imported(0, 0, 2, 3)


async def test_named_conversations_are_exported_alone(database: Database) -> None:
    await fill(database)
    lines = await exported(database, ids=["empty"])
    assert [json.loads(line).keys() for line in lines] == [{"dragoman", "version"}, {"conversation"}, {"end"}]
    with pytest.raises(NotStoredError):
        await exported(database, ids=["empty", "nobody"])


HEAD = '{"dragoman":"conversations","version":1}'
TALK = json.dumps({"conversation": {"id": "c", "created_at": AT}})


def message(seq: Any, content: Any = "hi", **more: Any) -> str:
    fields = {"conversation_id": "c", "seq": seq, "role": "user", "content": content, "created_at": AT, **more}
    return json.dumps({"message": fields})


def end(conversations: int, messages: int) -> str:
    return json.dumps({"end": {"conversations": conversations, "messages": messages}})


WRONG: list[tuple[list[str], tuple[int, ...], str]] = [
    ([], (1,), "cut off"),
    (["[]"], (1, 2), "no object"),
    (['{"a": 1}', end(0, 0)], (1,), "does not begin"),
    (['{"dragoman":"conversations","version":2}', end(0, 0)], (1,), "version 2"),
    ([HEAD, TALK], (3,), "cut off"),
    ([HEAD, TALK, message(1), end(1, 2)], (4,), "it holds"),
    ([HEAD, TALK, message(1), end(1, 1), message(2)], (5,), "behind the file's end"),
    ([HEAD, message(1), end(0, 1)], (2,), "no conversation"),
    ([HEAD, TALK, "{", "\0", message(1), message(1, 5), end(9, 9)], (3, 4, 6), "not JSON"),
    ([HEAD, TALK, message(2), message(2), end(1, 2)], (4,), "not above"),
    ([HEAD, TALK, message(1, conversation_id="d"), end(1, 1)], (3,), "not the one"),
    ([HEAD, TALK, TALK, end(2, 0)], (3,), "came before"),
    ([HEAD, TALK, message(1, colour="red"), end(1, 1)], (3,), "'colour'"),
    ([HEAD, TALK, message(1, role="king"), end(1, 1)], (3,), "'king'"),
    ([HEAD, TALK, message(2**31), end(1, 1)], (3,), "'seq'"),
    ([HEAD, TALK, message(True), end(1, 1)], (3,), "'seq'"),
    ([HEAD, TALK, message(1, created_at="2026-01-31"), end(1, 1)], (3,), "time zone"),
    ([HEAD, TALK, message(1, images=[{"media_type": "image/png", "data": "%"}]), end(1, 1)], (3,), "base64"),
    ([HEAD, TALK, message(1, tool_calls=[{"id": "1"}]), end(1, 1)], (3,), "'name'"),
    ([HEAD, '{"conversation":{"id":" c","created_at":"' + AT + '"}}', message(1), end(1, 1)], (2,), "'id'"),
    ([HEAD, "[" * 100_000, end(0, 0)], (2,), "not JSON"),
]


async def test_a_wrong_file_is_refused_by_line_before_anything_is_written(empty: Database) -> None:
    for lines, wrong, reason in WRONG:
        with pytest.raises(ImportRejectedError, match="nothing was imported") as caught:
            await import_lines(empty, opener(f"{line}\n" for line in lines))
        assert (caught.value.lines, reason in caught.value.message) == (wrong, True), caught.value.message
        assert await Conversations(empty).list(archived=True) == []


async def test_a_message_that_says_something_else_than_the_kept_one_is_refused_with_all_the_others(
    database: Database,
) -> None:
    store = Conversations(database)
    kept = await store.append("c", NewMessage("user", "yes"))
    other = json.dumps({"conversation": {"id": "d", "created_at": AT}})
    lines = [HEAD, other, message(1, conversation_id="d"), TALK, message(1, "no"), message(2), end(2, 3)]
    with pytest.raises(ImportRejectedError, match="another message") as caught:
        await import_lines(database, opener(f"{line}\n" for line in lines))
    assert caught.value.lines == (5,)
    assert [conversation.id for conversation in await store.list()] == ["c"]
    assert await store.last("c", 10) == kept


async def test_memory_does_not_grow_with_the_number_of_messages(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.storage.exchange.IMPORT_ROWS", 20)
    monkeypatch.setattr("dragoman.storage.repositories.conversations.PAGE_ROWS", 20)

    def lines(count: int) -> Callable[[], Iterable[bytes]]:
        def read() -> Iterable[bytes]:
            yield f"{HEAD}\n".encode()
            yield f"{TALK}\n".encode()
            for seq in range(1, count + 1):
                yield f"{message(seq, str(seq) * 2_000)}\n".encode()
            yield f"{end(1, count)}\n".encode()

        return read

    await import_lines(empty, lines(40))
    tracemalloc.start()
    try:
        await import_lines(empty, lines(500))
        size = 0
        async for line in export_lines(empty):
            size += len(line)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 2_500_000
    assert peak < size / 2


# -- any interleaving --------------------------------------------------------------------------------------------------

NAMES = ("a", "b")
Append = st.tuples(st.just("append"), st.sampled_from(NAMES), st.booleans(), st.text(max_size=8))
Archive = st.tuples(st.just("archive"), st.sampled_from(NAMES), st.integers(0, 12))
Exchange = st.tuples(st.just("exchange"))


def block(text: str, *, pair: bool) -> list[NewMessage]:
    if not pair:
        return [NewMessage("user", text)]
    call = StoredToolCall(f"call {text}", "look", text)
    return [
        NewMessage(
            "assistant", "", tool_calls=(call,), images=(StoredImage("image/png", text.encode("utf-8", "replace")),)
        ),
        NewMessage("tool", text, tool_call_id=call.id),
    ]


async def everything(database: Database) -> dict[str, list[Message]]:
    store = Conversations(database)
    return {name: [message async for message in store.messages(name, archived=True)] for name in NAMES}


def content(messages: list[Message]) -> list[tuple[Any, ...]]:
    return [(one.seq, one.role, one.content, one.images, one.tool_calls, one.tool_call_id) for one in messages]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(Append | Append | Archive | Exchange, max_size=14))
def test_order_and_pairs_survive_any_interleaving(empty_file: Path, steps: list[tuple[Any, ...]]) -> None:
    async def play(folder: Path) -> None:
        for name in ("here", "there"):
            shutil.copy(empty_file, folder / f"{name}.db")
        async with (
            await Database.open(f"sqlite:///{folder}/here.db") as here,
            await Database.open(f"sqlite:///{folder}/there.db") as there,
        ):
            store = Conversations(here)
            said: dict[str, int] = dict.fromkeys(NAMES, 0)
            taken: dict[str, list[tuple[Any, ...]]] = {name: [] for name in NAMES}
            live: dict[str, int] = dict.fromkeys(NAMES, 0)
            for step in steps:
                match step:
                    case ("append", name, pair, text):
                        said[name] += len(await store.append(name, *block(text, pair=pair)))
                    case ("archive", name, seq):
                        await store.archive_before(name, seq)
                        live[name] = max(live[name], min(seq - 1, said[name]))
                    case _:
                        lines = await exported(here)
                        await import_lines(there, opener(lines))
                        assert await import_lines(here, opener(lines)) is not None
                        taken = {name: content(messages) for name, messages in (await everything(here)).items()}
            for name, messages in (await everything(here)).items():
                assert [one.seq for one in messages] == list(range(1, said[name] + 1))
                assert [one.seq for one in messages if one.archived_at] == list(range(1, live[name] + 1))
                for one, behind in zip(messages, [*messages, None][1:], strict=True):
                    for call in one.tool_calls:
                        assert behind is not None
                        assert behind.tool_call_id == call.id
                assert list(await store.last(name, 99)) == messages[live[name] :]
            assert {name: content(messages) for name, messages in (await everything(there)).items()} == taken

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))
