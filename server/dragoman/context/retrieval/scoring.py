"""The chance that the next lines need a name: a logistic model over what speaks for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import chain

from dragoman.context.limits import RETRIEVAL_FAINT
from dragoman.context.retrieval.candidates import Pool, Question, Signals
from dragoman.context.retrieval.scope import split_words
from dragoman.context.retrieval.scoring_weights import BIAS, WEIGHTS


def chances(question: Question, pool: Pool) -> dict[str, float]:
    """Return the chances of the names in the pool that the model does not read anyway and that have any worth counting."""
    seen = question.scope.seen
    words = question.scope.words
    weights = WEIGHTS
    found: dict[str, float] = {}
    rarity = word_rarity(pool)
    for name, signals in pool.signals.items():
        if name in seen:
            continue
        total = BIAS
        for signal, strength in signals.items():
            total += weights[signal] * strength
        if total + _MOST_BY_NAME < _FAINTEST:
            continue
        for signal, strength in by_name(name, words, rarity).items():
            total += weights[signal] * strength
        found[name] = 1 / (1 + math.exp(-total))
    return found


_MOST_BY_NAME = max(0.0, WEIGHTS["words"]) + max(0.0, WEIGHTS["telling_words"])
_FAINTEST = math.log(RETRIEVAL_FAINT / (1 - RETRIEVAL_FAINT))


def word_rarity(pool: Pool) -> dict[str, float]:
    """Return how much each word tells that is in the pool's names: one that many names share tells little."""
    counted = Counter(chain.from_iterable(map(split_words, pool.signals)))
    total = math.log(len(pool.signals) + 1)
    return {word: total - math.log(count) for word, count in counted.items()}


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
