"""What becomes of suggestions: shown, then accepted (whole, by word, by line), typed to the end, or rejected; and survived.

Most editors tell nothing, so it is inferred from the text; an editor's own word counts more, whenever it comes.
Everything stays on this machine: events are numbers by language and model, never text.
"""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, Literal, ParamSpec

from dragoman.clock import Clock, monotonic
from dragoman.completion.on_screen import AcceptKind, OnScreen, is_one_word
from dragoman.completion.query import CompletionQuery, Outcome, Suggestion, TextView
from dragoman.completion.survival import Region
from dragoman.limits import (
    ACCEPTANCE_HALF_LIFE,
    ACCEPTANCE_PRIOR,
    ACCEPTANCE_PRIOR_WEIGHT,
    SURVIVAL_S,
    VERDICT_GRACE_S,
    WATCHED_ACCEPTANCES,
)
from dragoman.monitoring import bug
from dragoman.monitoring.usage import Event, Fact

Source = Literal["model", "stream", "cache", "edit", "identifiers", "none"]

REMEMBERED_IDS = 256
"""Ids of replies that an editor may still name."""

_SOURCES: dict[str, Fact] = {
    "model": "from_model",
    "stream": "from_stream",
    "cache": "from_cache",
    "edit": "from_edit",
    "identifiers": "from_identifiers",
}
_RANK: dict[AcceptKind | None, int] = {None: 0, "word": 1, "line": 2, "whole": 3}
_DECAY = 0.5 ** (1 / ACCEPTANCE_HALF_LIFE)

P = ParamSpec("P")


