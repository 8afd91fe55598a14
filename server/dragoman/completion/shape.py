"""One line or a block: read from the text around the cursor, without a parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dragoman.completion.query import CompletionQuery

CLOSERS = ")]}>\"'`;,:"
"""Characters an editor may have closed by itself; a rest of line made of these counts as empty."""

_OPENERS = (":", "{", "(", "[", "=>", "->", " do", " then", " begin", "else", "try")


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of text belongs at the cursor.

    ``indent`` is the whitespace that the line at the cursor begins with.
    ``rest`` is what stands after the cursor on its line, without the line break.
    """

    multiline: bool
    indent: str
    head: str
    rest: str


def shape_at(query: CompletionQuery, setting: Literal["auto", "always", "never"]) -> Shape:
    """Decide whether a suggestion may go over the line's end.

    It may where a block begins or the line is still empty, and never where code follows on the same line.
    """
    line = query.text.line(query.line).rstrip("\r\n")
    head, rest = line[: query.character], line[query.character :]
    indent = head[: len(head) - len(head.lstrip())]
    if rest.strip(CLOSERS + " \t") or setting == "never":
        return Shape(multiline=False, indent=indent, head=head, rest=rest)
    multiline = setting == "always" or not head.strip() or head.rstrip().endswith(_OPENERS)
    return Shape(multiline=multiline, indent=indent, head=head, rest=rest)
