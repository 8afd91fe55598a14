"""How fast a model is here: the time to its first token and its speed after that, measured by asking it."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from dragoman.models.base import ChatMessage, ChatRequest, CompletionRequest, Model, Usage
from dragoman.models.profiles import format_fim
from dragoman.models.wrapper import open_stream, says_something

ANSWER_TOKENS = 64
"""Long enough that the speed is more than chance, short enough for a slow machine."""

_LINES = 16
_VECTORS = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """One call: seconds to the first token and in all, tokens as the server tells them, None where it does not.

    ``vectors`` is how many texts became vectors, for a model that makes nothing else.
    """

    first_token: float | None
    duration: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    vectors: int = 0

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the answer came once it had begun."""
        if self.first_token is None or not self.completion_tokens or self.completion_tokens < 2:
            return None
        took = self.duration - self.first_token
        return (self.completion_tokens - 1) / took if took > 0 else None


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians of several trials, None where nothing was told."""

    rounds: int
    first_token: float | None
    duration: float
    tokens_per_second: float | None
    prompt_tokens: int | None
    vectors_per_second: float | None


def kind_of(model: Model) -> Literal["completion", "chat", "embedding"]:
    """Return what a model is measured by: what it is there for."""
    can = model.info.capabilities
    if "embedding" in can and not can & {"chat", "completion", "fim"}:
        return "embedding"
    return "completion" if "fim" in can or "chat" not in can else "chat"


async def run_trials(model: Model, rounds: int) -> AsyncIterator[Trial]:
    """Ask a model so many times, each time something that its server has not in its cache; raises `ModelError`.

    One call before the first loads the model and is not among them.
    """
    await _try(model, 0)
    for number in range(1, rounds + 1):
        yield await _try(model, number)


def summarise(trials: Sequence[Trial]) -> Summary:
    """Return the medians; there is at least one trial."""
    per_second = [trial.vectors / trial.duration for trial in trials if trial.vectors and trial.duration > 0]
    return Summary(
        len(trials),
        _median([trial.first_token for trial in trials]),
        statistics.median(trial.duration for trial in trials),
        _median([trial.tokens_per_second for trial in trials]),
        next((trial.prompt_tokens for trial in trials if trial.prompt_tokens), None),
        _median(per_second),
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


async def _try(model: Model, number: int) -> Trial:
    kind = kind_of(model)
    began = time.perf_counter()
    if kind == "embedding":
        texts = [_code(100 * number + at) for at in range(_VECTORS)]
        await model.embed(texts)
        return Trial(None, time.perf_counter() - began, vectors=len(texts))
    request = _complete(model, number) if kind == "completion" else _chat(number)
    first: float | None = None
    usage: Usage | None = None
    async with aclosing(open_stream(model, request)) as stream:
        async for chunk in stream:
            if first is None and says_something(chunk):
                first = time.perf_counter() - began
            usage = chunk.usage or usage
    duration = time.perf_counter() - began
    if usage is None:
        return Trial(first, duration)
    return Trial(first, duration, usage.prompt_tokens, usage.completion_tokens)


def _complete(model: Model, number: int) -> CompletionRequest:
    before, after = f"{_code(number)}\n\ndef summarise_{number}(orders):\n    ", "\n\n\nprint(total)\n"
    family = model.info.fim_family
    if family is not None:
        return CompletionRequest(format_fim(family, before, after), max_tokens=ANSWER_TOKENS)
    suffix = after if "fim" in model.info.capabilities else None
    return CompletionRequest(before, suffix, max_tokens=ANSWER_TOKENS)


def _chat(number: int) -> ChatRequest:
    question = f"{_code(number)}\n\nExplain in some sentences what this program does."
    return ChatRequest((ChatMessage("user", question),), max_tokens=ANSWER_TOKENS)


def _code(number: int) -> str:
    """Return a small program that no other number has: what stands first differs, so no server has read it before."""
    lines = [f"# {number}: orders and what they cost"]
    lines += [f"price_{number}_{line} = {line * 7 + number} * quantity_{line}" for line in range(_LINES)]
    return "\n".join(lines)
