"""One line or a block: read from the text around the cursor, without a parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dragoman.completion.query import CompletionQuery

CLOSERS = ")]}>\"'`;,:"
"""Characters an editor may have closed by itself; a rest of line made of these counts as empty."""

_OPENER = re.compile(r"(?:[:{(\[]|=>|->|\b(?:do|then|begin|else|try)|\bdo \|[\w, ]*\|)\Z")
"""How a line ends that opens a block. The words stand alone: ``entry`` does not end in ``try``."""


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
    if rest.strip(CLOSERS + " \t") or setting == "never":
        return Shape(multiline=False, indent=indent, head=head, rest=rest)
    multiline = setting == "always" or not head.strip() or opens_block(head)
    return Shape(multiline=multiline, indent=indent, head=head, rest=rest)
