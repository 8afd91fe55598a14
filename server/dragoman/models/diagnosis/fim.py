"""Does fill-in-the-middle really work, and how fast: one tiny question whose answer only the text after the cursor holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from dragoman.clock import Clock, monotonic
from dragoman.errors import ModelError, ModelTimeoutError
from dragoman.models.base import CompletionRequest, Model
from dragoman.models.diagnosis.findings import Finding, sentence
from dragoman.models.profiles import format_fim, special_tokens

PREFIX = "def combine("
SUFFIX = "):\n    return quorvin * 2 + zelph\n"
NAMES = ("quorvin", "zelph")
"""Words that no model guesses: who says them has read the suffix."""

MAX_TOKENS = 24
LIMIT_S = 90.0
"""A big model on a slow disk takes this long to load; beyond it nobody waits."""

SLOW_FIRST_TOKEN_S = 2.0
"""Later than this the user has typed on."""
SLOW_TOKENS_PER_SECOND = 6.0
"""A line of code has some ten tokens: below this it takes nearly two seconds."""
LOADING_S = 3.0
"""A first token that took longer than this and comes at once the second time was a model being loaded."""

_CHATTY = re.compile(r"```|^\s*(sure|here|certainly|of course|the |to |i |it |this |you )", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FimProbe:
    """What the model said, and how long it took in seconds; ``tokens`` counts pieces where the server counts nothing."""

    text: str
    first_token: float | None
    total: float
    tokens: int
    error: ModelError | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Speed after the first token; None when there was too little to tell."""
        if self.first_token is None or self.tokens < 3 or self.total <= self.first_token:
            return None
        return (self.tokens - 1) / (self.total - self.first_token)

    @property
    def is_slow(self) -> bool:
        """Whether suggestions at this speed come too late for somebody who types."""
        speed = self.tokens_per_second
        late = self.first_token is not None and self.first_token > SLOW_FIRST_TOKEN_S
        return late or (speed is not None and speed < SLOW_TOKENS_PER_SECOND)


async def probe_fim(model: Model, *, limit: float = LIMIT_S, clock: Clock = monotonic) -> FimProbe:
    """Ask the model to fill a hole; never raises for a model's fault, closes the connection at the limit."""
    started = clock()
    text, tokens, first = "", 0, None
    error: ModelError | None = None
    try:
        async with asyncio.timeout(limit), aclosing(model.complete(_request(model))) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    first = clock() - started if first is None else first
                    text += chunk.text
                    tokens += 1
                if chunk.usage is not None and chunk.usage.completion_tokens:
                    tokens = chunk.usage.completion_tokens
    except TimeoutError:
        error = ModelTimeoutError(
            f"{model.info.name!r} gave no whole answer within {limit:g} s.",
            phase="total",
            hint="Use a smaller model.",
        )
    except ModelError as failure:
        error = failure
    return FimProbe(text, first, clock() - started, tokens, error)


def _request(model: Model) -> CompletionRequest:
    info = model.info
    stop = tuple(sorted(special_tokens(info.fim_family)))[:3]
    if info.fim_family is not None:
        return CompletionRequest(format_fim(info.fim_family, PREFIX, SUFFIX), None, MAX_TOKENS, ("\n", *stop))
    if "fim" in info.capabilities:
        return CompletionRequest(PREFIX, SUFFIX, MAX_TOKENS, ("\n",))
    return CompletionRequest(PREFIX, None, MAX_TOKENS, ("\n",))


async def check_fim(
    model: Model,
    *,
    limit: float = LIMIT_S,
    clock: Clock = monotonic,
    on_wait: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Probe the model, a second time when it was slow, and return what that shows."""
    name = model.info.name
    on_wait(f"asking {name}")
    first = await probe_fim(model, limit=limit, clock=clock)
    if first.error is not None or first.first_token is None or not first.is_slow:
        return judge(model, first)
    # Was that the model, or was it being loaded, or the machine busy just then?
    on_wait(f"asking {name} again, now that it is loaded")
    second = await probe_fim(model, limit=limit, clock=clock)
    if second.error is not None or second.first_token is None:
        return judge(model, second)
    loaded = first.first_token > LOADING_S and second.first_token < first.first_token / 2
    return [*([_loaded(model, first)] if loaded else []), *judge(model, second)]


def _loaded(model: Model, cold: FimProbe) -> Finding:
    return Finding(
        "note",
        "completion",
        f"{model.info.name} had to be loaded first, which took {cold.first_token:.1f} s.",
        "Until it is loaded there are no suggestions; Dragoman loads it when the editor starts.",
        "loading",
        {"seconds": cold.first_token},
    )


def judge(model: Model, probe: FimProbe) -> list[Finding]:
    """Say what a probe shows about answering at all, filling in, and speed."""
    name = model.info.name
    if probe.error is not None:
        return [Finding("error", "completion", sentence(str(probe.error.message)), probe.error.hint, probe.error.code)]
    findings = [_judge_text(model, probe)]
    speed = probe.tokens_per_second
    facts = {"first_token_ms": _ms(probe.first_token), "tokens_per_second": speed and round(speed, 1)}
    if probe.first_token is None:
        return findings
    measured = f"first token after {probe.first_token * 1000:.0f} ms"
    if speed is not None:
        measured += f", {speed:.0f} tokens/s"
    if probe.is_slow:
        findings.append(
            Finding(
                "warning",
                "completion",
                f"{name} is too slow for suggestions while you type: {measured}.",
                "Use a smaller model or one on a GPU, give timeouts more room, "
                'or set completion.trigger = "invoked" to be served only when you ask.',
                "slow",
                facts,
            )
        )
    else:
        findings.append(Finding("ok", "completion", f"{name} answers: {measured}.", "", "fast", facts))
    return findings


def _judge_text(model: Model, probe: FimProbe) -> Finding:
    name, said = model.info.name, " ".join(probe.text.split())[:60]
    facts = {"answer": probe.text[:200]}
    leaked = next((token for token in special_tokens(model.info.fim_family) if token in probe.text), None)
    if leaked:
        return Finding(
            "warning",
            "completion",
            f"{name} lets its special token {leaked} through: its server runs it without its own vocabulary's settings.",
            "Update the server; Dragoman cuts the token off meanwhile.",
            "special_tokens",
            facts,
        )
    if all(word in probe.text for word in NAMES):
        return Finding("ok", "completion", f"{name} fills in the middle.", "", "fim_works", facts)
    if "fim" not in model.info.capabilities:
        return Finding(
            "warning",
            "completion",
            f"{name} continues text, but does not see what follows the cursor.",
            "",
            "not_fim",
            facts,
        )
    if not probe.text.strip():
        return Finding(
            "warning",
            "completion",
            f"{name} gave an empty answer to a simple hole.",
            "It may be a chat model, or its server may not pass the prompt through as it is.",
            "fim_empty",
            facts,
        )
    kind = "answers like a chat model" if _CHATTY.search(probe.text) else "did not use the text after the cursor"
    return Finding(
        "warning",
        "completion",
        f"{name} is said to fill in the middle, but {kind}: {said!r}.",
        "Use the base model instead of an instruct or chat one (for example qwen2.5-coder:1.5b-base), "
        "and check the family in fim if you state one.",
        "fim_wrong",
        facts,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
