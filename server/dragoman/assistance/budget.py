"""The settings' bounds of a conversation: what a model reads of it before a question, and how much of what the question names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dragoman.agents.compaction import RunHistory
from dragoman.context.conversation import ConversationContext
from dragoman.context.limits import CONTEXT_CHARS_PER_TOKEN
from dragoman.context.turn import ContextLimits, Turn
from dragoman.models.base import ChatMessage, ModelInfo

if TYPE_CHECKING:
    from dragoman.agents.definitions import AgentDefinition
    from dragoman.app import App
    from dragoman.settings import Settings

ATTACHMENT_SHARE: Final = 0.5
"""Of a prompt's tokens for what a question names; the rest is for the question, the agent's prompt and what was said before."""


class ChatBudget:
    """What one agent's model may read of a conversation. Made anew for each question, for settings and models change."""

    def __init__(self, info: ModelInfo, settings: Settings, system: str) -> None:
        self._info = info
        self._system = system
        self._limits = ContextLimits(settings.context.max_tokens, settings.context.history_window)

    @classmethod
    async def of(cls, app: App, definition: AgentDefinition, model: str | None = None) -> ChatBudget:
        """Return the budget of an agent's model, or of the one that is named; raises ModelError."""
        name = model or definition.model
        chosen = await (app.models.named(name) if name is not None else app.models.for_role(definition.role))
        return cls(chosen.info, app.settings, definition.prompt)

    @property
    def attachment_chars(self) -> int:
        """The characters of all that a question names; what is longer is cut, and a tool reads on."""
        window = self._info.context_window
        tokens = self._limits.max_tokens if window is None else min(self._limits.max_tokens, window)
        return int(tokens * ATTACHMENT_SHARE * CONTEXT_CHARS_PER_TOKEN)

    async def stored_before(
        self, context: ConversationContext, conversation: str, question: str
    ) -> tuple[ChatMessage, ...]:
        """Return what is read of a kept conversation; raises ContextOverflowError for a question that is too long by itself."""
        turn = Turn(self._info, ChatMessage("user", question), conversation, system=self._system)
        built = await context.build(turn)
        return tuple(message for message in built.messages if message.role != "system")[:-1]

    async def said_before(self, said: Sequence[ChatMessage], question: str) -> tuple[ChatMessage, ...]:
        """Return what is read of a conversation that is at hand; raises as `stored_before`."""
        history = RunHistory()
        history.messages = said
        return await self.stored_before(ConversationContext(history, limits=self._limits), "at hand", question)
