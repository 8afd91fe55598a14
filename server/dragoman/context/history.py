"""The messages of conversations: kept in a repository, at hand in a cache, and in one order whoever saves at the same time.

The newest ones are live, twice as many as a context may hold; what is older is archived, not lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dragoman.clock import Clock, monotonic
from dragoman.context.limits import HISTORY_AHEAD, HISTORY_BYTES, HISTORY_DOUBTED, HISTORY_SECONDS, HISTORY_TURN
from dragoman.context.tool_pairs import first_kept
from dragoman.errors import DragomanError
from dragoman.models.base import ChatMessage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """A message as it is kept: ``seq`` rises by one with each message of its conversation."""

    seq: int
    message: ChatMessage


class HistoryRepository(Protocol):
    """Where messages are kept for good."""

    async def last(self, conversation_id: str, n: int) -> Sequence[HistoryMessage]:
        """Return the newest ``n`` messages that are not archived, the oldest first; none of an unknown conversation."""
        ...

    async def append(
        self, conversation_id: str, message: ChatMessage, *, model: str | None = None, tokens: int | None = None
    ) -> HistoryMessage:
        """Keep a message behind all others of its conversation; ``model`` wrote it, ``tokens`` is what that cost."""
        ...

    async def archive_before(self, conversation_id: str, seq: int) -> None:
        """Take every message before ``seq`` out of what `last` returns, without losing it."""
        ...


class HistoryCache(Protocol):
    """Where the live messages are at hand; whatever fails there is as if nothing were."""

    async def get(self, conversation_id: str) -> Sequence[HistoryMessage] | None:
        """Return the live messages, the oldest first; None when they are not here."""
        ...

    async def set(self, conversation_id: str, messages: Sequence[HistoryMessage]) -> None:
        """Remember the live messages."""
        ...

    async def append(self, conversation_id: str, message: HistoryMessage) -> None:
        """Add a message right behind the newest of those that are here; nothing where none are."""
        ...

    async def invalidate(self, conversation_id: str) -> None:
        """Forget the messages of a conversation."""
        ...


class History:
    """The live messages of conversations, read from the cache first and from the repository otherwise.

    Who saves to a conversation waits for the one that does so already, so no message is lost from the cache or overtaken.
    From a save's beginning until the cache has taken it, that conversation's cache is not believed: a cancel, a failure
    or a cache that was away in between costs one reading of the repository.
    """

    def __init__(self, repository: HistoryRepository, cache: HistoryCache | None = None) -> None:
        self._repository = repository
        self._cache: HistoryCache = cache or _NoCache()
        self._doubted: set[str] = set()
        self._locks: dict[str, _Turnstile] = {}
        self._cache_failed = False

    async def live(self, conversation_id: str, window: int) -> tuple[HistoryMessage, ...]:
        """Return the live messages, the oldest first; raises what the repository raises."""
        found = await self._cached(conversation_id)
        if found is not None:
            return found
        async with self._alone(conversation_id):
            if (found := await self._cached(conversation_id)) is not None:
                return found
            self._doubt(conversation_id)
            found = await self._load(conversation_id, window)
            await self._settle(conversation_id, self._cache.set(conversation_id, found))
            return found

    async def save(
        self,
        conversation_id: str,
        message: ChatMessage,
        window: int,
        *,
        model: str | None = None,
        tokens: int | None = None,
    ) -> HistoryMessage:
        """Keep a message and archive what is older than twice the window; raises what the repository's ``append`` raises.

        Whole tool pairs are archived, and never the newest message of a user or what followed it.
        """
        async with self._alone(conversation_id):
            known = await self._cached(conversation_id)
            self._doubt(conversation_id)
            saved = await self._repository.append(conversation_id, message, model=model, tokens=tokens)
            try:
                await self._tidy(conversation_id, known, saved, window)
            except DragomanError as error:
                # The message is kept; the next save does what was left.
                logger.warning("Conversation %r was saved but not tidied: %s", conversation_id, error)
            return saved

    async def forget(self, conversation_id: str) -> None:
        """Read the conversation anew the next time: somebody else has changed it."""
        async with self._alone(conversation_id):
            self._doubt(conversation_id)
            await self._settle(conversation_id, self._cache.invalidate(conversation_id))

    # -- keeping cache and repository together -------------------------------------------------------------------------

    async def _tidy(
        self, conversation_id: str, known: tuple[HistoryMessage, ...] | None, saved: HistoryMessage, window: int
    ) -> None:
        # A gap means that another process has gone on with this conversation.
        if known and saved.seq == known[-1].seq + 1:
            live, goes_on = (*known, saved), True
        else:
            live, goes_on = await self._load(conversation_id, window), False
        first = first_kept([kept.message for kept in live], 2 * window)
        if first:
            await self._repository.archive_before(conversation_id, live[first].seq)
        if goes_on and not first:
            await self._settle(conversation_id, self._cache.append(conversation_id, saved))
        else:
            await self._settle(conversation_id, self._cache.set(conversation_id, live[first:]))

    async def _load(self, conversation_id: str, window: int) -> tuple[HistoryMessage, ...]:
        asked = 2 * window + HISTORY_AHEAD
        while True:
            found = tuple(await self._repository.last(conversation_id, asked))
            whole = len(found) < asked or any(kept.message.role == "user" for kept in found)
            if whole or asked >= HISTORY_TURN:
                return found
            asked *= 4

    async def _cached(self, conversation_id: str) -> tuple[HistoryMessage, ...] | None:
        if conversation_id in self._doubted:
            return None
        try:
            found = await self._cache.get(conversation_id)
        except Exception as error:  # noqa: BLE001 - a cache that fails is an empty one
            self._miss_cache(error)
            return None
        return None if found is None else tuple(found)

    async def _settle(self, conversation_id: str, taken: Awaitable[None]) -> None:
        """Wait until the cache has taken what was saved; only then is it believed again."""
        try:
            await taken
        except Exception as error:  # noqa: BLE001 - a cache that fails is an empty one
            self._miss_cache(error)
            return
        self._doubted.discard(conversation_id)
        self._cache_failed = False

    def _doubt(self, conversation_id: str) -> None:
        self._doubted.add(conversation_id)
        if len(self._doubted) > HISTORY_DOUBTED:
            logger.warning("The cache of conversations was away for too long and is not used any more.")
            self._cache = _NoCache()
            self._doubted.clear()

    def _miss_cache(self, error: Exception) -> None:
        if not self._cache_failed:
            self._cache_failed = True
            logger.warning(
                "The cache of conversations does not answer; they are read from the database: %s", type(error).__name__
            )

    @contextlib.asynccontextmanager
    async def _alone(self, conversation_id: str) -> AsyncIterator[None]:
        """Hold the conversation's lock; locks nobody waits for are forgotten."""
        turnstile = self._locks.setdefault(conversation_id, _Turnstile())
        turnstile.users += 1
        try:
            async with turnstile.lock:
                yield
        finally:
            turnstile.users -= 1
            if not turnstile.users:
                del self._locks[conversation_id]


