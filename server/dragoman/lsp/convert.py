"""Between the engine's values and the protocol's: ranges, suggestions, menu items, edits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lsprotocol import types

from dragoman.completion.query import CompletionQuery, Suggestion, TextView
from dragoman.lsp.positions import Encoding, to_code_points, to_units
from dragoman.lsp.services import EditorEdit, ShownFinding, Span

_WORD_BEFORE = re.compile(r"\w+\Z")
_LINE_BREAK = re.compile(r"\r\n?|\n")
_SNIPPET_SYNTAX = re.compile(r"[\\$}]")
_LABEL_LENGTH = 60
"""Characters of a suggestion's first line that a completion menu shows; menus are narrow."""


def range_on_line(text: TextView, line: int, start: int, end: int, encoding: Encoding) -> types.Range:
    """Convert code points on one line into a range in the client's units."""
    content = text.line(line)
    return types.Range(
        start=types.Position(line=line, character=to_units(content, start, encoding)),
        end=types.Position(line=line, character=to_units(content, end, encoding)),
    )


def accept_command(suggestion: Suggestion, kind: str = "whole") -> types.Command:
    """Return the command a client runs when the user takes a suggestion, ``kind`` tells how much of it."""
    return types.Command(
        title="Accept completion",
        command="dragoman.acceptCompletion",
        arguments=[{"id": suggestion.id, "kind": kind}],
    )


def inline_list(
    query: CompletionQuery, suggestions: Sequence[Suggestion], encoding: Encoding
) -> types.InlineCompletionList:
    """Return ghost text for a query."""
    line = query.text.line(query.line)
    items = []
    for suggestion in suggestions:
        typed = line[suggestion.start_character : query.character]
        items.append(
            types.InlineCompletionItem(
                insert_text=suggestion.text,
                # Clients match the text before the cursor against this; it is only needed where they would not match.
                filter_text=None if suggestion.text.startswith(typed) else typed,
                range=range_on_line(
                    query.text, query.line, suggestion.start_character, suggestion.end_character, encoding
                ),
                command=accept_command(suggestion),
            )
        )
    return types.InlineCompletionList(items=items)


def menu_list(query: CompletionQuery, suggestions: Sequence[Suggestion], encoding: Encoding) -> types.CompletionList:
    """Return the same suggestions as items of a completion menu."""
    items = []
    for rank, suggestion in enumerate(suggestions):
        edit = _edit_from_word(query, suggestion, encoding)
        items.append(_menu_item(query, suggestion, rank, edit, _label(edit.new_text)))
    return types.CompletionList(is_incomplete=True, items=items)


def line_list(query: CompletionQuery, suggestions: Sequence[Suggestion], encoding: Encoding) -> types.CompletionList:
    """Return the suggestions' first lines for Neovim's menu; the next line is what is suggested on the next line.

    Its menu inserts no line break, the first word only of a plain edit, and plain text without an edit where the file type's
    keyword begins, wherever that is.  The edit of a snippet goes where it says, and what is shown until then is the label.
    A suggestion that begins with a line break has nothing to insert here.
    """
    items = []
    for rank, suggestion in enumerate(suggestions):
        first, *rest = _LINE_BREAK.split(suggestion.text, maxsplit=1)
        if not first.strip():
            continue
        edit = _edit_from_word(query, replace(suggestion, text=first), encoding)
        item = _menu_item(query, suggestion, rank, edit, edit.new_text)
        item.insert_text_format = types.InsertTextFormat.Snippet
        edit.new_text = _SNIPPET_SYNTAX.sub(r"\\\g<0>", edit.new_text)
        item.command = accept_command(suggestion, "line" if rest else "whole")
        items.append(item)
    return types.CompletionList(is_incomplete=True, items=items)


def _edit_from_word(query: CompletionQuery, suggestion: Suggestion, encoding: Encoding) -> types.TextEdit:
    start, typed = _word_before(query, suggestion)
    return types.TextEdit(
        range=range_on_line(query.text, query.line, start, suggestion.end_character, encoding),
        new_text=typed + suggestion.text,
    )


def _word_before(query: CompletionQuery, suggestion: Suggestion) -> tuple[int, str]:
    """Return where the word before the cursor begins, which menus match items against, and what of it the suggestion keeps."""
    line = query.text.line(query.line)
    word = _WORD_BEFORE.search(line[: query.character])
    start = min(word.start() if word else query.character, suggestion.start_character)
    return start, line[start : suggestion.start_character]


