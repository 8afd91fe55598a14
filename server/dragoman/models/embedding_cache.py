"""Texts as vectors that are asked for once: in batches that a server takes, and from a cache what was asked before."""

from __future__ import annotations

import hashlib
import logging
import math
from array import array
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from dragoman.errors import StreamMalformedError
from dragoman.models import tokenizers
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo

if TYPE_CHECKING:
    from dragoman.storage.cache import Cache

logger = logging.getLogger(__name__)

BATCH_TEXTS: Final = 16
"""Texts of one request: as many as the providers send at once, so that each batch is kept as soon as it came."""

BATCH_TOKENS: Final = 8_192
"""Tokens of one request, by estimate: a few seconds of a processor, and what hosted services take at least."""

CACHE_BYTES: Final = 32 * 1024 * 1024
"""Vectors kept in memory: some 5,000 of 768 numbers."""

_ENTRY_BYTES: Final = 250
"""What an entry takes besides its numbers."""

SHARED_S: Final = 7 * 24 * 3600.0
"""How long a vector is kept for other processes: a text that nobody asked about for a week has changed."""

Key = tuple[str, str, bytes]
"""Provider, model, and the SHA-256 of the text: no text is kept."""


class VectorStore(Protocol):
    """A second place where vectors are kept, beyond this process; whatever fails there is as if nothing were."""

    async def get_many(self, keys: Sequence[str]) -> Sequence[Sequence[float] | None]:
        """Return the vector of each key, None for one that is not there."""
        ...

    async def set_many(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Keep vectors by their keys."""
        ...


class EmbeddingCache:
    """Vectors in memory, bounded by bytes: those used longest ago go; may be shared by any number of models."""

    def __init__(self, *, most_bytes: int = CACHE_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[Key, array[float]] = OrderedDict()
        self.bytes = 0
        """What the vectors take now."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> list[float] | None:
        """Return a vector of the caller's own, None when it is not here."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept.tolist()

    def put(self, key: Key, vector: Sequence[float]) -> None:
        """Keep a vector; one that alone is too large is not kept."""
        self._drop(key)
        kept = array("d", vector)
        size = _size(kept)
        if size > self._most:
            return
        self._kept[key] = kept
        self.bytes += size
        while self.bytes > self._most:
            self._drop(next(iter(self._kept)))

    def forget(self, provider: str, model: str) -> None:
        """Forget every vector of a model."""
        for key in [key for key in self._kept if key[:2] == (provider, model)]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self.bytes -= _size(kept)


class SharedVectors:
    """The `VectorStore` over a `Cache` of the storage room, which may be Redis."""

    def __init__(self, cache: Cache, scope: str) -> None:
        self._cache = cache
        self._scope = scope

    async def get_many(self, keys: Sequence[str]) -> list[Sequence[float] | None]:
        """Return the vector of each key, None for one that is not there."""
        return [await self._cache.get(self._scope, key) for key in keys]

    async def set_many(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Keep vectors by their keys."""
        for key, vector in vectors:
            await self._cache.set(self._scope, key, list(vector), SHARED_S)


class CachedEmbedder:
    """A model whose vectors are remembered; everything else goes to the model itself.

    A text that stands several times in one call is asked for once.
    Batches go one after the other, and what came before a failure or a cancel is kept: the next call goes on from there.
    """

    def __init__(self, model: Model, cache: EmbeddingCache, store: VectorStore | None = None) -> None:
        self._model = model
        self._cache = cache
        self._store = store
        self._store_failed = False

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self._model.info

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        return self._model.complete(request)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        return self._model.chat(request)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order and all of one length; raises `ModelError`.

        What the model answers is refused, and not kept, when it is not a finite vector for each text.
        """
        keys = [self._key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        found = await self._look_up(list(wanted))
        missing = {key: text for key, text in wanted.items() if key not in found}
        asked = await self._ask(missing)
        if found and _lengths(found) | _lengths(asked) > _lengths(found):
            # Another model answers by this name now: nothing that was known of it counts.
            self._cache.forget(self.info.provider, self.info.name)
            for key, vector in asked.items():
                self._cache.put(key, vector)
            asked |= await self._ask({key: wanted[key] for key in found})
            found = {}
        vectors = found | asked
        if len(_lengths(vectors)) > 1:
            raise self._malformed("vectors of different lengths")
        # Each caller's own list: what one does to it must not reach another's.
        return [list(vectors[key]) for key in keys]

    async def _ask(self, texts: dict[Key, str]) -> dict[Key, list[float]]:
        vectors: dict[Key, list[float]] = {}
        for batch in _batches(texts):
            answer = await self._model.embed([texts[key] for key in batch])
            if len(answer) != len(batch) or not all(map(_is_vector, answer)):
                raise self._malformed("something that is not a vector for each text")
            fresh = dict(zip(batch, answer, strict=True))
            if len(_lengths(vectors | fresh)) > 1:
                raise self._malformed("vectors of different lengths")
            for key, vector in fresh.items():
                self._cache.put(key, vector)
            await self._keep(fresh)
            vectors |= fresh
        return vectors

    async def _look_up(self, keys: Sequence[Key]) -> dict[Key, list[float]]:
        found = {key: vector for key in keys if (vector := self._cache.get(key)) is not None}
        missing = [key for key in keys if key not in found]
        if not missing or self._store is None:
            return found
        try:
            kept = await self._store.get_many([_spell(key) for key in missing])
        except Exception as error:  # noqa: BLE001 - a store that fails is an empty one
            self._miss_store(error)
            return found
        for key, stored in zip(missing, kept, strict=False):
            if stored is not None and _is_vector(stored):
                found[key] = list(stored)
                self._cache.put(key, stored)
        return found

    async def _keep(self, vectors: dict[Key, list[float]]) -> None:
        if self._store is None:
            return
        try:
            await self._store.set_many([(_spell(key), vector) for key, vector in vectors.items()])
        except Exception as error:  # noqa: BLE001 - a store that fails is an empty one
            self._miss_store(error)
        else:
            self._store_failed = False

    def _miss_store(self, error: Exception) -> None:
        if not self._store_failed:
            self._store_failed = True
            logger.warning("The store of vectors does not answer; they are made anew: %s", type(error).__name__)

    def _key(self, text: str) -> Key:
        info = self._model.info
        return info.provider, info.name, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    def _malformed(self, what: str) -> StreamMalformedError:
        info = self._model.info
        return StreamMalformedError(
            f"{info.provider!r} answered with {what}.", hint=f"Is {info.name!r} a model that makes embeddings?"
        )


def _batches(texts: dict[Key, str]) -> Iterator[list[Key]]:
    """Cut texts into requests; a text that alone is too long goes alone, for the server to judge."""
    batch: list[Key] = []
    tokens = 0
    for key, text in texts.items():
        more = tokenizers.estimate(text)
        if batch and (len(batch) >= BATCH_TEXTS or tokens + more > BATCH_TOKENS):
            yield batch
            batch, tokens = [], 0
        batch.append(key)
        tokens += more
    if batch:
        yield batch


def _lengths(vectors: dict[Key, list[float]]) -> set[int]:
    return {len(vector) for vector in vectors.values()}


def _is_vector(vector: Sequence[float]) -> bool:
    try:
        return bool(vector) and all(isinstance(number, int | float) and math.isfinite(number) for number in vector)
    except (OverflowError, TypeError):
        # A whole number beyond every float, or nothing that holds numbers.
        return False


def _spell(key: Key) -> str:
    provider, model, digest = key
    return f"{provider}/{model}/{digest.hex()}"


def _size(vector: array[float]) -> int:
    return _ENTRY_BYTES + vector.itemsize * len(vector)
