"""Between the engine's values and the protocol's: ranges, suggestions, menu items, edits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lsprotocol import types

from dragoman.completion.query import CompletionQuery, Suggestion, TextView
from dragoman.lsp.positions import Encoding, to_units
from dragoman.lsp.services import EditorEdit

_WORD_BEFORE = re.compile(r"\w+\Z")
_SPACE = re.compile(r"\s")
_LABEL_LENGTH = 60
"""Characters of a suggestion's first line that a completion menu shows; menus are narrow."""


def range_on_line(text: TextView, line: int, start: int, end: int, encoding: Encoding) -> types.Range:
    """Convert code points on one line into a range in the client's units."""
    content = text.line(line)
    return types.Range(
        start=types.Position(line=line, character=to_units(content, start, encoding)),
        end=types.Position(line=line, character=to_units(content, end, encoding)),
    )


def accept_command(suggestion: Suggestion) -> types.Command:
    """Return the command a client runs when the user takes a suggestion."""
    return types.Command(
        title="Accept completion",
        command="dragoman.acceptCompletion",
        arguments=[{"id": suggestion.id, "kind": "whole"}],
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


def menu_list(
    query: CompletionQuery, suggestions: Sequence[Suggestion], encoding: Encoding, *, by_insert_text: bool
) -> types.CompletionList:
    """Return the same suggestions as items of a completion menu.

    With ``by_insert_text`` an item of several words carries no edit but the text from the word's start on: Neovim 0.11 takes
    only the first word of an edit.
    """
    line = query.text.line(query.line)
    word = _WORD_BEFORE.search(line[: query.character])
    items = []
    for rank, suggestion in enumerate(suggestions):
        start = min(word.start() if word else query.character, suggestion.start_character)
        new_text = line[start : suggestion.start_character] + suggestion.text
        cut_short = by_insert_text and _SPACE.search(new_text) is not None
        plain = cut_short and suggestion.end_character == query.character
        items.append(
            types.CompletionItem(
                label=_label(new_text),
                label_details=types.CompletionItemLabelDetails(description="Dragoman"),
                kind=types.CompletionItemKind.Text,
                detail="Dragoman",
                documentation=types.MarkupContent(kind=types.MarkupKind.PlainText, value=new_text),
                preselect=rank == 0,
                sort_text=f"\x20{rank:02}",
                filter_text=line[start : query.character] or new_text,
                insert_text=new_text if plain else None,
                insert_text_format=types.InsertTextFormat.PlainText,
                insert_text_mode=types.InsertTextMode.AsIs,
                text_edit=None
                if plain
                else types.TextEdit(
                    range=range_on_line(query.text, query.line, start, suggestion.end_character, encoding),
                    new_text=new_text,
                ),
                command=accept_command(suggestion),
            )
        )
    return types.CompletionList(is_incomplete=True, items=items)


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
