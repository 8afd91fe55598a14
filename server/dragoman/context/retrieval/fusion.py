"""Which lines share the budget: always the one that adds most chances of needed names for its tokens.

A name that is shown already adds nothing again, so sources that say the same do not crowd each other out, and one
source's tenth best line stands against another's best by what it is worth, not by where it came from.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dragoman.context.limits import RETRIEVAL_FAINT, RETRIEVAL_HEADER_TOKENS, RETRIEVAL_WINDOW_BONUS
from dragoman.context.retrieval.candidates import Item
from dragoman.context.tokens import count, rough


@dataclass(frozen=True, slots=True)
class Chosen:
    """An item that is shown, with what it added when it was chosen."""

    item: Item
    gain: float
    tokens: int


def choose(items: Iterable[Item], chances: Mapping[str, float], budget: int) -> list[Chosen]:
    """Return items worth at most ``budget`` tokens, in the order they were chosen."""
    scale = _Scale(*_worthwhile(items, chances))
    heap = [(-scale.gain(at) / scale.cost(at), at) for at in range(len(scale.items))]
    heapq.heapify(heap)
    chosen: list[Chosen] = []
    left = budget
    while heap and left > RETRIEVAL_HEADER_TOKENS:
        _, at = heapq.heappop(heap)
        value, price = scale.gain(at), scale.cost(at)
        if value <= 0 or price > left:
            continue
        if heap and -value / price > heap[0][0]:
            # It was worth more when it was put there: what it says has been said since.
            heapq.heappush(heap, (-value / price, at))
            continue
        if (price := scale.exact_cost(at)) > left:
            continue
        chosen.append(Chosen(scale.items[at], value, price))
        left -= price
        scale.take(at)
    return chosen


class _Scale:
    """What each item would add now, and what it would cost now."""

    def __init__(self, items: list[Item], worth: list[list[tuple[str, float]]]) -> None:
        self.items = items
        self._worth = worth
        self._costs = [rough(item.text) for item in items]
        self._shown: set[str] = set()
        self._opened: set[tuple[str, str]] = set()

    def gain(self, at: int) -> float:
        """Return the chances of the names that it would show first, and its own worth."""
        item = self.items[at]
        shown = self._shown
        total = item.score * (RETRIEVAL_WINDOW_BONUS if item.whole else 1)
        for name, chance in self._worth[at]:
            if name not in shown:
                total += chance
        return total

    def cost(self, at: int) -> int:
        """Return its tokens with the lines that must stand above it and do not yet."""
        item = self.items[at]
        extra = 0 if (item.path, "") in self._opened else RETRIEVAL_HEADER_TOKENS
        if item.header and (item.path, item.header) not in self._opened:
            extra += rough(item.header)
        return self._costs[at] + extra

    def exact_cost(self, at: int) -> int:
        """Return the same, counted: only what is about to be shown is worth the time."""
        self._costs[at] = count(self.items[at].text)
        return self.cost(at)

    def take(self, at: int) -> None:
        """Note that it is shown."""
        item = self.items[at]
        self._shown.update(item.names)
        self._opened.add((item.path, ""))
        if item.header:
            self._opened.add((item.path, item.header))


def _worthwhile(
    items: Iterable[Item], chances: Mapping[str, float]
) -> tuple[list[Item], list[list[tuple[str, float]]]]:
    """Return the items that have any chance or worth, and the names with their chances."""
    likely = {name: chance for name, chance in chances.items() if chance > RETRIEVAL_FAINT}
    pool, worth = [], []
    for item in items:
        # Most items have no such name.
        if not likely.keys().isdisjoint(item.names):
            pool.append(item)
            worth.append([(name, likely[name]) for name in item.names if name in likely])
        elif item.score > 0 and not item.whole:
            pool.append(item)
            worth.append([])
    return pool, worth
