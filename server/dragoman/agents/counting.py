"""Counts runs by day, agent and what they were for; listens to the bus. Numbers only, none of what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from dragoman.agents.events import RunEvent

RunFact = Literal[
    "finished",
    "failed",
    "cancelled",
    "milliseconds",
    "tool_calls",
    "tools_failed",
    "tools_denied",
    "prompt_tokens",
    "completion_tokens",
]
"""What is counted of runs; a tool call that was denied is not among those that failed."""

RUN_FACTS: Final[tuple[str, ...]] = get_args(RunFact)
_ENDS: Final[Mapping[str, RunFact]] = {"finished": "finished", "failed": "failed", "cancelled": "cancelled"}
FILE: Final = "runs.json"
"""The file with the counts, beside that of suggestions."""


@dataclass(frozen=True, slots=True)
class RunCount:
    """Something that happened ``amount`` times in runs of one agent."""

    fact: RunFact
    agent: str
    operation: str
    amount: int = 1

    @property
    def row(self) -> tuple[str, str]:
        """The names under which it is counted."""
        return self.agent, self.operation


def is_counted(event: RunEvent) -> bool:
    """Tell whether an event is one that `RunCounter` hears; most of a stream is not."""
    return event.type == "tool_result" or event.is_last


class RunCounter:
    """Hears what happens in runs and passes on what counts; ``record`` never waits and never fails."""

    def __init__(self, record: Callable[[RunCount], None]) -> None:
        self._record = record

    def hear(self, event: RunEvent) -> None:
        """Count an event."""
        if event.type == "tool_result":
            self._count(event, "tool_calls")
            if (event.data.get("details") or {}).get("denied"):
                self._count(event, "tools_denied")
            elif event.data.get("failed"):
                self._count(event, "tools_failed")
        elif (end := _ENDS.get(event.type)) is not None:
            self._count(event, end)
            self._count(event, "milliseconds", round(event.seconds * 1000))
            spent = event.data.get("usage") or {}
            self._count(event, "prompt_tokens", int(spent.get("prompt_tokens", 0)))
            self._count(event, "completion_tokens", int(spent.get("completion_tokens", 0)))

    def _count(self, event: RunEvent, fact: RunFact, amount: int = 1) -> None:
        if amount:
            self._record(RunCount(fact, event.agent, event.operation, amount))


def summarise_runs(counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the counts with the number of runs and the mean seconds of one, None where there was none."""
    runs = sum(counts.get(end, 0) for end in _ENDS.values())
    seconds = round(counts.get("milliseconds", 0) / 1000 / runs, 3) if runs else None
    told = {fact: counts.get(fact, 0) for fact in RUN_FACTS if fact != "milliseconds"}
    return {"runs": runs, "mean_seconds": seconds, **told}
