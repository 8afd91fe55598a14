"""What one editor's models read besides the text at the cursor: asked of the index in time, kept while it stays right.

The question goes to the index when the user's does, so its answer is mostly there when the model is chosen; what is late is
left out and counted, and waits for the next key.
While the cursor stays on its line the context stays as it is, to the byte: a server that caches by prefix reads it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from dragoman.cancellation import TaskSet
from dragoman.clock import Clock, monotonic
from dragoman.context.diagnostics import Reported, SeenDiagnostics
from dragoman.context.edits import RecentEdits
from dragoman.context.embedder import Embedder
from dragoman.context.limits import (
    CONTEXT_ASK_S,
    CONTEXT_FOCUS,
    CONTEXT_FRESH_S,
    CONTEXT_OVERLAY_CHARS,
    CONTEXT_OVERLAY_S,
    CONTEXT_PLACES,
    CONTEXT_WAIT_INVOKED_S,
    CONTEXT_WAIT_S,
)
from dragoman.context.overview import Overview
from dragoman.context.packing import pack
from dragoman.context.retrieval.place import Place
from dragoman.context.snippets import NOTHING, Context, Snippet
from dragoman.context.texts import TextView, around
from dragoman.context.workspaces import Workspaces
from dragoman.errors import DragomanError
from dragoman.syntax.file_types import language_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContextPolicy:
    """The ``[context]`` settings as they count for suggestions."""

    tokens: int = 1_024
    sources: tuple[str, ...] = ()
    vectors: bool = False
    """Whether similar code is found by its meaning too."""

    @property
    def enabled(self) -> bool:
        """Whether anything is wanted."""
        return self.tokens > 0 and bool(self.sources)


class Asked(Protocol):
    """A question at a cursor; `dragoman.completion.query.CompletionQuery` is one."""

    @property
    def uri(self) -> str:
        """The document."""
        ...

    @property
    def language(self) -> str:
        """Its language."""
        ...

    @property
    def text(self) -> TextView:
        """Its text."""
        ...

    @property
    def line(self) -> int:
        """The cursor's line, from 0."""
        ...

    @property
    def character(self) -> int:
        """The cursor's character, from 0."""
        ...


_At = tuple[int, str, int]
"""A line, the receiver on it, and the budget: as long as these stay, so does the context."""


@dataclass(slots=True)
class _Kept:
    """What is known for one document: the answer for the place asked last, and the question that is under way."""

    place: _At | None = None
    snippets: tuple[Snippet, ...] = ()
    asking: asyncio.Task[None] | None = None
    asked: _At | None = None
    answered: float = 0.0


@dataclass(slots=True)
class _Document:
    text: TextView
    dirty: bool = False
    timer: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """The place where a document is opened."""

    uri: str
    language: str
    text: TextView
    line: int = 0
    character: int = 0


