"""Code that looks like what stands around the cursor: pieces of files that share its rare names."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.context.limits import (
    RETRIEVAL_CHUNKS,
    RETRIEVAL_POSTINGS,
    RETRIEVAL_RARE,
    RETRIEVAL_TERMS,
    RETRIEVAL_WINDOW_AFTER,
    RETRIEVAL_WINDOW_BEFORE,
)
from dragoman.context.retrieval.files import Files, Piece
from dragoman.context.retrieval.scope import Scope
from dragoman.context.workspace.store import ChunkRow


@dataclass(frozen=True, slots=True)
class Similar:
    """A piece of another file: ``score`` is the share of the question's weight that it holds, 0 to 1."""

    chunk: ChunkRow
    score: float


@dataclass(frozen=True, slots=True)
class SimilarWindow:
    """The lines of a piece that are most alike; ``first_line`` counts from 0."""

    path: str
    first_line: int
    lines: tuple[str, ...]
    score: float


def find_similar(files: Files, scope: Scope, path: str) -> list[Similar]:
    """Return the pieces of other files that share most of the rare names near the cursor, the best first.

    Each name costs at most `RETRIEVAL_POSTINGS` rows whatever the size of the index: a name that has more is common, and
    only its first pieces count, for little.
    """
    terms = heapq.nlargest(RETRIEVAL_TERMS, scope.near.items(), key=lambda item: item[1])
    rare: list[tuple[float, Sequence[int]]] = []
    common: list[tuple[float, Sequence[int]]] = []
    for term, weight in terms:
        found = files.holders(term)
        if found:
            worth = weight * math.log(1 + RETRIEVAL_POSTINGS / len(found))
            (common if len(found) == RETRIEVAL_POSTINGS else rare).append((worth, found))
    # Of a common name only some pieces are known: it counts where there is hardly anything else.
    counted = rare if len(rare) >= RETRIEVAL_RARE else [*rare, *common]
    scores: defaultdict[int, float] = defaultdict(float)
    for worth, found in counted:
        for number in found:
            scores[number] += worth
    total = sum(worth for worth, _ in counted)
    if not scores:
        return []
    # Only those with as much as the last that counts are put in order: plain numbers are sorted in no time.
    least = sorted(scores.values())[-3 * RETRIEVAL_CHUNKS :][0]
    order = sorted(((score, at) for at, score in scores.items() if score >= least), reverse=True)
    best = [number for _, number in order[: 3 * RETRIEVAL_CHUNKS]]
    alive = [chunk for chunk in files.store.chunks(best) if chunk.path != path]
    alive.sort(key=lambda chunk: (-scores[chunk.id], chunk.id))
    return [Similar(chunk, scores[chunk.id] / total) for chunk in alive[:RETRIEVAL_CHUNKS]]


def weigh_lines(scope: Scope, piece: Piece) -> list[float]:
    """Return how much of the place's names each line and the few lines before it hold, 0 to 1: what follows a like line counts."""
    near = scope.near
    weights = [0.0] * len(piece.named)
    for name in piece.places.keys() & near.keys():
        for at in piece.places[name]:
            weights[at] += near[name]
    around = []
    value = 0.0
    for weight in weights:
        around.append(value + 0.5 * weight)
        value = 0.7 * value + weight
    most = max(around, default=0.0)
    return [value / most for value in around] if most else around


def strongest(named: Sequence[Sequence[str]], weights: Sequence[float]) -> dict[str, float]:
    """Return the names on lines, each with the weight of its best line."""
    best: dict[str, float] = {}
    for at in sorted(range(len(weights)), key=weights.__getitem__):
        best.update(dict.fromkeys(named[at], weights[at]))
    return best


def window_of(similar: Similar, lines: list[str], weights: list[float]) -> SimilarWindow | None:
    """Cut out the lines of a piece that are most alike, with some before and more after: what follows is what is wanted."""
    if not lines:
        return None
    at = weights.index(max(weights))
    first = max(0, at - RETRIEVAL_WINDOW_BEFORE)
    last = min(len(lines), at + RETRIEVAL_WINDOW_AFTER)
    chosen = lines[first:last]
    while chosen and not chosen[-1].strip():
        chosen.pop()
    while chosen and not chosen[0].strip():
        chosen.pop(0)
        first += 1
    if not chosen:
        return None
    return SimilarWindow(similar.chunk.path, similar.chunk.first_line + first, tuple(chosen), similar.score)
