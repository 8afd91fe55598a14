"""What the model reads of a run that has grown: the task, the newest steps, and a summary of those that fell out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from dragoman.agents.prompts import read_prompt
from dragoman.agents.runtime_limits import HISTORY_MESSAGES, SUMMARY_TOKENS
from dragoman.context.conversation import ConversationContext
from dragoman.context.conversation_tokens import MessageTokens, tokens_of
from dragoman.context.history import HistoryMessage
from dragoman.context.turn import ContextLimits, Turn
from dragoman.errors import RequestRejectedError
from dragoman.models.base import ChatMessage, ChatRequest, Model, Tool


class RunHistory:
    """The messages of one run as a repository of conversations: in memory, for the run's state is what is kept."""

    def __init__(self) -> None:
        self.messages: Sequence[ChatMessage] = ()

    async def last(self, conversation_id: str, n: int) -> Sequence[HistoryMessage]:  # noqa: ARG002 - there is one only
        """Return the newest messages."""
        first = max(0, len(self.messages) - n)
        return [HistoryMessage(at + 1, self.messages[at]) for at in range(first, len(self.messages))]

    async def append(
        self,
        conversation_id: str,  # noqa: ARG002 - the port's
        message: ChatMessage,  # noqa: ARG002
        *,
        model: str | None = None,  # noqa: ARG002
        tokens: int | None = None,  # noqa: ARG002
    ) -> HistoryMessage:
        """Refuse: the run itself adds its messages."""
        raise RequestRejectedError("A run's messages are added by the run.")

    async def archive_before(self, conversation_id: str, seq: int) -> None:
        """Leave the messages: the run keeps them all."""


class CountedOnce(MessageTokens):
    """Counts the messages of a run as another counter does, each once: a run reads all of them again at every step."""

    def __init__(self, inner: MessageTokens) -> None:
        self._inner = inner
        self.margin = inner.margin
        self._known: dict[ChatMessage, int] = {}
        self._frame: tuple[Sequence[Tool], int] | None = None

    async def count(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return the tokens of each message with its marks, pictures and tool calls."""
        new = [message for message in messages if message not in self._known]
        if new:
            self._known.update(zip(new, await self._inner.count(new), strict=True))
        return [self._known[message] for message in messages]

    async def count_frame(self, tools: Sequence[Tool] = ()) -> int:
        """Return the tokens that every prompt has besides its messages."""
        # A run has the same tools at every step, or none.
        if self._frame is None or self._frame[0] is not tools:
            self._frame = tools, await self._inner.count_frame(tools)
        return self._frame[1]


class Compaction:
    """Fits the messages of a run into its model's window, step by step; summaries are made once for what fell out."""

    def __init__(self, max_tokens: int) -> None:
        self._history = RunHistory()
        self._model: Model | None = None
        self._tokens: dict[str, MessageTokens] = {}
        limits = ContextLimits(max_tokens, HISTORY_MESSAGES)
        self._context = ConversationContext(self._history, limits=limits, summarise=self._summarise)

    async def fit(
        self,
        messages: Sequence[ChatMessage],
        *,
        model: Model,
        system: str,
        tools: tuple[Tool, ...],
        answer_tokens: int,
    ) -> tuple[tuple[ChatMessage, ...], int]:
        """Return what the model is to read and the tokens kept for its answer; raises ContextOverflowError."""
        self._history.messages, self._model = messages, model
        tokens = self._tokens.get(model.info.name)
        if tokens is None:
            tokens = self._tokens[model.info.name] = CountedOnce(tokens_of(model.info.name))
        turn = Turn(
            model.info, conversation_id="run", system=system, tools=tools, max_tokens=answer_tokens, tokens=tokens
        )
        built = await self._context.build(turn)
        return built.messages, built.budget.answer

    async def _summarise(self, messages: Sequence[ChatMessage]) -> str:
        assert self._model is not None
        told = "\n".join(_line(message) for message in messages)
        window = self._model.info.context_window or 8_192
        # The beginning says what was found out first; half a window leaves room for the instructions and the summary.
        asked = (ChatMessage("system", read_prompt("summary")), ChatMessage("user", told[: window * 3 // 2]))
        async with aclosing(self._model.chat(ChatRequest(asked, max_tokens=SUMMARY_TOKENS))) as chunks:
            return "".join([chunk.text async for chunk in chunks])


def _line(message: ChatMessage) -> str:
    calls = "".join(f" [{call.name} {call.arguments}]" for call in message.tool_calls)
    return f"{message.role}: {message.content}{calls}"
