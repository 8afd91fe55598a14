"""What an editor's other extensions may use of the models: which there are, and a plain answer of one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dragoman.models.base import Capability, ChatRequest, Chunk, ModelInfo
from dragoman.models.requirements import Requirements

if TYPE_CHECKING:
    from dragoman.models.manager import ModelManager

ANSWER_TOKENS: Final = 4096
"""Kept for an answer where the window is wide; who lends a model does not know what for."""

UNKNOWN_WINDOW: Final = 32_768
"""What is told of a model whose window nobody knows: its server says it when a question is too long."""


async def list_lent(models: ModelManager) -> tuple[dict[str, Any], ...]:
    """Return the models that can chat, as `dragoman.lsp.features.language_models` sends them; the chosen one comes first."""
    chosen = (await models.choose("chat")).info
    able = {one.name: one for one in models.catalog() if "chat" in one.capabilities}
    if chosen is None:
        return ()
    able = {chosen.name: chosen} | able
    return tuple(_described(one, is_chosen=one.name == chosen.name) for one in able.values())


async def answer_lent(models: ModelManager, request: ChatRequest, name: str | None) -> AsyncGenerator[Chunk, None]:
    """Have a model answer, the one that chats are answered by for None; raises ModelError.

    Another name than an exact one raises ModelNotFoundError.
    """
    if name is not None:
        await models.named(name)
    needed: set[Capability] = {"chat"}
    if request.tools:
        needed.add("tools")
    if any(one.images for one in request.messages):
        needed.add("vision")
    model = await models.for_role("chat", Requirements(frozenset(needed), name=name))
    fitting = replace(request, max_tokens=min(request.max_tokens, _answer_tokens(model.info)))
    async with aclosing(model.chat(fitting)) as chunks:
        async for chunk in chunks:
            yield chunk


def _answer_tokens(info: ModelInfo) -> int:
    return ANSWER_TOKENS if info.context_window is None else min(ANSWER_TOKENS, info.context_window // 3)


def _described(info: ModelInfo, *, is_chosen: bool) -> dict[str, Any]:
    answer = _answer_tokens(info)
    return {
        "name": info.name,
        "provider": info.provider,
        "maxInputTokens": (info.context_window or UNKNOWN_WINDOW) - answer,
        "maxOutputTokens": answer,
        # A model without tools of its own is given them by the form of its answer.
        "tools": True,
        "vision": "vision" in info.capabilities,
        "chosen": is_chosen,
    }
