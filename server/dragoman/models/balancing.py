"""Which of several endpoints that can all answer is asked, and which ones if that fails: strategies, each with its reason."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dragoman.models import limits
from dragoman.models.base import Model, Priority
from dragoman.models.breaker import Breaker
from dragoman.models.performance import Performance
from dragoman.models.pool import EndpointPool

StrategyName = Literal["adaptive", "least_busy", "round_robin", "weighted", "priority"]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """A model at a provider, as one of several that can answer the same request.

    ``model`` is the wrapped one to call; ``paid`` says that its tokens cost money.
    """

    model: Model
    performance: Performance
    breaker: Breaker | None = None
    pool: EndpointPool | None = None
    weight: float = 1.0
    paid: bool = False

    def __deepcopy__(self, memo: dict[int, object]) -> Endpoint:
        # A copy of a strategy speaks of the same endpoints.
        return self

    @property
    def name(self) -> str:
        """Provider and model, as messages name them."""
        return f"{self.performance.provider}/{self.performance.model}"

    @property
    def load(self) -> float:
        """How busy it is: calls that run or wait there, for each call that it can run at a time."""
        if self.pool is None:
            return float(self.performance.in_flight)
        return (self.pool.running + self.pool.waiting) / self.pool.max_concurrency

    @property
    def has_room(self) -> bool:
        """Whether a call would run there at once, as far as anybody here knows."""
        return self.pool is None or self.pool.has_room


class Strategy(Protocol):
    """A way to pick one of several endpoints, all of them able and healthy; there is always at least one."""

    @property
    def keeps_order(self) -> bool:
        """Whether the others are tried in the order they are given in, not the cheapest first."""
        ...

    def choose(self, candidates: Sequence[Endpoint]) -> int:
        """Return the index of the endpoint whose turn it is."""
        ...

    def explain(self, candidates: Sequence[Endpoint], index: int) -> str:
        """Return why `choose` has just returned ``index``, as a part of a sentence; in its own time, for few ask."""
        ...


class Adaptive:
    """Two endpoints at random, the cheaper one of them: near the best choice, and never everybody at the same endpoint."""

    keeps_order = False

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._other = 0

    def choose(self, candidates: Sequence[Endpoint]) -> int:
        """Return the cheaper of two by time to the first token, calls in flight and failures."""
        count = len(candidates)
        if count == 1:
            return 0
        first = int(self._chance.random() * count)
        second = int(self._chance.random() * (count - 1))
        second += second >= first
        if candidates[second].performance.cost < candidates[first].performance.cost:
            first, second = second, first
        self._other = second
        return first

    def explain(self, candidates: Sequence[Endpoint], index: int) -> str:
        """Return what both cost."""
        if len(candidates) == 1:
            return "the only one that can be asked now"
        other = candidates[self._other]
        return f"{_say_cost(candidates[index].performance)}, less than {other.name} with {_say_cost(other.performance)}"


class LeastBusy:
    """The endpoint with the fewest calls for what it can run at a time; of equals, the cheapest."""

    keeps_order = False

    def choose(self, candidates: Sequence[Endpoint]) -> int:
        """Return the least loaded one."""
        return min(range(len(candidates)), key=lambda one: (candidates[one].load, candidates[one].performance.cost))

    def explain(self, candidates: Sequence[Endpoint], index: int) -> str:
        """Return how busy it is."""
        return f"the least busy, {candidates[index].performance.in_flight} in flight"


class RoundRobin:
    """One after the other."""

    keeps_order = False

    def __init__(self) -> None:
        self._last: Endpoint | None = None

    def choose(self, candidates: Sequence[Endpoint]) -> int:
        """Return the one behind the one chosen last; when that one is gone, the first."""
        index = 0
        if self._last is not None and self._last in candidates:
            index = (candidates.index(self._last) + 1) % len(candidates)
        self._last = candidates[index]
        return index

    def explain(self, candidates: Sequence[Endpoint], index: int) -> str:
        """Return the rule."""
        del candidates, index
        return "next in turn"


class Weighted:
    """By weight, evenly spread: weights 5, 1, 1 give a a b a c a a and not a a a a a b c."""

    keeps_order = False

    def __init__(self) -> None:
        self._credit: dict[Endpoint, float] = {}

    def choose(self, candidates: Sequence[Endpoint]) -> int:
        """Give each its weight in credit, return the one with the most, and take everybody's weights from it."""
        total = sum(one.weight for one in candidates)
        self._credit = {one: self._credit.get(one, 0.0) + one.weight for one in candidates}
        index = max(range(len(candidates)), key=lambda one: self._credit[candidates[one]])
        self._credit[candidates[index]] -= total
        return index

    def explain(self, candidates: Sequence[Endpoint], index: int) -> str:
        """Return its share."""
        return f"its turn by weight, {candidates[index].weight:g} of {sum(one.weight for one in candidates):g}"


