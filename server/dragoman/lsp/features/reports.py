"""What a client tells of its own accord: diagnostics of other servers, and text that the user has copied.

``dragoman/diagnostics`` takes ``{uri, diagnostics: [{line, message, severity}]}``, all that is reported of a document now;
lines count from 0, ``severity`` is a number of the protocol.
``dragoman/yanked`` takes ``{text, uri?}``; without ``uri`` the text is not from a file.
Clients without the former tell the same of single lines with each request for code actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lsprotocol import types

from dragoman.context.diagnostics import Reported
from dragoman.lsp.client import call_safely
from dragoman.lsp.failures import INVALID_PARAMS, RequestError
from dragoman.lsp.session import Session

DIAGNOSTICS = "dragoman/diagnostics"
YANKED = "dragoman/yanked"
OURS = "dragoman"
"""The source that our own diagnostics name."""

_SEVERITIES = {1: "error", 2: "warning", 3: "information", 4: "hint"}


def diagnostics(session: Session, params: Any) -> None:
    """Take in everything that is reported of a document."""
    uri = _field(params, "uri")
    found = _field(params, "diagnostics")
    if not isinstance(uri, str) or not isinstance(found, list):
        raise RequestError(INVALID_PARAMS, f"{DIAGNOSTICS!r} needs 'uri' and a list of 'diagnostics'.")
    _tell(session, uri, list(_read(found)), None)


def yanked(session: Session, params: Any) -> None:
    """Take in what the user has copied."""
    text, uri = _field(params, "text"), _field(params, "uri")
    if not isinstance(text, str) or not (uri is None or isinstance(uri, str)):
        raise RequestError(INVALID_PARAMS, f"{YANKED!r} needs 'text', and 'uri' where it is from a file.")
    call_safely("yanked", session.services.yanked, text, uri or "")


def reported_with_actions(session: Session, params: types.CodeActionParams) -> None:
    """Take in what a client says of the lines for which it asks what can be done."""
    lines = params.range.start.line, params.range.end.line
    found = [
        Reported(one.range.start.line, message, _SEVERITIES.get(one.severity or 1, "error"))
        for one in params.context.diagnostics
        if one.source != OURS and isinstance(message := one.message, str)
    ]
    _tell(session, params.text_document.uri, found, lines)


def _tell(session: Session, uri: str, found: Iterable[Reported], lines: tuple[int, int] | None) -> None:
    if session.documents.get(uri) is not None:
        call_safely("diagnostics_seen", session.services.diagnostics_seen, uri, found, lines)


def _read(found: list[Any]) -> Iterator[Reported]:
    """Yield what makes sense; another server's oddities are not this client's mistake."""
    for one in found:
        line, message, severity = _field(one, "line"), _field(one, "message"), _field(one, "severity")
        if isinstance(line, int) and isinstance(message, str):
            yield Reported(line, message, _SEVERITIES.get(severity, "error") if isinstance(severity, int) else "error")


def _field(params: Any, name: str) -> Any:
    return params.get(name) if isinstance(params, Mapping) else None