def _menu_item(
    query: CompletionQuery, suggestion: Suggestion, rank: int, edit: types.TextEdit, label: str
) -> types.CompletionItem:
    start, kept = _word_before(query, suggestion)
    return types.CompletionItem(
        label=label,
        label_details=types.CompletionItemLabelDetails(description="Dragoman"),
        kind=types.CompletionItemKind.Text,
        detail="Dragoman",
        documentation=types.MarkupContent(kind=types.MarkupKind.PlainText, value=kept + suggestion.text),
        preselect=rank == 0,
        sort_text=f"\x20{rank:02}",
        filter_text=query.text.line(query.line)[start : query.character] or edit.new_text,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=edit,
        command=accept_command(suggestion),
    )


def _label(text: str) -> str:
    first, *rest = text.strip().splitlines() or [""]
    cut = first[:_LABEL_LENGTH]
    return cut + "…" if rest or len(first) > _LABEL_LENGTH else cut


def text_edit(edit: EditorEdit, text: TextView, encoding: Encoding) -> types.TextEdit:
    """Convert an edit of the domain; lines past the end mean the end."""

    def position(line: int, character: int) -> types.Position:
        if line >= text.line_count:
            line = text.line_count - 1
            character = len(text.line(line))
        return types.Position(line=line, character=to_units(text.line(line), character, encoding))

    return types.TextEdit(
        range=types.Range(
            start=position(edit.start_line, edit.start_character), end=position(edit.end_line, edit.end_character)
        ),
        new_text=edit.text,
    )


def versioned_edit(changes: Mapping[str, tuple[int, Sequence[types.TextEdit]]], note: str = "") -> types.WorkspaceEdit:
    """Return an edit of documents as they are: by URI the version that is meant, and its changes.

    ``note`` says what it is for, in a client that shows such notes.
    """

    def marked(change: types.TextEdit) -> types.TextEdit | types.AnnotatedTextEdit:
        return (
            types.AnnotatedTextEdit(annotation_id=_NOTE, range=change.range, new_text=change.new_text)
            if note
            else change
        )

    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                text_document=types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version),
                edits=[marked(change) for change in edits],
            )
            for uri, (version, edits) in changes.items()
        ],
        change_annotations={_NOTE: types.ChangeAnnotation(label=note, needs_confirmation=False)} if note else None,
    )


_NOTE = "dragoman"
"""By this the changes of an edit name its note."""

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def diagnostic(
    finding: ShownFinding, uri: str, text: TextView, encoding: Encoding, extras: frozenset[str]
) -> types.Diagnostic:
    """Return a finding as editors show it; its fingerprint finds it again, ``extras`` are what else the client can show."""
    link = finding.link if "codeDescription" in extras else None
    related = [
        types.DiagnosticRelatedInformation(
            location=types.Location(uri=uri, range=span_range(span, text, encoding)), message=message
        )
        for span, message in finding.related
        if "relatedInformation" in extras
    ]
    return types.Diagnostic(
        code_description=types.CodeDescription(href=link) if link is not None else None,
        related_information=related or None,
        range=span_range(finding.span, text, encoding),
        message=finding.message,
        severity=_SEVERITIES[finding.severity],
        code=finding.code or None,
        source="dragoman",
        data={"fingerprint": finding.fingerprint, "fixable": bool(finding.fix)},
    )


def span_range(span: Span, text: TextView, encoding: Encoding) -> types.Range:
    """Convert a span into a range in the client's units; what lies behind the text means its end."""
    edit = EditorEdit(*span.start, *span.end, "")
    return text_edit(edit, text, encoding).range


def range_span(found: types.Range, text: TextView, encoding: Encoding) -> Span:
    """Convert a range in the client's units into code points, within the text."""

    def place(position: types.Position) -> tuple[int, int]:
        if position.line >= text.line_count:
            line = text.line_count - 1
            return line, len(text.line(line))
        return position.line, to_code_points(text.line(position.line), position.character, encoding)

    start, end = place(found.start), place(found.end)
    return Span(start, max(start, end))


def plain_range(found: types.Range) -> dict[str, Any]:
    """Return a range as it goes over the wire."""
    return {
        "start": {"line": found.start.line, "character": found.start.character},
        "end": {"line": found.end.line, "character": found.end.character},
    }
