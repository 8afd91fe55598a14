"""Texts as vectors: sent in batches, and what comes back is checked before anybody computes with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from dragoman.errors import ModelNotFoundError, StreamMalformedError
from dragoman.models.providers.provider import HttpProvider

EMBED_BATCH: Final = 16
"""Texts in one request: some 6,000 tokens, a few seconds of a processor, after which others get their turn."""

Vector = list[float]


async def embed(
    provider: HttpProvider,
    model: str,
    texts: Sequence[str],
    *,
    path: str,
    shape: Literal["openai", "ollama"],
    more: Mapping[str, Any] | None = None,
) -> list[Vector]:
    """Return a vector for each text, in their order and all of one length; raises `ModelError`.

    ``path`` is the server's page for it, ``shape`` the form of its reply, ``more`` what else it is told.
    """
    vectors: list[Vector] = []
    for at in range(0, len(texts), EMBED_BATCH):
        batch = list(texts[at : at + EMBED_BATCH])
        vectors += await _ask(provider, model, batch, path, shape, dict(more or {}))
    if len({len(vector) for vector in vectors}) > 1:
        raise StreamMalformedError(f"{provider.client.asker().place} answered with vectors of different lengths.")
    return vectors


async def _ask(
    provider: HttpProvider, model: str, batch: list[str], path: str, shape: str, more: dict[str, Any]
) -> list[Vector]:
    client = provider.client
    # A whole batch is one answer: the time for a first token would be too short.
    limit = provider.endpoint.timeouts.total
    try:
        reply = await client.fetch(
            "POST", path, {"model": model, "input": batch, **more}, limit=limit, model=model, secrets=tuple(batch)
        )
    except ModelNotFoundError as error:
        raise await provider.explain(error, model) from error
    vectors = _read_openai(reply) if shape == "openai" else _read_ollama(reply)
    if len(vectors) != len(batch) or not all(map(_is_vector, vectors)):
        hint = f"Is {model!r} a model that makes embeddings?"
        place = client.asker(model).place
        raise StreamMalformedError(f"{place} did not answer with a vector for each text.", hint=hint)
    return vectors


def _read_openai(reply: Any) -> list[Any]:
    entries = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return []
    # The order is the texts' own where the server numbers nothing.
    numbered = [
        (entry["index"] if isinstance(entry.get("index"), int) else at, entry) for at, entry in enumerate(entries)
    ]
    return [entry.get("embedding") for _, entry in sorted(numbered, key=lambda pair: pair[0])]


def _read_ollama(reply: Any) -> list[Any]:
    vectors = reply.get("embeddings") if isinstance(reply, dict) else None
    return vectors if isinstance(vectors, list) else []


def _is_vector(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(number, int | float) and math.isfinite(number) for number in value)
    )
