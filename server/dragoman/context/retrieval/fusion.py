"""Which lines share the budget: always the one that adds most chances of needed names for its tokens.

A name that is shown already adds nothing again, so sources that say the same do not crowd each other out, and one
source's tenth best line stands against another's best by what it is worth, not by where it came from.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dragoman.context.retrieval.candidates import Item
from dragoman.limits import CONTEXT_CHARS_PER_TOKEN, RETRIEVAL_FAINT, RETRIEVAL_HEADER_TOKENS, RETRIEVAL_WINDOW_BONUS


@dataclass(frozen=True, slots=True)
class Chosen:
    """An item that is shown, with what it added when it was chosen."""

    item: Item
    gain: float
    tokens: int


def tokens_of(text: str) -> int:
    """Estimate the tokens of a line of code, rather too many than too few; exact counts are the caller's business."""
    return int(len(text) / CONTEXT_CHARS_PER_TOKEN) + 1


def choose(items: Iterable[Item], chances: Mapping[str, float], budget: int) -> list[Chosen]:
    """Return items worth at most ``budget`` tokens, in the order they were chosen."""
    pool = [item for item in items if any(chances.get(name, 0.0) > RETRIEVAL_FAINT for name in item.names)]
    worth = [
        [(name, chance) for name in item.names if (chance := chances.get(name, 0.0)) > RETRIEVAL_FAINT] for item in pool
    ]
    costs = [tokens_of(item.text) for item in pool]
    heap: list[tuple[float, int]] = []
    covered: set[str] = set()
    opened: set[tuple[str, str]] = set()

    def gain(at: int) -> float:
        total = pool[at].score * (RETRIEVAL_WINDOW_BONUS if pool[at].whole else 1)
        for name, chance in worth[at]:
            if name not in covered:
                total += chance
        return total

    def cost(at: int) -> int:
        item = pool[at]
        extra = 0
        if (item.path, "") not in opened:
            extra += RETRIEVAL_HEADER_TOKENS
        if item.header and (item.path, item.header) not in opened:
            extra += tokens_of(item.header)
        return costs[at] + extra

    for at in range(len(pool)):
        value = gain(at)
        if value > 0:
            heap.append((-value / cost(at), at))
    heapq.heapify(heap)
    chosen: list[Chosen] = []
    left = budget
    while heap and left > RETRIEVAL_HEADER_TOKENS:
        _, at = heapq.heappop(heap)
        item = pool[at]
        value, price = gain(at), cost(at)
        if value <= 0 or price > left:
            continue
        ratio = -value / price
        if heap and ratio > heap[0][0]:
            heapq.heappush(heap, (ratio, at))
            continue
        chosen.append(Chosen(item, value, price))
        left -= price
        covered.update(item.names)
        opened.add((item.path, ""))
        if item.header:
            opened.add((item.path, item.header))
    return chosen
