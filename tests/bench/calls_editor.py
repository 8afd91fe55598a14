"""An editor in virtual time: it types, asks at every key, cancels what is no longer wanted, and looks at its screen.

A suggestion stays on screen while what is typed agrees with it, and comes back when that is taken back; an answer replaces
it. All policies are shown by this same editor.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field

from dragoman.cancellation import cancel_and_wait
from tests.bench.calls_model import Call, StandIn
from tests.bench.calls_place import Place
from tests.bench.calls_policies import Policy
from tests.bench.calls_typing import Buffer, Key, Typist, changes, draw, log_normal

HUNK_PAUSE_S = 3.0
ACCEPT_SHARE = 0.6
"""How often a person who could accept does, once per word."""
LOOK_S = 0.4
FEWEST_CHARS = 3
"""Shorter suggestions are typed, not accepted."""
REMEMBERED_EXAMPLES = 20
FARTHEST_TYPED = 1_000
"""How far back the origin of what is on screen is looked for."""
_CLOSERS = ")]}>\"'`;,: \t"


@dataclass
class Tally:
    """What one person's typing in one package came to; all of it adds up over packages."""

    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class Editor:
    """One person, one policy, one model."""

    def __init__(self, policy: Policy, model: StandIn, seed: int, *, accepts: bool) -> None:
        self.policy = policy
        self.model = model
        self.tally = Tally()
        self._seed = seed
        self._accepts = accepts
        self._loop = asyncio.get_running_loop()
        self._versions: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._known_calls = 0
        self._running: list[Call] = []
        self._last: Key | None = None
        self._text = ""
        self._through = 0
        self._stale = False
        self._is_right = False
        self._ticked = 0.0
        self._place: Place | None = None
        policy.show = self._put

    # -- typing --------------------------------------------------------------------------------------------------------

    async def type_file(self, uri: str, language: str, old: str, new: str, unit: str) -> None:
        """Turn ``old`` into ``new`` by hand."""
        buffer = Buffer(old.split("\n"))
        self.model.lines = [line for line in new.split("\n") if len(line.strip()) > 8] or ["pass  # nothing here"]
        for number, change in enumerate(changes(old, new)):
            typist = self.model.typist = Typist(buffer, change, f"{uri}:{number}", unit)
            self._buffer, self._uri, self._language = buffer, uri, language
            key = typist.begin()
            self._ticked = self._loop.time()
            if key is not None:
                self._apply(key)
            await asyncio.sleep(log_normal(HUNK_PAUSE_S, 0.6, self._seed, uri, number))
            await self._type_hunk(typist)
        if buffer.text != new:
            raise AssertionError(f"the typing did not end in the new version of {uri!r}")

    async def _type_hunk(self, typist: Typist) -> None:
        key: Key | None = None
        count = 0
        while not typist.finished:
            count += 1
            await asyncio.sleep(typist.pause(key, count))
            if self._accepts and (taken := await self._consider(typist)) is not None:
                key = taken
                continue
            self._sample()
            key = typist.press()
            self._apply(key)
        await asyncio.sleep(1.0)
        self._sample()
        self._leave()

    async def _consider(self, typist: Typist) -> Key | None:
        """Look at a right suggestion and take it, all of it, a line or a word; None when the person types on."""
        word = typist.text.rfind(" ", 0, typist.at)
        if not self._right() or len(self._rest) < FEWEST_CHARS:
            return None
        if draw(self._seed, "accept", typist.place, word) >= ACCEPT_SHARE:
            return None
        await asyncio.sleep(log_normal(LOOK_S, 0.3, self._seed, "look", typist.place, typist.at))
        rest, truth = self._rest, typist.truth()
        if truth is None or not self._right() or len(rest) < FEWEST_CHARS:
            return None
        self._sample()
        choice = draw(self._seed, "how much", typist.place, typist.at)
        kind = "whole" if choice < 0.6 and truth.startswith(rest) else "line" if choice < 0.8 else "word"
        text = rest
        if kind == "line":
            text = _first_line(rest)
        elif kind == "word":
            match = re.match(r"\s*(?:\w+|\W)", rest)
            text = match[0] if match else rest
        key = typist.accept(text)
        self.policy.accepted(text, kind)
        self.tally.counts["accepted"] += 1
        self.tally.counts["accepted_chars"] += len(text)
        self._apply(key)
        return key

    def _apply(self, key: Key) -> None:
        """Follow one key: the screen, the policy's view of the text, the request."""
        self._tick()
        self._follow(key)
        self._is_right = self._right()
        if not key.edits:
            self._leave()
            return
        self.tally.counts["keys"] += 1
        self._last = key
        self._versions[self._uri] += 1
        self._place = self.model.place = place = self._here(key)
        self._known_calls = len(self.model.calls)
        self._running = [call for call in self.model.calls[-4:] if call.running]
        changed = getattr(self.policy, "changed", None)
        if changed is not None:
            changed(place, key.touched)
        if self._asking is not None:
            self._asking.cancel()
        self._asking = task = self._loop.create_task(self._ask(place))
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _here(self, key: Key) -> Place:
        buffer = self._buffer
        lines = tuple(buffer.lines)
        return Place(
            uri=self._uri,
            language=self._language,
            version=self._versions[self._uri],
            lines=lines,
            row=buffer.row,
            column=buffer.column,
            before=buffer.before,
            after=buffer.after,
            others=self._versions.total() - self._versions[self._uri],
            typed=key.typed,
        )

    async def _ask(self, place: Place) -> None:
        text = await self.policy.suggest(place)
        if text is not None and self._place is place:
            self._put(text)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error

    def _leave(self) -> None:
        """Move the cursor away: what is on screen goes, and nobody waits for an answer."""
        self._tick()
        self._text, self._through = "", 0
        self._place = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self.policy.moved()

    async def aclose(self) -> None:
        """End every request and count what the model did."""
        self.tally.counts["entries"] = self.policy.entries
        await cancel_and_wait(*self._tasks)
        with contextlib.suppress(asyncio.CancelledError):
            await self.policy.aclose()
        if self._failure is not None:
            raise self._failure
        counts = self.tally.counts
        counts["calls"] = len(self.model.calls)
        counts["tokens"] = sum(call.tokens for call in self.model.calls)
        counts["wasted"] = sum(call.tokens for call in self.model.calls if not call.shown)
        counts["unseen"] = sum(not call.shown for call in self.model.calls)

    # -- the screen ----------------------------------------------------------------------------------------------------

    @property
    def _rest(self) -> str:
        return self._text[self._through :]

    def _follow(self, key: Key) -> None:
        rest = self._rest
        if rest and key.typed and rest.startswith(key.typed) and rest != key.typed:
            self._through += len(key.typed)
        elif rest and key.kind == "backspace" and key.erased and self._through >= key.erased:
            self._through -= key.erased
        else:
            self._text, self._through = "", 0

    def _put(self, text: str) -> None:
        """Show an answer, or nothing."""
        if self._place is None:
            return
        text = text if text.strip() else ""
        old = self._rest
        if text:
            self._count_answer(text)
        if text == old:
            return
        self._tick()
        if old and not self._stale:
            self.tally.counts["replaced" if text else "vanished"] += not self._same(old, text)
        if not text:
            self._text, self._through = "", 0
        else:
            self._text, self._through = text, 0
            self._stale = self._source(text) is None
        self._is_right = self._right()

    def _same(self, old: str, text: str) -> bool:
        """Tell whether ``text`` extends ``old``, or lacks just what the editor put behind the cursor meanwhile."""
        assert self._place is not None
        cut = (
            old.startswith(text)
            and self._place.after[:1] in _CLOSERS
            and old[len(text) :].startswith(self._place.after[:1])
        )
        return (bool(text) and text.startswith(old)) or cut or not old.strip()

    def _count_answer(self, text: str) -> None:
        counts = self.tally.counts
        counts["answers"] += 1
        call = self._source(text)
        if call is None:
            counts["stale"] += 1
            if len(self.tally.examples) < REMEMBERED_EXAMPLES and self._place is not None:
                place = self._place
                around = f"{place.before[-90:]}‸{place.after[:50]}"
                self.tally.examples.append(f"{self.policy.label}: {around!r} was shown {text!r}")
            return
        call.shown = True
        self.tally.hits[self._kind(call)] += 1

    def _kind(self, call: Call) -> str:
        """Tell how the policy came by an answer that ``call`` gave."""
        assert self._place is not None
        assert self._last is not None
        if call.number >= self._known_calls:
            return "model"
        if call in self._running:
            return "in flight"
        if self._last.kind == "accept":
            return "after accept"
        if self._last.kind == "backspace":
            return "backspace"
        if call.place is not None and call.place.row != self._place.row and not self._source_at_cursor(call):
            return "moved line"
        return "exact" if self._place.before.endswith(call.before) else "typed-through"

    def _source_at_cursor(self, call: Call) -> bool:
        assert self._place is not None
        return call.before[-40:] in self._place.before

    def _source(self, text: str) -> Call | None:
        """Return the call whose answer ``text`` is at this cursor; None when it belongs to another text: it is stale.

        The text around must be what the model saw: the line and two with content above it, the rest of the line and the
        next line with content, leaving out closers. What was typed since must be the answer's beginning.
        """
        assert self._place is not None
        found = self._source_at(self._place.before, text)
        if found is None and (lead := re.match(r"\s+", text)):
            # Asked ahead of the cursor: behind a line break, or further in.
            found = self._source_at(self._place.before + lead[0], text[lead.end() :])
        return found or self._source_of_moved(text)

    def _source_of_moved(self, text: str) -> Call | None:
        """Return the call for the same line when it stood elsewhere among the same lines."""
        place = self._place
        assert place is not None
        head, others = place.lines[place.row][: place.column], None
        for call in reversed(self.model.calls[-200:]):
            asked = call.place
            if asked is None or asked.uri != place.uri or call.text == "" or asked.row == place.row:
                continue
            line = call.before.rsplit("\n", 1)[-1]
            if not (line.strip() and head.startswith(line) and _goes_on(call, head[len(line) :], text)):
                continue
            others = others or _others(place)
            if others == _others(asked):
                return call
        return None

    def _source_at(self, before: str, text: str) -> Call | None:
        assert self._place is not None
        after = _near_after(self._place.after)
        for typed in range(min(FARTHEST_TYPED, len(before)) + 1):
            end = len(before) - typed
            for call in reversed(self.model.begun_at(before[max(0, end - 24) : end])):
                if _near_after(call.after) != after or not before[:end].endswith(_near_before(call.before)):
                    continue
                if _goes_on(call, before[end:], text):
                    return call
        return None

    def _right(self) -> bool:
        """Tell whether the first line on screen is what comes next."""
        rest = self._rest
        if not rest or self._stale or self.model.typist is None:
            return False
        truth = self.model.typist.truth()
        return bool(truth) and truth is not None and truth.startswith(_first_line(rest))

    # -- looking at it -------------------------------------------------------------------------------------------------

    def _sample(self) -> None:
        """Note what is on screen just before the next key."""
        counts = self.tally.counts
        counts["samples"] += 1
        counts["valid"] += bool(self._rest) and not self._stale
        counts["right"] += self._right()

    def _tick(self) -> None:
        now = self._loop.time()
        spent, self._ticked = now - self._ticked, now
        seconds = self.tally.seconds
        seconds["all"] += spent
        seconds["valid"] += spent if self._rest and not self._stale else 0.0
        seconds["right"] += spent if self._rest and self._is_right else 0.0


