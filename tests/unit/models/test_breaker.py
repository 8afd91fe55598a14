"""When an endpoint is left alone, and how it comes back."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from dragoman.errors import (
    CircuitOpenError,
    ContextOverflowError,
    ModelError,
    ProviderFailedError,
    ProviderUnreachableError,
    RequestRejectedError,
    StreamBrokenError,
)
from dragoman.models.breaker import Breaker, GuardedModel, Outcome
from tests.support.scripted_endpoint import GHOST, ScriptedEndpoint, Turn, read, settle
from tests.support.virtual_time import run_virtual

FAILS = Turn((), error=ProviderFailedError("500"))


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def call(breaker: Breaker, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        breaker.settle(breaker.admit(), outcome)


def test_it_opens_after_failures_in_a_row_and_comes_back_by_probes() -> None:
    time = Time()
    breaker = Breaker("p", clock=time)
    changes: list[tuple[str, str]] = []
    breaker.on_change = lambda before, after: changes.append((before, after))
    call(breaker, "failure", "failure", "failure", "failure", "success")
    call(breaker, "failure", "failure", "failure", "failure")
    assert breaker.state == "closed"
    call(breaker, "failure")
    with pytest.raises(CircuitOpenError, match="'p' failed too often") as caught:
        breaker.admit()
    assert caught.value.retry_after == pytest.approx(1.0)

    time.now += 1.0
    assert breaker.state == "half_open"
    first, second = breaker.admit(), breaker.admit()
    with pytest.raises(CircuitOpenError):
        breaker.admit()
    breaker.settle(first, "success")
    assert breaker.state == "half_open"
    breaker.settle(second, "success")
    assert changes == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


def test_a_share_of_failures_opens_it_and_old_ones_do_not_count() -> None:
    time = Time()
    breaker = Breaker("p", clock=time)
    for _ in range(4):
        call(breaker, "success", "failure")
    time.now += 61
    call(breaker, "success", "failure")
    assert breaker.state == "closed", "ten calls, half of them bad, but eight are over a minute old"
    for _ in range(4):
        call(breaker, "success", "failure")
    assert breaker.state == "open"


def test_an_endpoint_that_flaps_is_left_alone_longer_each_time_within_a_bound() -> None:
    time = Time()
    breaker = Breaker("p", clock=time)
    waits = []
    for _ in range(4):
        call(breaker, *["failure"] * (5 if breaker.state == "closed" else 1))  # type: ignore[list-item]
        waits.append(breaker.opens_again_in)
        time.now += breaker.opens_again_in
    assert waits == pytest.approx([1, 2, 4, 4])

    call(breaker, "success", "success")
    time.now += 10
    call(breaker, "failure", "failure", "failure", "failure", "failure")
    assert breaker.opens_again_in == pytest.approx(1), "it was calm in between"


def test_a_listener_that_fails_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    breaker = Breaker("p", failures=1)

    def fail(before: str, after: str) -> None:
        raise RuntimeError(before)

    breaker.on_change = fail
    call(breaker, "failure")

    assert breaker.state == "open"
    assert "a listener to the breaker of 'p' failed" in caplog.text


@pytest.mark.parametrize(
    "error", [ContextOverflowError("long"), RequestRejectedError("no"), CircuitOpenError("x", retry_after=1)]
)
async def test_what_is_the_requests_fault_or_anothers_is_no_failure(error: ModelError) -> None:
    breaker = Breaker("p", failures=1)
    model = GuardedModel(ScriptedEndpoint((Turn((), error=error),)), breaker)
    for _ in range(3):
        with pytest.raises(type(error)):
            await read(model.complete(GHOST))
        with pytest.raises(type(error)):
            await model.embed(["x"])

    assert breaker.state == "closed"


@pytest.mark.parametrize(
    "error", [ProviderUnreachableError("gone"), ProviderFailedError("500"), StreamBrokenError("cut")]
)
async def test_what_the_endpoint_does_wrong_is_a_failure_and_the_next_call_does_not_reach_it(error: ModelError) -> None:
    breaker = Breaker("p", failures=2)
    endpoint = ScriptedEndpoint((Turn(("some",), error=error),))
    model = GuardedModel(endpoint, breaker)
    with pytest.raises(type(error)):
        await read(model.complete(GHOST))
    with pytest.raises(type(error)):
        await model.embed(["x"])
    for _ in range(3):
        with pytest.raises(CircuitOpenError):
            await read(model.complete(GHOST))

    assert (endpoint.calls, endpoint.running) == (2, 0)


def test_one_that_hangs_counts_though_the_caller_gives_up() -> None:
    async def story() -> None:
        breaker = Breaker("p", failures=2, clock=asyncio.get_running_loop().time)
        endpoint = ScriptedEndpoint((Turn((), hangs=True),))
        model = GuardedModel(endpoint, breaker, slow_after=lambda: 5.0)
        for seconds, state in ((4.0, "closed"), (6.0, "closed"), (6.0, "open")):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await read(model.complete(GHOST))
            assert breaker.state in (state, "half_open" if state == "open" else state)
        assert endpoint.running == 0

    run_virtual(story())


def test_a_slow_answer_that_is_there_counts_once_and_a_cut_short_one_is_a_success() -> None:
    async def story() -> None:
        breaker = Breaker("p", failures=2, clock=asyncio.get_running_loop().time)
        outcomes: list[str] = []
        settled = breaker.settle
        breaker.settle = lambda ticket, outcome: (outcomes.append(outcome), settled(ticket, outcome))[1]  # type: ignore[method-assign]
        slow = GuardedModel(ScriptedEndpoint((Turn(first_after=6),)), breaker, slow_after=lambda: 5.0)
        assert await read(slow.complete(GHOST)) == "ab"
        quick = GuardedModel(ScriptedEndpoint((Turn(hangs=True),)), breaker)
        async with aclosing(quick.complete(GHOST)) as stream:
            await anext(stream)
        never = GuardedModel(ScriptedEndpoint((Turn((), hangs=True),)), breaker)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await read(never.complete(GHOST))
        assert outcomes == ["failure", "success", "unknown"]

    run_virtual(story())


def test_a_probe_that_streams_long_enough_closes_it_before_its_end() -> None:
    async def story() -> None:
        breaker = Breaker("p", failures=1, probes=1, clock=asyncio.get_running_loop().time)
        endpoint = ScriptedEndpoint((FAILS, Turn("abcdefgh", between=0.4)))
        model = GuardedModel(endpoint, breaker)
        with pytest.raises(ProviderFailedError):
            await read(model.complete(GHOST))
        await asyncio.sleep(1)
        states = []
        async with aclosing(model.complete(GHOST)) as stream:
            async for _ in stream:
                states.append(breaker.state)
        assert states == ["half_open"] * 4 + ["closed"] * 5

    run_virtual(story())


def test_a_probe_that_hangs_makes_room_for_the_next() -> None:
    async def story() -> None:
        breaker = Breaker("p", failures=1, probes=1, clock=asyncio.get_running_loop().time)
        model = GuardedModel(ScriptedEndpoint((FAILS, Turn((), hangs=True), Turn())), breaker)
        with pytest.raises(ProviderFailedError):
            await read(model.complete(GHOST))
        await asyncio.sleep(1)
        hanging = asyncio.create_task(read(model.complete(GHOST)))
        await settle()
        assert not breaker.lets_through
        await asyncio.sleep(3)
        assert breaker.state == "open"
        await asyncio.sleep(2)
        assert await read(model.complete(GHOST)) == "ab"
        assert breaker.state == "closed"
        hanging.cancel()
        await settle()
        assert breaker.state == "closed"

    run_virtual(story())


class BreakerMachine(RuleBasedStateMachine):
    """Calls that overlap and end in any order, against what must be true of a breaker at any time."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.breaker = Breaker("p", failures=3, minimum=6, window=8, open_s=1, open_max_s=8, probes=2, clock=self.time)
        self.changes: list[tuple[str, str]] = []
        self.breaker.on_change = self.change
        self.probes: set[int] = set()
        self.opened_at = 0.0
        self.number = 0

    def change(self, before: str, after: str) -> None:
        self.changes.append((before, after))
        self.probes.clear()
        if after == "open":
            self.opened_at = self.time.now

    @rule(target=tickets)
    def admit(self) -> tuple[int, int] | None:
        state = self.breaker.state
        lets_through = self.breaker.lets_through
        self.number += 1
        if not lets_through:
            with pytest.raises(CircuitOpenError) as caught:
                self.breaker.admit()
            assert state == "open" or len(self.probes) == 2
            assert 0 < caught.value.retry_after <= 8
            return None
        ticket = self.breaker.admit()
        assert state != "open"
        if state == "half_open":
            self.probes.add(self.number)
        return self.number, ticket

    @rule(call=consumes(tickets), outcome=st.sampled_from(["success", "failure", "unknown"]))
    def settle(self, call: tuple[int, int] | None, outcome: Outcome) -> None:
        if call is None:
            return
        number, ticket = call
        before = self.breaker.state
        current = ticket == self.breaker._epoch
        self.probes.discard(number)
        self.breaker.settle(ticket, outcome)
        if not current or outcome == "unknown":
            assert self.breaker.state == before
        elif before == "half_open" and outcome == "failure":
            assert self.breaker.state == "open"
        elif outcome == "success":
            assert self.breaker.state != "open"

    @rule(seconds=st.sampled_from([0.1, 1.0, 8.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @invariant()
    def it_is_never_open_for_longer_than_its_bound(self) -> None:
        if self.breaker.state == "open":
            assert self.time.now - self.opened_at < 8
            assert 0 < self.breaker.opens_again_in <= 8

    @invariant()
    def it_changes_along_the_allowed_ways_only(self) -> None:
        allowed = {("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed")}
        assert set(self.changes) <= allowed
        assert all(one[1] == other[0] for one, other in itertools.pairwise(self.changes))

    @invariant()
    def probes_are_counted(self) -> None:
        if self.breaker.state == "half_open":
            assert self.breaker._probing == len(self.probes) <= 2


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
