"""From a choice to a model to call: every endpoint in its wrappers, and those that can stand in for each other as one model.

Around a provider's model, the innermost first: tools for models without, redaction (where it is not on this machine; it
looks through calls of tools as calls, so it stands around them), its circuit breaker, the provider's pool, its figures, the meter.
Around the endpoints of a role: the next one when one fails, a second one when ghost text is late, and another try of all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar

from dragoman.clock import Clock, monotonic
from dragoman.models import limits
from dragoman.models.balancing import Balancer, Endpoint, Ranked, StrategyName
from dragoman.models.base import Model, ModelInfo, Priority, Role
from dragoman.models.breaker import Breaker, GuardedModel, State
from dragoman.models.fallback import FallbackModel
from dragoman.models.hedging import HedgeBudget, HedgedModel
from dragoman.models.metering import CallMeter, MeteredModel
from dragoman.models.performance import MeasuredModel, PerformanceBook
from dragoman.models.pool import EndpointPool, PooledModel
from dragoman.models.retry import RetryingModel
from dragoman.models.selection import Able, Source
from dragoman.models.warming import Warmed

FORGETFUL = frozenset({"ollama", "localai"})
"""Kinds of servers that load a model when it is first asked, and forget it when nobody asks for some minutes."""

Protect = Callable[[Source, Model], Model]
"""Puts around a provider's model what must be nearest to it, whoever asks."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""For which request of a door the current task calls models; a door sets it."""


