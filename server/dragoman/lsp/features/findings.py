"""Reviews' findings as diagnostics, for clients that pull them; to the others they are pushed."""

from __future__ import annotations

from lsprotocol import types

from dragoman.lsp.convert import diagnostic
from dragoman.lsp.session import Session


def pull(session: Session, params: types.DocumentDiagnosticParams) -> types.RelatedFullDocumentDiagnosticReport:
    """Answer with what reviews found in a document and still stands."""
    session.pulls_diagnostics = True
    uri = params.text_document.uri
    document = session.documents.get(uri)
    if document is None or not document.in_sync:
        return types.RelatedFullDocumentDiagnosticReport(items=[])
    found = session.services.findings(uri)
    return types.RelatedFullDocumentDiagnosticReport(
        items=[
            diagnostic(one, document.uri, document.lines, session.encoding, session.capabilities.diagnostic_extras)
            for one in found
        ]
    )
