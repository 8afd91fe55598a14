"""The generations that stream now: at most one on a single-slot server, two elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence

from dragoman.cancellation import TaskSet
from dragoman.completion.cache import GenerationIndex
from dragoman.completion.generation import Generation
from dragoman.completion.policy import Target
from dragoman.completion.query import TextView
from dragoman.limits import GENERATIONS_AT_ONCE
from dragoman.models.base import CompletionRequest


class Inflight:
    """Starts generations, and closes each as soon as its text can no longer be wanted.

    What streams can be found in ``index`` from its first moment on, so that a keystroke that its text continues joins it.
    """

    def __init__(self, index: GenerationIndex) -> None:
        self.index = index
        self._live: list[Generation] = []
        self._leaving: set[Generation] = set()
        """Whose connections are being closed."""
        self._rooms: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks = TaskSet()

    @property
    def closed(self) -> bool:
        """Whether nothing can be started any more."""
        return self._tasks.closed

    def start(self, generation: Generation, target: Target, request: CompletionRequest) -> None:
        """Ask the model; the caller holds a `room`, or has seen that the provider is not `busy`."""
        self._live = [one for one in self._live if not one.done]
        self._live.append(generation)
        self.index.add(generation)
        generation.start(target.model.complete(request), self._tasks)

    def busy(self, provider: str) -> int:
        """Count what streams from ``provider``; what is being closed takes a place until it is."""
        self._live = [generation for generation in self._live if not generation.done]
        open_ones = {*self._live, *(one for one in self._leaving if not one.done)}
        return sum(generation.provider == provider for generation in open_ones)

    @contextlib.asynccontextmanager
    async def room(self, uri: str, target: Target) -> AsyncGenerator[None, None]:
        """Close what streams for this document, and the oldest beyond what the provider takes; hold the place for one more.

        The caller found nothing that fits its cursor, so what streams for the document is for another place.
        Whoever comes meanwhile waits: between closing and starting there is a moment in which all could start.
        """
        async with self._rooms[target.provider]:
            await self._make_room(uri, target)
            yield

    async def _make_room(self, uri: str, target: Target) -> None:
        limit = min(target.max_concurrency, GENERATIONS_AT_ONCE)
        unwanted = [one for one in self._live if not one.done and one.uri == uri]
        others = [one for one in self._live if not one.done and one.uri != uri and one.provider == target.provider]
        # What nobody has asked for yet goes first.
        others.sort(key=lambda one: one.behind is None)
        unwanted += others[: max(0, len(others) + 1 - limit)]
        await self._close(unwanted)
        if self.busy(target.provider) >= limit:
            await asyncio.gather(*(one.close() for one in self._leaving if one.provider == target.provider))

    def close_misfits(self, uri: str, text: TextView, first_changed: int) -> int:
        """Close at once every stream of a document that its new text no longer fits; return how many nobody saw anything of."""
        misfits = [one for one in self._live if one.uri == uri and not one.done and not one.fits(text, first_changed)]
        self._close_soon(misfits)
        return sum(not one.answered for one in misfits)

    def close_document(self, uri: str) -> None:
        """Close every stream of a document."""
        self._close_soon([one for one in self._live if one.uri == uri], keep=False)

    def close_all(self) -> int:
        """Close every stream and return how many there were."""
        streaming = [one for one in self._live if not one.done]
        self._close_soon(streaming, keep=False)
        return len(streaming)

    def _close_soon(self, unwanted: Sequence[Generation], *, keep: bool = True) -> None:
        if unwanted and not self._tasks.closed:
            self._tasks.start(self._close(unwanted, keep=keep), name="close-generations")

    async def _close(self, unwanted: Sequence[Generation], *, keep: bool = True) -> None:
        for generation in unwanted:
            if generation in self._live:
                self._live.remove(generation)
            self.index.discard(generation)
            if keep and not generation.done and (remnant := generation.remnant()) is not None:
                self.index.add(remnant)
        self._leaving.update(unwanted)
        try:
            await asyncio.gather(*(generation.close() for generation in unwanted))
        finally:
            self._leaving.difference_update(unwanted)

    async def aclose(self) -> None:
        """End every generation and wait until their connections are closed."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._close(list(self._live), keep=False)
        await self._tasks.aclose()
