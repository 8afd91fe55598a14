"""Turns a server's streamed objects into chunks: cuts at stop texts, and says how the answer ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from dragoman.errors import ModelTimeoutError, StreamBrokenError
from dragoman.models.base import Chunk, FinishReason, Token, Usage
from dragoman.models.providers.probabilities import Entries, TokenReader


@dataclass(frozen=True, slots=True)
class Step:
    """What one streamed object says."""

    text: str = ""
    thinking: str = ""
    finish: FinishReason | None = None
    usage: Usage | None = None
    entries: Entries = ()
    """What it says about tokens."""


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
) -> AsyncGenerator[Chunk, None]:
    """Turn a stream's objects into chunks, the last of which carries ``finish``; closes the stream when it is closed.

    Raises StreamBrokenError when the stream ends without saying that the answer is finished.
    """
    cutter = StopCutter(stops)
    reader = TokenReader()
    tokens: tuple[Token, ...] = ()
    finish: FinishReason | None = None
    usage: Usage | None = None
    async with aclosing(objects):
        try:
            async for value in objects:
                step = read(value)
                finish = finish or step.finish
                usage = step.usage or usage
                if step.thinking:
                    yield Chunk(thinking=step.thinking)
                tokens += reader.take(step.text, step.entries)
                if step.text and (text := cutter.feed(step.text)):
                    told, tokens = tokens, ()
                    yield Chunk(text=text, tokens=told)
                if cutter.stopped:
                    finish = "stop"
                    break
        except (StreamBrokenError, ModelTimeoutError):
            # What breaks after the answer's end does not break the answer.
            if finish is None:
                raise
    if finish is None:
        message = f"The answer of {place} ended before it was finished."
        raise StreamBrokenError(message, hint="It may have stopped, or a proxy in between cut the connection.")
    yield Chunk(text=cutter.end(), finish=finish, usage=usage, tokens=tokens)
