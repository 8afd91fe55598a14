"""Runs in the database: their states, to go on from, and what happened in them; written behind, never in a run's way."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dragoman.agents.events import RunEvent
from dragoman.agents.run import RunState, RunStatus
from dragoman.errors import DragomanError, StorageError
from dragoman.storage.write_behind import WriteBehind

if TYPE_CHECKING:
    from dragoman.storage.repositories.runs import Runs


class KeptRuns:
    """The `RunStore` over a database that is opened with the first thing to keep; closing it writes what waits."""

    def __init__(self, open_runs: Callable[[], Awaitable[Runs]]) -> None:
        self._open = open_runs
        self._recorded: dict[str, int] = {}
        self._waiting: WriteBehind[RunState | RunEvent] = WriteBehind(self._write)

    async def save(self, state: RunState) -> None:
        """Keep a run's state soon."""
        self._waiting.put(state)

    def note(self, event: RunEvent) -> None:
        """Keep an event soon."""
        self._waiting.put(event)

    async def load(self, run_id: str) -> RunState | None:
        """Return a run's state, None for an unknown run; raises StorageError."""
        runs = await self._runs()
        await self._waiting.flush()
        return _state(await runs.state(run_id))

    async def unfinished(self) -> tuple[RunState, ...]:
        """Return the runs that had not ended when they were last kept; raises StorageError."""
        runs = await self._runs()
        await self._waiting.flush()
        return tuple(state for value in await runs.open_states() if (state := _state(value)) is not None)

    async def aclose(self) -> None:
        """Write what waits."""
        await self._waiting.aclose()

    async def _runs(self) -> Runs:
        try:
            return await self._open()
        except StorageError:
            raise
        except DragomanError as error:
            raise StorageError(error.message, hint=error.hint) from error

    async def _write(self, items: Sequence[RunState | RunEvent]) -> None:
        runs = await self._runs()
        # Of each run the last state counts; its events go together, in their order.
        states = {item.run_id: item for item in items if isinstance(item, RunState)}
        for run_id, state in states.items():
            await self._create(runs, run_id, state.agent, state.task)
            await runs.keep_state(run_id, state.as_json())
            if state.status in {"running", "waiting"}:
                spent = state.spent
                counts = (spent.prompt_tokens, spent.completion_tokens)
                await runs.update(run_id, state.status, prompt_tokens=counts[0], completion_tokens=counts[1])
        events = sorted((item for item in items if isinstance(item, RunEvent)), key=lambda one: (one.run_id, one.seq))
        for run_id, group in groupby(events, key=lambda one: one.run_id):
            # A batch that failed half way comes again as a whole.
            happened = [one for one in group if one.seq > self._recorded.get(run_id, 0)]
            if not happened:
                continue
            await self._create(runs, run_id, happened[0].agent, str(happened[0].data.get("task", "")))
            await runs.record(run_id, *((one.type, dict(one.data)) for one in happened))
            self._recorded[run_id] = happened[-1].seq
            await _settle(runs, happened[-1])

    async def _create(self, runs: Runs, run_id: str, agent: str, task: str) -> None:
        if run_id not in self._recorded:
            with contextlib.suppress(ValueError):
                # It is there already when another process began it.
                await runs.create(run_id, agent=agent, task=task)
            self._recorded[run_id] = 0


async def _settle(runs: Runs, last: RunEvent) -> None:
    """Set a run's end."""
    if not last.is_last:
        return
    status: RunStatus = "cancelled"
    if last.type != "cancelled":
        status = "succeeded" if last.type == "finished" else "failed"
    usage = last.data.get("usage", {})
    await runs.update(
        last.run_id,
        status,
        output=last.data.get("output"),
        error=last.data.get("error"),
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
    )


def _state(value: Any) -> RunState | None:
    """Return a state as it was kept; one of another version counts as none."""
    if value is None:
        return None
    try:
        return RunState.from_json(value)
    except (KeyError, TypeError, ValueError):
        return None
