"""A model on another machine, as everybody here sees it: it never reads a secret, and its answers have them back.

`ModelManager.model` puts this around every model of a provider that is not on this machine, so no caller can go round it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from dragoman.errors import ModelError
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo, Token
from dragoman.models.json_text import quote_json
from dragoman.models.profiles import FAMILIES, Family
from dragoman.models.redacted_json import CallRestorer, JsonText, restore_calls
from dragoman.security.redaction import Redactor, StreamRestorer


class RedactedModel:
    """Replaces the secrets of each request by placeholders and puts them back in the answer's stream.

    Closing a stream closes the model's own at once.
    A `ToolCallingModel` belongs inside: then its calls are looked through as calls, and secrets come back as JSON.
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
        """Answer a conversation; raises ToolCallError for a call with a placeholder that the model garbled.

        Images go as they are.
        """
        safe = _redact_chat(request, self._redactor)
        stream = self._model.chat(safe)
        # A secret in an answer that is JSON has to be JSON too.
        encode = None if request.json_schema is None else quote_json
        restored = stream if safe == request else _restore(stream, self._redactor, encode)
        async with aclosing(stream), aclosing(restored):
            async for chunk in restored:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text as the model may read it."""
        return await self._model.embed([self._redactor.redact(text) for text in texts])


def _redact_chat(request: ChatRequest, redactor: Redactor) -> ChatRequest:
    """Redact every text of a request together: what is known for a secret in one is one in all others.

    Names of tools and ids of calls are names, and stay.
    """
    contents = [message.content for message in request.messages]
    calls = [JsonText(call.arguments) for message in request.messages for call in message.tool_calls]
    schemas = [JsonText.of(tool.parameters) for tool in request.tools]
    if request.json_schema is not None:
        schemas.append(JsonText.of(request.json_schema))
    descriptions = [tool.description for tool in request.tools]
    documents = [*calls, *schemas]
    named = [document.find_named(redactor) for document in documents]
    texts = [*contents, *descriptions, *request.stop, *(part for document in documents for part in document.parts)]
    safe = redactor.redact_together(texts, {secret for found in named for _, secret in found})
    if safe == texts and not any(named):
        return request
    left = iter(safe)
    messages = [replace(message, content=next(left)) for message in request.messages]
    told = [next(left) for _ in descriptions]
    stop = tuple(next(left) for _ in request.stop)
    written = [_hide_named(document, found, left, redactor) for document, found in zip(documents, named, strict=True)]
    arguments, rest = iter(written[: len(calls)]), iter(written[len(calls) :])
    return replace(
        request,
        messages=tuple(
            replace(one, tool_calls=tuple(replace(call, arguments=next(arguments)) for call in one.tool_calls))
            for one in messages
        ),
        tools=tuple(
            replace(tool, description=description, parameters=json.loads(next(rest)))
            for tool, description in zip(request.tools, told, strict=True)
        ),
        json_schema=None if request.json_schema is None else json.loads(next(rest)),
        stop=stop,
    )


def _hide_named(document: JsonText, named: Sequence[tuple[int, str]], safe: Iterator[str], redactor: Redactor) -> str:
    parts = [next(safe) for _ in document.parts]
    for number, secret in named:
        parts[number] = parts[number].replace(secret, redactor.hide(secret))
    return document.write(parts)


def _redact_completion(request: CompletionRequest, redactor: Redactor, family: str | None) -> CompletionRequest:
    if request.stop:
        request = replace(request, stop=tuple(redactor.redact(stop) for stop in request.stop))
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
    stream: AsyncGenerator[Chunk, None],
    redactor: Redactor,
    encode: Callable[[str], str] | None = None,
    *,
    ends_at_garbled: bool = False,
) -> AsyncGenerator[Chunk, None]:
    text, thinking = redactor.stream(encode), redactor.stream()
    tokens, calls = _Tokens(), CallRestorer(redactor)
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
            called = restore_calls(chunk, calls)
            if said or thought or passed or called or chunk.finish is not None or chunk.usage is not None:
                yield replace(chunk, text=said, thinking=thought, tokens=passed, tool_calls=called)
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