class Router:
    """Keeps what is known of every endpoint, for as long as the process lives."""

    def __init__(
        self,
        strategy: StrategyName,
        protect: Protect,
        *,
        chance: random.Random | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._strategy = strategy
        self._protect = protect
        self._chance = chance
        self._clock = clock
        self._pools: dict[str, EndpointPool] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._endpoints: dict[tuple[str, ModelInfo, Role | None], Endpoint] = {}
        self._pooled: dict[tuple[str, ModelInfo, Role | None], Model] = {}
        self._balancers: dict[Role, Balancer] = {}
        self._routes: dict[Role, tuple[tuple[Able, ...], Model, list[Endpoint]]] = {}
        self._hedging = HedgeBudget()
        self.book = PerformanceBook(clock=clock)
        """The figures of every endpoint."""
        self.meter = CallMeter()
        """Where every call is told."""
        self.on_breaker: Callable[[str, str], None] = lambda _provider, _state: None
        """Called with a provider's name and the new state when one of its breakers changes."""

    # -- endpoints -----------------------------------------------------------------------------------------------------

    def endpoint(self, source: Source, info: ModelInfo, role: Role | None = None) -> Endpoint:
        """Return a model at its provider in all of its wrappers; the same one for as long as it is described the same."""
        provider = source.provider
        pool = self._pool(source)
        key = (provider.name, info, role)
        if key not in self._endpoints:
            performance = self.book.of(provider.name, info.name)
            breaker = self._breaker(provider.name, info.name, pool)
            model = self._protect(source, _with_tools(provider.model(info), role))
            # A server on this machine may take its time to load a model: that is no illness.
            slow_after = (lambda: None) if provider.is_local else (lambda: performance.late_after)
            model = self._pooled[key] = PooledModel(GuardedModel(model, breaker, slow_after=slow_after), pool)
            model = MeteredModel(
                MeasuredModel(model, performance), self.meter, role=role, request_id=request_id.get, clock=self._clock
            )
            self._endpoints[key] = Endpoint(model, performance, breaker, pool, source.habits.weight, source.habits.paid)
        return self._endpoints[key]

    def model(self, source: Source, info: ModelInfo, role: Role | None = None) -> Model:
        """Return one endpoint alone to call, which is asked again when it fails."""
        endpoint = self.endpoint(source, info, role)
        return RetryingModel(FallbackModel(endpoint.model.info, lambda _: (endpoint,)), attempts=source.habits.attempts)

    def resize(self, sources: Iterable[Source]) -> None:
        """Take in how many calls each provider can run: some servers tell only when they are asked for their models."""
        for source in sources:
            pool = self._pools.get(source.provider.name)
            if pool is not None and pool.max_concurrency != source.provider.max_concurrency:
                pool.resize(source.provider.max_concurrency)

    def _pool(self, source: Source) -> EndpointPool:
        provider = source.provider
        pool = self._pools.get(provider.name)
        if pool is None:
            pool = EndpointPool(
                provider.name, provider.max_concurrency, keeps_models=source.habits.keeps, clock=self._clock
            )
            self._pools[provider.name] = pool
        return pool

    def _breaker(self, provider: str, model: str, pool: EndpointPool) -> Breaker:
        key = (provider, model)
        if key in self._breakers:
            return self._breakers[key]
        breaker = self._breakers[key] = Breaker(provider, clock=self._clock)

        def tell(_before: State, after: State) -> None:
            if after == "open":
                pool.turn_away(model, breaker.explain)
            elif after == "closed":
                # Else those who share out requests would avoid it for as long as they remember how ill it was.
                self.book.of(provider, model).forgive()
            self.on_breaker(provider, after)

        breaker.on_change = tell
        return breaker

    def warmed(self, source: Source, info: ModelInfo) -> Warmed:
        """Return a model as it is kept loaded: in its pool's queue, but in nobody's figures or bill."""
        endpoint = self.endpoint(source, info)
        model = self._pooled[source.provider.name, info, None]
        unloads = source.provider.kind in FORGETFUL
        return Warmed(model, source.provider.is_local, unloads, lambda: endpoint.performance.last_used)

    # -- roles ---------------------------------------------------------------------------------------------------------

    def route(self, role: Role, able: tuple[Able, ...]) -> Model:
        """Return those who can fill a role as one model; the first of them is who is meant, there is at least one."""
        kept = self._routes.get(role)
        if kept is None or kept[0] != able:
            kept = (able, *self._make(role, able))
            self._routes[role] = kept
        return kept[1]

    def explain(self, role: Role, able: tuple[Able, ...]) -> list[Ranked]:
        """Return the endpoints that share the role's requests as the next one would find them, with reasons."""
        same, others = stand_ins(role, able)
        ranked = self.balancer(role).explain([self.endpoint(one.source, one.info, role) for one in same])
        behind = (self.endpoint(one.source, one.info, role) for one in others)
        return [*ranked, *(Ranked(one, "stands in when those fail") for one in behind)]

    def balancer(self, role: Role) -> Balancer:
        """Return what orders a role's endpoints."""
        if role not in self._balancers:
            self._balancers[role] = Balancer(self._strategy, chance=self._chance)
        return self._balancers[role]

    def _make(self, role: Role, able: Sequence[Able]) -> tuple[Model, list[Endpoint]]:
        same, others = stand_ins(role, able)
        endpoints = [self.endpoint(one.source, one.info, role) for one in same]
        behind = [self.endpoint(one.source, one.info, role) for one in others]
        balancer = self.balancer(role)

        def chain(priority: Priority) -> Sequence[Endpoint]:
            ordered = balancer.order(endpoints, priority)
            if not behind:
                return ordered
            tried = [*ordered, *behind]
            # Whom nobody should ask now comes last, whatever its rank.
            return sorted(tried, key=lambda one: one.breaker is not None and not one.breaker.lets_through)

        info = endpoints[0].model.info
        # Another model is no rival, only who stands in; another one of the same family is, for ghost text.
        rivals = [*endpoints, *behind] if role == "completion" else endpoints
        if role != "embedding" and len(rivals) > 1:
            model: Model = HedgedModel(info, chain, budget=self._hedging, rivals=rivals)
        else:
            model = FallbackModel(info, chain)
        # Where there is somebody else to ask, a second round is the last one.
        attempts = able[0].source.habits.attempts
        if len(endpoints) + len(behind) > 1:
            attempts = min(attempts, limits.RETRY_ATTEMPTS_OF_SEVERAL)
        return RetryingModel(model, attempts=attempts), endpoints

    # -- what others see -----------------------------------------------------------------------------------------------

    def states(self) -> dict[tuple[str, str], str]:
        """Return the state of each endpoint's breaker by provider and model."""
        return {key: breaker.state for key, breaker in self._breakers.items()}

    def pools(self) -> Iterable[EndpointPool]:
        """Return the pool of every provider that was ever asked."""
        return self._pools.values()


def stand_ins(role: Role, able: Sequence[Able]) -> tuple[list[Able], list[Able]]:
    """Return who shares a role's requests with the winner, the same model elsewhere, and who is asked when these fail.

    Nobody stands in who is on another machine while the winner is on this one, unless a person named it for the role: a
    server that is down must not be the reason that text leaves the machine.
    Ghost text does not even then: which files may be sent was decided for the winner's place.
    A prompt for ghost text is written for a family, and vectors of two models cannot be compared: only the like stand in there.
    """
    winner = able[0]
    near = [
        one
        for one in able
        if (one.named and role != "completion")
        or one.source.provider.is_local
        or not winner.source.provider.is_local
        or one is winner
    ]
    same = [one for one in near if one is winner or _is_same(one.info, winner.info)]
    others = [one for one in near if one not in same]
    if role == "completion":
        others = [one for one in others if _fills_alike(one.info, winner.info)]
    elif role == "embedding":
        others = []
    return same, others


def _is_same(one: ModelInfo, other: ModelInfo) -> bool:
    return plain_name(one.name) == plain_name(other.name) and _fills_alike(one, other)


def _fills_alike(one: ModelInfo, other: ModelInfo) -> bool:
    return one.fim_family == other.fim_family and ("fim" in one.capabilities) == ("fim" in other.capabilities)


def plain_name(name: str) -> str:
    """Return a model's name without registry and case: the same model is called differently by two servers."""
    return name.lower().rsplit("/", 1)[-1].removesuffix(":latest").removesuffix(".gguf")


def _with_tools(model: Model, role: Role | None) -> Model:
    """Help a model without tools of its own to them, where tools may be asked for."""
    if role in ("completion", "embedding") or "chat" not in model.info.capabilities:
        return model
    # Here and not above: ghost text, which comes first, needs none of it.
    from dragoman.models.tool_calls import ToolCallingModel

    return ToolCallingModel(model)
