"""A second endpoint is asked for what is late, within a budget, and the loser is closed at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from dragoman.errors import ContextOverflowError, EveryEndpointFailedError, ProviderFailedError
from dragoman.models.balancing import Endpoint
from dragoman.models.hedging import HedgeBudget, HedgedModel, find_delay
from dragoman.models.performance import Performance
from dragoman.models.pool import EndpointPool
from dragoman.models.wrapper import Request, open_stream
from tests.support.scripted_endpoint import CHAT, GHOST, ScriptedEndpoint, Turn, read
from tests.support.virtual_time import run_virtual

ILL = Turn((), error=ProviderFailedError("It said 500."))
HANGS = Turn((), hangs=True)


class Race:
    """Up to three endpoints in a fixed order; the first usually answers within 0.3 s."""

    def __init__(self, *turns: Turn, paid: bool = False, busy: bool = False) -> None:
        now = asyncio.get_running_loop().time
        self.models = [ScriptedEndpoint((turn,), provider=f"p{number}") for number, turn in enumerate(turns)]
        self.pool = EndpointPool("p1", 1, clock=now)
        self.endpoints = [
            Endpoint(
                model,
                Performance(model.provider, "m", clock=now),
                paid=paid and number > 0,
                pool=self.pool if busy and number == 1 else None,
            )
            for number, model in enumerate(self.models)
        ]
        performance = self.endpoints[0].performance
        for _ in range(20):
            performance.hear(now() - 0.3)
        self.model = HedgedModel(self.models[0].info, lambda _: self.endpoints)

    @property
    def calls(self) -> list[int]:
        return [model.calls for model in self.models]

    @property
    def running(self) -> list[int]:
        return [model.running for model in self.models]


def test_one_that_is_in_time_is_asked_alone() -> None:
    async def story() -> None:
        race = Race(Turn(first_after=0.25), Turn(("second",)))
        assert await read(race.model.complete(GHOST)) == "ab"
        assert race.calls == [1, 0]

    run_virtual(story())


def test_who_speaks_first_wins_and_the_other_is_closed_before_its_word_is_handed_on() -> None:
    async def story() -> None:
        race = Race(Turn(first_after=5), Turn(("sec", "ond"), first_after=0.2))
        said = []
        async with aclosing(race.model.complete(GHOST)) as stream:
            async for chunk in stream:
                said.append(chunk.text)
                assert race.running[0] == 0
        assert "".join(said) == "second"
        assert asyncio.get_running_loop().time() == pytest.approx(0.575)
        assert (race.model.hedges, race.model.wins, race.running) == (1, 1, [0, 0])

        late = Race(Turn(first_after=0.4), Turn(("second",), first_after=0.2))
        assert await read(late.model.complete(GHOST)) == "ab"
        assert (late.model.hedges, late.model.wins, late.calls, late.running) == (1, 0, [1, 1], [0, 0])

    run_virtual(story())


@pytest.mark.parametrize("request_", [GHOST, CHAT])
def test_only_for_a_person_only_for_free_and_only_where_there_is_room(request_: Request) -> None:
    async def story() -> None:
        slow = Turn(first_after=1.0)
        waited = Race(slow, Turn(("second",)))
        assert await read(open_stream(waited.model, request_)) == "second"
        for request, paid in ((replace(request_, priority="background"), False), (request_, True)):
            race = Race(slow, Turn(), paid=paid)
            await read(open_stream(race.model, request))
            assert race.calls == [1, 0]
        race = Race(slow, Turn(), busy=True)
        await race.pool.acquire("m", "interactive")
        await read(open_stream(race.model, request_))
        assert race.calls == [1, 0]

    run_virtual(story())


def test_the_second_is_the_first_that_costs_nothing() -> None:
    async def story() -> None:
        race = Race(HANGS, Turn(("paid",)), Turn(("free",)))
        race.endpoints[1] = replace(race.endpoints[1], paid=True)
        assert await read(race.model.complete(GHOST)) == "free"
        assert race.calls == [1, 0, 1]

    run_virtual(story())


def test_a_paid_one_is_still_asked_when_the_first_fails() -> None:
    async def story() -> None:
        race = Race(ILL, Turn(), paid=True)
        assert await read(race.model.complete(GHOST)) == "ab"

    run_virtual(story())


def test_at_most_a_share_of_the_requests_is_asked_twice() -> None:
    async def story() -> None:
        race = Race(Turn(first_after=1.0), HANGS)
        for _ in range(200):
            await read(race.model.complete(GHOST))
        assert 9 <= race.calls[1] <= 11
        assert race.running == [0, 0]

    run_virtual(story())

    budget = HedgeBudget(share=0.5, burst=2)
    for _ in range(100):
        budget.earn()
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_failures_before_and_in_the_race_lead_to_the_next_endpoint() -> None:
    async def story() -> None:
        early = Race(ILL, Turn(("next",)))
        assert await read(early.model.complete(GHOST)) == "next"
        assert early.model.hedges == 0
        slow_failure = Turn((), first_after=0.5, error=ProviderFailedError("It said 503."))
        both = Race(slow_failure, ILL, Turn(("third",)))
        assert await read(both.model.complete(GHOST)) == "third"
        assert both.calls == [1, 1, 1]
        none = Race(slow_failure, ILL, ILL)
        with pytest.raises(
            EveryEndpointFailedError, match=r"p0/m: It said 503; p1/m: It said 500; p2/m: It said 500\."
        ):
            await read(none.model.complete(GHOST))
        rival = Race(Turn(first_after=0.5), ILL)
        assert await read(rival.model.complete(GHOST)) == "ab", "the second's failure is no reason to give up the first"
        wrong = Race(Turn((), first_after=0.5, error=ContextOverflowError("too long")), HANGS)
        with pytest.raises(ContextOverflowError):
            await read(wrong.model.complete(GHOST))
        assert wrong.running == [0, 0]

    run_virtual(story())


@pytest.mark.parametrize("after", [0.1, 0.4, 1.0])
def test_a_cancel_ends_both_at_any_time(after: float) -> None:
    async def story() -> None:
        race = Race(HANGS, Turn(first_after=0.5, hangs=True))
        task = asyncio.create_task(read(race.model.complete(GHOST)))
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert race.running == [0, 0]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(story())


def test_a_bug_in_an_endpoint_is_not_swallowed() -> None:
    async def story() -> None:
        race = Race(Turn((), error=ValueError("bug")), Turn())  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="bug"):
            await read(race.model.complete(GHOST))

    run_virtual(story())


def test_late_is_what_is_late_for_this_endpoint_within_bounds() -> None:
    endpoint = Endpoint(ScriptedEndpoint(), Performance("p", "m", clock=lambda: 100.0))
    assert find_delay(endpoint) == 2.0
    for seconds, delay in ((0.01, 0.15), (0.8, 1.0), (9.0, 2.0)):
        for _ in range(64):
            endpoint.performance.hear(100.0 - seconds)
        assert find_delay(endpoint) == pytest.approx(delay)
