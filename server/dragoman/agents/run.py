"""One run of an agent: what it may spend, what it has spent, what happened in it, and how it is ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from dragoman.agents.events import EventType, RunEvent
from dragoman.agents.runtime_limits import EVENTS_KEPT, SECONDS, STEPS, TOKENS
from dragoman.cancellation import cancel_and_wait
from dragoman.clock import Clock, monotonic
from dragoman.models.base import ChatMessage, Image, ModelInfo, ToolCall, Usage

RunStatus = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
UNFINISHED: frozenset[str] = frozenset({"queued", "running", "waiting"})


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a run may spend; ``money`` is in the owner's currency, None for no bound."""

    steps: int = STEPS
    tokens: int = TOKENS
    seconds: float = SECONDS
    money: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has spent; ``money`` counts models whose prices are known."""

    steps: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def with_step(self, usage: Usage, info: ModelInfo) -> Spent:
        """Return what is spent after one more answer."""
        prices = info.prices
        cost = (
            0.0
            if prices is None
            else (usage.prompt_tokens * prices.prompt + usage.completion_tokens * prices.completion) / 1_000_000
        )
        return Spent(
            self.steps + 1,
            self.prompt_tokens + usage.prompt_tokens,
            self.completion_tokens + usage.completion_tokens,
            self.money + cost,
        )


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands between two steps: all that is needed to go on with it in another process."""

    run_id: str
    agent: str
    task: str
    messages: tuple[ChatMessage, ...] = ()
    spent: Spent = field(default_factory=Spent)
    seq: int = 0
    status: RunStatus = "running"
    model: str | None = None
    """The model that was asked for by name."""
    local_only: bool = False
    """Whether it began with models of this machine alone: what it has read since is not to go elsewhere."""
    keys_read: tuple[str, ...] = ()
    """The files of keys of which it has read anything."""
    private: bool = False
    """Whether it has read anything that never leaves this machine, so that its answer does not either."""
    process: str = ""
    """Where it runs, as `this_process` says."""

    def as_json(self) -> dict[str, Any]:
        """Return the state as JSON values; pictures are left out."""
        lean = replace(self, messages=tuple(replace(message, images=()) for message in self.messages))
        return asdict(lean)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunState:
        """Return the state that `as_json` wrote; raises KeyError or TypeError for another one."""
        messages = tuple(
            ChatMessage(
                **{
                    **message,
                    "images": tuple(Image(**image) for image in message["images"]),
                    "tool_calls": tuple(ToolCall(**call) for call in message["tool_calls"]),
                }
            )
            for message in value["messages"]
        )
        keys = tuple(value.get("keys_read", ()))
        return cls(**{**value, "messages": messages, "spent": Spent(**value["spent"]), "keys_read": keys})


class RunStore(Protocol):
    """Where the states of runs outlive the process."""

    async def save(self, state: RunState) -> None:
        """Keep a run's state in the place of its earlier one; raises StorageError."""
        ...

    def note(self, event: RunEvent) -> None:
        """Keep an event soon; never waits and never fails."""
        ...

    async def aclose(self) -> None:
        """Write what waits."""
        ...

    async def load(self, run_id: str) -> RunState | None:
        """Return a run's state, None for an unknown run; raises StorageError."""
        ...

    async def unfinished(self) -> tuple[RunState, ...]:
        """Return the runs that had not ended when they were last kept; raises StorageError."""
        ...


class Run:
    """A run that was started: its events as they come, its result, and its end. For one event loop."""

    def __init__(
        self,
        state: RunState,
        publish: Callable[[RunEvent], None],
        clock: Clock = monotonic,
        *,
        operation: str = "run",
    ) -> None:
        self.state = state
        self.operation = operation
        self.output = ""
        self.error = ""
        self._publish = publish
        self._clock = clock
        self._began = clock()
        self._events: deque[RunEvent] = deque(maxlen=EVENTS_KEPT)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The run's identifier."""
        return self.state.run_id

    @property
    def agent(self) -> str:
        """The agent's identifier."""
        return self.state.agent

    @property
    def status(self) -> RunStatus:
        """Where the run stands."""
        return self.state.status

    @property
    def has_ended(self) -> bool:
        """Whether the run's last event has come."""
        return self.status in {"succeeded", "failed", "cancelled"}

    def emit(self, kind: EventType, **data: Any) -> None:
        """Tell what happened; after the run's end nothing is told any more."""
        if self.has_ended:
            return
        self.state = replace(self.state, seq=self.state.seq + 1)
        age = self._clock() - self._began
        event = RunEvent(self.id, self.state.seq, kind, data, agent=self.agent, operation=self.operation, seconds=age)
        self._events.append(event)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._publish(event)

    def end(self, kind: Literal["finished", "failed", "cancelled"], **data: Any) -> None:
        """Tell the run's end, once."""
        self.emit(kind, **data, usage=asdict(self.state.spent))
        if not self.has_ended:
            ends: dict[str, RunStatus] = {"finished": "succeeded", "failed": "failed", "cancelled": "cancelled"}
            self.state = replace(self.state, status=ends[kind])

    def own(self, task: asyncio.Task[None]) -> None:
        """Take the task that makes the run."""
        self._task = task

    async def events(self, after: int = 0) -> AsyncGenerator[RunEvent, None]:
        """Yield the events behind a number, those to come too, until the last one."""
        while True:
            changed = self._changed
            pending = [event for event in self._events if event.seq > after]
            for event in pending:
                after = event.seq
                yield event
                if event.is_last:
                    return
            if pending:
                # Whoever read them took their time, and may even have ended the run.
                continue
            if self.has_ended:
                return
            await changed.wait()

    async def wait(self) -> str:
        """Return the run's answer when it has ended, empty when it failed; cancelling the waiting does not cancel the run."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return self.output

    async def cancel(self) -> None:
        """End the run, its tools and the model's connection, and return when they have ended."""
        await cancel_and_wait(self._task)
        # A task that was cancelled before it began has told nobody.
        self.end("cancelled")
