"""What each call took and cost, told to whoever listens; nothing of what was said."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, Protocol

from dragoman.clock import Clock, monotonic
from dragoman.errors import ModelError
from dragoman.models import limits
from dragoman.models.base import Chunk, CompletionRequest, Model, Role, Usage
from dragoman.models.wrapper import ModelWrapper, Request, open_stream, says_something

logger = logging.getLogger(__name__)

Operation = Literal["completion", "chat", "embedding"]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call of a model.

    ``outcome`` is ``ok``, ``cancelled`` (the caller had enough) or the code of a `ModelError`.
    ``at`` is when it began, in seconds since 1970; ``first_token`` (None when none came) and ``duration`` are in seconds.
    ``estimated`` marks token counts that the server did not tell; ``cost`` is None where no prices are known.
    """

    provider: str
    model: str
    role: Role | None
    operation: Operation
    request_id: str
    outcome: str
    at: float
    duration: float
    first_token: float | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    estimated: bool
    cost: float | None

    @property
    def success(self) -> bool:
        """Whether the model did what was asked, for as long as it was asked."""
        return self.outcome in ("ok", "cancelled")


Listener = Callable[[CallRecord], None]


class Meter(Protocol):
    """Where records go."""

    def record(self, record: CallRecord) -> None:
        """Take a record in; must not wait and never raises."""
        ...


class CallMeter:
    """Hands each record to every listener; one that fails harms neither the call nor the others."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each record from now on; returns what ends that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def record(self, record: CallRecord) -> None:
        """Tell every listener."""
        for listener in tuple(self._listeners):
            try:
                listener(record)
            except Exception:
                logger.exception("a listener to model calls failed")


class MeteredModel(ModelWrapper):
    """Writes one record for each call, however it ends.

    ``request_id`` tells for which request of a door the call is, empty when for none.
    """

    def __init__(
        self,
        model: Model,
        meter: Meter,
        *,
        role: Role | None = None,
        request_id: Callable[[], str] = lambda: "",
        clock: Clock = monotonic,
    ) -> None:
        super().__init__(model)
        self._meter = meter
        self._role = role
        self._request_id = request_id
        self._clock = clock

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        clock = self._clock
        began, at, request_id = clock(), time.time(), self._request_id()
        heard: float | None = None
        usage: Usage | None = None
        said = 0.0
        outcome = "cancelled"
        try:
            async with aclosing(open_stream(self._model, request)) as stream:
                async for chunk in stream:
                    if heard is None and says_something(chunk):
                        heard = clock()
                    said += _measure(chunk.text) + _measure(chunk.thinking)
                    if chunk.tool_calls:
                        said += sum(_measure(delta.name) + _measure(delta.arguments) for delta in chunk.tool_calls)
                    usage = chunk.usage or usage
                    yield chunk
            outcome = "ok"
        except ModelError as error:
            outcome = error.code
            raise
        finally:
            estimated = usage is None
            if usage is None:
                # A refusal cost nothing; what was cut short cost its prompt at least.
                read = heard is not None or outcome in ("ok", "cancelled")
                usage = Usage(_tokens(_measure_request(request)) if read else 0, _tokens(said))
            operation: Operation = "completion" if isinstance(request, CompletionRequest) else "chat"
            first = None if heard is None else heard - began
            self._record(operation, request_id, outcome, at, clock() - began, first, usage, estimated=estimated)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        began, at, request_id = self._clock(), time.time(), self._request_id()
        outcome = "cancelled"
        try:
            vectors = await self._model.embed(texts)
            outcome = "ok"
        except ModelError as error:
            outcome = error.code
            raise
        finally:
            read = outcome in ("ok", "cancelled")
            usage = Usage(_tokens(sum(map(_measure, texts))) if read else 0)
            self._record("embedding", request_id, outcome, at, self._clock() - began, None, usage, estimated=True)
        return vectors

    def _record(
        self,
        operation: Operation,
        request_id: str,
        outcome: str,
        at: float,
        duration: float,
        first_token: float | None,
        usage: Usage,
        *,
        estimated: bool,
    ) -> None:
        info = self._model.info
        prices = info.prices
        cost = None
        if prices is not None:
            cost = (usage.prompt_tokens * prices.prompt + usage.completion_tokens * prices.completion) / 1e6
        self._meter.record(
            CallRecord(
                provider=info.provider,
                model=info.name,
                role=self._role,
                operation=operation,
                request_id=request_id,
                outcome=outcome,
                at=at,
                duration=duration,
                first_token=first_token,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
                estimated=estimated,
                cost=cost,
            )
        )


def _measure(text: str) -> float:
    """Return about how many tokens a text has; no tokenizer, for this stands in the way of every chunk."""
    if text.isascii():
        return len(text) / limits.CHARS_PER_TOKEN
    return len(text.encode("utf-8", "surrogatepass")) / limits.BYTES_PER_TOKEN


def _measure_request(request: Request) -> float:
    if isinstance(request, CompletionRequest):
        return _measure(request.prompt) + _measure(request.suffix or "")
    return sum(
        _measure(message.content) + sum(_measure(call.arguments) for call in message.tool_calls)
        for message in request.messages
    )


def _tokens(measure: float) -> int:
    return max(1, round(measure)) if measure else 0
