"""What all wrappers share: a model around a model, one body for both kinds of stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence

from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, Model, ModelInfo

Request = CompletionRequest | ChatRequest
"""What opens a stream; its type says which."""


def open_stream(model: Model, request: Request) -> AsyncGenerator[Chunk, None]:
    """Call the method of ``model`` that answers this kind of request; nothing runs before the first chunk is asked for."""
    return model.complete(request) if isinstance(request, CompletionRequest) else model.chat(request)


def says_something(chunk: Chunk) -> bool:
    """Tell whether whoever reads the stream has seen something of the answer once it has this chunk."""
    return bool(chunk.text or chunk.thinking or chunk.tool_calls) or chunk.finish is not None


class ModelWrapper(ABC):
    """A `Model` around another one; wrappers compose in any order.

    A wrapper writes `_stream` as an async generator that holds the inner stream in ``contextlib.aclosing``, so closing the
    outer one closes the connection at once.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def info(self) -> ModelInfo:
        """What the model is and can do."""
        return self._model.info

    def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text."""
        return self._stream(request)

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation."""
        return self._stream(request)

    @abstractmethod
    def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]: ...

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
