"""The one way to a model: who is there, what each can do, and which one answers for a role."""

from __future__ import annotations

import asyncio
import difflib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dragoman.cancellation import TaskSet
from dragoman.clock import Clock, monotonic
from dragoman.errors import CircuitOpenError, ModelError, ModelNotFoundError, NoModelError, ProviderUnreachableError
from dragoman.limits import CATALOGUE_GONE_SECONDS, CATALOGUE_RETRY_SECONDS, CATALOGUE_SECONDS
from dragoman.models.balancing import Ranked, StrategyName
from dragoman.models.base import Model, ModelInfo, Provider, Role
from dragoman.models.requirements import NONE, Requirements
from dragoman.models.routing import FORGETFUL, Router
from dragoman.models.selection import Choice, Offer, Source, Wishes, choose
from dragoman.models.warming import Warmed, Warmer

if TYPE_CHECKING:
    from dragoman.models.embedding_cache import EmbeddingCache
    from dragoman.security.redaction import Redactor

logger = logging.getLogger(__name__)


class ModelManager:
    """Keeps a catalogue of what the providers offer and picks from it.

    The catalogue is read on first use, believed for `CATALOGUE_SECONDS` and then read again in the background, so only
    the very first caller ever waits for it. A provider that had models and has none is asked again sooner.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        wishes: Mapping[Role, Wishes],
        clock: Clock = monotonic,
        *,
        redact: bool = True,
        redact_extra: Sequence[str] = (),
        strategy: StrategyName = "adaptive",
        local_only: bool = False,
    ) -> None:
        self._sources = tuple(sources)
        self._wishes = dict(wishes)
        self._clock = clock
        self._offers: tuple[Offer, ...] = ()
        self._read_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._known: set[str] = set()
        self._looked_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._tasks = TaskSet()
        self._local_only = local_only
        self.router = Router(strategy, self._protect, clock=clock)
        """What is known of every endpoint, and where every call is told."""
        self.router.on_breaker = lambda _provider, _state: self.invalidate()
        self._redact = redact
        self._redact_extra = tuple(redact_extra)
        self._redactor: Redactor | None = None
        self._vectors: EmbeddingCache | None = None
        self.warmer = Warmer(self.to_warm, clock=clock)
        """Keeps the model for ghost text loaded once it is started."""
        self.on_change: Callable[[], None] = lambda: None
        """Called after each reading of the catalogue."""

    # -- the catalogue -------------------------------------------------------------------------------------------------

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Every provider that is configured, detected or built in, whether it answers or not."""
        return tuple(source.provider for source in self._sources)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What each source had when it was last asked; empty before the first reading."""
        return self._offers

    def catalog(self) -> list[ModelInfo]:
        """Return every model of every provider that answered."""
        return [info for offer in self._offers for info in offer.models]

    async def refresh(self) -> None:
        """Ask every provider now what it has; several callers share one reading."""
        if (reading := self._start_reading()) is not None:
            await asyncio.shield(reading)

    def _start_reading(self) -> asyncio.Task[None] | None:
        """Return the reading that runs, begun now if there is none; None when the manager is closed."""
        if not self._tasks.closed and (self._reading is None or self._reading.done()):
            self._reading = self._tasks.start(self._read(), name="catalogue")
        return None if self._tasks.closed else self._reading

    async def _read(self) -> None:
        if self._redact and self._redactor is None and not all(one.provider.is_local for one in self._sources):
            # Its tables take a tenth of a second: better now and beside the event loop than at the first key.
            await asyncio.to_thread(self._load_redactor)
        offers = tuple(await asyncio.gather(*(_ask(source) for source in self._sources)))
        self._read_at = self._looked_at = self._clock()
        self._take(offers)

    async def _look_for_the_gone(self) -> None:
        """Ask only those again whose models are gone; what the others have is still believed."""
        asked = [offer for offer in self._offers if self._is_gone(offer)]
        found = await asyncio.gather(*(_ask(offer.source) for offer in asked))
        news = {offer.source.provider.name: offer for offer in found if offer.models}
        if news:
            self._take(tuple(news.get(offer.source.provider.name, offer) for offer in self._offers))

    def _take(self, offers: tuple[Offer, ...]) -> None:
        if self._offers:
            _note_changes(self._offers, offers)
        self._offers = offers
        self._known.update(offer.source.provider.name for offer in offers if offer.models)
        self.router.resize(self._sources)
        self.on_change()

    def _is_gone(self, offer: Offer) -> bool:
        return not offer.models and offer.source.provider.name in self._known

    def _refresh_if_stale(self) -> None:
        usable = any(offer.models for offer in self._offers)
        lifetime = CATALOGUE_SECONDS if usable else CATALOGUE_RETRY_SECONDS
        stale = self._read_at is None or self._clock() - self._read_at > lifetime
        if stale:
            self._start_reading()
        elif any(map(self._is_gone, self._offers)):
            self._start_looking()

    def _start_looking(self) -> None:
        idle = self._looking is None or self._looking.done()
        if idle and not self._tasks.closed and self._clock() - self._looked_at > CATALOGUE_GONE_SECONDS:
            self._looked_at = self._clock()
            self._looking = self._tasks.start(self._look_for_the_gone(), name="catalogue of the gone")

    def invalidate(self) -> None:
        """Stop believing the catalogue: the next call reads it again, in the background where there is an old one."""
        self._read_at = None

    # -- choosing ------------------------------------------------------------------------------------------------------

    async def choose(self, role: Role, needs: Requirements = NONE) -> Choice:
        """Return who fills ``role`` now and who else was looked at; waits only before the first reading."""
        if not self._offers and self._sources:
            await self.refresh()
        else:
            self._refresh_if_stale()
        return self.current(role, needs)

    def current(self, role: Role, needs: Requirements = NONE) -> Choice:
        """Return the same from the catalogue as it is, without waiting."""
        if self._local_only and not needs.local_only:
            needs = replace(needs, local_only=True)
        return choose(role, self._offers, self._wishes.get(role, Wishes()), needs)

    async def for_role(self, role: Role, needs: Requirements = NONE) -> Model:
        """Return the model to call for ``role``; raises `NoModelError` or `ProviderUnreachableError`.

        It is several endpoints where several can answer: which one is asked is decided at each request.
        """
        return self.routed(await self.decide(role, needs))

    def routed(self, choice: Choice) -> Model:
        """Return what to call for a choice that has a model."""
        return self.router.route(choice.role, choice.able)

    def model(self, source: Source, info: ModelInfo, role: Role | None = None) -> Model:
        """Return one model at one provider to call, with no other to stand in for it.

        A model that is not on this machine comes in a wrapper that lets no secret through: nobody else may ask its provider.
        """
        return self.router.model(source, info, role)

    def redactor_for(self, source: Source) -> Redactor | None:
        """Return what takes secrets out of all that goes to a provider; None where nothing does."""
        return None if source.provider.is_local or not self._redact else self._load_redactor()

    def _protect(self, source: Source, model: Model) -> Model:
        redactor = self.redactor_for(source)
        if redactor is None:
            return model
        # Here and not above: its tables take time and memory, and most have their model on this machine.
        from dragoman.models.redacted import RedactedModel

        return RedactedModel(model, redactor)

    def _load_redactor(self) -> Redactor:
        from dragoman.security.redaction import Redactor

        if self._redactor is None:
            self._redactor = Redactor([re.compile(pattern) for pattern in self._redact_extra])
        return self._redactor

    async def source_for(self, role: Role) -> tuple[Source, ModelInfo]:
        """Return where the model for ``role`` is and what it is; raises as `for_role`."""
        choice = await self.decide(role, NONE)
        return choice.able[0].source, choice.able[0].info

    async def decide(self, role: Role, needs: Requirements = NONE) -> Choice:
        """Return a choice that has a model; raises as `for_role`."""
        choice = await self.choose(role, needs)
        if not choice.able:
            configured = any(offer.source.origin == "configured" and offer.trouble for offer in self._offers)
            failure = ProviderUnreachableError if configured else NoModelError
            raise failure(choice.problem, hint=choice.hint)
        return choice

    async def embed(self, texts: Sequence[str], needs: Requirements = NONE) -> list[list[float]]:
        """Return a vector for each text, all of one length, from the model of the role ``embedding``; raises as `for_role`.

        What was asked lately is remembered, and long lists go in batches that servers take.
        """
        from dragoman.models.embedding_cache import CachedEmbedder, EmbeddingCache

        if self._vectors is None:
            self._vectors = EmbeddingCache()
        return await CachedEmbedder(await self.for_role("embedding", needs), self._vectors).embed(texts)

    def to_warm(self) -> list[Warmed]:
        """Return the models that a user will ask for and whose servers would have to load them then."""
        first = self.current("completion").able[:1]
        return [self.router.warmed(one.source, one.info) for one in first if one.source.provider.kind in FORGETFUL]

    async def explain(self, role: Role, needs: Requirements = NONE) -> tuple[Choice, list[Ranked]]:
        """Return the choice for ``role``, and the endpoints in the order in which the next request would try them."""
        choice = await self.choose(role, needs)
        return choice, self.router.explain(role, choice.able) if choice.able else []

    async def named(self, name: str) -> Model:
        """Return a model by its exact name; raises `ModelNotFoundError` with the nearest name."""
        if not self._offers:
            await self.refresh()
        for offer in self._offers:
            for info in offer.models:
                if info.name == name:
                    return self.model(offer.source, info)
        nearest = difflib.get_close_matches(name, [info.name for info in self.catalog()], n=1, cutoff=0.3)
        hint = f"The nearest is {nearest[0]!r}." if nearest else "`dragoman models list` shows what there is."
        raise ModelNotFoundError(f"No provider has a model {name!r}.", hint=hint)

    def pin(self, role: Role, name: str | None) -> None:
        """Use the model called ``name`` for ``role`` until the process ends; None lifts it."""
        wishes = self._wishes.get(role, Wishes())
        self._wishes[role] = Wishes(wishes.patterns, wishes.written, name)

    def report_failure(self, provider: str, error: ModelError) -> None:
        """Learn that a call failed; an unreachable provider is asked again soon whether it is back."""
        logger.info("provider %r failed: %s", provider, error.code)
        if isinstance(error, ProviderUnreachableError) and not isinstance(error, CircuitOpenError):
            self.invalidate()

    async def aclose(self) -> None:
        """Close every provider's connections."""
        await self.warmer.aclose()
        await self._tasks.aclose()
        await asyncio.gather(*(provider.aclose() for provider in self.providers), return_exceptions=True)


def _note_changes(before: Sequence[Offer], after: Sequence[Offer]) -> None:
    """Write down which models came and which went: whoever wonders later why another one answers finds it in the log."""
    had, has = ({(info.provider, info.name) for offer in offers for info in offer.models} for offers in (before, after))
    for provider, name in sorted(has - had):
        logger.info("model %r of %r is there now", name, provider)
    for provider, name in sorted(had - has):
        logger.info("model %r of %r is gone", name, provider)


async def _ask(source: Source) -> Offer:
    """Probe one source and list its models; never raises."""
    provider = source.provider
    status = await provider.probe()
    if not status.reachable:
        return Offer(source, status, problem=status.problem)
    try:
        return Offer(source, status, tuple(await provider.models()))
    except ModelError as error:
        logger.info("models of %r cannot be listed: %s", provider.name, error)
        return Offer(source, status, problem=error.message, hint=error.hint)
