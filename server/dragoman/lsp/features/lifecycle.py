"""From ``initialize`` to ``exit``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types

from dragoman.lsp.capabilities import initialize_result
from dragoman.lsp.features import completion, configuration
from dragoman.lsp.parent import watch_parent
from dragoman.lsp.session import Session
from dragoman.monitoring import bug

logger = logging.getLogger(__name__)


def initialize(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    """Take in who the client is, and answer with the same table that the early answer comes from."""
    session.initialize(params)
    session.door.initialized()
    if session.process_id is not None:
        watch_parent(session.process_id, session.tasks, lambda: session.door.stop(1, "the editor's process has ended"))
    return initialize_result(dict(params))


def initialized(session: Session, _params: Any) -> None:
    """Start the services; requests that arrive meanwhile are answered with what is there."""
    if session.started:
        return
    session.started = True
    session.tasks.start(_start(session), name="start services")


async def _start(session: Session) -> None:
    try:
        await session.services.start(session.editor)
    except Exception as error:  # noqa: BLE001 - the server stays up and says what is wrong
        bug.report("the services did not start", error=error)
        session.client.show_message("error", "Dragoman could not start; its log has the reason.")
    await configuration.announce(session)


def shutdown(session: Session, _params: Any) -> None:
    """Answer what is open, end running generations, refuse what still comes."""
    session.door.begin_shutdown()
    for uri in list(session.menus):
        completion.forget(session, uri)
    session.services.completion.cancel()


def leave(session: Session, _params: Any) -> None:
    """End the process: 0 after ``shutdown``, 1 without."""
    clean = session.door.is_shut_down
    session.door.stop(0 if clean else 1, "the editor said 'exit'" if clean else "'exit' came without 'shutdown'")


def set_trace(_session: Session, params: types.SetTraceParams) -> None:
    """Accept the trace level; the log file holds more than a trace would."""
    logger.debug("the client set the trace to %s", params.value)


def cancel_progress(session: Session, params: types.WorkDoneProgressCancelParams) -> None:
    """End the work whose progress the user cancelled."""
    session.client.progress_cancelled(params.token)
