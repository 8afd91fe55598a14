"""The conversations of an editor, kept where the user's settings say; without a store they still work, and are forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dragoman.assistance.budget import ChatBudget
from dragoman.errors import DragomanError, StorageError
from dragoman.models.base import ChatMessage

if TYPE_CHECKING:
    from dragoman.app import App
    from dragoman.keeping import Keeping

logger = logging.getLogger(__name__)


class Talks:
    """Reads and keeps what was said."""

    def __init__(self, app: Callable[[], App]) -> None:
        self._app = app

    async def before(self, conversation: str, question: str, budget: ChatBudget) -> tuple[ChatMessage, ...]:
        """Return what a model reads of a conversation before a question; nothing without a store.

        Raises NotStoredError, and ContextOverflowError for a question that is too long.
        """
        keeping = await self._keeping()
        if keeping is None:
            return await budget.said_before((), question)
        await keeping.conversations.get(conversation)
        return await budget.stored_before(keeping.context, conversation, question)

    async def keep(self, conversation: str, *said: ChatMessage) -> None:
        """Keep messages at the end of a conversation; what cannot be kept is logged."""
        keeping = await self._keeping()
        if keeping is None:
            return
        try:
            for message in said:
                await keeping.context.save_message(conversation, message)
        except StorageError as error:
            logger.warning("What was said was not kept: %s", error)

    async def list(self, limit: int = 50) -> dict[str, Any]:
        """Return the newest conversations."""
        keeping = await self._keeping()
        found = [] if keeping is None else await keeping.conversations.list(limit=limit)
        return {
            "conversations": [
                {"id": one.id, "title": one.title, "updatedAt": one.updated_at.isoformat()} for one in found
            ]
        }

    async def show(self, conversation: str) -> dict[str, Any]:
        """Return a conversation's messages, those of tools left out; raises NotStoredError."""
        keeping = await self._keeping()
        messages: list[dict[str, str]] = []
        if keeping is not None:
            await keeping.conversations.get(conversation)
            kept = keeping.conversations.messages(conversation)
            said = [one async for one in kept if one.role in {"user", "assistant"} and one.content]
            messages = [{"role": one.role, "content": one.content} for one in said]
        return {"id": conversation, "messages": messages}

    async def _keeping(self) -> Keeping | None:
        try:
            return await self._app().keep()
        except DragomanError as error:
            logger.warning("Conversations are not kept: %s", error)
            return None
