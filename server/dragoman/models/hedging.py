"""Asking a second endpoint when the first is late: for ghost text, where a late answer is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from dragoman.errors import ModelError
from dragoman.models import limits
from dragoman.models.balancing import Endpoint
from dragoman.models.base import Chunk, CompletionRequest, ModelInfo
from dragoman.models.fallback import Chain, Failure, FallbackModel, fall_back
from dragoman.models.faults import find_fault
from dragoman.models.wrapper import Request, open_stream, says_something


class HedgeBudget:
    """How many requests may be asked twice: a share of all, so that a slow day does not become twice the load."""

    def __init__(self, share: float = limits.HEDGE_SHARE, burst: float = limits.HEDGE_BURST) -> None:
        self._share = share
        self._burst = burst
        self._left = min(1.0, burst)

    def earn(self) -> None:
        """Count a request."""
        self._left = min(self._burst, self._left + self._share)

    def take(self) -> bool:
        """Take one second question out of the budget; False when nothing is left."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class HedgedModel(FallbackModel):
    """A `FallbackModel` that asks two for ghost text when the first has said nothing by the time it usually has.

    Who speaks first wins, and the other is closed at once.
    Endpoints that cost money, or have no slot free, are never the second.
    """

    def __init__(
        self,
        info: ModelInfo,
        chain: Chain,
        *,
        budget: HedgeBudget | None = None,
        attempts: int = limits.FALLBACK_ATTEMPTS,
    ) -> None:
        super().__init__(info, chain, attempts=attempts)
        self._budget = budget or HedgeBudget()
        self.hedges = 0
        """Requests that were asked of a second endpoint."""
        self.wins = 0
        """How many of them the second answered first."""

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        endpoints = self._chain(request.priority)[: self._attempts]
        if request.priority != "interactive" or all(one.paid for one in endpoints[1:]):
            return fall_back(endpoints, request)
        self._budget.earn()
        return self._race(endpoints, request)

    async def _race(self, endpoints: Sequence[Endpoint], request: Request) -> AsyncGenerator[Chunk, None]:
        legs = [_Leg(endpoints[0], request)]
        try:
            await legs[0].wait(find_delay(endpoints[0]))
            if not legs[0].task.done() and (rival := _find_rival(endpoints)) is not None and self._budget.take():
                self.hedges += 1
                legs.append(_Leg(rival, request))
            winner = await _first_to_speak(legs)
            if winner is not None and winner is not legs[0]:
                self.wins += 1
            for leg in legs:
                if leg is not winner:
                    await leg.aclose()
            if winner is not None:
                for chunk in winner.held:
                    yield chunk
                async for chunk in winner.stream:
                    yield chunk
                return
        finally:
            for leg in legs:
                await leg.aclose()
        tried = [leg.endpoint for leg in legs]
        rest = [one for one in endpoints if one not in tried]
        failed: list[Failure] = [(leg.endpoint, leg.failure) for leg in legs if leg.failure is not None]
        async with aclosing(fall_back(rest, request, failed)) as stream:
            async for chunk in stream:
                yield chunk


def find_delay(endpoint: Endpoint) -> float:
    """Return after how many seconds without a first token an endpoint is late: clearly later than 95 of 100 of its answers."""
    usual = endpoint.performance.first_token_p95
    if usual is None:
        return limits.HEDGE_BOUND_S
    return min(max(usual * limits.HEDGE_MARGIN, limits.HEDGE_FLOOR_S), limits.HEDGE_BOUND_S)


def _find_rival(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    return next((one for one in endpoints[1:] if not one.paid and one.has_room), None)


async def _first_to_speak(legs: Sequence[_Leg]) -> _Leg | None:
    """Wait for the first leg that says something or ends well; None when all have failed.

    Raises what the first endpoint says of a request that no other could answer either.
    """
    waiting = {leg.task for leg in legs}
    while True:
        for leg in legs:
            if leg.spoke:
                return leg
        if legs[0].failure is not None and not find_fault(legs[0].failure).elsewhere:
            raise legs[0].failure
        waiting = {task for task in waiting if not task.done()}
        if not waiting:
            return None
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


class _Leg:
    """One endpoint's stream in a race, read up to its first word by a task of its own."""

    def __init__(self, endpoint: Endpoint, request: Request) -> None:
        self.endpoint = endpoint
        self.stream = open_stream(endpoint.model, request)
        self.held: list[Chunk] = []
        self.failure: ModelError | None = None
        self.spoke = False
        self.task = asyncio.get_running_loop().create_task(self._begin(), name=f"race of {endpoint.name}")

    async def _begin(self) -> None:
        try:
            async for chunk in self.stream:
                self.held.append(chunk)
                if says_something(chunk):
                    break
            self.spoke = True
        except ModelError as error:
            self.failure = error

    async def wait(self, seconds: float) -> None:
        """Wait for the first word, at most so long."""
        await asyncio.wait({self.task}, timeout=seconds)

    async def aclose(self) -> None:
        """Close the stream, wherever it is; returns when its connection is closed."""
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})
        if not self.task.cancelled() and (bug := self.task.exception()) is not None:
            raise bug
        await self.stream.aclose()
