"""One streaming edit of one document: its hunks shown while they come, made when the user or the editor's kind says so."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import unified_diff
from typing import Any, Final

from dragoman.agents.edits.hunks import Hunk
from dragoman.agents.edits.session import EditEvent, EditSession, Problem
from dragoman.agents.events import EventType
from dragoman.agents.tools.documents import apply_edits
from dragoman.assistance.texts import Positions, Texts, change_between

TRIES: Final = 5
"""How often an edit is tried again that the editor refused because somebody typed meanwhile."""

Tell = Callable[[Mapping[str, Any]], None]
"""Tells of a hunk, as the data of an ``edit`` event."""


class OpenEdit:
    """Reads an answer into hunks (a `Reader` of the runtime) and makes them in the editor.

    With ``preview`` nothing is made before `decide`; without, each hunk is made as soon as it is final, one after another.
    """

    def __init__(self, uri: str, session: EditSession, texts: Texts, *, preview: bool, label: str) -> None:
        self.uri = uri
        self.problems: list[str] = []
        self._session = session
        self._texts = texts
        self._preview = preview
        self._tell: Tell | None = None
        self._label = label
        self._turn = asyncio.Lock()
        self._changing = False
        self._late: list[str | None] = []
        """What the model said while the editor was making an edit; None is the end."""
        self._told: dict[str, tuple[Any, ...]] = {}
        self._final = asyncio.Event()

    def attach(self, tell: Tell) -> None:
        """Tell of every hunk that there is, and from now on of each that is new, moved, made or dropped."""
        self._tell = tell
        self.document_changed()

    # -- the model's side ----------------------------------------------------------------------------------------------

    def feed(self, text: str) -> Iterable[tuple[EventType, Mapping[str, Any]]]:
        """Read on; what is found is told of by itself."""
        return self._read(text)

    def finish(self) -> Iterable[tuple[EventType, Mapping[str, Any]]]:
        """Read the end."""
        return self._read(None)

    def _read(self, text: str | None) -> tuple[tuple[EventType, Mapping[str, Any]], ...]:
        if self._changing:
            self._late.append(text)
        else:
            self._heard(self._session.finish() if text is None else self._session.feed(text))
        return ()

    def _heard(self, events: Sequence[EditEvent]) -> None:
        self.problems += [event.message for event in events if isinstance(event, Problem)]
        self._show()

    # -- the user's side -----------------------------------------------------------------------------------------------

    def document_changed(self) -> None:
        """Follow the document as the editor says it is now."""
        if not self._changing:
            self._catch_up()

    def _catch_up(self) -> None:
        """Take in what was typed and said since."""
        shown = self._texts.get(self.uri)
        if shown is not None:
            change = change_between(self._session.text, shown.text)
            if change is not None:
                self._session.document_changed((change,))
        late, self._late = self._late, []
        for text in late:
            self._read(text)
        self._show()

    def _show(self) -> None:
        """Tell of every hunk that is not as it was told last."""
        positions: Positions | None = None
        for hunk in self._session.hunks if self._tell is not None else ():
            now = (hunk.state, hunk.start, hunk.end, hunk.new)
            if self._told.get(hunk.id) == now:
                continue
            self._told[hunk.id] = now
            positions = positions or Positions(self._session.text)
            assert self._tell is not None
            self._tell({"uri": self.uri, "hunk": _as_json(hunk, positions)})
        if any(hunk.state == "final" for hunk in self._session.hunks):
            self._final.set()

    @property
    def waiting(self) -> tuple[str, ...]:
        """Identifiers of the hunks that can be made now."""
        return tuple(hunk.id for hunk in self._session.hunks if hunk.state == "final")

    @property
    def conflicts(self) -> int:
        """How many hunks the user has typed over."""
        return sum(hunk.state == "conflict" for hunk in self._session.hunks)

    @property
    def made(self) -> int:
        """How many hunks are in the document."""
        return sum(hunk.state == "applied" for hunk in self._session.hunks)

    @property
    def is_open(self) -> bool:
        """Whether there is anything left to decide."""
        return any(hunk.state in {"proposed", "final"} for hunk in self._session.hunks)

    def diff(self) -> str:
        """Return what waits to be made, as the lines of a unified diff without its head; empty when nothing does."""
        trial = copy.deepcopy(self._session)
        before = trial.text
        after = apply_edits(before, trial.accept())
        return "\n".join(list(unified_diff(before.split("\n"), after.split("\n"), lineterm=""))[2:])

    async def decide(self, hunks: Sequence[str] | None, *, accept: bool) -> int:
        """Make or drop hunks, all that can be for None; returns how many."""
        async with self._turn:
            # What was typed while the run began, nobody has told us of.
            self._catch_up()
            if not accept:
                chosen = [one.id for one in self._session.hunks if one.state in {"proposed", "final"}]
                chosen = [one for one in chosen if hunks is None or one in hunks]
                self._session.reject(chosen)
                self._show()
                return len(chosen)
            for _ in range(TRIES):
                chosen = [one for one in self.waiting if hunks is None or one in hunks]
                if not chosen:
                    return 0
                if await self._make(chosen):
                    return len(chosen)
            return 0

    async def _make(self, chosen: Sequence[str]) -> bool:
        """Make hunks in one step of the editor; False when it refused, and then they are as before."""
        shown = self._texts.get(self.uri)
        if shown is None:
            return False
        before = copy.deepcopy(self._session)
        positions = Positions(before.text)
        edits = [positions.edit(edit) for edit in self._session.accept(chosen)]
        self._changing = True
        made = False
        try:
            made = await self._texts.apply(shown, edits, self._label)
        finally:
            if not made:
                self._session = before
            self._changing = False
            self._catch_up()
        return made

    async def make_as_they_come(self, ended: Callable[[], bool]) -> None:
        """Make each hunk when it is final, until the answer has ended and none is left; for editors without previews."""
        while not self._preview:
            self._final.clear()
            if waiting := self.waiting:
                # One after another: each is a step of its own that can be undone.
                if not await self.decide(waiting[:1], accept=True) and waiting[0] in self.waiting:
                    # Nobody typed over it, so the editor refuses: it is closed, or will not change this document.
                    self.problems.append("The editor did not make the edit.")
                    await self.decide(None, accept=False)
                    return
                continue
            if ended():
                return
            await self._final.wait()

    def wake(self) -> None:
        """Have `make_as_they_come` look again, whether there is anything to do."""
        self._final.set()


def _as_json(hunk: Hunk, positions: Positions) -> dict[str, Any]:
    start, end = positions.place(hunk.start), positions.place(hunk.end)
    return {
        "id": hunk.id,
        "state": hunk.state,
        "range": {
            "start": {"line": start[0], "character": start[1]},
            "end": {"line": end[0], "character": end[1]},
        },
        "oldText": hunk.old,
        "newText": hunk.new,
    }
