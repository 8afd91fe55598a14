"""The chance that the next lines need a name: a logistic model over what speaks for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import chain

from dragoman.context.retrieval.candidates import Pool, Question, Signals
from dragoman.context.retrieval.scope import split_words
from dragoman.context.retrieval.scoring_weights import BIAS, WEIGHTS


def chances(question: Question, pool: Pool) -> dict[str, float]:
    """Return the chance of every name in the pool; 0 for one that the model reads anyway."""
    seen = question.scope.seen
    words = question.scope.words
    found: dict[str, float] = {}
    rarity = word_rarity(pool)
    for name, signals in pool.signals.items():
        if name in seen:
            found[name] = 0.0
            continue
        complete(name, signals, words, rarity)
        total = BIAS
        for signal, strength in signals.items():
            total += WEIGHTS[signal] * strength
        found[name] = 1 / (1 + math.exp(-total))
    return found


def word_rarity(pool: Pool) -> dict[str, float]:
    """Return how much each word tells that is in the pool's names: one that many names share tells little."""
    counted = Counter(chain.from_iterable(map(split_words, pool.signals)))
    total = math.log(len(pool.signals) + 1)
    return {word: total - math.log(count) for word, count in counted.items()}


def complete(name: str, signals: Signals, words: frozenset[str], rarity: Mapping[str, float]) -> None:
    """Add what the name itself says: the words that it shares with the place, and whether it is private."""
    parts = split_words(name)
    if not words.isdisjoint(parts):
        shared = sum(rarity[part] for part in parts if part in words)
        if shared > 0:
            signals["words"] = shared / sum(rarity[part] for part in parts)
            signals["telling_words"] = min(1.0, shared / 8)
    if name.startswith("__"):
        signals["dunder"] = 1.0
    elif name.startswith("_"):
        signals["private"] = 1.0
