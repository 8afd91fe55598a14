"""Agents, runs, usage, keys and audit, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.repositories.agents import Agents
from dragoman.storage.repositories.audit import AuditLog
from dragoman.storage.repositories.keys import Keys
from dragoman.storage.repositories.runs import Runs
from dragoman.storage.repositories.usage import UsageLedger, UsageRecord
from dragoman.storage.tables import keys as key_table

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def test_an_agent_is_kept_once_and_stays_started(database: Database) -> None:
    agents = Agents(database)
    first = await agents.save("reviewer", {"tools": ["search"]}, source="settings")
    await agents.set_state("reviewer", "started")
    second = await agents.save("reviewer", {"tools": []}, source="file")
    assert (first.state, second.state, second.definition, second.source) == (
        "stopped",
        "started",
        {"tools": []},
        "file",
    )
    assert second.created_at == first.created_at
    assert await agents.list() == [second]
    assert await agents.delete("reviewer")
    with pytest.raises(NotStoredError):
        await agents.get("reviewer")
    with pytest.raises(NotStoredError):
        await agents.set_state("reviewer", "started")
    with pytest.raises(ValueError, match="JSON"):
        await agents.save("reviewer", {"tools": object()}, source="file")


async def test_a_runs_end_is_never_changed_and_its_events_are_numbered(database: Database) -> None:
    runs = Runs(database)
    await runs.create("r", agent="reviewer", task="look\0", conversation_id="c")
    with pytest.raises(ValueError, match="already"):
        await runs.create("r", agent="reviewer", task="look")
    assert await runs.update("r", "running", prompt_tokens=5)
    await asyncio.gather(*(runs.record("r", ("text", {"text": str(n)}), ("text", {})) for n in range(8)))
    assert [event.seq for event in await runs.events("r")] == list(range(1, 17))
    assert [event.seq for event in await runs.events("r", 14)] == [15, 16]
    assert await runs.record("r") == ()
    assert await runs.update("r", "succeeded", output="fine", completion_tokens=3)
    assert not await runs.update("r", "failed", error="late")
    run = await runs.get("r")
    assert (run.status, run.output, run.error, run.task) == ("succeeded", "fine", None, "look\ufffd")
    assert (run.prompt_tokens, run.completion_tokens) == (5, 3)
    assert await runs.list(agent="reviewer", status="succeeded") == [run]
    assert await runs.list(status="failed") == []
    for call in (runs.update("x", "failed"), runs.record("x", ("text", {}))):
        with pytest.raises(NotStoredError):
            await call
    with pytest.raises(ValueError, match="JSON"):
        await runs.record("r", ("text", {"bad": float("nan")}))
    assert await runs.delete_before(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert await runs.events("r") == ()


async def test_usage_adds_up(database: Database) -> None:
    ledger = UsageLedger(database)
    call = UsageRecord(NOON, "ollama", "qwen", "chat", "ok", 1.0, prompt_tokens=10, completion_tokens=2, cost=0.5)
    late = UsageRecord(NOON + timedelta(days=1), "openai", "gpt", "chat", "timeout", 3.0, owner="me", estimated=True)
    await ledger.add([call, call, late])
    await ledger.add([])
    assert await ledger.newest() == [late, call, call]
    qwen, gpt = await ledger.sums("model")
    assert (qwen.name, qwen.calls, qwen.failed, qwen.prompt_tokens, qwen.cost) == ("qwen", 2, 0, 20, 1.0)
    assert (gpt.name, gpt.calls, gpt.failed, gpt.cost, gpt.mean_duration_s) == ("gpt", 1, 1, None, 3.0)
    assert [row.name for row in await ledger.sums("provider", since=NOON + timedelta(hours=1))] == ["openai"]
    assert [row.name for row in await ledger.sums("owner", owner="me")] == ["me"]
    assert await ledger.delete_before(NOON + timedelta(hours=1)) == 2
    with pytest.raises(ValueError, match="time zone"):
        await ledger.add([UsageRecord(datetime(2026, 1, 1), "p", "m", "chat", "ok", 1.0)])  # noqa: DTZ001 - meant


async def test_a_key_is_known_by_its_secret_only_and_the_secret_is_nowhere(database: Database) -> None:
    keys = Keys(database)
    made = await keys.create("ci", "user")
    other = await keys.create("old", "viewer", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert made.secret not in repr(made)
    assert await keys.verify(made.secret) == made.key
    start, _, end = made.secret.rpartition("_")
    mixed = made.secret.replace(made.key.id, other.key.id)
    for wrong in (
        "",
        "x",
        end,
        made.secret[:-1],
        made.secret + "x",
        f"{start}_",
        mixed,
        other.secret,
        "drg_\0_x",
        "\ud800",
    ):
        assert await keys.verify(wrong) is None
    async with database.read() as connection:
        rows = str((await connection.execute(select(key_table))).all())
    assert end not in rows

    await keys.touch(made.key.id)
    assert [key.name for key in await keys.list()] == ["ci"]
    assert (await keys.list())[0].last_used_at is not None
    assert await keys.revoke(made.key.id)
    assert not await keys.revoke(made.key.id)
    assert await keys.verify(made.secret) is None
    assert await keys.list() == []
    assert [key.name for key in await keys.list(revoked=True)] == ["ci", "old"]
    with pytest.raises(NotStoredError):
        await keys.revoke("nobody")


async def test_deeds_are_listed_newest_first_by_page(database: Database) -> None:
    audit = AuditLog(database)
    for number in range(4):
        await audit.add("me" if number % 2 else "you", "keys.create", target=str(number), details={"n": number})
    first = await audit.list(limit=2)
    assert [entry.target for entry in first] == ["3", "2"]
    assert [entry.target for entry in await audit.list(before=first[-1].id)] == ["1", "0"]
    assert [entry.details for entry in await audit.list(actor="me")] == [{"n": 3}, {"n": 1}]
    assert await audit.list(action="keys.revoke") == []
    assert await audit.delete_before(datetime.now(UTC) + timedelta(seconds=1)) == 4
