"""The real embedded model behind a memory on disk: a question asked before is answered from a file of JSON lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from dragoman.completion.policy import Target
from dragoman.errors import ModelError
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo, Token
from dragoman.models.profiles import special_tokens


class RememberingModel:
    """Asks ``model`` for what ``path`` does not hold; always asks for probabilities.

    An answer that the engine stopped early is remembered as far as it went.
    When a changed engine wants more of it than there is, the model is asked again.
    """

    def __init__(self, model: Model, path: Path) -> None:
        self._model = model
        self._path = path
        self._known: dict[str, list[Chunk]] = {}
        self.raw: list[Chunk] = []
        """The newest answer, as far as it was read."""
        self.asked = 0
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["key"]] = [_chunk(one) for one in entry["chunks"]]

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self._model.info

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        request = replace(request, logprobs=True)
        key = _key(self.info.name, request)
        self.raw = []
        for chunk in self._known.get(key) or self._one_line_of(request):
            self.raw.append(chunk)
            yield chunk
            if chunk.finish is not None:
                return
        given = len(self.raw)
        self.raw = []
        self.asked += 1
        try:
            async with aclosing(self._model.complete(request)) as chunks:
                async for chunk in chunks:
                    self.raw.append(chunk)
                    if len(self.raw) > given:
                        yield chunk
        finally:
            if self.raw:
                self._remember(key)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Not what this is for."""
        raise AssertionError("completion never chats")

    def _one_line_of(self, request: CompletionRequest) -> list[Chunk]:
        """Return the first line of what was answered to the same question when it was asked for several lines."""
        family = self.info.fim_family
        if request.stop[:1] != ("\n",) or family is None:
            return []
        # As the engine asks for several lines: without the line break, and never more than four.
        stop = tuple(sorted(special_tokens(family)))[:4]
        line: list[Chunk] = []
        for chunk in self._known.get(_key(self.info.name, replace(request, stop=stop)), ()):
            text, found, _ = chunk.text.partition("\n")
            line.append(replace(chunk, text=text, finish="stop") if found else chunk)
            if found:
                return line
        return line

    def _remember(self, key: str) -> None:
        self._known[key] = self.raw
        entry = {"key": key, "chunks": [_plain(chunk) for chunk in self.raw]}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


class OneTarget:
    """Always the same model, on this machine's processor."""

    def __init__(self, model: RememberingModel) -> None:
        self._model = model

    async def completion_target(self) -> Target:
        """Return the model."""
        return Target(self._model, provider="embedded", is_local=True, small=True, max_concurrency=1)

    def report_failure(self, provider: str, error: ModelError) -> None:
        """End the measurement: without the model there is nothing to measure."""
        raise error


def _key(name: str, request: CompletionRequest) -> str:
    said = json.dumps([name, request.prompt, request.suffix, request.max_tokens, request.stop, request.temperature])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _plain(chunk: Chunk) -> list[Any]:
    return [chunk.text, chunk.finish, [[token.text, round(token.logprob, 5)] for token in chunk.tokens]]


def _chunk(value: list[Any]) -> Chunk:
    text, finish, tokens = value
    return Chunk(text, finish=finish, tokens=tuple(Token(*one) for one in tokens))
