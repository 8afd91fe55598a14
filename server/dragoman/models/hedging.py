"""Asking a second endpoint when the first is late: for whoever waits at a screen, where a late answer is worth little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from typing import Self

from dragoman.errors import ModelError
from dragoman.models import limits
from dragoman.models.assembly import Answer, gather_answer
from dragoman.models.balancing import Endpoint
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo
from dragoman.models.fallback import Chain, Failure, FallbackModel, answer_from, fall_back, note_failure
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
    """A `FallbackModel` that asks two for a person's request when the first has said nothing by the time it usually has.

    Who speaks first wins, and the other is closed at once; one that was late and lost is told to its breaker as a failure.
    Endpoints that cost money, are ill or have no slot free are never the second, nor is any that is not among ``rivals``.
    """

    def __init__(
        self,
        info: ModelInfo,
        chain: Chain,
        *,
        budget: HedgeBudget | None = None,
        attempts: int = limits.FALLBACK_ATTEMPTS,
        rivals: Collection[Endpoint] | None = None,
    ) -> None:
        super().__init__(info, chain, attempts=attempts)
        self._budget = budget or HedgeBudget()
        self._rivals = rivals
        self.hedges = 0
        """Requests that were asked of a second endpoint."""
        self.wins = 0
        """How many of them the second answered first."""

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        return self._stream(request)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        return self._stream(request)

    async def answer(self, request: Request) -> Answer:
        """Return the whole answer; one that breaks in the middle is asked of those that were not in the race."""
        endpoints = self._order(request)
        if not self._may_race(endpoints, request):
            return await answer_from(endpoints, request)
        failures: list[Failure] = []
        async with _Race(self, endpoints, request) as race:
            winner = await race.decide()
            if winner is not None:
                try:
                    return await gather_answer(winner.read())
                except ModelError as error:
                    note_failure(failures, winner.endpoint, error)
        return await answer_from(race.rest, request, [*race.failures, *failures])

    def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        endpoints = self._order(request)
        if not self._may_race(endpoints, request):
            return fall_back(endpoints, request)
        return self._stream_race(endpoints, request)

    def _may_race(self, endpoints: Sequence[Endpoint], request: Request) -> bool:
        if request.priority != "interactive" or not any(self._may_rival(one) for one in endpoints[1:]):
            return False
        self._budget.earn()
        return True

    async def _stream_race(self, endpoints: Sequence[Endpoint], request: Request) -> AsyncGenerator[Chunk, None]:
        async with _Race(self, endpoints, request) as race:
            winner = await race.decide()
            if winner is not None:
                async with aclosing(winner.read()) as stream:
                    async for chunk in stream:
                        yield chunk
                return
        async with aclosing(fall_back(race.rest, request, race.failures)) as stream:
            async for chunk in stream:
                yield chunk

    # -- for a race ----------------------------------------------------------------------------------------------------

    def find_rival(self, endpoints: Sequence[Endpoint]) -> Endpoint | None:
        """Return who may be asked beside the first of ``endpoints`` and has time for it."""
        return next((one for one in endpoints[1:] if self._may_rival(one) and one.has_room and _is_well(one)), None)

    def may_hedge(self, late: Endpoint) -> bool:
        """Tell whether another may be asked beside one that is late: within the budget, or because it was found to be ill."""
        return not _is_well(late) or self._budget.take()

    def _may_rival(self, endpoint: Endpoint) -> bool:
        return not endpoint.paid and (self._rivals is None or endpoint in self._rivals)


def find_delay(endpoint: Endpoint) -> float:
    """Return after how many seconds without a first token an endpoint is late: clearly later than 95 of 100 of its answers."""
    usual = endpoint.performance.first_token_p95
    if usual is None:
        return limits.HEDGE_BOUND_S
    return min(max(usual * limits.HEDGE_MARGIN, limits.HEDGE_FLOOR_S), limits.HEDGE_BOUND_S)


def _is_well(endpoint: Endpoint) -> bool:
    return endpoint.breaker is None or endpoint.breaker.state == "closed"


class _Race:
    """One request and up to two endpoints that are asked for its first word; closes what it opened."""

    def __init__(self, model: HedgedModel, endpoints: Sequence[Endpoint], request: Request) -> None:
        self._model = model
        self._endpoints = endpoints
        self._request = request
        self._legs: list[_Leg] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for leg in self._legs:
            await leg.aclose()

    @property
    def rest(self) -> list[Endpoint]:
        """Those that were not asked."""
        return [one for one in self._endpoints if all(one is not leg.endpoint for leg in self._legs)]

    @property
    def failures(self) -> list[Failure]:
        """Which of those that were asked have failed."""
        return [(leg.endpoint, leg.failure) for leg in self._legs if leg.failure is not None]

    async def decide(self) -> _Leg | None:
        """Return who speaks first, everybody else being closed; None when all have failed.

        Raises what the first endpoint says of a request that no other could answer either.
        """
        first = self._begin(self._endpoints[0])
        delay = find_delay(first.endpoint)
        # Asked again and again: a slot becomes free, the budget grows, the endpoint is found to be ill by other calls.
        while not await first.wait(delay):
            rival = self._model.find_rival(self._endpoints)
            if rival is not None and self._model.may_hedge(first.endpoint):
                self._model.hedges += 1
                self._begin(rival)
                break
        winner = await _first_to_speak(self._legs)
        if winner is not None and winner is not first:
            self._model.wins += 1
            if first.failure is None and is_odd(first.endpoint) and first.endpoint.breaker is not None:
                first.endpoint.breaker.count_late()
        for leg in self._legs:
            if leg is not winner:
                await leg.aclose()
        return winner

    def _begin(self, endpoint: Endpoint) -> _Leg:
        leg = _Leg(endpoint, self._request)
        self._legs.append(leg)
        return leg


def is_odd(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint that has exceeded `find_delay` took longer than it usually does: the bound may be less."""
    usual = endpoint.performance.first_token_p95
    return usual is not None and usual * limits.HEDGE_MARGIN <= limits.HEDGE_BOUND_S


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

    async def wait(self, seconds: float) -> bool:
        """Wait for the first word or a failure, at most so long; tell whether there is one."""
        await asyncio.wait({self.task}, timeout=seconds)
        return self.task.done()

    async def read(self) -> AsyncGenerator[Chunk, None]:
        """Read on from the beginning, once it has spoken."""
        for chunk in self.held:
            yield chunk
        async for chunk in self.stream:
            yield chunk

    async def aclose(self) -> None:
        """Close the stream, wherever it is; returns when its connection is closed."""
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})
        if not self.task.cancelled() and (bug := self.task.exception()) is not None:
            raise bug
        await self.stream.aclose()
