"""How many tokens the messages of a conversation have in front of a model: never fewer than it will count itself."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dragoman.context.limits import (
    COUNTED_INLINE_CHARS,
    MESSAGE_TOKENS,
    OWN_TOKENIZER_S,
    SMALL_VOCABULARY,
    TEMPLATE_TOKENS,
    TOOL_ANSWER_TOKENS,
    TOOL_CALL_TOKENS,
    TOOL_TOKENS,
    TOOLS_TOKENS,
    UNKNOWN_VOCABULARY,
)
from dragoman.context.pictures import picture_tokens
from dragoman.errors import ModelError
from dragoman.models import tokenizers
from dragoman.models.base import ChatMessage, Tool, ToolCall

logger = logging.getLogger(__name__)

CountTexts = Callable[[Sequence[str]], Awaitable[list[int]]]
"""Returns the tokens of each text, in their order."""

_SMALL = re.compile(r"code-?llama|llama-?2|tinyllama|vicuna|mistral-?7b|mixtral|phi-?3|yi-|gemma-?1")
"""Models with vocabularies of some 32,000 tokens."""

_INDENTING = re.compile(r"llama-?3")
"""Models whose template indents the JSON of tools by four, for twice the tokens."""


class MessageTokens:
    """Counts messages as a chat template writes them: their texts by a tokenizer, what stands around them by a safe bound.

    ``margin`` is how many of the model's tokens one counted here may be: 1 where the vocabulary is the model's own or
    counts no lower, more where it is another one's.
    ``indent`` is how far the template indents the JSON of tools, None where it writes them on a line each.
    """

    def __init__(self, count_texts: CountTexts, *, margin: float = 1.0, indent: int | None = None) -> None:
        self._count_texts = count_texts
        self._indent = indent
        self.margin = margin

    async def count(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return the tokens of each message with its marks, pictures and tool calls."""
        texts = [text for message in messages for text in (message.content, *map(_spell, message.tool_calls))]
        counts = iter(await self._count_texts(texts))
        return [_marks(message) + sum(itertools.islice(counts, 1 + len(message.tool_calls))) for message in messages]

    async def count_frame(self, tools: Sequence[Tool] = ()) -> int:
        """Return the tokens that every prompt has besides its messages: the template's own, and the tools' descriptions."""
        if not tools:
            return TEMPLATE_TOKENS
        texts = [json.dumps(_describe(tool), indent=self._indent, ensure_ascii=False, default=str) for tool in tools]
        return TEMPLATE_TOKENS + TOOLS_TOKENS + sum(await self._count_texts(texts)) + TOOL_TOKENS * len(tools)


def tokens_of(model_name: str, own: Callable[[str], Awaitable[int]] | None = None) -> MessageTokens:
    """Return what counts for a model: its own tokenizer where its server offers it, else its vocabulary, else tiktoken's.

    ``own`` counts one text (as the providers of llama.cpp and of the embedded model do); it is not asked where the
    vocabulary is known, and not relied upon: once it fails or is slow the counts are made here.
    """
    encoding = tokenizers.encoding_of(model_name)
    if encoding is not None:
        return MessageTokens(_texts(encoding), indent=4 if _INDENTING.search(model_name.lower()) else None)
    margin = SMALL_VOCABULARY if _SMALL.search(model_name.lower()) else UNKNOWN_VOCABULARY
    here = _texts(tokenizers.DEFAULT_ENCODING)
    return MessageTokens(here if own is None else OwnTexts(own, here, margin), margin=margin if own is None else 1.0)


class VocabularyTexts:
    """Counts texts with an encoding of `dragoman.models.tokenizers`, long ones and the first one in a thread."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._loaded = False

    async def __call__(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text."""
        if self._loaded and sum(map(len, texts)) <= COUNTED_INLINE_CHARS:
            return self._count(texts)
        counts = await asyncio.to_thread(self._count, texts)
        self._loaded = True
        return counts

    def _count(self, texts: Sequence[str]) -> list[int]:
        return [tokenizers.count(text, self._encoding) if text else 0 for text in texts]


@functools.cache
def _texts(encoding: str) -> VocabularyTexts:
    return VocabularyTexts(encoding)


class OwnTexts:
    """Counts texts with the model's own tokenizer behind a call, and by another count times ``margin`` from its first failure on.

    So a server that hangs is waited for once, not at every message.
    """

    def __init__(self, own: Callable[[str], Awaitable[int]], otherwise: CountTexts, margin: float) -> None:
        self._own = own
        self._otherwise = otherwise
        self._margin = margin
        self._answers = True

    async def __call__(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text."""
        if self._answers:
            try:
                async with asyncio.timeout(OWN_TOKENIZER_S):
                    return [await self._own(text) if text else 0 for text in texts]
            except (ModelError, TimeoutError) as error:
                logger.info("The model's tokenizer does not answer, its tokens are counted here: %s", error)
                self._answers = False
        return [int(count * self._margin) + 1 if count else 0 for count in await self._otherwise(texts)]


def _marks(message: ChatMessage) -> int:
    marks = MESSAGE_TOKENS + sum(picture_tokens(image.data) for image in message.images)
    if message.role == "tool":
        marks += TOOL_ANSWER_TOKENS
    return marks + TOOL_CALL_TOKENS * len(message.tool_calls)


def _spell(call: ToolCall) -> str:
    """Return a call in the longer of two forms: its arguments as the model wrote them, and as templates do, with blanks."""
    try:
        arguments = json.dumps(json.loads(call.arguments), ensure_ascii=False)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return f"{call.name} {call.id} {max(arguments, call.arguments, key=len)}"


def _describe(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
