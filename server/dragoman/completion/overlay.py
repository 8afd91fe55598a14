"""A text as it would be if something were typed at the cursor: what a popup's item or an accepted suggestion leads to."""

from __future__ import annotations

import re
from dataclasses import replace

from dragoman.completion.query import CompletionQuery, SelectedItem, TextView

_LINE_BREAK = re.compile(r"\r\n?|\n")


class Overlay:
    """A frozen `TextView` with one line replaced by others; shares everything else with the text below."""

    def __init__(self, text: TextView, line: int, lines: tuple[str, ...]) -> None:
        self._text = text
        self._line = line
        self._lines = lines

    @property
    def line_count(self) -> int:
        """Number of lines."""
        return self._text.line_count + len(self._lines) - 1

    def line(self, index: int) -> str:
        """Return line ``index`` with its terminator; raises IndexError outside the text."""
        if index < self._line:
            return self._text.line(index)
        if index < self._line + len(self._lines):
            return self._lines[index - self._line]
        return self._text.line(index - len(self._lines) + 1)


def after_typing(query: CompletionQuery, start: int, end: int, typed: str) -> CompletionQuery:
    """Return the query behind ``typed``, put in place of the characters ``[start, end)`` of the query's line."""
    line = query.text.line(query.line)
    content = line.rstrip("\r\n")
    terminator = line[len(content) :]
    first, *more = _LINE_BREAK.split(typed)
    character = len(more[-1]) if more else start + len(first)
    lines = [content[:start] + first, *more]
    lines[-1] += content[end:] + terminator
    newline = terminator or "\n"
    text = Overlay(query.text, query.line, (*(one + newline for one in lines[:-1]), lines[-1]))
    return replace(query, text=text, line=query.line + len(more), character=character, selected=None)


def behind_selected(query: CompletionQuery, selected: SelectedItem) -> CompletionQuery | None:
    """Return the query behind the popup's selected item, None when no one-line text can go on from it."""
    line = query.text.line(query.line).rstrip("\r\n")
    fits = 0 <= selected.start_character <= query.character <= selected.end_character <= len(line)
    if not fits or not selected.text or _LINE_BREAK.search(selected.text):
        return None
    return after_typing(query, selected.start_character, selected.end_character, selected.text)