def _safely(
    method: Callable[Concatenate[AcceptanceTracker, P], None],
) -> Callable[Concatenate[AcceptanceTracker, P], None]:
    """Keep a fault in counting away from completion: it is reported, and what is on screen is forgotten."""

    def guarded(self: AcceptanceTracker, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - reported; statistics are not worth a suggestion
            bug.report("acceptance cannot be counted", what=method.__name__, error=error)

    functools.update_wrapper(guarded, method)
    return guarded


class _Item:
    """A suggestion that was shown, until its end is known."""

    __slots__ = (
        "choices",
        "done",
        "due",
        "generation",
        "kind",
        "language",
        "model",
        "promised",
        "region",
        "screen",
        "taken",
        "uri",
        "verdict",
    )

    def __init__(self, query: CompletionQuery, screen: OnScreen, *, model: str, generation: int) -> None:
        self.uri = query.uri
        self.language = query.language
        self.model = model
        self.generation = generation
        self.screen = screen
        self.choices: list[OnScreen] = []
        """Alternatives of the same reply, until one of them is begun."""
        self.kind: AcceptKind | None = None
        """How it was accepted so far."""
        self.taken = 0
        """Characters accepted so far."""
        self.promised = ""
        """What the editor said it inserts, until the change that does it."""
        self.region: _Watched | None = None
        self.verdict: Literal["typed", "rejected"] | None = None
        """What it looks like, until `due`: the editor may know better."""
        self.due = 0.0
        self.done = False


class _Watched(Region):
    """An accepted text whose survival is looked at when it is `due`."""

    __slots__ = ("due", "item")

    def __init__(self, item: _Item, text: str, due: float, *, loose: bool = False) -> None:
        screen = item.screen
        super().__init__(text, line=screen.line, last=screen.last_line, head=screen.head, loose=loose)
        self.item = item
        self.due = due


class AcceptanceTracker:
    """Follows one suggestion a document and the newest acceptances; owns one timer, from the first use on an event loop.

    None of its methods waits, raises, or depends on the size of a document.
    """

    def __init__(self, record: Callable[[Event], None], clock: Clock = monotonic) -> None:
        self._record = record
        self._clock = clock
        self._texts: dict[str, TextView] = {}
        self._open: dict[str, _Item] = {}
        self._leaving: list[_Item] = []
        self._watched: list[_Watched] = []
        self._ids: OrderedDict[str, _Item] = OrderedDict()
        self._rates: dict[str, tuple[float, float]] = {}
        self._overall = (0.0, 0.0)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._closed = False

    @property
    def open_count(self) -> int:
        """Suggestions whose end is not known yet."""
        return len(self._open) + len(self._leaving)

    @property
    def watched_count(self) -> int:
        """Acceptances whose survival is not known yet."""
        return len(self._watched)

    # -- what the engine tells -----------------------------------------------------------------------------------------

    @_safely
    def called(self, language: str, *, model: str) -> None:
        """Count a call to a model."""
        self._record(Event("calls", language, model))

    def answered(self, query: CompletionQuery, outcome: Outcome) -> None:
        """Hear that ``outcome`` goes out as the reply to ``query``: `shown` for whoever has nothing to add."""
        if outcome.suggestions:
            first, *others = outcome.suggestions
            number = first.id.partition(":")[0]
            generation = int(number) if number.isdecimal() else 0
            self.shown(
                first,
                query,
                model=outcome.model,
                generation=generation,
                source=outcome.source,
                alternatives=others,
            )

    @_safely
    def shown(
        self,
        suggestion: Suggestion,
        query: CompletionQuery,
        *,
        model: str,
        generation: int,
        source: Source,
        alternatives: Sequence[Suggestion] = (),
    ) -> None:
        """Hear that a reply with ``suggestion`` goes out for ``query``; called for each reply.

        ``generation`` tells what belongs together (0 when no model was asked): typed through it is one suggestion, however
        many replies that takes.  The first answer out of a stream is the model's own, later ones come from it as it runs.
        A reply that comes too late for the text as it is now is on nobody's screen and not counted.
        """
        if self._closed or not suggestion.text:
            return
        self.settle()
        screen = OnScreen(query, suggestion)
        text = self._texts.setdefault(query.uri, query.text)
        if text is not query.text and not self._catch_up(screen, text):
            return
        item = self._continued(screen, query, generation)
        if fact := _SOURCES.get("model" if source == "stream" and item is None else source):
            self._record(Event(fact, query.language, model))
        if item is None:
            self._leave(self._open.get(query.uri))
            item = _Item(query, screen, model=model, generation=generation)
            self._record(Event("shown", query.language, model))
        item.screen = screen
        item.choices = [OnScreen(query, other) for other in alternatives] if text is query.text else []
        self._open[query.uri] = item
        for shown in (suggestion, *alternatives):
            self._ids[shown.id] = item
            self._ids.move_to_end(shown.id)
        while len(self._ids) > REMEMBERED_IDS:
            self._ids.popitem(last=False)

    def _catch_up(self, screen: OnScreen, text: TextView) -> bool:
        grown = text.line_count - screen.base_count
        found = screen.follow(text, first=0, last=text.line_count - 1, grown=grown)
        if found is None or screen.text == found:
            return False
        screen.consumed = found
        return True

    def _continued(self, screen: OnScreen, query: CompletionQuery, generation: int) -> _Item | None:
        """Return the suggestion that this reply goes on with."""
        item = self._open.get(query.uri)
        if item is not None and item.generation == generation:
            if generation or item.screen.remaining.startswith(screen.text):
                return item
        elif generation:
            for left in self._leaving:
                if left.generation == generation and left.uri == query.uri and left.verdict == "rejected":
                    # A wrong key and a backspace: the same suggestion is back.
                    self._leaving.remove(left)
                    left.verdict = None
                    self._leave(item)
                    return left
        return None

    # -- what the editor tells -----------------------------------------------------------------------------------------

    @_safely
    def document_changed(self, uri: str, text: TextView, *, first_line: int, last_line: int) -> None:
        """Hear that lines ``first_line..last_line`` (inclusive) of ``text`` are new, and infer what that did."""
        if self._closed:
            return
        before = self._texts.get(uri)
        self._texts[uri] = text
        grown = 0 if before is None else text.line_count - before.line_count
        for watched in self._watched:
            if watched.item.uri == uri:
                watched.follow(text, first=first_line, last=last_line, grown=grown)
        item = self._open.get(uri)
        if item is not None:
            self._changed(item, text, first_line, last_line, grown)
        self.settle()

    def _changed(self, item: _Item, text: TextView, first: int, last: int, grown: int) -> None:
        screen = item.screen
        had = screen.consumed
        found = screen.follow(text, first=first, last=last, grown=grown)
        if found is None and not had and item.choices:
            for other in item.choices:
                found = other.follow(text, first=first, last=last, grown=grown)
                if found:
                    item.screen, screen = other, other
                    break
            else:
                found = None
        if found is None:
            self._leave(item)
        elif len(found) > len(had):
            item.choices = []
            self._grown(item, found)
        else:
            screen.consumed = found

    def _grown(self, item: _Item, found: str) -> None:
        screen = item.screen
        piece, how = screen.advance(found)
        if item.promised:
            # The editor said so before: counted then.
            item.promised = ""
        elif how == "typed":
            if item.region is not None:
                item.region.extend(piece, screen.last_line)
        else:
            if how == "whole" and _is_last(item.kind, piece):
                how = item.kind or how
            self._take(item, how, piece)
        if screen.complete:
            if item.kind is not None:
                self._finish(item)
            else:
                self._leave(item, "typed")

    @_safely
    def accepted(self, suggestion_id: str, kind: str) -> None:
        """Hear from the editor that it inserts a suggestion, before or after the change that does it; counted once.

        An unknown id is ignored, an unknown ``kind`` means the whole.
        """
        item = self._ids.get(suggestion_id)
        if item is None or item.done or self._closed:
            return
        how: AcceptKind = "word" if kind == "word" else "line" if kind == "line" else "whole"
        if item.verdict is not None:
            # It came after the change, which looked like something else.
            self._leaving.remove(item)
            missed = item.verdict == "rejected"
            item.verdict = None
            if not missed:
                item.screen.consumed = ""
            self._take(item, how, item.screen.beginning(how), loose=missed)
            self._finish(item)
        elif item.kind is not None and not item.promised:
            item.kind = max(item.kind, how, key=_RANK.__getitem__)
        else:
            item.promised = item.screen.beginning(how)
            self._take(item, how, item.promised)
            if how == "whole":
                self._finish(item)

    @_safely
    def document_closed(self, uri: str) -> None:
        """Hear that a document was closed: what was on its screen was not taken, what was taken cannot be judged."""
        self._leave(self._open.get(uri))
        for item in [item for item in self._leaving if item.uri == uri]:
            self._decide(item)
        for watched in [watched for watched in self._watched if watched.item.uri == uri]:
            self._unwatch(watched, "unknown")
        self._texts.pop(uri, None)

    # -- how it ends ---------------------------------------------------------------------------------------------------

    def _take(self, item: _Item, kind: AcceptKind, piece: str, *, loose: bool = False) -> None:
        """Note that ``piece`` was accepted."""
        item.kind = kind if _RANK[kind] > _RANK[item.kind] else item.kind
        item.taken += len(piece)
        due = self._clock() + SURVIVAL_S
        if item.region is None:
            item.region = _Watched(item, piece, due, loose=loose)
            self._watched.append(item.region)
            if len(self._watched) > WATCHED_ACCEPTANCES:
                self._unwatch(self._watched[0], "unknown")
        else:
            item.region.extend(piece, item.screen.last_line)
            item.region.due = due
        self._arm(due)

    def _finish(self, item: _Item) -> None:
        """Count an acceptance."""
        self._forget(item)
        assert item.kind is not None, "an acceptance has a kind"
        self._record(Event(item.kind, item.language, item.model))
        self._record(Event("characters", item.language, item.model, item.taken))
        self._learn(item.language, 1.0)

    def _leave(self, item: _Item | None, verdict: Literal["typed", "rejected"] = "rejected") -> None:
        """Take a suggestion off the screen; what was taken of it is final, the rest is decided a moment later."""
        if item is None:
            return
        if item.kind is not None:
            self._finish(item)
            return
        self._forget(item)
        item.done = False
        item.verdict = verdict
        item.due = self._clock() + VERDICT_GRACE_S
        self._leaving.append(item)
        self._arm(item.due)

    def _decide(self, item: _Item) -> None:
        assert item.verdict is not None, "only what has a verdict is left"
        self._leaving.remove(item)
        item.done = True
        self._record(Event(item.verdict, item.language, item.model))
        if item.verdict == "rejected":
            self._learn(item.language, 0.0)

    def _forget(self, item: _Item) -> None:
        item.done = True
        if self._open.get(item.uri) is item:
            del self._open[item.uri]

    def _unwatch(self, watched: _Watched, fate: Fact) -> None:
        self._watched.remove(watched)
        item = watched.item
        item.region = None
        if not item.done:
            # Accepted in part and nothing since: that is how it ended.
            self._finish(item)
        self._record(Event(fate, item.language, item.model))

    # -- time ----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Decide what is due by now; the timer does it, and every call does."""
        if not (self._leaving or self._watched):
            return
        now = self._clock()
        while self._leaving and self._leaving[0].due <= now:
            self._decide(self._leaving[0])
        for watched in [watched for watched in self._watched if watched.due <= now]:
            text = self._texts.get(watched.item.uri)
            self._unwatch(watched, "unknown" if text is None else watched.judge(text))

    def _arm(self, due: float) -> None:
        if self._timer is not None and self._timer_at <= due:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = loop.call_later(max(0.0, due - self._clock()), self._ring)

    @_safely
    def _ring(self) -> None:
        self._timer = None
        self.settle()
        waiting = [item.due for item in self._leaving] + [watched.due for watched in self._watched]
        if waiting and not self._closed:
            self._arm(min(waiting))

    async def aclose(self) -> None:
        """Count what can still be counted and stop the timer; what is on the screen stays open for ever."""
        if self._closed:
            return
        self._close()

    @_safely
    def _close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.settle()
        for item in list(self._leaving):
            self._decide(item)
        for watched in list(self._watched):
            self._unwatch(watched, "unknown")

    # -- the rate ------------------------------------------------------------------------------------------------------

    def recall(self, history: Mapping[str, tuple[float, float]]) -> None:
        """Begin with what earlier sessions counted: (accepted, decided) by language."""
        for language, (taken, decided) in history.items():
            before = self._rates.get(language, (0.0, 0.0))
            self._rates[language] = (before[0] + taken, before[1] + decided)
            self._overall = (self._overall[0] + taken, self._overall[1] + decided)

    def rate(self, language: str) -> float:
        """Return the share of suggestions that is accepted lately, 0..1.

        Where little is known of the language the user's other languages count, and before anything is known
        `ACCEPTANCE_PRIOR`.  What was typed to its end counts neither way.
        """
        overall = _smooth(self._overall, ACCEPTANCE_PRIOR)
        return _smooth(self._rates.get(language, (0.0, 0.0)), overall)

    def _learn(self, language: str, value: float) -> None:
        taken, decided = self._rates.get(language, (0.0, 0.0))
        self._rates[language] = (taken * _DECAY + value, decided * _DECAY + 1.0)
        taken, decided = self._overall
        self._overall = (taken * _DECAY + value, decided * _DECAY + 1.0)


def _is_last(kind: AcceptKind | None, piece: str) -> bool:
    """Tell whether ``piece`` ends what was accepted so far by ``kind``, and in the same way."""
    return is_one_word(piece) if kind == "word" else "\n" not in piece.strip() if kind == "line" else False


def _smooth(seen: tuple[float, float], prior: float) -> float:
    return (seen[0] + prior * ACCEPTANCE_PRIOR_WEIGHT) / (seen[1] + ACCEPTANCE_PRIOR_WEIGHT)
