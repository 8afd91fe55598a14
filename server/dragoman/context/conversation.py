"""What a model reads of a conversation: as much of it as its budget holds, and always the question.

The system prompt and the newest message of the user are never cut or left out.
Everything else goes in whole or not at all: messages from the newest to the oldest, tool calls only with their answers.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dragoman.context.budget import Budget, make_budget
from dragoman.context.conversation_tokens import MessageTokens, tokens_of
from dragoman.context.history import History, HistoryCache, HistoryMessage, HistoryRepository
from dragoman.context.limits import SUMMARIES, SUMMARY_CUTS, SUMMARY_SHARE, SUMMARY_TOKENS
from dragoman.context.tool_pairs import last_question, units_of
from dragoman.errors import ContextOverflowError, RequestRejectedError
from dragoman.models.base import ChatMessage, ModelInfo, Tool

logger = logging.getLogger(__name__)

Summarise = Callable[[Sequence[ChatMessage]], Awaitable[str]]
"""Returns in a few sentences what messages say; may fail in any way."""

_SUMMARY_HEAD = "What was said before, in short:\n"


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """The settings' bounds: tokens of a prompt, and messages before the newest that it carries along."""

    max_tokens: int = 4000
    history_window: int = 10


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of the workspace beside a question; ``name`` tells a person what it is, such as a path.

    ``asked`` ones, which the user named (``@path``), go before the history: who attaches a file wants it read now, more
    than what was said ten messages ago.
    ``offered`` ones, which Dragoman found, come after the history: they are guesses, and a conversation that forgets
    itself to make room for guesses is worse than one without them.
    Either goes in whole or is named in `BuiltContext.left_out`, for the user to be told.
    """

    name: str
    message: ChatMessage
    priority: Literal["asked", "offered"] = "asked"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a context is built for.

    ``prompt`` is the newest message; None takes the newest one of a user in the stored conversation, with what followed
    it there (the tool calls of a run that goes on).
    ``max_tokens`` is the longest answer that the request asks for, None where it does not say.
    ``tokens`` counts for the model; None takes its vocabulary.
    """

    model: ModelInfo
    prompt: ChatMessage | None = None
    conversation_id: str | None = None
    system: str = ""
    attachments: tuple[Attachment, ...] = ()
    tools: tuple[Tool, ...] = ()
    max_tokens: int | None = None
    tokens: MessageTokens | None = None


@dataclass(frozen=True, slots=True)
class BuiltContext:
    """The messages for a model and what they cost; ``tokens`` is never above ``budget.prompt``.

    ``budget.answer`` is the request's ``max_tokens``.
    ``dropped`` are live messages that it does not hold, those before the window too; ``left_out`` names the attachments that had
    no room.
    """

    messages: tuple[ChatMessage, ...]
    tokens: int
    budget: Budget
    dropped: tuple[ChatMessage, ...] = ()
    left_out: tuple[str, ...] = ()
    summary: str = ""


