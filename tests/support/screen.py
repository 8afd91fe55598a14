"""A document with a cursor, as an editor changes it, and a tracker that watches: for tests of what is inferred from text."""

from __future__ import annotations

import itertools
from collections import Counter

from dragoman.completion.acceptance import AcceptanceTracker, Source
from dragoman.completion.query import CompletionQuery, SelectedItem, Suggestion
from dragoman.lsp.documents import Change, Document
from dragoman.monitoring.usage import Event

URI = "file:///a.py"


class Screen:
    """One document in one editor; ``█`` marks the cursor in the text it begins with."""

    def __init__(self, text: str, tracker: AcceptanceTracker | None = None, *, uri: str = URI) -> None:
        self.now = 1000.0
        self.counts: Counter[str] = Counter()
        self.events: list[Event] = []
        self.tracker = tracker or AcceptanceTracker(self._record, lambda: self.now)
        before, _, after = text.partition("█")
        self.uri = uri
        self.document = Document(uri, "python", 1, before + after)
        self._numbers = itertools.count(1)
        self._tell(0, self.document.lines.line_count - 1)
        self.move(before.count("\n"), len(before.rpartition("\n")[2]))

    def _record(self, event: Event) -> None:
        self.events.append(event)
        self.counts[event.fact] += event.amount

    def _tell(self, first: int, last: int) -> None:
        self.tracker.document_changed(self.uri, self.document.lines, first_line=first, last_line=last)

    def move(self, line: int, character: int) -> None:
        self.line, self.character = line, character

    def query(self, selected: str = "") -> CompletionQuery:
        item = SelectedItem(self.character, self.character, selected) if selected else None
        text = self.document.lines
        return CompletionQuery(
            self.uri, "python", self.document.version, text, self.line, self.character, selected=item
        )

    def show(
        self,
        text: str,
        *,
        generation: int | None = None,
        source: Source = "model",
        query: CompletionQuery | None = None,
        selected: str = "",
        over: int = 0,
        under: int = 0,
        alternatives: tuple[str, ...] = (),
    ) -> str:
        """Show a suggestion at the cursor and return its id; it replaces ``under`` characters before and ``over`` behind it."""
        number = next(self._numbers)
        query = query or self.query(selected)
        start, end = max(0, query.character - under), query.character + over
        main, *others = (
            Suggestion(f"{number}:{rank}", choice, start, end) for rank, choice in enumerate((text, *alternatives))
        )
        self.tracker.shown(
            main,
            query,
            model="m",
            generation=1000 + number if generation is None else generation,
            source=source,
            alternatives=others,
        )
        return main.id

    def edit(self, *changes: Change) -> None:
        """Send changes in one notification; the cursor stays."""
        touched = self.document.apply(list(changes), self.document.version + 1, "utf-32")
        self._tell(touched.first, touched.last)

    def insert(self, text: str, *, behind: str = "") -> None:
        """Insert at the cursor, move behind it, and leave ``behind`` after the cursor, as auto-closing does."""
        at = (self.line, self.character)
        lines = (text + behind).splitlines() or [""]
        self.edit(Change(text + behind, at, at))
        breaks = text.replace("\r\n", "\n").count("\n")
        self.line += breaks
        self.character = len(text.rpartition("\n")[2]) if breaks else self.character + len(lines[0]) - len(behind)

    def type(self, text: str) -> None:
        """Type key by key, without asking again."""
        for key in text:
            self.insert(key)

    def backspace(self, count: int = 1) -> None:
        for _ in range(count):
            self.edit(Change("", (self.line, self.character - 1), (self.line, self.character)))
            self.character -= 1

    def remove(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        self.edit(Change("", start, end))

    def replace_all(self, text: str) -> None:
        self.edit(Change(text))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tracker.settle()

    @property
    def ends(self) -> dict[str, int]:
        """What became of the suggestions, after the time in which an editor may still say so itself."""
        self.wait(2.5)
        names = ("shown", "whole", "line", "word", "typed", "rejected")
        return {name: self.counts[name] for name in names if self.counts[name]}

    @property
    def fates(self) -> dict[str, int]:
        """What became of the acceptances, 30 seconds later."""
        self.wait(31)
        return {name: self.counts[name] for name in ("survived", "edited", "removed", "unknown") if self.counts[name]}

    @property
    def text(self) -> str:
        return self.document.lines.text()