@dataclass(slots=True)
class _Turnstile:
    """A lock and how many hold it or wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class _NoCache:
    """A cache that has nothing."""

    async def get(self, conversation_id: str) -> None:  # noqa: ARG002
        return None

    async def set(self, conversation_id: str, messages: Sequence[HistoryMessage]) -> None:
        pass

    async def append(self, conversation_id: str, message: HistoryMessage) -> None:
        pass

    async def invalidate(self, conversation_id: str) -> None:
        pass


class MemoryHistory:
    """A `HistoryCache` in this process: bounded by bytes, and believed for half a minute, for others may write too."""

    def __init__(self, *, most_bytes: int = HISTORY_BYTES, clock: Clock = monotonic) -> None:
        self._most = most_bytes
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, int, tuple[HistoryMessage, ...]]] = OrderedDict()
        self._bytes = 0

    async def get(self, conversation_id: str) -> tuple[HistoryMessage, ...] | None:
        """Return the live messages, None when they are not here or too old."""
        kept = self._kept.get(conversation_id)
        if kept is None or self._clock() - kept[0] > HISTORY_SECONDS:
            self._drop(conversation_id)
            return None
        self._kept.move_to_end(conversation_id)
        return kept[2]

    async def set(self, conversation_id: str, messages: Sequence[HistoryMessage]) -> None:
        """Remember the live messages; the conversations used longest ago make room."""
        self._put(conversation_id, tuple(messages))

    async def append(self, conversation_id: str, message: HistoryMessage) -> None:
        """Add a message to those that are here, which are believed anew: nobody has written in between."""
        if (kept := self._kept.get(conversation_id)) is not None:
            self._put(conversation_id, (*kept[2], message))

    async def invalidate(self, conversation_id: str) -> None:
        """Forget the messages of a conversation."""
        self._drop(conversation_id)

    def _put(self, conversation_id: str, messages: tuple[HistoryMessage, ...]) -> None:
        self._drop(conversation_id)
        size = len(conversation_id) + sum(map(_size, messages))
        if size > self._most:
            return
        self._kept[conversation_id] = (self._clock(), size, messages)
        self._bytes += size
        while self._bytes > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, conversation_id: str) -> None:
        if (kept := self._kept.pop(conversation_id, None)) is not None:
            self._bytes -= kept[1]


def _size(kept: HistoryMessage) -> int:
    message = kept.message
    calls = sum(len(call.arguments) + len(call.name) + 200 for call in message.tool_calls)
    # A text with one rare letter takes four bytes a letter.
    return 400 + 4 * len(message.content) + calls + sum(len(image.data) + 200 for image in message.images)
