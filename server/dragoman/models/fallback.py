"""Asking the next endpoint when one fails before its first token."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing

from dragoman.errors import EveryEndpointFailedError, ModelError, NoModelError
from dragoman.models import limits
from dragoman.models.assembly import Answer
from dragoman.models.balancing import Endpoint
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo, Priority
from dragoman.models.faults import find_fault
from dragoman.models.whole import answer_whole
from dragoman.models.wrapper import Request, open_stream, says_something

logger = logging.getLogger(__name__)

Chain = Callable[[Priority], Sequence[Endpoint]]
"""Who is to be asked for a request of this priority, in order: a balancer's `Balancer.order`."""

Failure = tuple[Endpoint, ModelError]
"""Who was asked, and what came of it."""


class FallbackModel:
    """Several endpoints as one `Model`: the chain is asked for its order anew for each request."""

    def __init__(self, info: ModelInfo, chain: Chain, *, attempts: int = limits.FALLBACK_ATTEMPTS) -> None:
        self._info = info
        self._chain = chain
        self._attempts = attempts

    @property
    def info(self) -> ModelInfo:
        """What the models have in common."""
        return self._info

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        return fall_back(self._order(request), request)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        return fall_back(self._order(request), request)

    async def answer(self, request: Request) -> Answer:
        """Return the whole answer; an endpoint that fails in the middle is followed by the next one too."""
        return await answer_from(self._order(request), request)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text.

        All endpoints of the chain must have the same model: vectors of two models cannot be compared.
        """
        failures: list[Failure] = []
        for endpoint in self._chain("background")[: self._attempts]:
            try:
                return await endpoint.model.embed(texts)
            except ModelError as error:
                note_failure(failures, endpoint, error)
        raise join_failures(failures)

    def _order(self, request: Request) -> Sequence[Endpoint]:
        return self._chain(request.priority)[: self._attempts]


async def answer_from(endpoints: Iterable[Endpoint], request: Request, failed: Sequence[Failure] = ()) -> Answer:
    """Return the whole answer of the first endpoint that has one; raises as `fall_back`."""
    failures = list(failed)
    for endpoint in endpoints:
        try:
            return await answer_whole(endpoint.model, request)
        except ModelError as error:
            note_failure(failures, endpoint, error)
    raise join_failures(failures)


async def fall_back(
    endpoints: Iterable[Endpoint], request: Request, failed: Sequence[Failure] = ()
) -> AsyncGenerator[Chunk, None]:
    """Stream from the first endpoint that says something; raises the one error, or all of them, those before included, in one."""
    failures = list(failed)
    for endpoint in endpoints:
        said = False
        try:
            async with aclosing(open_stream(endpoint.model, request)) as stream:
                async for chunk in stream:
                    said = said or says_something(chunk)
                    yield chunk
                return
        except ModelError as error:
            if said:
                raise
            note_failure(failures, endpoint, error)
    raise join_failures(failures)


def join_failures(failures: Sequence[Failure]) -> ModelError:
    """Make one error of what each endpoint said, in the order they were asked."""
    if not failures:
        return NoModelError("No endpoint is there to be asked.", hint="`dragoman doctor` says what is configured.")
    if len(failures) == 1:
        return failures[0][1]
    said = "; ".join(f"{endpoint.name}: {error.message.rstrip('.')}" for endpoint, error in failures)
    hint = next((error.hint for _, error in failures if error.hint), "")
    errors = tuple(error for _, error in failures)
    return EveryEndpointFailedError(f"All of {len(failures)} endpoints failed: {said}.", errors=errors, hint=hint)


def note_failure(failures: list[Failure], endpoint: Endpoint, error: ModelError) -> None:
    """Remember a failure that another endpoint may make good; raises any other."""
    if not find_fault(error).elsewhere:
        raise error
    logger.info("%s failed (%s), the next endpoint is asked", endpoint.name, error.code)
    failures.append((endpoint, error))
