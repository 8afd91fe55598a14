"""What a model reads of a conversation: as much of it as its budget holds, and always the question.

The system prompt and the newest message of the user are never cut or left out.
Everything else goes in whole or not at all: messages from the newest to the oldest, tool calls only with their answers.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from dragoman.context.fitting import Fitting
from dragoman.context.history import History, HistoryCache, HistoryMessage, HistoryRepository
from dragoman.context.limits import SUMMARIES, SUMMARY_CUTS, SUMMARY_SHARE, SUMMARY_TOKENS
from dragoman.context.tool_pairs import last_question
from dragoman.context.turn import BuiltContext, ContextLimits, Turn
from dragoman.errors import RequestRejectedError
from dragoman.models.base import ChatMessage

logger = logging.getLogger(__name__)

Summarise = Callable[[Sequence[ChatMessage]], Awaitable[str]]
"""Returns in a few sentences what messages say; may fail in any way."""

_SUMMARY_HEAD = "What was said before, in short:\n"


class ConversationContext:
    """Builds the contexts of conversations and keeps their messages.

    ``limits`` may be replaced at any time, when the settings change.
    ``summarise`` is asked about what falls out of a context, if it is given.
    """

    def __init__(
        self,
        repository: HistoryRepository,
        cache: HistoryCache | None = None,
        *,
        limits: ContextLimits | None = None,
        summarise: Summarise | None = None,
    ) -> None:
        self.limits = limits or ContextLimits()
        self._history = History(repository, cache)
        self._summarise = summarise
        self._summaries: OrderedDict[bytes, str] = OrderedDict()

    async def save_message(
        self, conversation_id: str, message: ChatMessage, *, model: str | None = None, tokens: int | None = None
    ) -> HistoryMessage:
        """Keep a message, and archive those older than twice the window; ``tokens`` is what the model's answer cost."""
        window = self.limits.history_window
        return await self._history.save(conversation_id, message, window, model=model, tokens=tokens)

    async def forget(self, conversation_id: str) -> None:
        """Read the conversation anew the next time: it was deleted, imported, or changed by somebody else."""
        await self._history.forget(conversation_id)

    async def build(self, turn: Turn) -> BuiltContext:
        """Return what the model is to read: as many messages as fit, less where room is kept for a summary of the others.

        Raises `ContextOverflowError` when system prompt and newest message alone are too long, `RequestRejectedError`
        when there is no message to answer, and what the repository raises.
        """
        limits = self.limits
        stored: tuple[HistoryMessage, ...] = ()
        if turn.conversation_id is not None:
            stored = await self._history.live(turn.conversation_id, limits.history_window)
        messages = [kept.message for kept in stored]
        if turn.prompt is None:
            question = last_question(messages)
            if question is None:
                raise RequestRejectedError("There is no message to answer.", hint="Send one of the role 'user'.")
        else:
            question = len(messages)
            messages.append(turn.prompt)
        fitting = Fitting(turn, messages, question, limits)
        await fitting.measure()
        draft = await fitting.fit()
        dropped = fitting.dropped(draft)
        if dropped and self._summarise is not None and (told := await self._summarise_within(fitting)) is not None:
            return told
        return fitting.build(draft)

    async def _summarise_within(self, fitting: Fitting) -> BuiltContext | None:
        """Return the context with a summary of what it does not hold, None when there is none to be had."""
        room = min(SUMMARY_TOKENS, fitting.budget.prompt // SUMMARY_SHARE)
        draft = await fitting.fit(room)
        text = await self._summary(fitting.dropped(draft))
        for _ in range(SUMMARY_CUTS):
            if not text:
                return None
            message = ChatMessage("user", _SUMMARY_HEAD + text)
            (tokens,) = await fitting.tokens.count([message])
            if draft.tokens + tokens <= fitting.budget.prompt:
                draft.tokens += tokens
                return fitting.build(draft, message)
            text = text[: len(text) * 2 // 3].rstrip()
        return None

    async def _summary(self, messages: Sequence[ChatMessage]) -> str:
        assert self._summarise is not None
        key = _digest(messages)
        if (known := self._summaries.get(key)) is not None:
            self._summaries.move_to_end(key)
            return known
        try:
            text = (await self._summarise(messages)).strip()
        except Exception as error:  # noqa: BLE001 - a context without a summary is better than none
            logger.warning("What fell out of a conversation could not be summarised: %s", type(error).__name__)
            return ""
        self._summaries[key] = text
        if len(self._summaries) > SUMMARIES:
            self._summaries.popitem(last=False)
        return text


def _digest(messages: Sequence[ChatMessage]) -> bytes:
    digest = hashlib.sha256()
    for message in messages:
        calls = [(call.id, call.name, call.arguments) for call in message.tool_calls]
        images = [hashlib.sha256(image.data).hexdigest() for image in message.images]
        digest.update(repr((message.role, message.content, calls, message.tool_call_id, images)).encode())
    return digest.digest()