def _others(place: Place) -> Counter[str]:
    return Counter(line for row, line in enumerate(place.lines) if row != place.row)


def _first_line(text: str) -> str:
    """Return the first line that says something, with the line breaks before it."""
    end = text.find("\n", len(text) - len(text.lstrip()))
    return text if end < 0 else text[:end]


def _near_before(before: str) -> str:
    """Return the line at the end with the two lines of content above it."""
    start = len(before)
    for _ in range(3):
        start = before.rfind("\n", 0, max(0, start))
        while start > 0 and not before[before.rfind("\n", 0, start) + 1 : start].strip():
            start = before.rfind("\n", 0, start)
        if start < 0:
            return before
    return before[start + 1 :]


def _near_after(after: str) -> str:
    rest, *lines = after.split("\n", 8)
    following = next((line.strip() for line in lines if line.strip()), "")
    return f"{rest.lstrip(_CLOSERS)}\n{following}"


def _goes_on(call: Call, typed: str, text: str) -> bool:
    """Tell whether ``text`` is what ``call`` said behind ``typed``.

    Indentation may have been adapted, and the line's head left out where the model began by saying it again.
    """
    shown = "".join(_first_line(text).split())
    head = call.before.rsplit("\n", 1)[-1].strip()
    answer = call.text.lstrip()
    for said in (call.text, answer, answer.removeprefix(head)):
        for done in (typed, typed.lstrip(" \t")):
            if said.startswith(done) and "".join(said[len(done) :].split()).startswith(shown):
                return True
    # The text may be indented otherwise than the model wrote it.
    return "".join(answer.split()).startswith("".join(typed.split()) + shown)
