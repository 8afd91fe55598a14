"""The chance that the next lines need a name: a logistic model over what speaks for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import chain

from dragoman.context.limits import RETRIEVAL_FAINT
from dragoman.context.retrieval.candidates import Pool, Question, Signals
from dragoman.context.retrieval.scope import split_words
from dragoman.context.retrieval.scoring_weights import BIAS, WEIGHTS


def chances(question: Question, pool: Pool) -> dict[str, float]:
    """Return the chances of the names in the pool that the model does not read anyway and that have any worth counting."""
    words = question.scope.words
    totals = dict.fromkeys(pool.names(), BIAS)
    rarity = word_rarity(totals)
    for signal, strengths in pool.signals.items():
        weight = WEIGHTS[signal]
        for name, strength in strengths.items():
            totals[name] += weight * strength
    found: dict[str, float] = {}
    for name in totals.keys() - question.scope.seen:
        total = totals[name]
        if total + _MOST_BY_NAME < _FAINTEST:
            continue
        if name[0] == "_" or not words.isdisjoint(split_words(name)):
            for signal, strength in by_name(name, words, rarity).items():
                total += WEIGHTS[signal] * strength
        found[name] = 1 / (1 + math.exp(-total))
    return found


_MOST_BY_NAME = max(0.0, WEIGHTS["words"]) + max(0.0, WEIGHTS["telling_words"])
_FAINTEST = math.log(RETRIEVAL_FAINT / (1 - RETRIEVAL_FAINT))


class _Rarity(dict[str, float]):
    """Worked out word by word: a question asks for a tenth of them."""

    def __init__(self, counted: Counter[str], total: float) -> None:
        super().__init__()
        self._counted = counted
        self._total = total

    def __missing__(self, word: str) -> float:
        found = self[word] = self._total - math.log(self._counted[word])
        return found


def word_rarity(names: Collection[str]) -> Mapping[str, float]:
    """Return how much each word of some names tells: one that many of them share tells little."""
    counted = Counter(chain.from_iterable(map(split_words, names)))
    return _Rarity(counted, math.log(len(names) + 1))


def by_name(name: str, words: frozenset[str], rarity: Mapping[str, float]) -> Signals:
    """Return what the name itself says: the words that it shares with the place, and whether it is private."""
    signals: Signals = {}
    parts = split_words(name)
    if not words.isdisjoint(parts):
        shared = sum(rarity[part] for part in parts if part in words)
        if shared > 0:
            signals["words"] = shared / sum(rarity[part] for part in parts)
            signals["telling_words"] = min(1.0, shared / 8)
    if name[0] == "_":
        signals["dunder" if name.startswith("__") else "private"] = 1.0
    return signals
