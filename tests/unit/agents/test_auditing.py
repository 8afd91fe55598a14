"""The audit log says what agents did, holds no secret, and is nobody's trouble when it cannot be kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from dragoman.agents.auditing import RunAudit, is_audited
from dragoman.agents.events import EventType, RunEvent
from dragoman.agents.limits import AUDITED_CHARS
from dragoman.errors import StorageError
from dragoman.events import EventBus


class Noted:
    """A log that keeps what is added, or refuses it."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str, str, Mapping[str, Any]]] = []
        self.problem = ""

    async def add(
        self,
        actor: str,
        action: str,
        *,
        target: str = "",
        outcome: str = "ok",
        details: Mapping[str, Any] | None = None,
    ) -> int:
        if self.problem:
            raise StorageError(self.problem)
        self.entries.append((actor, action, target, outcome, details or {}))
        return len(self.entries)


async def hear(noted: Noted, *events: tuple[EventType, dict[str, Any]]) -> None:
    bus = EventBus()

    async def open_log() -> Noted:
        return noted

    bus.subscribe(RunEvent, RunAudit(open_log).hear, wanted=is_audited)
    for seq, (kind, data) in enumerate(events, 1):
        bus.publish(RunEvent("run_1", seq, kind, data, agent="fixer", seconds=1.5))
    await bus.drain()
    await bus.aclose()


async def test_calls_and_runs_are_noted_with_how_they_ended() -> None:
    noted = Noted()
    key = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    await hear(
        noted,
        ("started", {"agent": "fixer", "task": "Fix it."}),
        ("text", {"text": "I see."}),
        (
            "tool_call",
            {"callId": "a", "tool": "edit_file", "arguments": {"path": "a.py", "search": "x", "replace": "y"}},
        ),
        ("tool_result", {"callId": "a", "failed": False, "tool": "edit_file", "details": {"added": 1, "text": "no"}}),
        ("tool_call", {"callId": "b", "tool": "run_command", "arguments": {"argv": ["curl", "-H", f"token: {key}"]}}),
        ("tool_result", {"callId": "b", "failed": True, "tool": "run_command", "details": {"denied": "user"}}),
        ("tool_call", {"callId": "c", "tool": "read_file", "arguments": "{broken"}),
        ("tool_result", {"callId": "c", "failed": True, "tool": "read_file", "details": {}}),
        ("finished", {"output": "Done.", "usage": {"steps": 3}}),
    )
    edited, ran, read, run = noted.entries
    assert edited == ("agent:fixer", "tool:edit_file", "a.py", "ok", {"run_id": "run_1", "added": 1})
    assert ran[1:4:2] == ("tool:run_command", "denied by user")
    assert ran[2].startswith("curl -H token: ")
    assert key not in ran[2]
    assert read[1:4] == ("tool:read_file", "", "failed")
    assert run == ("agent:fixer", "run", "", "finished", {"run_id": "run_1", "seconds": 1.5, "steps": 3})


async def test_what_was_at_work_when_the_run_ended_is_noted_and_half_a_key_is_not() -> None:
    noted = Noted()
    key = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    argv = ["curl", "x" * (AUDITED_CHARS - 20), key]
    await hear(
        noted,
        ("tool_call", {"callId": "a", "tool": "run_command", "arguments": {"argv": argv}}),
        ("tool_call", {"callId": "b", "tool": "git_commit", "arguments": {"paths": ["a.py", "b.py"]}}),
        ("cancelled", {}),
    )
    assert [one[1:4:2] for one in noted.entries] == [
        ("tool:run_command", "cancelled"),
        ("tool:git_commit", "cancelled"),
        ("run", "cancelled"),
    ]
    assert "ghp_" not in noted.entries[0][2]
    assert len(noted.entries[0][2]) <= AUDITED_CHARS
    assert noted.entries[1][2] == "a.py b.py"


async def test_a_stream_s_words_do_not_push_deeds_out_of_the_queue() -> None:
    noted, bus = Noted(), EventBus(queued=2)

    async def open_log() -> Noted:
        return noted

    bus.subscribe(RunEvent, RunAudit(open_log).hear, wanted=is_audited)
    bus.publish(RunEvent("run_1", 1, "tool_result", {"callId": "a", "tool": "search"}))
    for seq in range(2, 50):
        bus.publish(RunEvent("run_1", seq, "text", {"text": "word "}))
    await bus.drain()
    await bus.aclose()
    assert [one[1] for one in noted.entries] == ["tool:search"]


async def test_a_log_that_cannot_be_kept_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    noted = Noted()
    noted.problem = "The disk is full."
    with caplog.at_level(logging.WARNING):
        await hear(noted, *[("tool_result", {"callId": "a", "tool": "search", "failed": False})] * 3)
    assert noted.entries == []
    assert [one.message for one in caplog.records] == [
        "What agents do is not noted in the audit log: The disk is full."
    ]
