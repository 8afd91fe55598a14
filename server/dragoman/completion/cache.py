"""Answers by what surrounds the cursor: the same index holds finished generations and those still streaming."""

from __future__ import annotations

from collections import OrderedDict

from dragoman.clock import Clock, monotonic
from dragoman.completion.generation import Generation
from dragoman.completion.surroundings import Surroundings
from dragoman.limits import CACHE_ENTRIES, CACHE_SECONDS, TYPED_THROUGH_CHARS


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
