"""Conversations of the database as a context's history: messages of models in, messages of models out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from dragoman.context.history import HistoryMessage
from dragoman.errors import DragomanError
from dragoman.models.base import ChatMessage, Image, ToolCall

if TYPE_CHECKING:
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