class ContextAssembler:
    """One editor's context; owns the indexes of its workspace folders."""

    def __init__(
        self,
        workspaces: Workspaces,
        policy: ContextPolicy,
        clock: Clock = monotonic,
    ) -> None:
        self._workspaces = workspaces
        self._workspaces.on_start = self._say_again
        self._workspaces.on_event = lambda: self.on_progress()
        self._policy = policy
        self._clock = clock
        self._tasks = TaskSet()
        self.vectors = Embedder(workspaces, clock)
        """Embeds once whoever owns the models has told it where one is."""
        self.vectors.configure(enabled=policy.vectors)
        self.vectors.on_problem = lambda: self.on_progress()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._documents: dict[str, _Document] = {}
        self._focus: OrderedDict[str, None] = OrderedDict()
        self._edits = RecentEdits(clock)
        self._diagnostics = SeenDiagnostics()
        self.counts: Counter[str] = Counter()
        """How often context was ``asked`` of the index, ``kept`` from the key before, ``late``, or ``failed``."""
        self.on_progress: Callable[[], None] = lambda: None
        """Called when an index has said how far it is."""

    # -- the question --------------------------------------------------------------------------------------------------

    def prepare(self, asked: Asked, *, tokens: int | None = None) -> None:
        """Ask the index for this place, if it has not been asked yet; nobody waits."""
        budget = self._budget(tokens)
        if budget <= 0:
            return
        found = self._workspaces.find(asked.uri)
        if found is None:
            return
        kept = self._kept.setdefault(asked.uri, _Kept())
        self._kept.move_to_end(asked.uri)
        while len(self._kept) > CONTEXT_PLACES:
            self._kept.popitem(last=False)
        self._look_at(asked.uri)
        self.vectors.touched()
        at = (asked.line, receiver_at(asked), budget)
        if kept.asked == at and kept.asking is not None and not kept.asking.done():
            return
        if kept.place == at and self._clock() - kept.answered < CONTEXT_FRESH_S:
            return
        if kept.asking is not None:
            kept.asking.cancel()
        kept.asked = at
        index, path = found
        self.counts["asked"] += 1
        place = self._place(asked, path, budget)
        kept.asking = self._tasks.start(self._ask(index, kept, place), name="context")
        self.vectors.look_up(asked.uri, asked.line, place)

    async def gather(self, asked: Asked, *, tokens: int | None = None, patient: bool = False) -> Context:
        """Return the context of a place, at most ``tokens`` of it; waits `CONTEXT_WAIT_S` for the index and never fails.

        ``patient`` waits longer: the user asked by key.
        """
        self.prepare(asked, tokens=tokens)
        kept = self._kept.get(asked.uri)
        if kept is None or self._budget(tokens) <= 0:
            return NOTHING
        late = False
        if kept.place != kept.asked and kept.asking is not None and not kept.asking.done():
            await asyncio.wait([kept.asking], timeout=CONTEXT_WAIT_INVOKED_S if patient else CONTEXT_WAIT_S)
            late = not kept.asking.done()
            self.counts["late" if late else "in_time"] += 1
        else:
            self.counts["kept"] += 1
        return self._context(asked.uri, kept, late=late)

    def current(self, uri: str) -> Context:
        """Return what a document's last question had, without asking."""
        kept = self._kept.get(uri)
        return NOTHING if kept is None else self._context(uri, kept)

    def _context(self, uri: str, kept: _Kept, *, late: bool = False) -> Context:
        root = self._workspaces.root_of(uri)
        return Context(kept.snippets, late, root.name if root else "", self._workspaces.path_of(uri))

    async def _ask(self, index: Any, kept: _Kept, place: Place) -> None:
        try:
            answer = await index.call("gather", place.to_wire(), timeout=CONTEXT_ASK_S)
        except DragomanError as error:
            self.counts["failed"] += 1
            logger.debug("no context: %s", error)
            return
        found = [Snippet.from_wire(one) for one in answer["snippets"]]
        kept.snippets = pack(found, kept.snippets, place.budget)
        kept.place, kept.answered = kept.asked, self._clock()

    def _budget(self, tokens: int | None) -> int:
        if not self._policy.enabled:
            return 0
        return self._policy.tokens if tokens is None else min(tokens, self._policy.tokens)

    def _place(self, asked: Asked, path: str, budget: int) -> Place:
        before, after, first_line = around(asked.text, asked.line, asked.character)
        focus = [name for uri in self._focus if uri != asked.uri and (name := self._workspaces.shareable_path(uri))]
        return Place(
            path=path,
            language=asked.language,
            before=before,
            after=after,
            first_line=first_line,
            budget=budget,
            sources=self._policy.sources,
            focus=tuple(focus[:CONTEXT_FOCUS]),
            edits=self._edits.elsewhere(asked.uri, self._workspaces.shareable_path)
            if self._wants("recent_edits")
            else (),
            diagnostics=self._diagnostics.near(asked.uri, asked.line) if self._wants("diagnostics") else (),
            nearest=self.vectors.nearest(asked.uri, asked.line),
        )

    def _wants(self, source: str) -> bool:
        return source in self._policy.sources

    def _look_at(self, uri: str) -> None:
        if next(iter(self._focus), None) != uri:
            self._focus[uri] = None
            self._focus.move_to_end(uri, last=False)
            while len(self._focus) > 2 * CONTEXT_FOCUS:
                self._focus.popitem()

    async def settle(self, uri: str) -> None:
        """Wait until the index of a document's folder has read all of it; for commands, which ask once."""
        found = self._workspaces.find(uri) if self._policy.enabled else None
        if found is not None:
            with contextlib.suppress(DragomanError):
                await found[0].call("wait")

    def is_ignored(self, uri: str) -> bool:
        """Tell whether the workspace keeps a document out of what is read."""
        return self._workspaces.is_ignored(uri)

    def states(self) -> list[dict[str, Any]]:
        """Return what each index said last of itself: ``folder``, ``state``, ``files``, ``total``, ``problem``."""
        return [{"folder": str(root), **state} for root, state in self._workspaces.states.items()]

    def describe(self) -> dict[str, Any]:
        """Return what is known of the indexes, and how the questions went."""
        indexes = self.states()
        vectors = self.vectors.describe()
        return {"enabled": self._policy.enabled, "indexes": indexes, "questions": dict(self.counts), "vectors": vectors}

    # -- what the editor tells -----------------------------------------------------------------------------------------

    def document_changed(self, uri: str, text: TextView, *, first_line: int, last_line: int) -> None:
        """Follow a document: its index gets the text once the user pauses."""
        self.vectors.touched()
        known = self._documents.get(uri)
        if known is None:
            self._documents[uri] = _Document(text)
            self._look_at(uri)
            self._workspaces.near(uri)
            if self._policy.enabled:
                self._tasks.start(self._read_ahead(uri), name="read ahead")
            return
        self._edits.changed(uri, known.text, text, first_line, last_line)
        self._diagnostics.changed(uri, first_line, last_line, text.line_count - known.text.line_count)
        known.text, known.dirty = text, True
        if known.timer is None:
            known.timer = asyncio.get_running_loop().call_later(CONTEXT_OVERLAY_S, self._send_overlay, uri)

    async def _read_ahead(self, uri: str) -> None:
        """Have the index look at an opened document before anything is typed there: the first question waits a third less.

        What a file imports and where its names are defined is the same for every line, and is kept.
        Names further on are looked up at leisure.
        """
        await self._workspaces.start(uri)
        document = self._documents.get(uri)
        found = self._workspaces.find(uri)
        if document is None or found is None or uri in self._kept:
            return
        index, path = found
        place = self._place(_Opened(uri, language_of(path), document.text), path, self._budget(None))
        with contextlib.suppress(DragomanError):
            await index.call("gather", place.to_wire(), timeout=CONTEXT_ASK_S)

    def _send_overlay(self, uri: str) -> None:
        document = self._documents.get(uri)
        if document is None:
            return
        document.timer = None
        found = self._workspaces.running(uri)
        if found is not None and document.dirty:
            index, path = found
            index.notify("overlay", {"path": path, "text": whole(document.text)})

    def document_saved(self, uri: str) -> None:
        """Hear that a document is on disk as it is."""
        document = self._documents.get(uri)
        if document is not None:
            document.dirty = False
        if (found := self._workspaces.running(uri)) is not None:
            index, path = found
            index.notify("changed", {"paths": [path]})
            index.notify("overlay", {"path": path, "text": None})

    def document_closed(self, uri: str) -> None:
        """Forget a document."""
        document = self._documents.pop(uri, None)
        self._focus.pop(uri, None)
        self.vectors.forget(uri)
        self._diagnostics.forget(uri)
        kept = self._kept.pop(uri, None)
        if kept is not None and kept.asking is not None:
            kept.asking.cancel()
        if document is not None and document.timer is not None:
            document.timer.cancel()
        if document is not None and (found := self._workspaces.running(uri)) is not None:
            index, path = found
            index.notify("overlay", {"path": path, "text": None})

    def diagnostics_seen(self, uri: str, reported: Iterable[Reported], lines: tuple[int, int] | None = None) -> None:
        """Hear what other servers report of a document, or of its ``lines`` (first and last, from 0) only."""
        self._diagnostics.seen(uri, reported, lines)

    def overview(self, folder: Path) -> Overview | None:
        """Return what tells of a whole project, from the index that there is; None for a folder that has none."""
        found = self._workspaces.find((folder / "x").as_uri())
        return Overview(folder, found[0]) if found is not None else None

    def reported(self, uri: str | None = None) -> str:
        """Return what other servers report in the open documents or in one of them, a line each: path, line, what."""
        return "\n".join(
            f"{self._workspaces.path_of(where) or _file_name(where)}:{one.line + 1}: {one.severity}: {one.message}"
            for where, found in self._diagnostics.all()
            if uri in (None, where)
            for one in found
        )

    def yanked(self, text: str, uri: str) -> None:
        """Hear that the user has copied ``text`` from a document, or from elsewhere for "": it is mostly put somewhere soon."""
        self._edits.yanked(uri, text)

    def files_changed(self, uris: Iterable[str]) -> None:
        """Hear that files were made, changed or deleted on disk."""
        self._workspaces.files_changed(uris)

    def _say_again(self, root: Path) -> None:
        """Tell an index that has just started what is open and not saved."""
        for uri, document in self._documents.items():
            found = self._workspaces.running(uri)
            if found is not None and document.dirty and self._workspaces.root_of(uri) == root:
                index, path = found
                index.notify("overlay", {"path": path, "text": whole(document.text)})

    def configure(self, policy: ContextPolicy) -> None:
        """Follow changed settings from the next question on."""
        if policy != self._policy:
            self._policy = policy
            self._kept.clear()
            self.vectors.configure(enabled=policy.vectors)

    async def aclose(self) -> None:
        """End the indexes and everything under way."""
        for document in self._documents.values():
            if document.timer is not None:
                document.timer.cancel()
        await self._tasks.aclose()
        await self.vectors.aclose()
        await self._workspaces.aclose()


def receiver_at(asked: Asked) -> str:
    """Return the expression whose member is being typed at the cursor, "" where there is none."""
    head = asked.text.line(asked.line)[: asked.character]
    end = len(head.rstrip(_NAME))
    start = end - 1
    if end == 0 or head[start] not in ".:>":
        return ""
    while start > 0 and (head[start - 1] in _NAME or head[start - 1] in ".:>-"):
        start -= 1
    return head[start:end]


def _file_name(uri: str) -> str:
    """Return the last part of a URI, of a document that is in no folder of the workspace."""
    return unquote(uri.rpartition("/")[2]) or uri


_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"


def whole(text: TextView) -> str:
    """Return a document's text, or its beginning where it is larger than an index reads."""
    parts: list[str] = []
    left = CONTEXT_OVERLAY_CHARS
    for number in range(text.line_count):
        line = text.line(number)
        left -= len(line)
        if left < 0:
            break
        parts.append(line)
    return "".join(parts)
