"""What a context is built for, and what it is when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dragoman.context.budget import Budget
from dragoman.context.conversation_tokens import MessageTokens
from dragoman.models.base import ChatMessage, ModelInfo, Tool


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
