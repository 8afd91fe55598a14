"""Answers by what surrounds the cursor: the same index holds finished generations and those still streaming."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dragoman.clock import Clock, monotonic
from dragoman.completion.query import CompletionQuery, TextView
from dragoman.completion.shape import CLOSERS
from dragoman.limits import (
    CACHE_ENTRIES,
    CACHE_PREFIX_CHARS,
    CACHE_SECONDS,
    CACHE_SUFFIX_CHARS,
    TYPED_THROUGH_CHARS,
)

if TYPE_CHECKING:
    from dragoman.completion.generation import Generation


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The text close to a cursor; two cursors with equal surroundings ask the same question."""

    language: str
    before: str
    after: str

    def key(self, typed: int) -> tuple[str, str, str]:
        """Return the key of the question asked ``typed`` characters earlier."""
        end = len(self.before) - typed
        return (self.language, self.before[max(0, end - CACHE_PREFIX_CHARS) : end], self.after)


def surroundings(query: CompletionQuery) -> Surroundings:
    """Read the surroundings of the query's cursor."""
    line = query.text.line(query.line).rstrip("\r\n")
    before = text_before(query.text, query.line, line[: query.character], CACHE_PREFIX_CHARS + TYPED_THROUGH_CHARS)
    return Surroundings(query.language, before, text_after(query.text, query.line, line[query.character :]))


def text_before(text: TextView, line: int, head: str, room: int) -> str:
    """Return the last ``room`` characters before a cursor whose line begins with ``head``."""
    parts = [head[-room:]]
    used = len(parts[0])
    while used < room and line > 0:
        line -= 1
        content = text.line(line).rstrip("\r\n")[-room:] + "\n"
        parts.append(content)
        used += len(content)
    return "".join(reversed(parts))[-room:]


def text_after(text: TextView, line: int, rest: str) -> str:
    """Return what follows a cursor, without the brackets and quotes that an editor closes by itself."""
    rest = rest[:CACHE_SUFFIX_CHARS].lstrip(CLOSERS + " \t")
    for index in range(line + 1, min(line + 8, text.line_count)):
        following = text.line(index)[:CACHE_SUFFIX_CHARS].strip()
        if following:
            return f"{rest}\n{following}"
    return rest


class GenerationIndex:
    """A bounded, most-recently-used index of generations, found again while the user types through them."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._entries: OrderedDict[tuple[str, str, str], Generation] = OrderedDict()
        self._clock = clock

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, place: Surroundings, generation: Generation) -> None:
        """Remember ``generation`` as the answer at ``place``."""
        key = place.key(0)
        self._entries[key] = generation
        self._entries.move_to_end(key)
        while len(self._entries) > CACHE_ENTRIES:
            self._entries.popitem(last=False)

    def find(self, place: Surroundings) -> tuple[Generation, str] | None:
        """Return the newest-begun generation whose text goes on at ``place``, and what was typed of it since."""
        now = self._clock()
        longest = min(TYPED_THROUGH_CHARS, len(place.before))
        for typed in range(longest + 1):
            key = place.key(typed)
            generation = self._entries.get(key)
            if generation is None:
                continue
            if generation.failed or now - generation.started > CACHE_SECONDS:
                del self._entries[key]
                continue
            text = place.before[len(place.before) - typed :]
            if generation.continues(text):
                self._entries.move_to_end(key)
                return generation, text
        return None

    def discard(self, generation: Generation) -> None:
        """Forget a generation that ended without an answer worth keeping."""
        for key in [key for key, value in self._entries.items() if value is generation]:
            del self._entries[key]
