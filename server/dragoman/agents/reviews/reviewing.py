"""One file's review by a model: its questions one after another, and the findings as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from dragoman.agents.reviews.findings import Finding, ReviewSession
from dragoman.agents.reviews.request import plan_review
from dragoman.agents.reviews.targets import ReviewTarget
from dragoman.agents.tools.documents import DiskEditor
from dragoman.errors import (
    ContextOverflowError,
    NoModelError,
    ProviderUnreachableError,
    RequestRejectedError,
    ReviewError,
)
from dragoman.models.base import ChatRequest, Model
from dragoman.models.manager import ModelManager
from dragoman.models.requirements import Requirements


class FileReview:
    """The review of one file: iterate `findings` once, then read what was ``skipped`` and ``lost``."""

    def __init__(self, target: ReviewTarget, text: str, dismissed: frozenset[str]) -> None:
        self.target = target
        self.text = text
        self._session = ReviewSession(target.shown, text, dismissed=dismissed, lines=target.changed)

    @classmethod
    async def open(cls, target: ReviewTarget, dismissed: frozenset[str]) -> FileReview:
        """Read the file; raises FileUnfitError."""
        document = await DiskEditor().read(target.path)
        return cls(target, document.text, dismissed)

    @property
    def skipped(self) -> int:
        """How many objects of the answers were broken."""
        return self._session.skipped

    @property
    def lost(self) -> int:
        """How many findings were about text that stands nowhere."""
        return self._session.lost

    async def findings(self, models: ModelManager) -> AsyncGenerator[Finding, None]:
        """Ask the model of the role ``review``; closing this closes its connection.

        Raises `ModelError`, and ReviewError for a private file when no model on this machine can read it.
        """
        model = await self._choose(models)
        parts = await asyncio.to_thread(
            plan_review,
            self.target.shown,
            self.text,
            window=model.info.context_window,
            changed=self.target.changed,
            schema="json_schema" in model.info.capabilities,
        )
        for part in parts:
            async with aclosing(_say(model, part.request)) as said:
                async for text in said:
                    for finding in self._session.feed(text):
                        yield finding
            for finding in self._session.finish():
                yield finding

    async def _choose(self, models: ModelManager) -> Model:
        if not self.target.is_private:
            return await models.for_role("review")
        try:
            return await models.for_role("review", Requirements(local_only=True))
        except (NoModelError, ProviderUnreachableError):
            raise ReviewError(
                f"{self.target.shown!r} is ignored in this project or looks like a file of keys: it is never sent to "
                "another machine, and no model on this one can review it."
            ) from None


async def _say(model: Model, request: ChatRequest) -> AsyncGenerator[str, None]:
    """Yield an answer's text; a model that takes no schema after all is asked without."""
    try:
        async with aclosing(_texts(model, request)) as said:
            async for text in said:
                yield text
    except ContextOverflowError:
        raise
    except RequestRejectedError:
        # Nothing of an answer has come when a request is rejected.
        if request.json_schema is None:
            raise
    else:
        return
    async with aclosing(_texts(model, replace(request, json_schema=None))) as said:
        async for text in said:
            yield text


async def _texts(model: Model, request: ChatRequest) -> AsyncGenerator[str, None]:
    async with aclosing(model.chat(request)) as chunks:
        async for chunk in chunks:
            if chunk.text:
                yield chunk.text
