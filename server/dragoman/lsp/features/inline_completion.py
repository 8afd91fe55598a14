"""Ghost text: ``textDocument/inlineCompletion`` of LSP 3.18."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from lsprotocol import types

from dragoman.completion.query import CompletionQuery
from dragoman.lsp.convert import inline_list
from dragoman.lsp.session import Session


def nothing() -> types.InlineCompletionList:
    """Return the answer of a request that a newer one made pointless."""
    return types.InlineCompletionList(items=[])


def inline_completion(
    session: Session, params: types.InlineCompletionParams
) -> Coroutine[Any, Any, types.InlineCompletionList] | types.InlineCompletionList:
    """Freeze the text and the cursor now, and ask the engine."""
    selected = None
    if (info := params.context.selected_completion_info) is not None:
        selected = (info.range.start.character, info.range.end.character, info.text)
    query = session.query(
        params.text_document.uri,
        params.position.line,
        params.position.character,
        trigger=session.triggers.read(int(params.context.trigger_kind)),
        selected=selected,
    )
    return nothing() if query is None else _suggest(session, query)


async def _suggest(session: Session, query: CompletionQuery) -> types.InlineCompletionList:
    outcome = await session.services.completion.suggest(query)
    session.services.completion.replied(query, outcome)
    return inline_list(query, outcome.suggestions, session.encoding)
