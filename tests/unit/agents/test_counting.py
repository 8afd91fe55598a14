"""Runs are counted from what the bus tells of them."""

from __future__ import annotations

from typing import Any

from dragoman.agents.counting import RunCounter, is_counted, summarise_runs
from dragoman.agents.events import EventType, RunEvent
from dragoman.events import EventBus
from dragoman.monitoring.usage import Usage


async def test_each_end_and_each_call_counts_once() -> None:
    bus, usage = EventBus(), Usage()
    bus.subscribe(RunEvent, RunCounter(lambda count: usage.add("2026-01-31", count)).hear, wanted=is_counted)

    def tell(run: str, kind: EventType, seconds: float = 0.0, **data: Any) -> None:
        bus.publish(RunEvent(run, 1, kind, data, agent="fixer", operation="fix", seconds=seconds))

    for run in ("run_1", "run_2"):
        tell(run, "started")
        tell(run, "text", text="I see.")
        tell(run, "tool_call", callId="1", tool="read_file")
    tell("run_1", "tool_result", failed=False, details={})
    tell("run_1", "tool_result", failed=True, details={"denied": "user"})
    tell("run_1", "tool_result", failed=True, details={})
    tell("run_1", "finished", 1.5, usage={"prompt_tokens": 700, "completion_tokens": 30, "steps": 2})
    tell("run_2", "cancelled", 0.5, usage={"prompt_tokens": 300, "completion_tokens": 0})
    tell("run_3", "failed", 1.0)
    await bus.drain()
    await bus.aclose()

    assert list(usage.rows) == [("2026-01-31", "fixer", "fix")]
    assert summarise_runs(usage.total()) == {
        "runs": 3,
        "mean_seconds": 1.0,
        "finished": 1,
        "failed": 1,
        "cancelled": 1,
        "tool_calls": 3,
        "tools_failed": 1,
        "tools_denied": 1,
        "prompt_tokens": 1000,
        "completion_tokens": 30,
    }
    assert summarise_runs({})["mean_seconds"] is None
