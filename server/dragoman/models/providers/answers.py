"""Turns a server's streamed objects into chunks: cuts at stop texts, and says how the answer ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from dragoman.errors import ModelTimeoutError, StreamBrokenError, StreamMalformedError
from dragoman.models.base import Chunk, FinishReason, Token, ToolCallDelta, Usage
from dragoman.models.providers.probabilities import Entries, TokenReader
from dragoman.models.providers.thinking import ThinkSplitter
from dragoman.models.providers.tool_calls import CallPiece, CallReader


@dataclass(frozen=True, slots=True)
class Step:
    """What one streamed object says."""

    text: str = ""
    thinking: str = ""
    finish: FinishReason | None = None
    usage: Usage | None = None
    entries: Entries = ()
    """What it says about tokens."""
    calls: tuple[CallPiece, ...] = ()
    """Pieces of tool calls."""


class StopCutter:
    """Passes text on up to the first stop text, whatever pieces it comes in.

    The end of the text is held back as long as it may be the beginning of a stop text.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple({stop: None for stop in stops if stop})
        self._beginnings = frozenset(stop[:length] for stop in self._stops for length in range(1, len(stop)))
        self._longest = max(map(len, self._beginnings), default=0)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take in more text; return what is certain to belong to the answer."""
        if self.stopped:
            return ""
        held = self._held + text
        places = [at for stop in self._stops if (at := held.find(stop)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return held[: min(places)]
        lengths = range(min(len(held), self._longest), 0, -1)
        keep = next((length for length in lengths if held[-length:] in self._beginnings), 0)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]

    def end(self) -> str:
        """Return what was held back: the text ended before it became a stop text."""
        held, self._held = self._held, ""
        return held


async def relay(
    objects: AsyncGenerator[dict[str, Any], None],
    read: Callable[[dict[str, Any]], Step],
    *,
    stops: tuple[str, ...] = (),
    place: str = "the provider",
    chat: bool = False,
) -> AsyncGenerator[Chunk, None]:
    """Turn a stream's objects into chunks, the last of which carries ``finish``; closes the stream when it is closed.

    Of a ``chat``'s text the reasoning is taken out that a model writes in marks.
    Raises StreamBrokenError when the stream ends without saying that the answer is finished, StreamMalformedError for
    what is not the protocol.
    """
    answer = _Answer(stops, chat=chat)
    finish: FinishReason | None = None
    usage: Usage | None = None
    async with aclosing(objects):
        try:
            async for value in objects:
                step = read(value)
                finish = finish or step.finish
                usage = step.usage or usage
                if (chunk := answer.take(step)) is not None:
                    yield chunk
                if answer.stopped:
                    finish = "stop"
                    break
        except (StreamBrokenError, ModelTimeoutError):
            # What breaks after the answer's end does not break the answer.
            if finish is None:
                raise
        except StreamMalformedError as error:
            if place in error.message:
                raise
            raise StreamMalformedError(f"{place} sent a chunk that is not the protocol: {error.message}.") from error
    if finish is None:
        message = f"The answer of {place} ended before it was finished."
        raise StreamBrokenError(message, hint="It may have stopped, or a proxy in between cut the connection.")
    yield answer.end(finish, usage, place)


class _Answer:
    """What has come of an answer: passes on what is certain, holds back what is not."""

    def __init__(self, stops: tuple[str, ...], *, chat: bool) -> None:
        self._splitter = ThinkSplitter() if chat else None
        self._cutter = StopCutter(stops)
        self._reader = TokenReader()
        self._calls = CallReader()
        self._tokens: tuple[Token, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether a stop text ended it."""
        return self._cutter.stopped

    def take(self, step: Step) -> Chunk | None:
        """Take in a step; return what can be passed on, None for nothing."""
        thinking, said = step.thinking, step.text
        if said and self._splitter is not None:
            thought, said = self._splitter.feed(said)
            thinking += thought
        self._tokens += self._reader.take(step.text, step.entries)
        text = self._cutter.feed(said) if said else ""
        calls = self._calls.take(step.calls)
        if not (text or thinking or calls):
            return None
        told: tuple[Token, ...] = ()
        if text:
            told, self._tokens = self._tokens, ()
        return Chunk(text, thinking, tokens=told, tool_calls=calls)

    def end(self, finish: FinishReason, usage: Usage | None, place: str) -> Chunk:
        """Return the last chunk with what was held back; an answer that calls tools ends for that reason."""
        thinking, text = "", ""
        if self._splitter is not None and not self._cutter.stopped:
            thinking, said = self._splitter.end()
            text = self._cutter.feed(said)
        text += self._cutter.end()
        calls: tuple[ToolCallDelta, ...] = ()
        # Calls that were cut off by the limit stay as they are: nobody shall take half of one for the whole.
        if finish != "length":
            try:
                calls = self._calls.end()
            except StreamMalformedError as error:
                raise StreamMalformedError(f"{place} sent a tool call that has no name.") from error
        if self._calls and finish == "stop":
            finish = "tool_calls"
        elif self._cutter.stopped:
            finish = "stop"
        return Chunk(text, thinking, finish, usage, self._tokens, calls)
