"""Gives out the tokens of one prompt: first to what must go in, then to what matters most, each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from dragoman.context.budget import Budget, make_budget
from dragoman.context.conversation_tokens import tokens_of
from dragoman.context.tool_pairs import units_of
from dragoman.context.turn import BuiltContext, ContextLimits, Turn
from dragoman.errors import ContextOverflowError
from dragoman.models.base import ChatMessage


@dataclass(slots=True)
class Draft:
    """What has found room: places of messages before the question and behind it, and of attachments."""

    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    attached: list[int] = field(default_factory=list)
    tokens: int = 0


class Fitting:
    """One context in the making: measures what must go in, then gives out the room that is left."""

    def __init__(self, turn: Turn, messages: Sequence[ChatMessage], question: int, limits: ContextLimits) -> None:
        self.tokens = turn.tokens or tokens_of(turn.model.name)
        self.budget = make_budget(
            limits.max_tokens, turn.model.context_window, turn.max_tokens, margin=self.tokens.margin
        )
        self._turn = turn
        self._messages = messages
        self._units = units_of(messages)
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

    async def fit(self, kept_free: int = 0) -> Draft:
        """Give out the room: to the running turn, to what the user attached, to the history, to what was found."""
        draft = Draft(tokens=self._fixed)
        most = self.budget.prompt - kept_free
        after = [unit for unit in self._units if unit.start > self._question]
        before = [unit for unit in self._units if self._oldest <= unit.start and unit.stop <= self._question]
        whole = await self._take(after, draft.after, draft, most)
        self._attach("asked", draft, most)
        if whole:
            await self._take(before, draft.before, draft, most)
        self._attach("offered", draft, most)
        return draft

    async def _take(self, units: Sequence[range], places: list[int], draft: Draft, most: int) -> bool:
        """Take units from the newest on, up to the first that has no room; returns whether all had."""
        for unit in reversed(units):
            if unit not in self._counts:
                self._counts[unit] = sum(await self.tokens.count([self._as_told(self._messages[at]) for at in unit]))
            if draft.tokens + self._counts[unit] > most:
                return False
            draft.tokens += self._counts[unit]
            places[:0] = unit
        return True

    def _as_told(self, message: ChatMessage) -> ChatMessage:
        """Return a message in the longest form: a model that gets tools by a JSON schema reads its own answers as JSON."""
        if self._turn.tools and message.role == "assistant" and message.content:
            return replace(message, content=json.dumps({"answer": message.content}, ensure_ascii=False))
        return message

    def _attach(self, priority: Literal["asked", "offered"], draft: Draft, most: int) -> None:
        for at, (attachment, tokens) in enumerate(zip(self._turn.attachments, self._attachment_counts, strict=True)):
            if attachment.priority == priority and draft.tokens + tokens <= most:
                draft.tokens += tokens
                draft.attached.append(at)

    def dropped(self, draft: Draft) -> tuple[ChatMessage, ...]:
        """Return the live messages that are not in it, those beyond the window too, but no orphans."""
        taken = {*draft.before, *draft.after, self._question}
        places = (at for unit in self._units for at in unit)
        return tuple(self._messages[at] for at in places if at not in taken)

    def build(self, draft: Draft, summary: ChatMessage | None = None) -> BuiltContext:
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
