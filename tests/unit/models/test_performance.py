"""What is known of how an endpoint does, and what one more call there would cost."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import ContextOverflowError, ProviderFailedError
from dragoman.models.base import Usage
from dragoman.models.performance import MeasuredModel, PeakMean, Performance, PerformanceBook
from tests.support.scripted_endpoint import GHOST, ScriptedEndpoint, Turn, read
from tests.support.virtual_time import run_virtual


def test_a_peak_counts_at_once_and_fades_to_what_is_usual() -> None:
    mean = PeakMean()
    for second in range(100):
        mean.add(0.2, second)
    assert mean.read(100) == pytest.approx(0.2, rel=0.01)
    mean.add(10.0, 100)
    assert mean.read(100) == pytest.approx(10.0)
    assert 3 < mean.read(110) < 4
    assert 0.2 < mean.read(160) < 0.35


def test_what_is_always_slow_is_not_forgotten_while_nobody_asks() -> None:
    slow, quick = PeakMean(), PeakMean()
    for second in range(50):
        slow.add(1.0, second)
        quick.add(0.2, second + 60)
    assert slow.read(170) > quick.read(170)
    assert slow.read(50 + 600) == pytest.approx(1 / math.e, rel=0.01), "but it is forgotten in the end"


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1000)), min_size=1, max_size=50))
def test_it_stays_between_nothing_and_the_highest_peak(samples: list[tuple[float, float]]) -> None:
    mean, now, highest = PeakMean(), 0.0, 0.0
    for value, pause in samples:
        now += pause
        highest = max(highest, value)
        mean.add(value, now)
        assert value <= mean.read(now) + 1e-9 or mean.read(now) <= highest
        assert 0 <= mean.read(now + 5) <= mean.read(now) <= highest + 1e-9


def measured(*turns: Turn) -> tuple[Performance, MeasuredModel]:
    performance = Performance("p", "m", clock=asyncio.get_running_loop().time)
    return performance, MeasuredModel(ScriptedEndpoint(turns), performance)


def test_times_speed_and_calls_in_flight_are_kept() -> None:
    async def story() -> None:
        turn = Turn(first_after=0.5, between=1.0, usage=Usage(7, 21))
        performance, model = measured(turn)
        assert performance.snapshot().first_token is None
        async with aclosing(model.complete(GHOST)) as stream:
            async for _ in stream:
                assert performance.in_flight == 1
        for _ in range(9):
            await read(model.complete(GHOST))
        figures = performance.snapshot()
        assert (figures.calls, figures.failures, figures.in_flight) == (10, 0, 0)
        assert (figures.first_token, figures.latency) == pytest.approx((0.5, 2.5), rel=0.2)
        assert figures.first_token_p95 == pytest.approx(0.5)
        assert figures.tokens_per_second == pytest.approx(10)
        assert performance.last_used == pytest.approx(22.5)

    run_virtual(story())


def test_failures_make_it_dearer_and_what_is_the_requests_fault_does_not() -> None:
    async def story() -> None:
        performance, model = measured(
            Turn(first_after=0.1),
            Turn((), error=ContextOverflowError("long")),
            Turn(first_after=0.1),
            Turn((), error=ProviderFailedError("500")),
        )
        await read(model.complete(GHOST))
        with pytest.raises(ContextOverflowError):
            await read(model.complete(GHOST))
        await read(model.complete(GHOST))
        assert (performance.calls, performance.failures, performance.last_error) == (2, 0, None)
        before = performance.cost
        for _ in range(5):
            with pytest.raises(ProviderFailedError):
                await model.embed(["x"])
        assert (performance.failures, performance.last_error) == (5, "provider_failed")
        assert performance.cost > 1.5 * before

    run_virtual(story())


def test_one_that_hangs_is_dear_though_nobody_waits_for_its_end() -> None:
    async def story() -> None:
        performance, model = measured(Turn((), hangs=True))
        assert performance.cost == 0, "worth a try"
        hanging = asyncio.create_task(read(model.complete(GHOST)))
        await asyncio.sleep(0.8)
        assert performance.cost == pytest.approx(1.0), "but not a second one at the same time"
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert performance.in_flight == 0
        assert performance.cost == pytest.approx(0.8)

    run_virtual(story())


def test_one_that_never_answered_and_fails_is_not_taken_for_a_quick_one_but_forgiven() -> None:
    async def story() -> None:
        performance, model = measured(Turn((), error=ProviderFailedError("500")))
        with pytest.raises(ProviderFailedError):
            await read(model.complete(GHOST))
        assert performance.cost > 1.0
        await asyncio.sleep(60)
        assert 0 < performance.cost < 0.2

    run_virtual(story())


@pytest.mark.parametrize(("usual", "late"), [(None, 20.0), (0.1, 3.0), (0.5, 5.0), (9.0, 20.0)])
def test_what_is_late_beyond_doubt_is_many_times_what_is_usual(usual: float | None, late: float) -> None:
    performance = Performance("p", "m", clock=lambda: 100.0)
    for _ in range(0 if usual is None else 20):
        performance.hear(100.0 - (usual or 0.0))
    assert performance.late_after == pytest.approx(late)


def test_the_book_keeps_a_page_for_each_endpoint() -> None:
    book = PerformanceBook()
    book.record("p", "m", 1.5, success=True)
    book.record("p", "m", 0.1, success=False)
    assert book.of("p", "m") is book.of("p", "m")
    assert book.of("q", "m").calls == 0
    first, second = book.snapshot()
    assert (first.provider, first.calls, first.failures, first.failure_share) == ("p", 2, 1, pytest.approx(0.1))
    assert (second.provider, second.latency) == ("q", None)
