"""Documentation that stands above what it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dragoman.context.workspace.signatures import first_line

_ATTRIBUTES: Final = ("@", "#[", "[", "template")
"""How a line between a comment and its definition may begin."""
_TAG: Final = re.compile(r"</?\w[^<>]*>")
_MARKS: Final = " \t/*#-!"
_MOST_LINES: Final = 40
"""How far above a definition the beginning of its comment is looked for."""


def doc_above(lines: Sequence[str], line: int, marks: tuple[str, ...]) -> str:
    """Return the first line of the comment directly above ``line``, "" when there is none; ``marks`` begin its lines."""
    at = min(line, len(lines)) - 1
    lowest = max(-1, at - _MOST_LINES)
    while at > lowest and lines[at].lstrip()[:8].startswith(_ATTRIBUTES):
        at -= 1
    last = at
    if at > lowest and lines[at].rstrip().endswith("*/") and "/*" in marks:
        while at > lowest and "/*" not in lines[at]:
            at -= 1
        at -= 1
    else:
        while at > lowest and lines[at].lstrip()[:2].startswith(marks):
            at -= 1
    said = [
        text
        for each in lines[at + 1 : last + 1]
        if (text := _TAG.sub("", each[:400].strip().removesuffix("*/").strip(_MARKS))) and text[0] not in "@\\"
    ]
    return first_line("\n".join(said))
