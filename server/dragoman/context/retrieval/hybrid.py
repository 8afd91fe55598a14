"""Similar code by names and by meaning: two rankings made one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from dragoman.context.limits import RETRIEVAL_CHUNKS
from dragoman.context.retrieval.files import Files
from dragoman.context.retrieval.lexical import Similar, find_similar
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.scope import Scope
from dragoman.context.workspace.store import ChunkRow
from dragoman.context.workspace.vector_limits import VECTOR_LONE_SCORE, VECTOR_RANK_K

Ranked = TypeVar("Ranked", bound=Hashable)


def find_alike(files: Files, scope: Scope, place: Place) -> list[Similar]:
    """Return the pieces of other files that are most alike, the best first: by names, and by meaning where that is known.

    The scores stay those of the names: the first of both rankings gets the highest of them, and so on.
    """
    named = find_similar(files, scope, place.path)
    meant = _chunks_at(files, place)
    if not meant:
        return named
    order = fuse([[one.chunk for one in named], meant])[:RETRIEVAL_CHUNKS]
    scores = sorted((one.score for one in named), reverse=True)
    scores += [
        min([VECTOR_LONE_SCORE, *scores[-1:]]) * VECTOR_RANK_K / (VECTOR_RANK_K + rank)
        for rank in range(len(order) - len(scores))
    ]
    return [Similar(chunk, score) for chunk, score in zip(order, scores, strict=False)]


def fuse(rankings: Iterable[Sequence[Ranked]]) -> list[Ranked]:
    """Return everything that is ranked, by the sum of the reciprocal ranks; of equals the one that came first."""
    scores: defaultdict[Ranked, float] = defaultdict(float)
    for ranking in rankings:
        for rank, one in enumerate(ranking, 1):
            scores[one] += 1 / (VECTOR_RANK_K + rank)
    return sorted(scores, key=scores.__getitem__, reverse=True)


def _chunks_at(files: Files, place: Place) -> list[ChunkRow]:
    """Return the pieces that the index has now where a meaning was found; files change."""
    found = (files.store.chunk_at(path, line) for path, line in place.nearest if path != place.path)
    return [*dict.fromkeys(chunk for chunk in found if chunk is not None)]
