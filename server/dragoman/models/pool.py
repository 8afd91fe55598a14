"""Who may run at an endpoint and who waits: a bounded, fair queue in front of a provider.

A person goes before background work, the first to come before the next, and, at a server that holds few models at a time,
calls for the models it holds before calls that would make it load another: each of these within bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from dragoman.clock import Clock, monotonic
from dragoman.errors import EndpointBusyError, ModelError
from dragoman.models import limits
from dragoman.models.base import Chunk, Model, Priority
from dragoman.models.wrapper import ModelWrapper, Request, open_stream


@dataclass(slots=True, eq=False)
class _Waiter:
    model: str
    since: float
    turn: asyncio.Future[None]


_Queue = dict[_Waiter, None]
"""Waiters in the order they came; one that gives up leaves at once, wherever it stands."""

_PATIENCE: Final[dict[Priority, float]] = {
    "interactive": limits.POOL_PATIENCE_S,
    "background": limits.POOL_PATIENCE_BACKGROUND_S,
}


class EndpointPool:
    """The slots of one provider and the queue before them.

    ``keeps_models`` is how many models its server holds in memory at a time, None where that does not matter.
    """

    def __init__(
        self,
        name: str,
        max_concurrency: int,
        *,
        queue_length: int = limits.POOL_QUEUE,
        keeps_models: int | None = None,
        background_every: int = limits.POOL_BACKGROUND_EVERY,
        clock: Clock = monotonic,
    ) -> None:
        self.name = name
        self._slots = max(1, max_concurrency)
        self._queue_length = queue_length
        self._keeps = keeps_models
        self._background_every = background_every
        self.clock = clock
        self._running: dict[str, int] = {}
        self._count = 0
        self._interactive: _Queue = {}
        self._background: _Queue = {}
        self._streak = 0
        self._loaded: dict[str, None] = {}
        self._hold_s = 0.0

    # -- what others see -----------------------------------------------------------------------------------------------

    @property
    def max_concurrency(self) -> int:
        """How many calls may run at the same time."""
        return self._slots

    @property
    def running(self) -> int:
        """How many run now."""
        return self._count

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._interactive) + len(self._background)

    @property
    def has_room(self) -> bool:
        """Whether a call would run at once."""
        return self._count < self._slots and not self.waiting

    @property
    def loaded(self) -> tuple[str, ...]:
        """The models its server is taken to hold, the one used last at the end; empty where that does not matter."""
        return tuple(self._loaded)

    def resize(self, max_concurrency: int) -> None:
        """Allow another number of calls; those that run already are left in peace."""
        self._slots = max(1, max_concurrency)
        self._serve()

    def turn_away(self, model: str, explain: Callable[[], ModelError]) -> None:
        """End every wait for ``model`` with an error: its endpoint is left alone now, and those who wait may go elsewhere."""
        for queue in (self._interactive, self._background):
            for waiter in [one for one in queue if one.model == model]:
                del queue[waiter]
                if not waiter.turn.done():
                    waiter.turn.set_exception(explain())
        self._serve()

    # -- slots ---------------------------------------------------------------------------------------------------------

    async def acquire(self, model: str, priority: Priority) -> None:
        """Wait for a slot, which `release` gives back; raises `EndpointBusyError` at once when too many wait already.

        Also raises what `turn_away` ends the wait with.
        """
        if not self._interactive and not self._background and self._count < self._slots and self._fits(model):
            self._grant(model)
            return
        if self.waiting >= self._queue_length:
            raise EndpointBusyError(
                f"{self.waiting} calls wait for provider {self.name!r} already.",
                retry_after=self._guess_wait(),
                hint="Try again later, or raise max_concurrency of the provider if its server can do more at a time.",
            )
        queue = self._interactive if priority == "interactive" else self._background
        waiter = _Waiter(model, self.clock(), asyncio.get_running_loop().create_future())
        queue[waiter] = None
        self._serve()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.cancelled():
                queue.pop(waiter, None)
                # Others may have waited behind this one for its model to be loaded.
                self._serve()
            elif waiter.turn.exception() is None:
                # It was granted and cancelled in the same moment: the slot is the next one's.
                self._give_back(model)
            raise

    def release(self, model: str, seconds: float | None = None) -> None:
        """Give a slot back, and say how long it was held."""
        if seconds is not None:
            self._hold_s += limits.POOL_HOLD_WEIGHT * (seconds - self._hold_s) if self._hold_s else seconds
        self._give_back(model)

    def _give_back(self, model: str) -> None:
        left = self._running[model] - 1
        if left:
            self._running[model] = left
        else:
            del self._running[model]
        self._count -= 1
        self._serve()

    def _grant(self, model: str) -> None:
        self._count += 1
        self._running[model] = self._running.get(model, 0) + 1
        if self._keeps is not None:
            self._loaded.pop(model, None)
            self._loaded[model] = None
            while len(self._loaded) > self._keeps:
                # Never one that runs: `_fits` lets in no more models than are kept.
                idle = next((name for name in self._loaded if name not in self._running), model)
                del self._loaded[idle]

    def _guess_wait(self) -> float:
        guess = self._hold_s * self.waiting / self._slots
        return min(max(guess, limits.POOL_RETRY_AFTER_MIN_S), limits.POOL_RETRY_AFTER_MAX_S)

    # -- turns ---------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while self._count < self._slots and (self._interactive or self._background):
            chosen = self._next()
            if chosen is None:
                return
            waiter, queue = chosen
            del queue[waiter]
            if waiter.turn.cancelled():
                continue
            self._streak = self._streak + 1 if queue is self._interactive and self._background else 0
            self._grant(waiter.model)
            waiter.turn.set_result(None)

    def _next(self) -> tuple[_Waiter, _Queue] | None:
        """Return whose turn it is; None while everybody waits for a model to be free."""
        due = self._streak >= self._background_every - 1
        if self._background and (not self._interactive or (due and self._background_may_go())):
            return self._pick(self._background, "background")
        return self._pick(self._interactive, "interactive") if self._interactive else None

    def _background_may_go(self) -> bool:
        """Tell whether background's turn costs no loading of a model, or has waited long enough to be worth one."""
        if self._keeps is None or self._first_loaded(self._background) is not None:
            return True
        return self.clock() - next(iter(self._background)).since >= limits.POOL_PATIENCE_BACKGROUND_S

    def _pick(self, queue: _Queue, priority: Priority) -> tuple[_Waiter, _Queue] | None:
        first = next(iter(queue))
        if self._keeps is None or first.model in self._loaded:
            return first, queue
        if self.clock() - first.since < _PATIENCE[priority]:
            nearer = self._first_loaded(queue)
            if nearer is not None:
                return nearer, queue
        return (first, queue) if self._fits(first.model) else None

    def _first_loaded(self, waiters: Iterable[_Waiter]) -> _Waiter | None:
        return next((waiter for waiter in waiters if waiter.model in self._loaded), None)

    def _fits(self, model: str) -> bool:
        """Tell whether the server could hold this model beside those that are running."""
        return self._keeps is None or model in self._running or len(self._running) < self._keeps


class PooledModel(ModelWrapper):
    """Runs each call in a slot of its provider's pool; vectors are background work unless it is told otherwise."""

    def __init__(self, model: Model, pool: EndpointPool, *, embed_priority: Priority = "background") -> None:
        super().__init__(model)
        self._pool = pool
        self._name = model.info.name
        self._embed_priority = embed_priority

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        pool, name = self._pool, self._name
        await pool.acquire(name, request.priority)
        began = pool.clock()
        try:
            async with aclosing(open_stream(self._model, request)) as stream:
                async for chunk in stream:
                    yield chunk
        finally:
            pool.release(name, pool.clock() - began)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        pool = self._pool
        await pool.acquire(self._name, self._embed_priority)
        began = pool.clock()
        try:
            return await self._model.embed(texts)
        finally:
            pool.release(self._name, pool.clock() - began)
