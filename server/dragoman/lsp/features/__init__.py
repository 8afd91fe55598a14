"""The whole language server on one screen: every method, its handler, and how fast it has to be.

A handler is a plain function of the session and the typed params.
What it must see as it is now, the text above all, it reads before it returns; work that takes time it returns as a coroutine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lsprotocol import types

from dragoman.lsp.features import (
    code_actions,
    commands,
    completion,
    configuration,
    findings,
    inline_completion,
    language_models,
    lifecycle,
    next_edit,
    reports,
    text_sync,
)

Latency = Literal["instant", "keystroke", "menu", "human"]
"""``instant``: no waiting at all, in order of arrival.  ``keystroke``: a user is typing, one request a document at a time.
``menu``: an empty answer within 50 ms rather than a late one.  ``human``: as long as the work takes, cancellable."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One method of the protocol."""

    method: str
    handler: Callable[..., Any]
    latency: Latency
    superseded: Callable[[], Any] | None = None
    """Builds the answer of a request that a newer one for the same document made pointless; None: requests are independent."""


FEATURES: tuple[Feature, ...] = (
    Feature(types.INITIALIZE, lifecycle.initialize, "instant"),
    Feature(types.INITIALIZED, lifecycle.initialized, "instant"),
    Feature(types.SHUTDOWN, lifecycle.shutdown, "instant"),
    Feature(types.EXIT, lifecycle.leave, "instant"),
    Feature(types.SET_TRACE, lifecycle.set_trace, "instant"),
    Feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL, lifecycle.cancel_progress, "instant"),
    Feature(types.TEXT_DOCUMENT_DID_OPEN, text_sync.did_open, "instant"),
    Feature(types.TEXT_DOCUMENT_DID_CHANGE, text_sync.did_change, "instant"),
    Feature(types.TEXT_DOCUMENT_DID_SAVE, text_sync.did_save, "instant"),
    Feature(types.TEXT_DOCUMENT_DID_CLOSE, text_sync.did_close, "instant"),
    Feature(
        types.TEXT_DOCUMENT_INLINE_COMPLETION,
        inline_completion.inline_completion,
        "keystroke",
        superseded=inline_completion.nothing,
    ),
    Feature(types.TEXT_DOCUMENT_COMPLETION, completion.completion, "menu", superseded=completion.nothing_yet),
    Feature(types.TEXT_DOCUMENT_CODE_ACTION, code_actions.code_actions, "instant"),
    Feature(types.TEXT_DOCUMENT_DIAGNOSTIC, findings.pull, "instant"),
    Feature(next_edit.NEXT_EDIT, next_edit.next_edit, "instant"),
    Feature(next_edit.DISMISS, next_edit.dismiss, "instant"),
    Feature(language_models.MODELS, language_models.models, "human"),
    Feature(language_models.ANSWER, language_models.answer, "human"),
    Feature(reports.DIAGNOSTICS, reports.diagnostics, "instant"),
    Feature(reports.YANKED, reports.yanked, "instant"),
    Feature(types.WORKSPACE_EXECUTE_COMMAND, commands.execute_command, "human"),
    Feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION, configuration.did_change_configuration, "instant"),
    Feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, configuration.did_change_workspace_folders, "instant"),
    Feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, configuration.did_change_watched_files, "instant"),
)
