"""Has the workspace's pieces embedded while the user does nothing, and looks for what means the same as the text at the cursor.

No key ever waits for either: what a look-up finds counts for the next question near its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.cancellation import TaskSet, cancel_and_wait
from dragoman.clock import Clock, monotonic
from dragoman.context.limits import CONTEXT_ASK_S
from dragoman.context.retrieval.place import Place
from dragoman.context.workspace.client import IndexClient
from dragoman.context.workspace.vector_limits import (
    VECTOR_BACKOFF_MAX_S,
    VECTOR_BACKOFF_S,
    VECTOR_BATCH,
    VECTOR_IDLE_S,
    VECTOR_PIECE_CHARS,
    VECTOR_QUESTION_LINES,
    VECTOR_REST_S,
    VECTOR_STEP_LINES,
    VECTOR_SWEEP_PAUSE_S,
    VECTOR_TEXT_CHARS,
)
from dragoman.context.workspace.vectors import encode
from dragoman.context.workspaces import Workspaces
from dragoman.errors import (
    CircuitOpenError,
    ContextOverflowError,
    DragomanError,
    RequestRejectedError,
    WorkspaceIndexError,
)
from dragoman.extras import why_no_vectors
from dragoman.models.base import Model
from dragoman.security.paths import is_secret_path

logger = logging.getLogger(__name__)

FindModel = Callable[[], Awaitable[Model]]
"""Returns the model that embeds now; raises `ModelError` when there is none."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What means the same as the text at a line, as (path, line from 0)."""

    line: int
    pieces: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Question:
    uri: str
    line: int
    path: str
    text: str
    index: IndexClient


