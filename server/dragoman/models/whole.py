"""Whole answers: a stream put together, for callers that show nothing before the end."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from dragoman.models.assembly import Answer, gather_answer
from dragoman.models.base import Model
from dragoman.models.wrapper import Request, open_stream


@runtime_checkable
class AnswersWhole(Protocol):
    """A model that can do more for a whole answer than put its stream together: begin again after a cut in the middle."""

    async def answer(self, request: Request) -> Answer:
        """Return the whole answer; raises `ModelError`."""
        ...


async def answer_whole(model: Model, request: Request) -> Answer:
    """Ask ``model`` for a whole answer; raises `ModelError`.

    Retries and other endpoints mend even what breaks in the middle, where they are the outermost wrappers of the model.
    """
    if isinstance(model, AnswersWhole):
        return await model.answer(request)
    return await gather_answer(open_stream(model, request))
