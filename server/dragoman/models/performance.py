"""How endpoints do: the time to the first token and to the end, failures, speed, and how much runs there now."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from dragoman.clock import Clock, monotonic
from dragoman.errors import ModelError
from dragoman.models import limits
from dragoman.models.base import Chunk, Model
from dragoman.models.faults import find_fault
from dragoman.models.wrapper import ModelWrapper, Request, open_stream, says_something


class PeakMean:
    """A mean over time that jumps to every peak at once; a peak fades in seconds, what is usual is remembered for minutes.

    So one slow answer is enough to go round an endpoint, half a minute later it is tried again, and one that is always slow
    is not tried again and again just because it is idle.
    """

    __slots__ = ("_above", "_at", "_usual", "samples")

    def __init__(self) -> None:
        self._usual = 0.0
        self._above = 0.0
        self._at = 0.0
        self.samples = 0

    def add(self, value: float, now: float) -> None:
        """Take in a measured value."""
        before = self.read(now)
        if self.samples:
            # One peak does not change what is usual.
            bounded = min(value, max(limits.PERFORMANCE_OUTLIER * self._usual, limits.PERFORMANCE_OUTLIER_FROM_S))
            self._usual += limits.PERFORMANCE_WEIGHT * (bounded - self._usual)
            kept = math.exp(-max(0.0, now - self._at) / limits.PERFORMANCE_DECAY_S)
            level = value if value > before else before * kept + value * (1 - kept)
            self._above = max(0.0, level - self._usual)
        else:
            self._usual = value
        self._at = now
        self.samples += 1

    def add_at_least(self, value: float, now: float) -> None:
        """Take in that it was at least ``value``: what was given up says nothing about shorter times."""
        if value > self.read(now):
            self.add(value, now)

    def forgive(self, now: float) -> None:
        """Forget the peak, and go by what is usual."""
        usual = self._usual * math.exp(-max(0.0, now - self._at) / limits.PERFORMANCE_FORGET_S)
        self._usual, self._above, self._at = usual, 0.0, now

    def read(self, now: float) -> float:
        """Return the value as it stands now; 0 before the first measurement."""
        idle = max(0.0, now - self._at)
        usual = self._usual * math.exp(-idle / limits.PERFORMANCE_FORGET_S)
        return usual + self._above * math.exp(-idle / limits.PERFORMANCE_DECAY_S)


@dataclass(frozen=True, slots=True)
class PerformanceSnapshot:
    """An endpoint's figures at one moment; times in seconds, None where nothing was measured yet."""

    provider: str
    model: str
    calls: int
    failures: int
    failure_share: float
    in_flight: int
    first_token: float | None
    first_token_p95: float | None
    latency: float | None
    tokens_per_second: float | None
    last_error: str | None


