"""The model stand-in: it knows what will be typed, tells it with probability p, and otherwise something plausible.

What it says depends on the place alone, so every policy that asks there gets the same answer at the same speed.
A place is the word that the cursor is in: whoever asks again at the next word gets another chance.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo
from tests.bench.calls_place import Place
from tests.bench.calls_typing import Typist, draw, log_normal

FIRST_TOKEN_S = 0.25
FIRST_TOKEN_SIGMA = 0.4
TOKEN_S = 0.015
TOKEN_CHARS = 4
NEXT_LINE_SHARE = 0.5
"""How often the line behind a right one is right too."""
WORD_SHARE = 0.5
"""How often a wrong answer still ends the word at the cursor rightly."""
NEAR_CHARS = 400
_KEY_CHARS = 24


@dataclass(eq=False)
class Call:
    """One generation as the model saw it."""

    number: int
    before: str
    """The last `NEAR_CHARS` before the cursor."""
    after: str
    started: float
    text: str = ""
    tokens: int = 0
    place: Place | None = None
    """Where the editor's cursor was."""
    running: bool = True
    shown: bool = False


@dataclass
class StandIn:
    """Answers from the typist's text; ``share`` is how often it is right."""

    share: float
    seed: int
    typist: Typist | None = None
    lines: list[str] = field(default_factory=list)
    """The new version's lines, from which wrong answers are taken."""
    calls: list[Call] = field(default_factory=list)
    by_end: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    place: Place | None = None
    """Where the editor's cursor is."""
    info: ModelInfo = field(default_factory=lambda: ModelInfo("stand-in", "bench", frozenset({"completion", "fim"})))

    # -- the model -----------------------------------------------------------------------------------------------------

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Stream the answer as the engine's models do; the call counts from here."""
        before, after = request.prompt, request.suffix or ""
        call = self.open(before, after)
        return self._stream(call, before, one_line="\n" in request.stop, max_tokens=request.max_tokens)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        raise AssertionError("completion never chats")

    def open(self, before: str, after: str) -> Call:
        now = asyncio.get_running_loop().time()
        call = Call(len(self.calls), before[-NEAR_CHARS:], after[:NEAR_CHARS], now, place=self.place)
        self.calls.append(call)
        self.by_end[before[-_KEY_CHARS:]].append(call)
        return call

    def begun_at(self, end: str) -> list[Call]:
        """Return the calls whose text before the cursor ends like ``end``, oldest first."""
        return self.by_end.get(end[-_KEY_CHARS:], [])

    async def _stream(self, call: Call, before: str, *, one_line: bool, max_tokens: int) -> AsyncGenerator[Chunk, None]:
        try:
            answer, place = self.answer(before)
            if one_line:
                answer = answer.split("\n", 1)[0]
            await asyncio.sleep(log_normal(FIRST_TOKEN_S, FIRST_TOKEN_SIGMA, self.seed, "latency", *place))
            for index in range(0, min(len(answer), max_tokens * TOKEN_CHARS), TOKEN_CHARS):
                if index:
                    await asyncio.sleep(TOKEN_S)
                call.tokens += 1
                piece = answer[index : index + TOKEN_CHARS]
                call.text += piece
                yield Chunk(piece)
            yield Chunk(finish="stop")
        finally:
            call.running = False

    async def ask(self, before: str, after: str, *, one_line: bool, max_tokens: int | None = None) -> str:
        """Return a whole answer; cancelling closes the stream."""
        call = self.open(before, after)
        limit = max_tokens or (64 if one_line else 128)
        async with aclosing(self._stream(call, before, one_line=one_line, max_tokens=limit)) as stream:
            return "".join([chunk.text async for chunk in stream])

    # -- what it says --------------------------------------------------------------------------------------------------

    def answer(self, before: str) -> tuple[str, tuple[object, ...]]:
        """Return what the model says behind ``before``, and the place that decides everything about it."""
        typist = self.typist
        found = None if typist is None else typist.truth_behind(before)
        if typist is None or found is None:
            place: tuple[object, ...] = ("off", before[-80:])
            return self._wrong("", *place), place
        at, truth = found
        text = typist.text
        word = at
        while word and (text[word - 1].isalnum() or text[word - 1] == "_"):
            word -= 1
        place = (typist.place, word)
        if draw(self.seed, "right", *place) < self.share:
            return self._right(truth, text, at, typist.place), (*place, at)
        end = word + len(re.match(r"\w*", text[word:])[0])  # type: ignore[index]
        whole = text[word:end] if draw(self.seed, "word", *place) < WORD_SHARE else ""
        whole += self._wrong(text[end : end + 1] if whole else text[word : word + 1], *place)
        if whole.startswith(text[word:at]):
            return whole[at - word :], (*place, at)
        return self._wrong(truth[:1], *place, at), (*place, at)

    def _right(self, truth: str, text: str, at: int, place: str) -> str:
        """Return the rest of the line, and lines behind it as far as the model sees."""
        end = truth.find("\n", 1)
        lines = 1
        while 0 <= end < len(truth) and lines < 10:
            number = text.count("\n", 0, at + end)
            blank = truth[end + 1 : end + 2] in {"\n", ""}
            if not blank and draw(self.seed, "next line", place, number) >= NEXT_LINE_SHARE:
                break
            following = truth.find("\n", end + 1)
            end = len(truth) if following < 0 else following
            lines += 1
        return truth if end < 0 else truth[:end]

    def _wrong(self, not_with: str, *place: object) -> str:
        """Return the rest of some other line of the file, beginning at a word, and not with ``not_with``."""
        for attempt in range(8):
            line = self.lines[int(draw(self.seed, "line", attempt, *place) * len(self.lines))].strip()
            starts = [match.start() for match in re.finditer(r"\b\w", line)]
            if not starts:
                continue
            rest = line[starts[int(draw(self.seed, "start", attempt, *place) * len(starts))] :]
            if len(rest) >= 3 and not (not_with and rest.startswith(not_with)):
                return rest
        return "wrong_answer()"
