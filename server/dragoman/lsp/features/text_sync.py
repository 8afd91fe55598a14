"""Documents as the editor opens, changes, saves and closes them."""

from __future__ import annotations

from lsprotocol import types

from dragoman.lsp.client import call_safely
from dragoman.lsp.documents import Change, Document, OutOfSyncError, Touched
from dragoman.lsp.failures import INVALID_PARAMS, RequestError
from dragoman.lsp.features import completion
from dragoman.lsp.session import Session


def did_open(session: Session, params: types.DidOpenTextDocumentParams) -> None:
    """Take in a document."""
    item = params.text_document
    completion.forget(session, item.uri)
    document = session.documents.open(item.uri, str(item.language_id), item.version, item.text)
    _tell(session, document, Touched(0, document.lines.line_count - 1))


def did_change(session: Session, params: types.DidChangeTextDocumentParams) -> None:
    """Apply the editor's changes in order."""
    document = session.documents.get(params.text_document.uri)
    if document is None:
        raise RequestError(INVALID_PARAMS, f"{params.text_document.uri!r} was changed but is not open")
    changes = [_change(event) for event in params.content_changes]
    completion.forget(session, document.uri)
    try:
        touched = document.apply(changes, params.text_document.version, session.encoding)
    except OutOfSyncError as error:
        session.client.log_message("warning", str(error))
        # To the engine it is closed: what runs for the text before the break suits nothing that the user sees.
        call_safely("document_closed", session.services.completion.document_closed, document.uri)
        return
    if document.in_sync:
        _tell(session, document, touched)


def did_save(session: Session, params: types.DidSaveTextDocumentParams) -> None:
    """Pass on that a document is on disk now."""
    call_safely("document_saved", session.services.document_saved, params.text_document.uri)


def did_close(session: Session, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document and end what runs for it."""
    uri = params.text_document.uri
    completion.forget(session, uri)
    if session.documents.close(uri):
        call_safely("document_closed", session.services.completion.document_closed, uri)


def _change(event: types.TextDocumentContentChangeEvent) -> Change:
    if isinstance(event, types.TextDocumentContentChangeWholeDocument):
        return Change(event.text)
    start, end = event.range.start, event.range.end
    return Change(event.text, (start.line, start.character), (end.line, end.character))


def _tell(session: Session, document: Document, touched: Touched) -> None:
    call_safely(
        "document_changed",
        session.services.completion.document_changed,
        document.uri,
        document.lines,
        document.version,
        first_line=touched.first,
        last_line=touched.last,
    )
