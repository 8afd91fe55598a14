"""Conversations of the storage room as a context's history: messages of models in, messages of models out."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from dragoman.context.history import HistoryMessage
from dragoman.context.limits import HISTORY_SECONDS
from dragoman.errors import DragomanError
from dragoman.models.base import ChatMessage, Image, ToolCall

if TYPE_CHECKING:
    from dragoman.storage.cache import Cache
    from dragoman.storage.repositories.conversations import Conversations
    from dragoman.storage.repositories.messages import Message, StoredImage

logger = logging.getLogger(__name__)

ReadArtifact = Callable[[str], Awaitable[bytes]]
"""Returns the bytes of an artifact by its identifier; raises `DragomanError` when it is not there."""


class StoredHistory:
    """The `HistoryRepository` over a database; a picture whose artifact is gone is left out of its message."""

    def __init__(self, conversations: Conversations, read_artifact: ReadArtifact | None = None) -> None:
        self._conversations = conversations
        self._read_artifact = read_artifact

    async def last(self, conversation_id: str, n: int) -> Sequence[HistoryMessage]:
        """Return the newest ``n`` messages that are not archived, the oldest first; raises `StorageError`."""
        return [await self._read(stored) for stored in await self._conversations.last(conversation_id, n)]

    async def append(
        self, conversation_id: str, message: ChatMessage, *, model: str | None = None, tokens: int | None = None
    ) -> HistoryMessage:
        """Keep a message at the end; returns it as a database can hold it; raises `StorageError`."""
        from dragoman.storage.repositories.messages import NewMessage, StoredImage, StoredToolCall

        new = NewMessage(
            message.role,
            message.content,
            images=tuple(StoredImage(image.media_type, image.data) for image in message.images),
            tool_calls=tuple(StoredToolCall(call.id, call.name, call.arguments) for call in message.tool_calls),
            tool_call_id=message.tool_call_id,
            tokens=tokens,
            model=model,
        )
        (stored,) = await self._conversations.append(conversation_id, new)
        return await self._read(stored)

    async def archive_before(self, conversation_id: str, seq: int) -> None:
        """Take every message before ``seq`` out of the live ones; raises `StorageError`."""
        await self._conversations.archive_before(conversation_id, seq)

    async def _read(self, stored: Message) -> HistoryMessage:
        images = [await self._picture(image) for image in stored.images]
        message = ChatMessage(
            stored.role,
            stored.content,
            images=tuple(image for image in images if image is not None),
            tool_calls=tuple(ToolCall(call.id, call.name, call.arguments) for call in stored.tool_calls),
            tool_call_id=stored.tool_call_id,
        )
        return HistoryMessage(stored.seq, message)

    async def _picture(self, image: StoredImage) -> Image | None:
        if image.data is not None:
            return Image(image.media_type, image.data)
        if image.artifact is None or self._read_artifact is None:
            return None
        try:
            return Image(image.media_type, await self._read_artifact(image.artifact))
        except DragomanError as error:
            logger.warning("A picture of a conversation is not there any more: %s", error)
            return None


class SharedHistory:
    """The `HistoryCache` over a `Cache`, which may be Redis and so be shared by several processes.

    What another process has written since is seen after half a minute, and at once when something is saved here.
    """

    def __init__(self, cache: Cache, scope: str) -> None:
        self._cache = cache
        self._scope = scope

    async def get(self, conversation_id: str) -> list[HistoryMessage] | None:
        """Return the live messages; None when they are not there, or are not what this version writes."""
        try:
            return [_unpack(packed) for packed in await self._cache.get(self._scope, conversation_id)]
        except (KeyError, TypeError, ValueError):
            return None

    async def set(self, conversation_id: str, messages: Sequence[HistoryMessage]) -> None:
        """Remember the live messages."""
        packed = [_pack(kept) for kept in messages]
        await self._cache.set(self._scope, conversation_id, packed, HISTORY_SECONDS)

    async def append(self, conversation_id: str, message: HistoryMessage) -> None:
        """Add a message right behind the newest of those that are there; forget them when another came between."""
        kept = await self.get(conversation_id)
        if kept and kept[-1].seq + 1 == message.seq:
            await self.set(conversation_id, [*kept, message])
        else:
            await self.invalidate(conversation_id)

    async def invalidate(self, conversation_id: str) -> None:
        """Forget the messages of a conversation."""
        await self._cache.delete(self._scope, conversation_id)


def _pack(kept: HistoryMessage) -> dict[str, Any]:
    message = kept.message
    return {
        "seq": kept.seq,
        "role": message.role,
        "content": message.content,
        "images": [[image.media_type, base64.b64encode(image.data).decode()] for image in message.images],
        "tool_calls": [[call.id, call.name, call.arguments] for call in message.tool_calls],
        "tool_call_id": message.tool_call_id,
    }


def _unpack(packed: dict[str, Any]) -> HistoryMessage:
    message = ChatMessage(
        packed["role"],
        packed["content"],
        images=tuple(Image(media_type, base64.b64decode(data)) for media_type, data in packed["images"]),
        tool_calls=tuple(ToolCall(*call) for call in packed["tool_calls"]),
        tool_call_id=packed["tool_call_id"],
    )
    return HistoryMessage(packed["seq"], message)
