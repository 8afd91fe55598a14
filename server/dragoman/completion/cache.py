"""Answers by what surrounds the cursor: the same index holds finished generations and those still streaming."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from dragoman.clock import Clock, monotonic
from dragoman.completion.generation import Generation
from dragoman.completion.query import CompletionQuery
from dragoman.completion.surroundings import Surroundings, is_only_one
from dragoman.limits import CACHE_ENTRIES, CACHE_SECONDS, GROUP_SEARCHED, TYPED_THROUGH_CHARS

_Place = tuple[str, str]


def typed_since(
    generation: Generation, place: Surroundings, query: CompletionQuery, *, most: int | None = None
) -> str | None:
    """Return what was typed of ``generation`` up to ``place``, at most ``most`` characters; None where it does not go on."""
    for typed in place.since(generation.place.anchor):
        if most is not None and len(typed) > most:
            return None
        if generation.continues(typed) and generation.rests_on(query.text, query.line - typed.count("\n"), query.line):
            return typed
    return None


class GenerationIndex:
    """A bounded, most-recently-used index of generations, found again while the user types through them.

    Generations are grouped by language and by what follows the cursor; within a group the text before the cursor decides.
    A second way finds one whose line was moved: the line begins as it did, and the others are the same in another order.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._entries: OrderedDict[int, Generation] = OrderedDict()
        self._groups: dict[_Place, dict[int, Generation]] = {}
        self._heads: dict[_Place, Generation] = {}
        self._clock = clock

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, generation: Generation) -> None:
        """Remember ``generation`` as the answer at its place; an older one at the same place is forgotten."""
        place = generation.place
        group = self._groups.setdefault((place.language, place.after), {})
        for older in [one for one in group.values() if one.place.anchor == place.anchor]:
            self.discard(older)
        self._groups.setdefault((place.language, place.after), group)[generation.number] = generation
        self._entries[generation.number] = generation
        if place.head.strip():
            self._heads[place.language, place.head] = generation
        while len(self._entries) > CACHE_ENTRIES:
            self.discard(next(iter(self._entries.values())))

    def find(self, place: Surroundings, query: CompletionQuery) -> tuple[Generation, str] | None:
        """Return the generation that goes on at ``place`` and what was typed of it since; the least typed one wins."""
        best: tuple[Generation, str] | None = None
        for generation in self._usable(place):
            typed = typed_since(generation, place, query, most=None if best is None else len(best[1]))
            if typed is not None:
                best = generation, typed
        if best is not None:
            self._entries.move_to_end(best[0].number)
        return best

    def find_moved(self, place: Surroundings, query: CompletionQuery) -> tuple[Generation, str] | None:
        """Return the generation whose line stands elsewhere now, and what was typed of it since.

        The line must be the only one that begins so: else it was the cursor that moved, and the line is another.
        """
        head = place.head
        for typed in range(min(TYPED_THROUGH_CHARS, len(head.lstrip())) + 1):
            generation = self._heads.get((place.language, head[: len(head) - typed]))
            if generation is None or not generation.done or not self._keep(generation):
                continue
            text = head[len(head) - typed :]
            if (
                generation.is_only_one
                and generation.continues(text)
                and is_only_one(query.text, query.line, generation.place.head)
                and generation.rests_on(query.text, query.line, query.line)
            ):
                return generation, text
        return None

    def discard(self, generation: Generation) -> None:
        """Forget a generation that ended without an answer worth keeping."""
        if self._entries.pop(generation.number, None) is None:
            return
        place = generation.place
        key = (place.language, place.after)
        group = self._groups[key]
        del group[generation.number]
        if not group:
            del self._groups[key]
        if self._heads.get((place.language, place.head)) is generation:
            del self._heads[place.language, place.head]

    def _usable(self, place: Surroundings) -> Iterator[Generation]:
        group = self._groups.get((place.language, place.after))
        # The newest first: what the user is typing through is most often the last that was asked for.
        for generation in islice(reversed(list(group.values())), GROUP_SEARCHED) if group else ():
            if self._keep(generation):
                yield generation

    def _keep(self, generation: Generation) -> bool:
        if generation.failed or self._clock() - generation.started > CACHE_SECONDS:
            self.discard(generation)
            return False
        return True
