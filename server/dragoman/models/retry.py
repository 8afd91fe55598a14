"""Trying again: what failed before its first token, may succeed a little later, and is worth waiting for.

How often and how soon depends on who waits: background work has time, a person in a chat has little, ghost text has none.
The first try costs nothing extra: stamina is imported when something has failed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TypeVar

from dragoman.errors import ModelError
from dragoman.models import limits
from dragoman.models.assembly import Answer
from dragoman.models.base import Chunk, CompletionRequest, Model
from dragoman.models.faults import is_transient, wait_asked
from dragoman.models.whole import answer_whole
from dragoman.models.wrapper import ModelWrapper, Request, open_stream, says_something

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How often to try (the first included) and how long to wait in between, in seconds.

    The waits are ``first``, twice, four times, … that, at most ``longest``, each with up to half of ``first`` at random on top.
    A server's own wish to wait is followed up to ``asked``; a longer one ends the trying.
    ``within`` bounds when the last try begins, counted from the start: a time limit that ran out is not waited for thrice.
    """

    attempts: int
    first: float
    longest: float
    asked: float
    within: float


BACKGROUND = RetryPlan(
    limits.RETRY_ATTEMPTS,
    limits.RETRY_BACKGROUND_S,
    limits.RETRY_BACKGROUND_MAX_S,
    limits.RETRY_BACKGROUND_AFTER_S,
    limits.RETRY_BACKGROUND_WITHIN_S,
)
CHAT = RetryPlan(
    limits.RETRY_ATTEMPTS,
    limits.RETRY_CHAT_S,
    limits.RETRY_CHAT_MAX_S,
    limits.RETRY_CHAT_AFTER_S,
    limits.RETRY_CHAT_WITHIN_S,
)
GHOST_TEXT = RetryPlan(
    limits.RETRY_GHOST_ATTEMPTS,
    limits.RETRY_GHOST_S,
    limits.RETRY_GHOST_MAX_S,
    limits.RETRY_GHOST_AFTER_S,
    limits.RETRY_GHOST_WITHIN_S,
)


def plan_for(request: Request) -> RetryPlan:
    """Return the plan for who waits for this request."""
    if request.priority == "background":
        return BACKGROUND
    return GHOST_TEXT if isinstance(request, CompletionRequest) else CHAT


class RetryingModel(ModelWrapper):
    """Asks again after a failure that may pass, never once something of the answer was handed on.

    ``attempts`` bounds the tries of every plan.
    """

    def __init__(self, model: Model, *, attempts: int = limits.RETRY_ATTEMPTS) -> None:
        super().__init__(model)
        self._attempts = attempts

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        said = False
        began = _now()
        try:
            async with aclosing(open_stream(self._model, request)) as stream:
                async for chunk in stream:
                    said = said or says_something(chunk)
                    yield chunk
                return
        except ModelError as error:
            plan = self._limit(plan_for(request))
            if said or not may_retry(error, plan, began):
                raise
            failure = error
        # The rest of an answer that was begun again is nobody's to repeat.
        first, stream = await try_again(lambda: _begin(self._model, request), failure, plan, began)
        async with aclosing(stream):
            if first is not None:
                yield first
            async for chunk in stream:
                yield chunk

    async def answer(self, request: Request) -> Answer:
        """Return the whole answer; as nothing of it was handed on, a stream that is cut in the middle is asked for again."""
        return await self._once(lambda: answer_whole(self._model, request), plan_for(request))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return await self._once(lambda: self._model.embed(texts), BACKGROUND)

    async def _once(self, ask: Callable[[], Awaitable[T]], plan: RetryPlan) -> T:
        plan = self._limit(plan)
        began = _now()
        try:
            return await ask()
        except ModelError as error:
            if not may_retry(error, plan, began):
                raise
            failure = error
        return await try_again(ask, failure, plan, began)

    def _limit(self, plan: RetryPlan) -> RetryPlan:
        return plan if plan.attempts <= self._attempts else replace(plan, attempts=self._attempts)


def may_retry(error: BaseException, plan: RetryPlan, began: float) -> bool:
    """Tell whether another try is allowed and makes sense: the error may pass, and soon enough."""
    return (
        plan.attempts > 1
        and is_transient(error)
        and (wait_asked(error) or 0.0) <= plan.asked
        and _now() - began <= plan.within
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


async def try_again(ask: Callable[[], Awaitable[T]], failure: ModelError, plan: RetryPlan, began: float) -> T:
    """Go on with a call whose first try ended in ``failure``; raises the last try's error."""
    stamina = _load_stamina()

    def judge(error: Exception) -> bool | float:
        if not may_retry(error, plan, began):
            return False
        wait = wait_asked(error)
        return True if wait is None else wait

    async for attempt in stamina.retry_context(
        on=judge,
        attempts=plan.attempts,
        timeout=None,
        wait_initial=plan.first,
        wait_max=plan.longest,
        wait_jitter=plan.first / 2,
    ):
        with attempt:
            if attempt.num == 1:
                raise failure
            return await ask()
    raise failure


@functools.cache
def _load_stamina() -> ModuleType:
    import stamina

    def tell(details: stamina.instrumentation.RetryDetails) -> None:
        code = getattr(details.caused_by, "code", type(details.caused_by).__name__)
        logger.info("a model call failed (%s), try %d in %.2f s", code, details.retry_num + 1, details.wait_for)

    # Its own hooks warn at each retry and register metrics of theirs.
    stamina.instrumentation.set_on_retry_hooks([tell])
    return stamina


async def _begin(model: Model, request: Request) -> tuple[Chunk | None, AsyncGenerator[Chunk, None]]:
    """Open a stream and wait for its first chunk that says something; None when it ends without."""
    stream = open_stream(model, request)
    # No closing here: whatever ends this wait, a failure or a cancel, came out of the stream and has ended it.
    async for chunk in stream:
        if says_something(chunk) or chunk.usage is not None:
            return chunk, stream
    return None, stream
