"""One line or a block: read from the syntax around the cursor where its grammar is loaded, else from the text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from dragoman.completion.query import CompletionQuery
from dragoman.completion.situation import wants_lines
from dragoman.syntax.grammars import grammar
from dragoman.syntax.window import Window, window_at

CLOSERS = ")]}>\"'`;,:"
"""Characters an editor may have closed by itself; a rest of line made of these counts as empty."""

_OPENER = re.compile(r"(?:[:{(\[]|=>|->|\b(?:do|then|begin|else|try)|\bdo \|[\w, ]*\|)\Z")
"""How a line ends that opens a block. The words stand alone: ``entry`` does not end in ``try``."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of text belongs at the cursor.

    ``indent`` is the whitespace that the line at the cursor begins with.
    ``rest`` is what stands after the cursor on its line, without the line break.
    ``window`` is the syntax around the cursor, None where it is not known; it holds a tree, so whoever keeps a shape for
    longer than a question drops it.
    """

    multiline: bool
    indent: str
    head: str
    rest: str
    window: Window | None = field(default=None, compare=False, repr=False)


def opens_block(line: str) -> bool:
    """Tell whether ``line`` ends with what opens a block, a bracket or a body."""
    return _OPENER.search(line.rstrip()) is not None


def shape_at(query: CompletionQuery, setting: Literal["auto", "always", "never"]) -> Shape:
    """Decide whether a suggestion may go over the line's end.

    It may where a block begins or the line is still empty, and never where code follows on the same line.
    """
    line = query.text.line(query.line).rstrip("\r\n")
    head, rest = line[: query.character], line[query.character :]
    indent = head[: len(head) - len(head.lstrip())]
    window = parse_at(query)
    if rest.strip(CLOSERS + " \t") or setting == "never":
        return Shape(multiline=False, indent=indent, head=head, rest=rest, window=window)
    multiline = True if setting == "always" else None if window is None else wants_lines(window, head)
    if multiline is None:
        multiline = not head.strip() or opens_block(head)
    return Shape(multiline=multiline, indent=indent, head=head, rest=rest, window=window)


def parse_at(query: CompletionQuery) -> Window | None:
    """Return the syntax around the query's cursor, None while its grammar is not loaded or where there is none.

    The first call for a language begins to load the grammar; nobody waits for it.
    """
    found = grammar(query.language)
    return None if found is None else window_at(found, query.text, query.line, query.character)
