"""An endpoint that is late and loses is found to be ill: it is left alone, and those who wait at it already go elsewhere."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from dragoman.errors import ContextOverflowError, EveryEndpointFailedError, ProviderFailedError, StreamBrokenError
from dragoman.models import limits
from dragoman.models.balancing import Balancer, Endpoint
from dragoman.models.breaker import Breaker, GuardedModel
from dragoman.models.hedging import HedgedModel
from dragoman.models.performance import MeasuredModel, Performance
from dragoman.models.whole import answer_whole
from dragoman.models.wrapper import Request, open_stream
from tests.support.scripted_endpoint import CHAT, GHOST, ScriptedEndpoint, Turn, read
from tests.support.virtual_time import run_virtual

WELL = Turn(("well",), first_after=0.2)
HANGS = Turn((), hangs=True)
CUT = Turn(("cu",), error=StreamBrokenError("It is cut."))


class Clinic:
    """Three guarded endpoints in turns; the first has a fault, all usually answer within 0.2 s, or within ``usual``."""

    def __init__(self, *turns: Turn, usual: float = 0.2) -> None:
        now = asyncio.get_running_loop().time
        self.servers = [ScriptedEndpoint((turn,), provider=f"p{number}") for number, turn in enumerate(turns)]
        self.endpoints = []
        for server in self.servers:
            breaker = Breaker(server.provider, clock=now)
            performance = Performance(server.provider, "m", clock=now)
            guarded = GuardedModel(server, breaker, slow_after=lambda: None)
            self.endpoints.append(Endpoint(MeasuredModel(guarded, performance), performance, breaker))
            for _ in range(20):
                performance.hear(now() - usual)
        balancer = Balancer("round_robin", chance=random.Random(3))
        self.model = HedgedModel(self.servers[0].info, lambda priority: balancer.order(self.endpoints, priority))

    @property
    def states(self) -> list[str]:
        return [one.breaker.state for one in self.endpoints if one.breaker is not None]

    async def ask(self, count: int, request: Request, *, every: float = 0.05) -> list[float]:
        """Ask in a steady stream, and return how long each answer took."""
        loop = asyncio.get_running_loop()

        async def one() -> float:
            began = loop.time()
            assert await read(open_stream(self.model, request)) == "well"
            return loop.time() - began

        tasks = []
        for _ in range(count):
            tasks.append(asyncio.create_task(one()))
            await asyncio.sleep(every)
        return list(await asyncio.gather(*tasks))


@pytest.mark.parametrize("request_", [GHOST, CHAT])
def test_one_that_hangs_is_left_alone_within_a_second_and_nobody_is_left_with_it(request_: Request) -> None:
    async def story() -> None:
        clinic = Clinic(WELL, WELL, WELL)
        await clinic.ask(100, request_)
        clinic.servers[0].turns = (HANGS,)
        before = clinic.servers[0].calls

        took = await clinic.ask(20, request_)
        assert clinic.states == ["open", "closed", "closed"]
        assert max(took) < 2.0, "who had no second one is sent elsewhere when the breaker opens"
        took += await clinic.ask(180, request_)

        assert clinic.servers[0].calls - before < 200 / 3 / 4
        assert sorted(took)[:180][-1] == pytest.approx(0.2)
        assert [server.running for server in clinic.servers] == [0, 0, 0]

        clinic.servers[0].turns = (WELL,)
        await clinic.ask(200, request_)
        assert clinic.states == ["closed"] * 3, "it is found to be back"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(story())


def test_an_endpoint_that_always_takes_longer_than_the_bound_is_not_ill_when_it_loses() -> None:
    async def story() -> None:
        clinic = Clinic(Turn(("well",), first_after=4.0), WELL, WELL, usual=4.0)
        await clinic.ask(100, GHOST)
        assert clinic.model.wins > 0
        assert clinic.states == ["closed"] * 3

    run_virtual(story())


def test_a_late_probe_leaves_it_alone_again() -> None:
    clock = [0.0]
    breaker = Breaker("p", clock=lambda: clock[0])
    for _ in range(limits.BREAKER_FAILURES):
        breaker.count_late()
    assert breaker.state == "open"
    breaker.count_late()
    clock[0] = 1.5
    ticket = breaker.admit()
    breaker.count_late()
    assert breaker.state == "open"
    breaker.settle(ticket, "success")
    assert breaker.opens_again_in == pytest.approx(2.0), (
        "longer than the first time, and the late call's end changes nothing"
    )


def test_another_model_is_no_rival_only_who_stands_in() -> None:
    async def story() -> None:
        clinic = Clinic(Turn(("well",), first_after=1.0), WELL, WELL)
        alone = HedgedModel(clinic.servers[0].info, lambda _: clinic.endpoints, rivals=clinic.endpoints[:1])
        assert await read(alone.chat(CHAT)) == "well"
        assert [server.calls for server in clinic.servers] == [1, 0, 0]
        clinic.servers[0].turns = (Turn((), error=ProviderFailedError("500")),)
        assert await read(alone.chat(CHAT)) == "well"
        assert [server.calls for server in clinic.servers] == [2, 1, 0]

    run_virtual(story())


def test_whole_answers_race_too_and_what_breaks_in_the_middle_is_asked_of_the_next() -> None:
    async def story() -> None:
        clinic = Clinic(HANGS, CUT, WELL)
        assert (await answer_whole(clinic.model, CHAT)).text == "well"
        assert [server.calls for server in clinic.servers] == [1, 1, 1]
        assert [server.running for server in clinic.servers] == [0, 0, 0]

        broken = Clinic(CUT, CUT, CUT)
        with pytest.raises(EveryEndpointFailedError, match=r"All of 3 endpoints failed"):
            await answer_whole(broken.model, CHAT)

        wrong = Clinic(Turn((), error=ContextOverflowError("too long")), WELL, WELL)
        with pytest.raises(ContextOverflowError):
            await answer_whole(wrong.model, CHAT)
        assert [server.calls for server in wrong.servers] == [1, 0, 0]

        background = Clinic(Turn(("late",), first_after=1.0), WELL, WELL)
        assert (await answer_whole(background.model, replace(CHAT, priority="background"))).text == "late"

    run_virtual(story())


def test_an_endpoint_that_is_back_is_no_longer_avoided_for_what_it_was() -> None:
    clock = [100.0]
    performance = Performance("p", "m", clock=lambda: clock[0])
    for _ in range(10):
        performance.hear(99.9)
    well = performance.cost
    performance.hear(95.0)
    for _ in range(5):
        performance.record(1.0, success=False)
    assert performance.cost > 20 * well

    performance.forgive()

    assert performance.failure_share == 0.0
    assert performance.cost < 3 * well
    assert performance.failures == 5, "what is told of it is what was"
