"""Counts while the server runs: taken in at once, written now and then in a thread, never in the way of a key."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from typing import TYPE_CHECKING

from dragoman.limits import USAGE_WRITE_S
from dragoman.monitoring.usage import Counted, Usage, accepted

if TYPE_CHECKING:
    from dragoman.monitoring.usage_store import UsageStore

logger = logging.getLogger(__name__)

HISTORY_HALF_LIFE_DAYS = 7.0
"""Last week's acceptances say half as much about today as today's."""

HISTORY_WEIGHT = 50.0
"""What all history together may weigh, in suggestions: today's must be able to outvote it."""


class UsageRecorder:
    """Counts events of one process and adds them to the store; owns one timer and at most one thread's work.

    A disk that is full or read-only costs one line in the log; the counts stay in memory until it can be written again.
    """

    def __init__(self, store: UsageStore, *, every: float = USAGE_WRITE_S) -> None:
        self._store = store
        self._every = every
        self._pending = Usage()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._complained = False
        self._closed = False

    @property
    def pending(self) -> Usage:
        """What is counted and not on disk yet."""
        return self._pending

    def record(self, event: Counted) -> None:
        """Count an event; never waits and never raises."""
        self._pending.add(self._store.today().isoformat(), event)
        if self._timer is None and not self._closed:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._timer = loop.call_later(self._every, self._begin_writing)

    async def history(self) -> dict[str, tuple[float, float]]:
        """Return (accepted, decided) by language from the stored counts, older days counting less.

        What was typed to its end is left out: it was neither taken nor turned down.  Empty when there is nothing to read.
        """
        try:
            usage = await asyncio.to_thread(self._store.read)
        except OSError as error:
            self._complain(error)
            return {}
        return weigh(usage, self._store.today())

    def _begin_writing(self) -> None:
        self._timer = None
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write(), name="usage-write")

    async def _write(self) -> None:
        batch, self._pending = self._pending, Usage()
        if not batch:
            return
        # A task that is cancelled here would not know whether its thread has written.
        work = asyncio.ensure_future(asyncio.to_thread(self._try_to_add, batch))
        failure = await asyncio.shield(work)
        if failure is None:
            self._complained = False
            return
        batch.merge(self._pending)
        self._pending = batch
        self._complain(failure)

    def _try_to_add(self, batch: Usage) -> OSError | None:
        try:
            self._store.add(batch)
        except OSError as error:
            return error
        return None

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            reason = error.strerror or error
            logger.warning("the usage counts in %r stay in memory: %s", str(self._store.path), reason)

    async def aclose(self) -> None:
        """Write what is left and stop; called again it does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        await self._write()


def weigh(usage: Usage, today: date) -> dict[str, tuple[float, float]]:
    """Return (accepted, decided) by language, halved every `HISTORY_HALF_LIFE_DAYS` and bounded by `HISTORY_WEIGHT`."""
    sums: dict[str, tuple[float, float]] = {}
    for (day, language, _model), counts in usage.rows.items():
        try:
            age = max(0, (today - date.fromisoformat(day)).days)
        except ValueError:
            continue
        weight = 0.5 ** (age / HISTORY_HALF_LIFE_DAYS)
        taken = accepted(counts)
        before = sums.get(language, (0.0, 0.0))
        sums[language] = (before[0] + weight * taken, before[1] + weight * (taken + counts["rejected"]))
    return {
        language: (taken * scale, decided * scale)
        for language, (taken, decided) in sums.items()
        if decided > 0 and taken >= 0
        for scale in (min(1.0, HISTORY_WEIGHT / decided),)
    }
