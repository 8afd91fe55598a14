"""Leaving an endpoint alone that fails, and finding out when it is back: a circuit breaker.

Closed, calls go through and their outcomes are counted; too many failures open it, and calls fail at once; after a while it is
half-open, and a few calls may probe whether the endpoint is well again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal

from dragoman.clock import Clock, monotonic
from dragoman.errors import CircuitOpenError, ModelError
from dragoman.models import limits
from dragoman.models.base import Chunk, Model
from dragoman.models.faults import find_fault
from dragoman.models.wrapper import ModelWrapper, Request, open_stream

logger = logging.getLogger(__name__)

State = Literal["closed", "open", "half_open"]
Outcome = Literal["success", "failure", "unknown"]
"""How a call went; unknown is one that was given up, or that failed through no fault of the endpoint."""


class Breaker:
    """The health of one endpoint as its calls show it.

    A caller asks `admit` before each call and hands what it got to `settle` exactly once.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = limits.BREAKER_FAILURES,
        share: float = limits.BREAKER_SHARE,
        minimum: int = limits.BREAKER_MINIMUM,
        window: int = limits.BREAKER_WINDOW,
        window_s: float = limits.BREAKER_WINDOW_S,
        open_s: float = limits.BREAKER_OPEN_S,
        open_max_s: float = limits.BREAKER_OPEN_MAX_S,
        probes: int = limits.BREAKER_PROBES,
        clock: Clock = monotonic,
    ) -> None:
        self.name = name
        self.on_change: Callable[[State, State], None] = lambda _before, _after: None
        """Called after each change with the state before and the one after; it must not wait, and may fail."""
        self._failures, self._share, self._minimum = failures, share, minimum
        self._window_s, self._open_s, self._open_max_s, self._probes = window_s, open_s, open_max_s, probes
        self.clock = clock
        self.last_error = ""
        """What the newest failed call said, for those that are not let through."""
        self._state: State = "closed"
        self._epoch = 0
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=window)
        self._in_a_row = 0
        self._openings = 0
        self._until = 0.0
        self._closed_at = clock()
        self._probing = 0
        self._well = 0

    # -- what others see -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state now; an open one whose time is over is half-open."""
        if self._state == "open" and self.clock() >= self._until:
            self._change("half_open")
        return self._state

    @property
    def opens_again_in(self) -> float:
        """Seconds until calls may try again, 0 when they may."""
        return max(0.0, self._until - self.clock()) if self.state == "open" else 0.0

    @property
    def lets_through(self) -> bool:
        """Whether a call would be admitted now."""
        state = self.state
        return state == "closed" or (state == "half_open" and self._probing < self._probes)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def admit(self) -> int:
        """Let a call through and return its ticket for `settle`; raises `CircuitOpenError`."""
        if self._state == "closed":
            return self._epoch
        if not self.lets_through:
            raise self.explain()
        self._probing += 1
        return self._epoch

    def explain(self) -> CircuitOpenError:
        """Return the error for a call that is not let through, or that need not wait any longer to be."""
        last = f" The last time: {self.last_error}" if self.last_error else ""
        return CircuitOpenError(
            f"provider {self.name!r} failed too often and is left alone for now.{last}",
            retry_after=self.opens_again_in or self._open_s,
            hint="It is tried again by itself; `dragoman doctor` says what is wrong with it.",
        )

    def settle(self, ticket: int, outcome: Outcome) -> None:
        """Take in how an admitted call went; what began before the last change says nothing of now."""
        if ticket != self._epoch:
            return
        if self._state == "half_open":
            self._settle_probe(outcome)
        elif outcome != "unknown":
            self._count(failed=outcome == "failure")

    def count_late(self) -> None:
        """Take in that a call was late and another endpoint, asked after it, answered first: that is a failure.

        Nobody waits for the call any more; what `settle` is told of it says nothing.
        """
        if self._state == "half_open":
            self._open()
        elif self._state == "closed":
            self._count(failed=True)

    def is_probe(self, ticket: int) -> bool:
        """Tell whether the call of this ticket finds out if the endpoint is back."""
        return self._state == "half_open" and ticket == self._epoch

    def _settle_probe(self, outcome: Outcome) -> None:
        self._probing -= 1
        if outcome == "failure":
            self._open()
        elif outcome == "success":
            self._well += 1
            if self._well >= self._probes:
                self._change("closed")

    def _count(self, *, failed: bool) -> None:
        now = self.clock()
        outcomes = self._outcomes
        outcomes.append((now, failed))
        if not failed:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        while outcomes[0][0] < now - self._window_s:
            outcomes.popleft()
        bad = sum(failed for _, failed in outcomes)
        if self._in_a_row >= self._failures or (len(outcomes) >= self._minimum and bad >= self._share * len(outcomes)):
            self._open()

    def _open(self) -> None:
        now = self.clock()
        if self._state == "closed" and now - self._closed_at >= limits.BREAKER_CALM_S:
            self._openings = 0
        # A bounded exponent: an endpoint may be gone for a year.
        grown = self._open_s * limits.BREAKER_GROWTH ** min(self._openings, 32)
        self._openings += 1
        self._until = now + min(grown, self._open_max_s)
        self._change("open")

    def _change(self, state: State) -> None:
        before, self._state = self._state, state
        self._epoch += 1
        self._probing = self._well = self._in_a_row = 0
        self._outcomes.clear()
        if state == "closed":
            self._closed_at = self.clock()
        logger.info("breaker of %r: %s, was %s", self.name, state, before)
        try:
            self.on_change(before, state)
        except Exception:
            logger.exception("a listener to the breaker of %r failed", self.name)