class Performance:
    """The running figures of one model at one provider."""

    def __init__(self, provider: str, model: str, *, clock: Clock = monotonic) -> None:
        self.provider = provider
        self.model = model
        self.in_flight = 0
        self.calls = 0
        self.failures = 0
        self.last_error: str | None = None
        self.last_used: float | None = None
        self._clock = clock
        self._first_token = PeakMean()
        self._latency = PeakMean()
        self._failure_share = 0.0
        self._judged_at = 0.0
        self._tokens_per_second: float | None = None
        self._firsts: deque[float] = deque(maxlen=limits.PERFORMANCE_SAMPLES)
        self._p95: float | None = None

    # -- taking in -----------------------------------------------------------------------------------------------------

    def begin(self) -> float:
        """Count a call that begins, and return when that was."""
        self.in_flight += 1
        self.last_used = self._clock()
        return self.last_used

    def hear(self, began: float) -> float:
        """Take in that the first token of the call that ``began`` then is there; return when that was."""
        now = self._clock()
        self._first_token.add(now - began, now)
        self._firsts.append(now - began)
        self._p95 = None
        return now

    def end(self, began: float, *, success: bool | None, heard: float | None = None, tokens: int = 0) -> None:
        """Count a call that ended; ``success`` is None for one that was given up, ``heard`` is what `hear` returned."""
        self.in_flight -= 1
        now = self._clock()
        if heard is None and (success is None or self._first_token.samples):
            self._first_token.add_at_least(now - began, now)
        if success is not None:
            self.record(now - began, success=success)
        if heard is not None and tokens > 1 and now > heard:
            speed = (tokens - 1) / (now - heard)
            before = self._tokens_per_second
            self._tokens_per_second = speed if before is None else before + limits.PERFORMANCE_WEIGHT * (speed - before)

    def record(self, seconds: float, *, success: bool, error: str | None = None) -> None:
        """Take in a whole call: how long it took and whether it went well."""
        self.calls += 1
        if success:
            self._latency.add(seconds, self._clock())
        else:
            self.failures += 1
            self.last_error = error or self.last_error
        share = self.failure_share
        self._failure_share = share + limits.PERFORMANCE_WEIGHT * ((0.0 if success else 1.0) - share)
        self._judged_at = self._clock()

    def forgive(self) -> None:
        """Forget failures and peaks: the endpoint was ill, and its breaker has found that it is well again."""
        self._failure_share = 0.0
        self._first_token.forgive(self._clock())

    # -- giving out ----------------------------------------------------------------------------------------------------

    @property
    def failure_share(self) -> float:
        """The share of the newest calls that failed; it fades, for an endpoint that nobody asks any more may be well."""
        if not self._failure_share:
            return 0.0
        return self._failure_share * math.exp((self._judged_at - self._clock()) / limits.PERFORMANCE_FORGIVE_S)

    @property
    def first_token(self) -> float | None:
        """Seconds to the first token as they stand now, None before the first."""
        return self._first_token.read(self._clock()) if self._first_token.samples else None

    @property
    def first_token_p95(self) -> float | None:
        """Seconds within which 95 of 100 of the newest first tokens came, None before there are enough."""
        if self._p95 is None and len(self._firsts) >= limits.HEDGE_SAMPLES:
            ordered = sorted(self._firsts)
            self._p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
        return self._p95

    @property
    def late_after(self) -> float:
        """After how many seconds without a first token something is wrong there: many times what 95 of 100 calls take.

        For endpoints that are always ready, as others' services are; loading a model takes longer without any fault.
        """
        usual = self.first_token_p95
        if usual is None:
            return limits.BREAKER_SLOW_S
        return min(max(limits.LATE_TIMES * usual, limits.LATE_FLOOR_S), limits.BREAKER_SLOW_S)

    @property
    def cost(self) -> float:
        """What another call there is expected to cost, in seconds: latency × (calls in flight + 1) ÷ share of successes.

        0 for an endpoint that nothing is known of and that has nothing to do: it is worth a try.
        """
        share = self.failure_share
        well = 1.0 - min(share, limits.PERFORMANCE_WORST_SHARE)
        if not self._first_token.samples:
            # One failure just now counts like a call that runs.
            failing = min(1.0, share / limits.PERFORMANCE_WEIGHT)
            return limits.UNKNOWN_LATENCY_S * (self.in_flight + failing) / well
        return self._first_token.read(self._clock()) * (self.in_flight + 1) / well

    def snapshot(self) -> PerformanceSnapshot:
        """Return the figures as they stand now."""
        now = self._clock()
        return PerformanceSnapshot(
            self.provider,
            self.model,
            self.calls,
            self.failures,
            self.failure_share,
            self.in_flight,
            self.first_token,
            self.first_token_p95,
            self._latency.read(now) if self._latency.samples else None,
            self._tokens_per_second,
            self.last_error,
        )


class PerformanceBook:
    """The figures of all endpoints, kept for as long as the process lives: a model that comes back is known."""

    def __init__(self, *, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._pages: dict[tuple[str, str], Performance] = {}

    def of(self, provider: str, model: str) -> Performance:
        """Return the figures of one endpoint, empty ones at first."""
        page = self._pages.get((provider, model))
        if page is None:
            page = self._pages[provider, model] = Performance(provider, model, clock=self._clock)
        return page

    def record(self, provider: str, model: str, seconds: float, *, success: bool) -> None:
        """Take in one call's outcome at an endpoint."""
        self.of(provider, model).record(seconds, success=success)

    def snapshot(self) -> list[PerformanceSnapshot]:
        """Return the figures of every endpoint that was ever asked."""
        return [page.snapshot() for page in self._pages.values()]


class MeasuredModel(ModelWrapper):
    """Keeps the figures of the model it is around; waiting in a pool within counts, as it does for whoever asks."""

    def __init__(self, model: Model, performance: Performance) -> None:
        super().__init__(model)
        self._performance = performance

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        performance = self._performance
        began = performance.begin()
        heard: float | None = None
        success: bool | None = None
        tokens = 0
        try:
            async with aclosing(open_stream(self._model, request)) as stream:
                async for chunk in stream:
                    if heard is None and says_something(chunk):
                        heard = performance.hear(began)
                    tokens += 1
                    if chunk.usage is not None:
                        tokens = chunk.usage.completion_tokens or tokens
                    yield chunk
            success = True
        except ModelError as error:
            success = _judge(error, performance)
            raise
        finally:
            performance.end(began, success=success, heard=heard, tokens=tokens)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        performance = self._performance
        began = performance.begin()
        success: bool | None = None
        try:
            vectors = await self._model.embed(texts)
            performance.hear(began)
            success = True
        except ModelError as error:
            success = _judge(error, performance)
            raise
        finally:
            performance.end(began, success=success)
        return vectors


def _judge(error: ModelError, performance: Performance) -> bool | None:
    """Tell what an error says of the endpoint's performance: nothing, where the fault is not its own."""
    fault = find_fault(error)
    if not fault.ill and not fault.elsewhere:
        return None
    performance.last_error = error.code
    return False