class Embedder:
    """One editor's vectors; does nothing until it is switched on and has a model."""

    def __init__(self, workspaces: Workspaces, clock: Clock = monotonic) -> None:
        self._workspaces = workspaces
        self._clock = clock
        self._tasks = TaskSet()
        self._enabled = False
        self._lacks = ""
        self._find_model: FindModel | None = None
        self._work: asyncio.Task[None] | None = None
        self._batch: asyncio.Task[list[list[float] | None]] | None = None
        self._touched = clock()
        self._failures = 0
        self._retry_at = 0.0
        self._stored: dict[Path, int] = {}
        self._found: dict[str, _Found] = {}
        self._wanted: _Question | None = None
        self._asking: asyncio.Task[None] | None = None
        self.problem = ""
        """What keeps vectors from being used, as a sentence."""
        self.on_problem: Callable[[], None] = lambda: None
        """Called when there is a problem or none any more."""

    # -- what it is told -----------------------------------------------------------------------------------------------

    def configure(self, *, enabled: bool) -> None:
        """Switch it on or off."""
        if enabled != self._enabled:
            self._enabled = enabled
            self._found.clear()
            self._lacks = why_no_vectors() if enabled else ""
            self._report(self._lacks)
            if enabled:
                self._begin()
            else:
                self._stop()

    def use(self, find_model: FindModel) -> None:
        """Ask for the model there from now on."""
        self._find_model = find_model
        self._failures, self._retry_at = 0, 0.0
        self._begin()

    def touched(self) -> None:
        """Hear that the user does something: the model is theirs now, and what it embeds is embedded later."""
        self._touched = self._clock()
        if self._batch is not None:
            self._batch.cancel()
        self._begin()

    def _begin(self) -> None:
        if self._is_able and (self._work is None or self._work.done()):
            self._work = self._tasks.start(self._keep_embedding(), name="embedding")

    def forget(self, uri: str) -> None:
        """Forget a document."""
        self._found.pop(uri, None)

    def describe(self) -> dict[str, Any]:
        """Return whether it is on, how many pieces have a vector, and what is wrong."""
        return {"enabled": self._enabled, "stored": sum(self._stored.values()), "problem": self.problem}

    async def aclose(self) -> None:
        """End everything under way."""
        await self._tasks.aclose()

    @property
    def _is_able(self) -> bool:
        return self._enabled and self._find_model is not None and not self._lacks and not self._tasks.closed

    def _stop(self) -> None:
        self._wanted = None
        for task in (self._work, self._asking):
            if task is not None:
                task.cancel()

    # -- the workspace -------------------------------------------------------------------------------------------------

    async def _keep_embedding(self) -> None:
        while True:
            left = max(self._touched + VECTOR_IDLE_S, self._retry_at) - self._clock()
            if left > 0:
                await asyncio.sleep(left)
                continue
            pauses = [await self._step(root, index) for root, index in self._workspaces.running_indexes()]
            await asyncio.sleep(min(pauses, default=VECTOR_REST_S))

    async def _step(self, root: Path, index: IndexClient) -> float:
        """Have one batch of a workspace embedded; returns after how many seconds the next is due."""
        began = self._clock()
        try:
            model = await self._model()
            asked = {"model": _name(model), "limit": VECTOR_BATCH}
            answer = await self._call(index, "unembedded", asked)
            self._stored[root] = answer["stored"]
            if not (pieces := answer.get("pieces")):
                if answer["done"]:
                    self._succeed()
                return VECTOR_SWEEP_PAUSE_S if answer.get("more") else VECTOR_REST_S
            vectors = await self._embed(model, [piece["text"] for piece in pieces])
            if vectors is None:
                return 0.0
            for piece, vector in zip(pieces, vectors, strict=True):
                del piece["text"]
                piece["vector"] = encode(vector) if vector else None
            answer = await self._call(index, "embedded", {"model": _name(model), "pieces": pieces})
            self._stored[root] = answer["stored"]
        except DragomanError as error:
            self._fail(error)
            return 0.0
        self._succeed()
        # As long as it took: half of the time is for others.
        return self._clock() - began

    async def _embed(self, model: Model, texts: list[str]) -> list[list[float] | None] | None:
        """Return the vectors, None when the user wanted the machine meanwhile."""
        self._batch = asyncio.create_task(embed_pieces(model, texts), name="embedding batch")
        try:
            await asyncio.wait([self._batch])
            return None if self._batch.cancelled() else self._batch.result()
        finally:
            batch, self._batch = self._batch, None
            await cancel_and_wait(batch)

    # -- the cursor ----------------------------------------------------------------------------------------------------

    def look_up(self, uri: str, line: int, place: Place) -> None:
        """Find out in the background what means the same as the lines before the cursor; nobody waits."""
        known = self._found.get(uri)
        if not self._is_able or (known is not None and abs(known.line - line) <= VECTOR_STEP_LINES):
            return
        found, root = self._workspaces.running(uri), self._workspaces.root_of(uri)
        text = "\n".join(place.before.split("\n")[-VECTOR_QUESTION_LINES:])[-VECTOR_TEXT_CHARS:].strip("\n")
        if found is None or root is None or not self._stored.get(root) or len(text) < VECTOR_PIECE_CHARS:
            return
        if not self._workspaces.shareable_path(uri) or is_secret_path(root / place.path):
            return
        self._wanted = _Question(uri, line, place.path, text, found[0])
        if (self._asking is None or self._asking.done()) and self._clock() >= self._retry_at:
            self._asking = self._tasks.start(self._answer(), name="meaning")

    def nearest(self, uri: str, line: int) -> tuple[tuple[str, int], ...]:
        """Return what was found near that line, as (path, line from 0), the nearest first."""
        known = self._found.get(uri)
        return known.pieces if known is not None and abs(known.line - line) <= VECTOR_QUESTION_LINES else ()

    async def _answer(self) -> None:
        """Answer the newest question, and the one that came meanwhile; those between are of places that were left."""
        while (asked := self._wanted) is not None:
            self._wanted = None
            try:
                model = await self._model()
                (vector,) = await model.embed([asked.text])
                question = {"model": _name(model), "vector": encode(vector), "path": asked.path}
                answer = await self._call(asked.index, "nearest", question)
            except DragomanError as error:
                self._fail(error)
                return
            self._found[asked.uri] = _Found(asked.line, tuple((path, line) for path, line in answer["pieces"]))

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _model(self) -> Model:
        assert self._find_model is not None
        return await self._find_model()

    async def _call(self, index: IndexClient, method: str, params: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await index.call(method, params, timeout=CONTEXT_ASK_S)
        if problem := answer.get("problem"):
            raise WorkspaceIndexError(problem)
        return answer

    def _succeed(self) -> None:
        self._failures = 0
        self._report("")

    def _fail(self, error: DragomanError) -> None:
        wait = min(VECTOR_BACKOFF_S * 2.0**self._failures, VECTOR_BACKOFF_MAX_S)
        self._failures = min(self._failures + 1, 10)
        self._retry_at = self._clock() + wait
        if self.problem and isinstance(error, CircuitOpenError):
            # Nobody was asked; what is wrong is what was told.
            return
        self._report(f"Nothing is found by its meaning: {error}")

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            if problem:
                logger.warning("%s", problem)
            self.on_problem()


async def embed_pieces(model: Model, texts: Sequence[str]) -> list[list[float] | None]:
    """Return a vector for each text, None for one that the model refuses though it takes others; raises `ModelError`.

    A text that is too long is cut to its half: its beginning says most.
    """
    try:
        return [*await model.embed(texts)]
    except RequestRejectedError as error:
        refusal = error
    vectors: list[list[float] | None] = []
    for text in texts:
        vectors.append(None)
        for length in (len(text), len(text) // 2, len(text) // 4):
            try:
                (vectors[-1],) = await model.embed([text[:length]])
            except ContextOverflowError:
                continue
            except RequestRejectedError:
                pass
            break
    if not any(vectors):
        # The model refuses everything: that is no fault of the texts.
        raise refusal
    return vectors


def _name(model: Model) -> str:
    return f"{model.info.provider}/{model.info.name}"
