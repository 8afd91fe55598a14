"""A model on another machine, as everybody here sees it: it never reads a secret, and its answers have them back.

`ModelManager.model` puts this around every model of a provider that is not on this machine, so no caller can go round it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from dragoman.errors import ModelError
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo, Token
from dragoman.models.profiles import FAMILIES, Family
from dragoman.security.redaction import Redactor, StreamRestorer


class RedactedModel:
    """Replaces the secrets of each request by placeholders and puts them back in the answer's stream.

    Closing a stream closes the model's own at once.
    """

    def __init__(self, model: Model, redactor: Redactor) -> None:
        self._model = model
        self._redactor = redactor

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self._model.info

    @property
    def redactor(self) -> Redactor:
        """What finds the secrets; for whoever tells a person what was sent."""
        return self._redactor

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text; the answer ends before a placeholder that the model garbled, for nobody could use it."""
        safe = _redact_completion(request, self._redactor, self.info.fim_family)
        stream = self._model.complete(safe)
        restored = stream if safe == request else _restore(stream, self._redactor, ends_at_garbled=True)
        async with aclosing(stream), aclosing(restored):
            async for chunk in restored:
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        messages = tuple(replace(one, content=self._redactor.redact(one.content)) for one in request.messages)
        stream = self._model.chat(replace(request, messages=messages))
        restored = stream if messages == request.messages else _restore(stream, self._redactor)
        async with aclosing(stream), aclosing(restored):
            async for chunk in restored:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text as the model may read it."""
        return await self._model.embed([self._redactor.redact(text) for text in texts])


def _redact_completion(request: CompletionRequest, redactor: Redactor, family: str | None) -> CompletionRequest:
    if request.suffix is not None:
        prompt, suffix = redactor.redact_around(request.prompt, request.suffix)
        return replace(request, prompt=prompt, suffix=suffix)
    if family is None:
        return replace(request, prompt=redactor.redact_around(request.prompt, "")[0])
    return replace(request, prompt=_redact_template(request.prompt, redactor, FAMILIES[family]))


def _redact_template(prompt: str, redactor: Redactor, family: Family) -> str:
    """Redact a prompt that a family's template was put around: before and after the cursor are one text, in their order.

    What stands before the template (other files of the repository) is a text of its own.
    """
    first, second = family.before_prefix, family.before_suffix
    if family.order == "spm":
        first, second = second, first
    head, found, rest = prompt.rpartition(second)
    other, opened, left = head.rpartition(first) if first else (head, "", "")
    right, closed, behind = rest.rpartition(family.before_middle) if family.before_middle else (rest, "", "")
    if not (found and opened and (closed or not family.before_middle) and not behind):
        return redactor.redact(prompt)
    before, after = (left, right) if family.order == "psm" else (right, left)
    before, after = redactor.redact_around(before, after)
    left, right = (before, after) if family.order == "psm" else (after, before)
    return f"{redactor.redact(other)}{opened}{left}{found}{right}{closed}"


async def _restore(
    stream: AsyncGenerator[Chunk, None], redactor: Redactor, *, ends_at_garbled: bool = False
) -> AsyncGenerator[Chunk, None]:
    text, thinking = redactor.stream(), redactor.stream()
    tokens = _Tokens()
    try:
        async for chunk in stream:
            said = text.feed(chunk.text)
            thought = thinking.feed(chunk.thinking)
            if chunk.finish is not None:
                said, thought = said + text.end(), thought + thinking.end()
            if ends_at_garbled and (place := redactor.find_likeness(said)) is not None:
                yield Chunk(said[:place], thought, finish="stop", usage=chunk.usage)
                return
            passed = tokens.pass_on(chunk, text)
            if said or thought or passed or chunk.finish is not None or chunk.usage is not None:
                yield replace(chunk, text=said, thinking=thought, tokens=passed)
    except ModelError:
        # What was held back was said: whoever keeps the whole lines of a broken stream shall have it.
        if said := text.end():
            yield Chunk(said)
        raise


class _Tokens:
    """Passes on the tokens of a stream for as long as their texts, put together, are the answer's."""

    def __init__(self) -> None:
        self._held: deque[Token] = deque()
        self._read = 0
        self._passed = 0

    def pass_on(self, chunk: Chunk, text: StreamRestorer) -> tuple[Token, ...]:
        """Return the tokens of what was given out by now; none any more once a secret was put back."""
        self._held += chunk.tokens
        self._read += len(chunk.text)
        if text.restored:
            self._held.clear()
            return ()
        if chunk.finish is not None or not text.held:
            passed = tuple(self._held)
            self._held.clear()
            self._passed += sum(len(token.text) for token in passed)
            return passed
        certain: list[Token] = []
        while self._held and self._passed + len(self._held[0].text) <= self._read - text.held:
            token = self._held.popleft()
            self._passed += len(token.text)
            certain.append(token)
        return tuple(certain)
