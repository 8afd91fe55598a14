"""The same suggestion in a completion menu, for clients without ghost text: ``textDocument/completion``.

A menu must not be held up by a model: what is not there within a moment is left out, and the list is marked incomplete.
The search goes on meanwhile; a client that asks again at the same place waits for its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from dragoman.completion.query import CompletionQuery, Outcome
from dragoman.lsp.convert import line_list, menu_list
from dragoman.lsp.session import Session

FIRST_WAIT = 0.05
"""Seconds: other servers' items in the same menu wait for ours, and 50 ms is not felt."""

REPEATED_WAIT = 3.0
"""Seconds: a client that asks again without a change in between has nothing better to show."""


@dataclass(slots=True)
class MenuSearch:
    """The search that runs for one document's menu."""

    place: tuple[int, int, int]
    task: asyncio.Task[Outcome | Exception]
    asked: int = 0
    """How many requests have waited for it."""


def nothing_yet() -> types.CompletionList:
    """Return the answer that keeps a client asking."""
    return types.CompletionList(is_incomplete=True, items=[])


def completion(
    session: Session, params: types.CompletionParams
) -> Coroutine[Any, Any, types.CompletionList] | types.CompletionList:
    """Freeze the text and the cursor now, and ask the engine or join the search that runs for this very place.

    ``Invoked`` means only that the user types, so every menu counts as automatic.
    """
    uri = params.text_document.uri
    query = session.query(uri, params.position.line, params.position.character, trigger="automatic")
    if query is None:
        return nothing_yet()
    place = (query.version, query.line, query.character)
    running = session.menus.get(uri)
    repeated = running is not None and running.place == place
    if running is None or not repeated:
        forget(session, uri)
        work = session.services.completion.suggest(query)
        running = session.menus[uri] = MenuSearch(place, session.tasks.start(_quietly(work), name=f"menu {uri}"))
    running.asked += 1
    patient = repeated or _asked_by_key(session, params)
    return _answer(session, query, running, running.asked, REPEATED_WAIT if patient else FIRST_WAIT)


def _asked_by_key(session: Session, params: types.CompletionParams) -> bool:
    """Tell whether the user pressed a key for the menu: Neovim asks once then, without holding up anything else."""
    return (
        session.editor.client_name == "Neovim"
        and params.context is not None
        and params.context.trigger_kind == types.CompletionTriggerKind.Invoked
    )


def forget(session: Session, uri: str) -> None:
    """End the search for a document's menu: its text has changed."""
    running = session.menus.pop(uri, None)
    if running is not None:
        running.task.cancel()


async def _quietly(work: Coroutine[Any, Any, Outcome]) -> Outcome | Exception:
    # The failure belongs to the request that waits; when none does any more, it is nobody's.
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - raised again by the request that waits for it
        return error


async def _answer(
    session: Session, query: CompletionQuery, running: MenuSearch, turn: int, seconds: float
) -> types.CompletionList:
    try:
        await asyncio.wait([running.task], timeout=seconds)
    except asyncio.CancelledError:
        # The client gave up, unless a newer request waits for this same search.
        if running.asked == turn and session.menus.get(query.uri) is running:
            forget(session, query.uri)
        raise
    if not running.task.done() or running.task.cancelled():
        return nothing_yet()
    outcome = running.task.result()
    if isinstance(outcome, Exception):
        if session.menus.get(query.uri) is running:
            del session.menus[query.uri]
        raise outcome
    session.services.completion.replied(query, outcome)
    build = line_list if session.editor.client_name == "Neovim" else menu_list
    return build(query, outcome.suggestions, session.encoding)
