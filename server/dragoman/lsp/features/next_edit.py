"""Where the last change is due next: ``dragoman/nextEdit``, a request of our own, and the command that goes there.

``dragoman/nextEdit`` takes ``{textDocument, position}`` and answers ``{uri, version, range, oldText, newText, label, reason,
count}`` or null; a ``newText`` equal to ``oldText`` means that the place must change but what to is not known.
``dragoman/dismissNextEdit`` tells that the user does not want it anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsprotocol import types

from dragoman.completion.next_edit import NextEdit
from dragoman.lsp.convert import plain_range
from dragoman.lsp.failures import INVALID_PARAMS, RequestError
from dragoman.lsp.positions import to_units
from dragoman.lsp.session import Session

NEXT_EDIT = "dragoman/nextEdit"
DISMISS = "dragoman/dismissNextEdit"
SHOW = "dragoman.showNextEdit"


def next_edit(session: Session, params: Any) -> dict[str, Any] | None:
    """Answer with the change that is due next after a position."""
    uri, line, character = _place(params)
    found = due(session, uri, line, character)
    if not found:
        return None
    edit = found[0]
    return {
        "uri": edit.uri,
        "version": edit.version,
        "range": plain_range(range_of(session, edit)),
        "oldText": edit.old_text,
        "newText": edit.new_text,
        "label": edit.label,
        "reason": edit.reason,
        "count": len(found),
    }


def dismiss(session: Session, _params: Any) -> None:
    """Offer what is offered now no more."""
    session.services.next_edits.dismissed()


async def show(session: Session, arguments: Mapping[str, Any]) -> bool:
    """Put the cursor where a change is due, or was just made; the argument has ``uri`` and ``range``."""
    uri, where = arguments.get("uri"), arguments.get("range")
    try:
        selection = types.Range(
            start=types.Position(line=where["start"]["line"], character=where["start"]["character"]),  # type: ignore[index]
            end=types.Position(line=where["end"]["line"], character=where["end"]["character"]),  # type: ignore[index]
        )
    except (TypeError, KeyError):
        raise RequestError(INVALID_PARAMS, f"{SHOW!r} needs 'uri' and 'range'.") from None
    if not isinstance(uri, str) or session.documents.get(uri) is None:
        raise RequestError(INVALID_PARAMS, f"{SHOW!r} needs the 'uri' of an open document.")
    return await session.client.show_place(uri, selection)


def due(session: Session, uri: str, line: int, units: int) -> list[NextEdit]:
    """Return what is due, the next first, for a position in the client's units; only what fits the texts as they are."""
    query = session.query(uri, line, units, trigger="invoked")
    if query is None:
        return []
    found = session.services.next_edits.all_edits(uri, query.line, query.character, query.version)
    return [edit for edit in found if _is_current(session, edit)]


def range_of(session: Session, edit: NextEdit) -> types.Range:
    """Return an edit's range in the client's units."""
    document = session.documents.get(edit.uri)
    assert document is not None, "only edits of open documents are offered"

    def position(line: int, character: int) -> types.Position:
        return types.Position(line=line, character=to_units(document.lines.line(line), character, session.encoding))

    return types.Range(start=position(*edit.start), end=position(*edit.end))


def _is_current(session: Session, edit: NextEdit) -> bool:
    document = session.documents.get(edit.uri)
    return document is not None and document.in_sync and document.version == edit.version


def _place(params: Any) -> tuple[str, int, int]:
    try:
        uri, position = params["textDocument"]["uri"], params["position"]
        line, character = position["line"], position["character"]
    except (TypeError, KeyError):
        raise RequestError(INVALID_PARAMS, f"{NEXT_EDIT!r} needs 'textDocument' and 'position'.") from None
    numbers = isinstance(line, int) and isinstance(character, int) and line >= 0 and character >= 0
    if not isinstance(uri, str) or not numbers:
        raise RequestError(INVALID_PARAMS, f"{NEXT_EDIT!r} needs a document's URI and a position in it.")
    return uri, line, character
