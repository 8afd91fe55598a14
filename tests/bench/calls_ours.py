"""The real completion engine, driven as the language server drives it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy
from dragoman.completion.postprocess.brackets import first_unopened
from dragoman.completion.query import Suggestion
from tests.bench.calls_model import StandIn
from tests.bench.calls_place import Lines, Place
from tests.support.scripted import OneTarget


class Dragoman:
    """Ours: `CompletionEngine` with its defaults, on a server that takes two requests at once."""

    show: Callable[[str], None]

    def __init__(
        self, model: StandIn, debounce: float | Literal["adaptive"] = "adaptive", *, prefetch: bool = False
    ) -> None:
        self.label = "Dragoman"
        if debounce != "adaptive":
            self.label += f", {1000 * float(debounce):.0f} ms"
        if prefetch:
            self.label += ", prefetch"
        self.show = lambda _text: None
        targets = OneTarget(model, max_concurrency=2)  # type: ignore[arg-type]
        policy = CompletionPolicy(debounce=debounce, prefetch=prefetch)
        self.engine = CompletionEngine(targets, policy, asyncio.get_running_loop().time)
        self.reply_s: dict[str, list[float]] = {"cache": [], "stream": []}
        """Real seconds that a reply took which waited for nothing, by where it came from."""
        self.waits_s: list[float] = []
        """Virtual seconds that replies from a running stream waited for its text."""
        self._suggestion: Suggestion | None = None

    def changed(self, place: Place, touched: tuple[int, int]) -> None:
        self.engine.document_changed(
            place.uri, Lines(place.lines), place.version, first_line=touched[0], last_line=touched[1]
        )

    async def suggest(self, place: Place) -> str | None:
        loop = asyncio.get_running_loop()
        query = place.query
        generations = self.engine.counts["generations"]
        begun, at = time.perf_counter(), loop.time()
        outcome = await self.engine.suggest(query)
        spent = time.perf_counter() - begun
        if outcome.reason == "superseded":
            return None
        if not outcome.suggestions:
            return ""
        if generations == self.engine.counts["generations"] and outcome.source in self.reply_s:
            if loop.time() == at:
                self.reply_s[outcome.source].append(spent)
            else:
                self.waits_s.append(loop.time() - at)
        self._suggestion = first = outcome.suggestions[0]
        head = place.lines[place.row][first.start_character : place.column]
        rest = place.lines[place.row][place.column : first.end_character]
        # The editor here inserts at the cursor only, so of a text that brings its closers it gets what comes before them.
        closer = first_unopened(first.text, rest[0]) if rest else None
        return first.text[:closer].removeprefix(head)

    def moved(self) -> None:
        pass

    def accepted(self, text: str, kind: str) -> None:
        if self._suggestion is not None:
            self.engine.accepted(self._suggestion.id, kind)

    @property
    def entries(self) -> int:
        return len(self.engine._inflight.index)

    async def aclose(self) -> None:
        await self.engine.aclose()
