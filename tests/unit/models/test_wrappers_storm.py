"""A thousand streams at once through all wrappers: nothing is lost, nothing is left, nothing grows beyond its bound."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import pytest

from dragoman.errors import (
    CircuitOpenError,
    EndpointBusyError,
    ModelError,
    ModelTimeoutError,
    ProviderFailedError,
    StreamBrokenError,
)
from dragoman.models.balancing import Balancer, Endpoint, StrategyName
from dragoman.models.base import Model
from dragoman.models.breaker import Breaker, GuardedModel
from dragoman.models.hedging import HedgedModel
from dragoman.models.metering import CallMeter, CallRecord, MeteredModel
from dragoman.models.performance import MeasuredModel, Performance
from dragoman.models.pool import EndpointPool, PooledModel
from dragoman.models.retry import RetryingModel
from dragoman.models.wrapper import Request, open_stream
from tests.support.scripted_endpoint import CHAT, GHOST, INDEXING, ScriptedEndpoint, Turn, read
from tests.support.virtual_time import run_virtual

STREAMS = 1_000
WELL = Turn("answer", first_after=0.2, between=0.01)


def turn_away(pool: EndpointPool, breaker: Breaker, before: str, after: str) -> None:
    if after == "open":
        pool.turn_away("m", breaker.explain)


@dataclass
class Stack:
    """Three endpoints, each metered, measured, pooled and guarded, behind a balancer, a race and retries."""

    turns: tuple[Turn, ...] = (WELL,)
    slots: int = 64
    queue: int = 512
    seed: int = 1
    strategy: StrategyName = "adaptive"
    records: list[CallRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        now = asyncio.get_running_loop().time
        meter = CallMeter()
        meter.listen(self.records.append)
        self.servers = [ScriptedEndpoint(self.turns, provider=f"p{number}") for number in range(3)]
        self.endpoints = []
        for server in self.servers:
            breaker = Breaker(server.provider, clock=now)
            pool = EndpointPool(server.provider, self.slots, queue_length=self.queue, clock=now)
            performance = Performance(server.provider, "m", clock=now)
            breaker.on_change = partial(turn_away, pool, breaker)
            guarded = GuardedModel(server, breaker, slow_after=partial(getattr, performance, "late_after"))
            model: Model = MeasuredModel(PooledModel(guarded, pool), performance)
            self.endpoints.append(Endpoint(MeteredModel(model, meter, clock=now), performance, breaker, pool))
        balancer = Balancer(self.strategy, chance=random.Random(self.seed))
        chain = HedgedModel(self.servers[0].info, lambda priority: balancer.order(self.endpoints, priority))
        self.model = RetryingModel(chain)

    def check_that_nothing_is_left(self) -> None:
        for server, endpoint in zip(self.servers, self.endpoints, strict=True):
            assert endpoint.pool is not None
            assert endpoint.breaker is not None
            assert (server.running, endpoint.pool.running, endpoint.pool.waiting) == (0, 0, 0)
            assert endpoint.performance.in_flight == 0
            assert endpoint.breaker._probing == 0
            assert server.peak <= self.slots
        assert asyncio.all_tasks() == {asyncio.current_task()}


def request_of(number: int) -> Request:
    return (GHOST, CHAT, INDEXING)[number % 3]


def test_a_thousand_streams_at_once_are_all_answered() -> None:
    async def story() -> None:
        stack = Stack()
        answers = await asyncio.gather(*(read(open_stream(stack.model, request_of(n))) for n in range(STREAMS)))
        assert Counter(answers) == {"answer": STREAMS}
        stack.check_that_nothing_is_left()
        assert all(server.calls > STREAMS / 5 for server in stack.servers), "the load is spread"
        outcomes = Counter(record.outcome for record in stack.records)
        assert outcomes["ok"] == STREAMS
        # Whoever lost a race was closed, and there were no other calls.
        assert set(outcomes) <= {"ok", "cancelled"}
        assert outcomes["cancelled"] <= STREAMS * 0.05

    run_virtual(story())


@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_cancels_leaves_nothing_behind_though_the_endpoints_fail_as_well(seed: int) -> None:
    async def story() -> None:
        chance = random.Random(seed)
        ill = Turn((), first_after=0.1, error=ProviderFailedError("500"))
        cut = Turn("ans", between=0.05, error=StreamBrokenError("cut"))
        turns = tuple(chance.choice([*[WELL] * 9, ill, cut, Turn((), hangs=True)]) for _ in range(300))
        stack = Stack((*turns, WELL), slots=16, seed=seed)
        ends = Counter[str]()

        async def listen(number: int) -> None:
            try:
                async with aclosing(open_stream(stack.model, request_of(number))) as stream:
                    async for _ in stream:
                        if chance.random() < 0.1:
                            ends["enough"] += 1
                            return
                ends["ok"] += 1
            except ModelError as error:
                ends[error.code] += 1

        tasks = [asyncio.create_task(listen(number)) for number in range(STREAMS)]
        for _ in range(40):
            await asyncio.sleep(0.05)
            for task in chance.sample(tasks, 40):
                task.cancel()
        await asyncio.sleep(30)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        stack.check_that_nothing_is_left()
        cancelled = sum(task.cancelled() for task in tasks)
        assert cancelled + sum(ends.values()) == STREAMS
        assert min(cancelled, ends["enough"], ends["ok"], ends["stream_broken"]) > 10, ends
        for endpoint in stack.endpoints:
            assert sum(record.provider == endpoint.performance.provider for record in stack.records) > 0

    run_virtual(story())


def test_no_more_wait_than_may_and_the_others_are_told_at_once() -> None:
    async def story() -> None:
        stack = Stack(slots=2, queue=10)
        model = stack.endpoints[0].model
        asking = [asyncio.create_task(read(model.chat(CHAT))) for _ in range(STREAMS)]
        done, waiting = await asyncio.wait(asking, timeout=0.1)
        assert (len(done), len(waiting)) == (STREAMS - 12, 12)
        assert {type(task.exception()) for task in done} == {EndpointBusyError}
        await asyncio.wait(waiting)
        assert {task.result() for task in waiting} == {"answer"}
        stack.check_that_nothing_is_left()
        assert Counter(record.outcome for record in stack.records) == {"ok": 12, "endpoint_busy": STREAMS - 12}
        breaker = stack.endpoints[0].breaker
        assert breaker is not None
        assert breaker.state == "closed", "a full queue is no illness"

    run_virtual(story())


def test_a_dead_endpoint_costs_a_thousand_callers_a_handful_of_calls_and_is_used_again_when_it_is_back() -> None:
    async def story() -> None:
        # Adaptive would go round it before its breaker opens.
        stack = Stack(strategy="round_robin")
        dead = stack.servers[0]
        dead.turns = (Turn((), error=ProviderFailedError("500")),)
        for number in range(STREAMS):
            assert await read(open_stream(stack.model, request_of(number))) == "answer"
        now = asyncio.get_running_loop().time()
        # Five calls open it; then each half-open moment, four seconds apart, lets two probe at most.
        assert dead.calls <= 5 + 2 * (now / 4 + 3)
        dead.turns = (WELL,)
        await asyncio.sleep(4)
        calls = dead.calls
        for _ in range(20):
            await read(stack.model.complete(INDEXING))
        assert dead.calls > calls + 2
        breaker = stack.endpoints[0].breaker
        assert breaker is not None
        assert breaker.state == "closed"
        stack.check_that_nothing_is_left()

    run_virtual(story())


def test_an_endpoint_that_hangs_holds_up_those_whose_turn_it_was_and_nobody_after_them() -> None:
    async def story() -> None:
        stack = Stack(slots=8, strategy="round_robin")
        for _ in range(60):
            await read(stack.model.complete(INDEXING))
        hanging = stack.servers[0]
        hanging.turns = (Turn((), first_after=30, error=ModelTimeoutError("late", phase="first_token")),)
        times = []

        async def ask() -> None:
            began = asyncio.get_running_loop().time()
            assert await read(stack.model.chat(CHAT)) == "answer"
            times.append(asyncio.get_running_loop().time() - began)

        asking = []
        for _ in range(600):
            asking.append(asyncio.create_task(ask()))
            await asyncio.sleep(0.05)
        await asyncio.gather(*asking)
        # Its eight slots, and a few probes; who stood in its queue when it was found out went elsewhere.
        assert sum(seconds > 5 for seconds in times) <= hanging.calls - 20 <= 20
        stack.check_that_nothing_is_left()

    run_virtual(story())


def test_where_all_are_dead_the_error_says_when_to_come_again() -> None:
    async def story() -> None:
        stack = Stack((Turn((), error=ProviderFailedError("500")),))
        for _ in range(20):
            with pytest.raises(ModelError):
                await read(stack.model.complete(GHOST))
        with pytest.raises(ModelError) as caught:
            await read(stack.model.complete(GHOST))
        errors = getattr(caught.value, "errors", (caught.value,))
        assert all(isinstance(error, CircuitOpenError) and error.retry_after > 0 for error in errors)
        assert all(server.calls < 12 for server in stack.servers)
        stack.check_that_nothing_is_left()

    run_virtual(story())
