"""What happens in a run, in the words that every door passes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

EventType = Literal[
    "started",
    "text",
    "tool_call",
    "approval_required",
    "tool_result",
    "edit",
    "diagnostic",
    "finished",
    "failed",
    "cancelled",
]

EVENT_TYPES: frozenset[str] = frozenset(get_args(EventType))

LAST: frozenset[str] = frozenset({"finished", "failed", "cancelled"})
"""Exactly one of these ends a run."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something that happened in a run; ``seq`` counts from 1 without a gap, ``data`` is JSON-able.

    ``agent`` and ``operation`` label metrics; ``seconds`` is the run's age, at the last event its duration.
    """

    run_id: str
    seq: int
    type: EventType
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)
    agent: str = ""
    operation: str = "run"
    seconds: float = 0.0

    @property
    def is_last(self) -> bool:
        """Whether the run has ended with it."""
        return self.type in LAST

    def as_json(self) -> dict[str, Any]:
        """Return the event as notifications and streams carry it."""
        return {"runId": self.run_id, "seq": self.seq, "type": self.type, **self.data}