@dataclass(slots=True)
class _Draft:
    """What has found room: places of messages before the question and behind it, and of attachments."""

    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    attached: list[int] = field(default_factory=list)
    tokens: int = 0


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
        builder = _Builder(turn, messages, question, limits)
        await builder.measure()
        draft = await builder.fit()
        dropped = builder.dropped(draft)
        if dropped and self._summarise is not None and (told := await self._summarise_within(builder)) is not None:
            return told
        return builder.build(draft)

    async def _summarise_within(self, builder: _Builder) -> BuiltContext | None:
        """Return the context with a summary of what it does not hold, None when there is none to be had."""
        room = min(SUMMARY_TOKENS, builder.budget.prompt // SUMMARY_SHARE)
        draft = await builder.fit(room)
        text = await self._summary(builder.dropped(draft))
        for _ in range(SUMMARY_CUTS):
            if not text:
                return None
            message = ChatMessage("user", _SUMMARY_HEAD + text)
            (tokens,) = await builder.tokens.count([message])
            if draft.tokens + tokens <= builder.budget.prompt:
                draft.tokens += tokens
                return builder.build(draft, message)
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


class _Builder:
    """One context in the making: measures what must go in, then gives out the room that is left."""

    def __init__(self, turn: Turn, messages: Sequence[ChatMessage], question: int, limits: ContextLimits) -> None:
        self.tokens = turn.tokens or tokens_of(turn.model.name)
        self.budget = make_budget(
            limits.max_tokens, turn.model.context_window, turn.max_tokens, margin=self.tokens.margin
        )
        self._turn = turn
        self._messages = messages
        self._question = question
        self._oldest = max(0, question - limits.history_window)
        self._fixed = 0
        self._counts: dict[range, int] = {}
        self._attachment_counts: list[int] = []

    async def measure(self) -> None:
        """Count what always goes in; raises `ContextOverflowError` when that is too long."""
        system = [ChatMessage("system", self._turn.system)] if self._turn.system else []
        counts = await self.tokens.count([*system, self._messages[self._question]])
        self._fixed = await self.tokens.count_frame(self._turn.tools) + sum(counts)
        if self._fixed > self.budget.prompt:
            raise _overflow(self._turn, self._fixed, counts[-1], self.budget)
        self._attachment_counts = await self.tokens.count([one.message for one in self._turn.attachments])

    async def fit(self, kept_free: int = 0) -> _Draft:
        """Give out the room: to the running turn, to what the user attached, to the history, to what was found."""
        draft = _Draft(tokens=self._fixed)
        most = self.budget.prompt - kept_free
        units = units_of(self._messages)
        after = [unit for unit in units if unit.start > self._question]
        before = [unit for unit in units if self._oldest <= unit.start and unit.stop <= self._question]
        whole = await self._take(after, draft.after, draft, most)
        self._attach("asked", draft, most)
        if whole:
            await self._take(before, draft.before, draft, most)
        self._attach("offered", draft, most)
        return draft

    async def _take(self, units: Sequence[range], places: list[int], draft: _Draft, most: int) -> bool:
        """Take units from the newest on, up to the first that has no room; returns whether all had."""
        for unit in reversed(units):
            if unit not in self._counts:
                self._counts[unit] = sum(await self.tokens.count([self._messages[at] for at in unit]))
            if draft.tokens + self._counts[unit] > most:
                return False
            draft.tokens += self._counts[unit]
            places[:0] = unit
        return True

    def _attach(self, priority: Literal["asked", "offered"], draft: _Draft, most: int) -> None:
        for at, (attachment, tokens) in enumerate(zip(self._turn.attachments, self._attachment_counts, strict=True)):
            if attachment.priority == priority and draft.tokens + tokens <= most:
                draft.tokens += tokens
                draft.attached.append(at)

    def dropped(self, draft: _Draft) -> tuple[ChatMessage, ...]:
        """Return the live messages that are not in it, those beyond the window too, but no orphans."""
        taken = {*draft.before, *draft.after, self._question}
        places = (at for unit in units_of(self._messages) for at in unit)
        return tuple(self._messages[at] for at in places if at not in taken)

    def build(self, draft: _Draft, summary: ChatMessage | None = None) -> BuiltContext:
        """Return the context; attachments stand before the question, where a server's cache of the history holds."""
        turn, messages = self._turn, self._messages
        parts = [ChatMessage("system", turn.system)] if turn.system else []
        parts += [summary] if summary else []
        parts += [messages[at] for at in draft.before]
        parts += [turn.attachments[at].message for at in sorted(draft.attached)]
        parts.append(messages[self._question])
        parts += [messages[at] for at in draft.after]
        return BuiltContext(
            tuple(parts),
            draft.tokens,
            self.budget,
            dropped=self.dropped(draft),
            left_out=tuple(one.name for at, one in enumerate(turn.attachments) if at not in draft.attached),
            summary=summary.content if summary else "",
        )


def _overflow(turn: Turn, needed: int, newest: int, budget: Budget) -> ContextOverflowError:
    excess = needed - budget.prompt
    model = turn.model.name
    if budget.by_window and budget.prompt < 1:
        message = (
            f"An answer of {budget.answer:,} tokens leaves no room for a question in the window of {model!r}, "
            f"which has {budget.window:,}: {excess:,} tokens too many."
        )
        return ContextOverflowError(message, excess=excess, hint="Ask for a shorter answer.")
    others = needed - newest
    message = (
        f"The message is too long by {excess:,} tokens: it has {newest:,}, what always stands around it {others:,}, "
        f"and {max(0, budget.prompt):,} fit."
    )
    if budget.by_window:
        hint = f"{model!r} has a window of {budget.window:,} tokens, and {budget.answer:,} of them are for the answer."
    else:
        hint = "Shorten it, or raise context.max_tokens."
    return ContextOverflowError(message, excess=excess, hint=hint)


def _digest(messages: Sequence[ChatMessage]) -> bytes:
    digest = hashlib.sha256()
    for message in messages:
        calls = [(call.id, call.name, call.arguments) for call in message.tool_calls]
        images = [hashlib.sha256(image.data).hexdigest() for image in message.images]
        digest.update(repr((message.role, message.content, calls, message.tool_call_id, images)).encode())
    return digest.digest()