class InOrder:
    """The first in the order of the settings; the others are for when it fails."""

    keeps_order = True

    def choose(self, candidates: Sequence[Endpoint]) -> int:
        """Return the first."""
        del candidates
        return 0

    def explain(self, candidates: Sequence[Endpoint], index: int) -> str:
        """Return its place."""
        return f"number {index + 1} of {len(candidates)} in the order of the settings"


def make_strategy(name: StrategyName, chance: random.Random) -> Strategy:
    """Return a new strategy by its name in the settings."""
    makers: dict[StrategyName, Callable[[], Strategy]] = {
        "adaptive": lambda: Adaptive(chance),
        "least_busy": LeastBusy,
        "round_robin": RoundRobin,
        "weighted": Weighted,
        "priority": InOrder,
    }
    return makers[name]()


@dataclass(frozen=True, slots=True)
class Ranked:
    """An endpoint's place and why it is there."""

    endpoint: Endpoint
    why: str


class Balancer:
    """Puts endpoints in the order in which they are to be tried for one request.

    Endpoints that fail are left out until their breaker lets calls through again.
    Then background calls try them first, and a share of a person's: each breaker bounds how many at a time.
    """

    def __init__(self, strategy: StrategyName, *, chance: random.Random | None = None) -> None:
        # No secrets are drawn here, only lots.
        self._chance = chance or random.Random()  # noqa: S311
        self._strategy = make_strategy(strategy, self._chance)

    def order(self, endpoints: Sequence[Endpoint], priority: Priority = "interactive") -> list[Endpoint]:
        """Return the endpoints to try, the chosen one first; those that are left alone only where there are no others."""
        well, returning, ill = _sort_out(endpoints)
        if not well and not returning:
            # Nobody answers: the one that is tried again first says so, and when.
            return sorted(ill, key=_opens_in)
        front: list[Endpoint] = []
        if returning and (not well or priority == "background" or self._chance.random() < limits.HALF_OPEN_SHARE):
            front = [returning.pop(0)]
        if well:
            front.append(well.pop(self._strategy.choose(well)))
            if len(well) > 1 and not self._strategy.keeps_order:
                well.sort(key=_cost)
        return [*front, *well, *returning]

    def explain(self, endpoints: Sequence[Endpoint], priority: Priority = "interactive") -> list[Ranked]:
        """Return what the next request would find and why, those left out at the end; changes nothing."""
        trial = copy.deepcopy(self)
        order = trial.order(endpoints, priority)
        well, returning, ill = _sort_out(endpoints)
        ranked = []
        chosen = next((one for one in order if one in well), None)
        for place, one in enumerate(order):
            if one in ill:
                why = _say_open(one)
            elif one in returning:
                back = place == 0 and len(order) > 1
                why = "failed lately; " + ("finds out whether it is back" if back else "asked when the others fail")
            elif one is chosen:
                why = trial._strategy.explain(well, well.index(one))
            else:
                why = f"if the others fail: {_say_cost(one.performance)}"
            ranked.append(Ranked(one, why))
        return [*ranked, *(Ranked(one, _say_open(one)) for one in endpoints if one not in order)]


def _sort_out(endpoints: Sequence[Endpoint]) -> tuple[list[Endpoint], list[Endpoint], list[Endpoint]]:
    """Return those that are well, those that may be back, and those that are left alone."""
    well: list[Endpoint] = []
    returning: list[Endpoint] = []
    ill: list[Endpoint] = []
    for one in endpoints:
        if one.breaker is None or one.breaker.state == "closed":
            well.append(one)
        elif one.breaker.lets_through and one.has_room:
            # One whose slots are all taken by calls that hang can prove nothing yet.
            returning.append(one)
        else:
            ill.append(one)
    return well, returning, ill


def _cost(endpoint: Endpoint) -> float:
    return endpoint.performance.cost


def _opens_in(endpoint: Endpoint) -> float:
    return 0.0 if endpoint.breaker is None else endpoint.breaker.opens_again_in


def _say_open(endpoint: Endpoint) -> str:
    wait = _opens_in(endpoint)
    return f"left alone for another {wait:.1f} s: it failed too often" if wait else "being tried by other calls"


def _say_cost(performance: Performance) -> str:
    first = performance.first_token
    if first is None:
        return f"nothing known yet and {performance.in_flight} in flight"
    failures = f", {performance.failure_share:.0%} failed" if performance.failure_share >= 0.005 else ""
    return f"{first:.2f} s to the first token and {performance.in_flight} in flight{failures}"
