"""Which endpoint is asked first, in which order the others follow, and what a person is told about it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from dragoman.models.balancing import Balancer, Endpoint, StrategyName, make_strategy
from dragoman.models.breaker import Breaker
from dragoman.models.performance import Performance
from dragoman.models.pool import EndpointPool
from tests.support.scripted_endpoint import ScriptedEndpoint

STRATEGIES: list[StrategyName] = ["adaptive", "least_busy", "round_robin", "weighted", "priority"]


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


TIME = Time()


def endpoint(
    name: str,
    first_token: float | None = None,
    in_flight: int = 0,
    weight: float = 1.0,
    pool: EndpointPool | None = None,
) -> Endpoint:
    performance = Performance(name, "m", clock=TIME)
    if first_token is not None:
        performance.hear(TIME.now - first_token)
    performance.in_flight = in_flight
    return Endpoint(ScriptedEndpoint(), performance, Breaker(name, failures=1, clock=TIME), pool, weight)


def fail(one: Endpoint) -> None:
    assert one.breaker is not None
    one.breaker.settle(one.breaker.admit(), "failure")


def names(order: Sequence[Endpoint]) -> str:
    return "".join(one.performance.provider for one in order)


def balancer(name: StrategyName) -> Balancer:
    return Balancer(name, chance=random.Random(7))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_orders_all_that_are_well_once_and_leaves_out_the_dead(strategy: StrategyName) -> None:
    endpoints = [endpoint(name) for name in "abcd"]
    fail(endpoints[1])
    balance = balancer(strategy)
    for _ in range(20):
        assert sorted(names(balance.order(endpoints))) == ["a", "c", "d"]
    assert balance.order([]) == []


def test_adaptive_takes_the_cheaper_of_two_and_spreads_what_costs_the_same() -> None:
    endpoints = [endpoint("a", 0.1, in_flight=9), endpoint("b", 0.2), endpoint("c", 2.0)]
    balance = balancer("adaptive")
    firsts = Counter(names(balance.order(endpoints))[0] for _ in range(300))
    assert firsts["c"] == 0
    assert firsts["b"] > firsts["a"] > 50, "the best is not asked by everybody at once"
    equal = [endpoint(name, 0.2) for name in "abc"]
    firsts = Counter(names(balance.order(equal))[0] for _ in range(300))
    assert min(firsts.values()) > 70
    order = names(balance.order([endpoint("d", 4.0), endpoint("c", 2.0), endpoint("e", 9.0), endpoint("b", 1.0)]))
    assert order[1:] == "".join(sorted(order[1:])), "the others follow, the cheapest first"


def test_adaptive_tries_one_that_nothing_is_known_of() -> None:
    assert names(balancer("adaptive").order([endpoint("a", 0.2), endpoint("new")])) == "newa"


def test_least_busy_counts_calls_against_what_each_can_run() -> None:
    wide, narrow = EndpointPool("w", 8), EndpointPool("n", 1)
    wide._count, narrow._count = 4, 1
    assert names(balancer("least_busy").order([endpoint("n", pool=narrow), endpoint("w", pool=wide)])) == "wn"
    assert names(balancer("least_busy").order([endpoint("x", in_flight=2), endpoint("y", in_flight=1)])) == "yx"


def test_round_robin_goes_round_and_round_whatever_the_others_cost() -> None:
    endpoints = [endpoint("a", 5.0), endpoint("b", 0.1), endpoint("c", 0.2)]
    balance = balancer("round_robin")
    assert "".join(names(balance.order(endpoints))[0] for _ in range(7)) == "abcabca"


def test_weights_are_kept_and_spread_evenly() -> None:
    endpoints = [endpoint("a", weight=5), endpoint("b", weight=1), endpoint("c", weight=1)]
    balance = balancer("weighted")
    assert "".join(names(balance.order(endpoints))[0] for _ in range(14)) == "aabacaa" * 2
    fail(endpoints[0])
    assert "".join(names(balance.order(endpoints))[0] for _ in range(4)) in ("bcbc", "cbcb")


def test_priority_keeps_to_the_order_of_the_settings() -> None:
    endpoints = [endpoint("a", 9.0), endpoint("b", 5.0), endpoint("c", 0.1)]
    assert names(balancer("priority").order(endpoints)) == "abc"


def test_one_that_may_be_back_is_tried_by_background_and_by_a_share_of_the_others() -> None:
    endpoints = [endpoint("a"), endpoint("b")]
    fail(endpoints[1])
    balance = balancer("priority")
    assert names(balance.order(endpoints, "background")) == "a"
    TIME.now += 2
    assert names(balance.order(endpoints, "background")) == "ba"
    firsts = Counter(names(balance.order(endpoints))[0] for _ in range(500))
    assert 20 < firsts["b"] < 100
    assert all(len(balance.order(endpoints)) == 2 for _ in range(50)), "it is the last resort of the others"

    breaker = endpoints[1].breaker
    assert breaker is not None
    breaker.admit()
    breaker.admit()
    assert names(balance.order(endpoints, "background")) == "a", "enough try it by now"


def test_one_that_may_be_back_is_not_tried_while_calls_that_hang_hold_all_its_slots() -> None:
    pool = EndpointPool("b", 1)
    endpoints = [endpoint("a"), endpoint("b", pool=pool)]
    fail(endpoints[1])
    TIME.now += 2
    pool._count = 1
    assert names(balancer("priority").order(endpoints, "background")) == "a"
    pool._count = 0
    assert names(balancer("priority").order(endpoints, "background")) == "ba"


def test_where_everybody_is_left_alone_the_next_to_come_back_says_when() -> None:
    endpoints = [endpoint("a"), endpoint("b")]
    fail(endpoints[1])
    TIME.now += 0.5
    fail(endpoints[0])
    assert names(balancer("adaptive").order(endpoints)) == "ba"
    TIME.now += 0.6
    assert names(balancer("adaptive").order(endpoints)) == "b"


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        (
            "adaptive",
            "0.20 s to the first token and 1 in flight, less than b/m with 0.90 s to the first token and 0 in flight",
        ),
        ("least_busy", "the least busy, 0 in flight"),
        ("round_robin", "next in turn"),
        ("weighted", "its turn by weight, 1 of 2"),
        ("priority", "number 1 of 2 in the order of the settings"),
    ],
)
def test_a_person_is_told_why_and_asking_changes_nothing(strategy: StrategyName, why: str) -> None:
    endpoints = [endpoint("a", 0.2, in_flight=1), endpoint("b", 0.9), endpoint("c")]
    fail(endpoints[2])
    balance = balancer(strategy)
    told = [balance.explain(endpoints) for _ in range(3)]
    assert told[0] == told[1] == told[2]
    first, other, dead = told[0]
    assert first.why == why
    assert other.why.startswith("if the others fail: 0.")
    assert (dead.endpoint, dead.why) == (endpoints[2], "left alone for another 1.0 s: it failed too often")
    assert balance.order(endpoints)[0] is first.endpoint


def test_failures_and_the_unknown_are_told_too() -> None:
    failing, unknown = endpoint("a", 0.2), endpoint("b", in_flight=3)
    failing.performance.record(0.1, success=False)
    strategy = make_strategy("adaptive", random.Random(1))
    assert strategy.choose([failing, unknown]) == 0
    assert strategy.explain([failing, unknown], 0) == (
        "0.20 s to the first token and 0 in flight, 10% failed, less than b/m with nothing known yet and 3 in flight"
    )
    (only,) = balancer("adaptive").explain([failing])
    assert only.why == "the only one that can be asked now"


def test_one_that_may_be_back_is_told_of() -> None:
    endpoints = [endpoint("a"), endpoint("b")]
    fail(endpoints[1])
    TIME.now += 2
    told = balancer("priority").explain(endpoints, "background")
    assert [one.why for one in told] == [
        "failed lately; finds out whether it is back",
        "number 1 of 1 in the order of the settings",
    ]
    assert "failed lately; asked when the others fail" in {
        one.why for _ in range(20) for one in balancer("priority").explain(endpoints)
    }
