"""``textDocument/codeAction``: what can be done at the cursor, for every editor that has a menu of actions."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from dragoman.completion.next_edit import NextEdit
from dragoman.lsp.convert import plain_range, versioned_edit
from dragoman.lsp.features.agent_actions import agent_actions
from dragoman.lsp.features.next_edit import SHOW, due, range_of
from dragoman.lsp.features.reports import reported_with_actions
from dragoman.lsp.session import Session

KIND = types.CodeActionKind.RefactorRewrite


def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Offer the change that is due next, with all that belong to it, and what a model can do here."""
    reported_with_actions(session, params)
    return [*_next_edits(session, params), *agent_actions(session, params)]


def _next_edits(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    only = params.context.only
    wanted = only is None or any(KIND.value == kind or KIND.value.startswith(f"{_name(kind)}.") for kind in only)
    if not wanted or not session.capabilities.takes_action_literals:
        return []
    start = params.range.start
    found = due(session, params.text_document.uri, start.line, start.character)
    if not found:
        return []
    known = [edit for edit in found if edit.is_known]
    actions = [_one(session, found[0], params.text_document.uri)]
    if len(known) > 1:
        title = f"Next edit: {known[0].label} (all {len(known)} places)"
        actions.append(types.CodeAction(title=title, kind=KIND, edit=_workspace_edit(session, known)))
    return actions


def _name(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _one(session: Session, edit: NextEdit, here: str) -> types.CodeAction:
    file = "" if edit.uri == here else f"{edit.uri.rpartition('/')[2]}, "
    title = f"Next edit: {edit.label} ({file}line {edit.start[0] + 1})"
    command = types.Command(
        title="Go there", command=SHOW, arguments=[{"uri": edit.uri, "range": plain_range(_behind(session, edit))}]
    )
    return types.CodeAction(
        title=title,
        kind=KIND,
        edit=_workspace_edit(session, [edit]) if edit.is_known else None,
        command=command if session.capabilities.shows_documents else None,
    )


def _behind(session: Session, edit: NextEdit) -> types.Range:
    """Return the place behind the new text, once it is there."""
    start = range_of(session, edit).start
    lines = edit.new_text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    units = _units(lines[-1], session)
    if len(lines) == 1:
        units += start.character
    end = types.Position(line=start.line + len(lines) - 1, character=units)
    return types.Range(start=end, end=end)


def _units(text: str, session: Session) -> int:
    if session.encoding == "utf-32":
        return len(text)
    return len(text.encode("utf-8")) if session.encoding == "utf-8" else len(text.encode("utf-16-le")) // 2


def _workspace_edit(session: Session, edits: Sequence[NextEdit]) -> types.WorkspaceEdit:
    by_uri: dict[str, list[NextEdit]] = {}
    for edit in edits:
        by_uri.setdefault(edit.uri, []).append(edit)
    text_edits = {
        uri: [types.TextEdit(range=range_of(session, edit), new_text=edit.new_text) for edit in sorted_by_place]
        for uri, sorted_by_place in ((uri, sorted(group, key=lambda one: one.start)) for uri, group in by_uri.items())
    }
    if not session.capabilities.versions_edits:
        return types.WorkspaceEdit(changes=text_edits)
    return versioned_edit({uri: (by_uri[uri][0].version, changes) for uri, changes in text_edits.items()})
