"""Models that are ready when they are first asked: loaded after the start, and kept loaded while they are used."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from dragoman.cancellation import TaskSet
from dragoman.clock import Clock, monotonic
from dragoman.errors import ModelError
from dragoman.models import limits
from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest, Model
from dragoman.models.wrapper import open_stream

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Warmed:
    """A model that shall be ready: only one on this machine is ever asked for nothing but that.

    ``model`` is best the pooled one, within those that keep figures: what warms it is nobody's use of it.
    ``last_used`` says when somebody asked it last, on the warmer's clock, None when nobody did.
    ``unloads`` says that its server forgets models that nobody uses.
    """

    model: Model
    is_local: bool
    unloads: bool = True
    last_used: Callable[[], float | None] = lambda: None


class Warmer:
    """Loads the chosen models and keeps them loaded; ends with its owner."""

    def __init__(
        self,
        chosen: Callable[[], Sequence[Warmed]],
        *,
        interval_s: float = limits.KEEP_ALIVE_S,
        idle_s: float = limits.KEEP_ALIVE_IDLE_S,
        clock: Clock = monotonic,
    ) -> None:
        self._chosen = chosen
        self._interval_s = interval_s
        self._idle_s = idle_s
        self._clock = clock
        self._tasks = TaskSet()
        self._began = clock()

    def start(self) -> None:
        """Load the chosen models now, and look after them from then on; returns at once."""
        if not len(self._tasks):
            self._tasks.start(self._run(), name="warming")

    async def aclose(self) -> None:
        """Stop; a request that is under way is closed."""
        await self._tasks.aclose()

    async def _run(self) -> None:
        self._began = self._clock()
        for one in self._chosen():
            if one.is_local:
                await warm(one.model)
        while True:
            await asyncio.sleep(self._interval_s)
            for one in self._chosen():
                if self._is_due(one):
                    await warm(one.model)

    def _is_due(self, one: Warmed) -> bool:
        """Tell whether it would be unloaded before the next round and somebody may still want it."""
        used = one.last_used()
        quiet = self._clock() - (self._began if used is None else max(used, self._began))
        lasts = quiet + self._interval_s < limits.UNLOADED_S
        return one.is_local and one.unloads and not lasts and quiet < self._idle_s


async def warm(model: Model) -> bool:
    """Have a model loaded by the smallest request that it can answer; returns whether it did, never raises `ModelError`."""
    can = model.info.capabilities
    try:
        async with asyncio.timeout(limits.WARM_TIMEOUT_S):
            if "embedding" in can and not can & {"chat", "completion", "fim"}:
                await model.embed([" "])
                return True
            request: CompletionRequest | ChatRequest = CompletionRequest(" ", max_tokens=1, priority="background")
            if "chat" in can and not can & {"completion", "fim"}:
                request = ChatRequest((ChatMessage("user", " "),), max_tokens=1, priority="background")
            async with aclosing(open_stream(model, request)) as stream:
                async for _ in stream:
                    pass
    except (ModelError, TimeoutError) as error:
        logger.info("model %r could not be warmed up: %s", model.info.name, error)
        return False
    return True