class GuardedModel(ModelWrapper):
    """Asks the breaker before each call and tells it how the call went.

    ``slow_after`` says after how many seconds without a first token a call counts as failed, even one that is given up then;
    None for never, where a server may take any time to load its model.
    """

    def __init__(
        self, model: Model, breaker: Breaker, *, slow_after: Callable[[], float | None] = lambda: limits.BREAKER_SLOW_S
    ) -> None:
        super().__init__(model)
        self._breaker = breaker
        self._slow_after = slow_after

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        call = _Call(self._breaker, self._slow_after())
        try:
            async with aclosing(open_stream(self._model, request)) as stream:
                async for chunk in stream:
                    if call.waits:
                        call.speak()
                    yield chunk
                    if call.probe_until is not None:
                        call.check_probe()
            call.settle("success")
        except ModelError as error:
            call.fail(error)
            raise
        finally:
            # Closed or cancelled: who had enough of an answer had a good one.
            call.settle("unknown" if call.waits else "success")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        call = _Call(self._breaker, self._slow_after())
        try:
            vectors = await self._model.embed(texts)
            call.settle("success")
        except ModelError as error:
            call.fail(error)
            raise
        finally:
            call.settle("unknown")
        return vectors


class _Call:
    """One admitted call: settles its ticket once, whatever happens first."""

    __slots__ = ("_breaker", "_settled", "_ticket", "_timer", "probe_until", "waits")

    def __init__(self, breaker: Breaker, slow_after: float | None) -> None:
        self._breaker = breaker
        self._ticket = breaker.admit()
        self._settled = False
        if slow_after is not None and breaker.is_probe(self._ticket):
            slow_after = min(slow_after, limits.BREAKER_PROBE_SLOW_S)
        self._timer = (
            None if slow_after is None else asyncio.get_running_loop().call_later(slow_after, self.settle, "failure")
        )
        self.waits = True
        self.probe_until: float | None = None

    def speak(self) -> None:
        """Take note that the first chunk is there."""
        self.waits = False
        if self._timer is not None:
            self._timer.cancel()
        if self._breaker.is_probe(self._ticket):
            self.probe_until = self._breaker.clock() + limits.BREAKER_PROBE_S

    def check_probe(self) -> None:
        """Settle a probe that has streamed for long enough: it is well."""
        if self.probe_until is not None and self._breaker.clock() >= self.probe_until:
            self.probe_until = None
            self.settle("success")

    def fail(self, error: ModelError) -> None:
        """Tell the breaker that the call ended with an error, whoever is at fault."""
        ill = find_fault(error).ill
        if ill:
            self._breaker.last_error = error.message
        self.settle("failure" if ill else "unknown")

    def settle(self, outcome: Outcome) -> None:
        """Tell the breaker how the call went; only the first time counts."""
        if self._settled:
            return
        self._settled = True
        if self._timer is not None:
            self._timer.cancel()
        self._breaker.settle(self._ticket, outcome)
