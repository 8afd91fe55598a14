"""How an answer begins: what small models write before the text that belongs at the cursor.

Each function holds back what it cannot decide yet while the stream goes on, so that what is returned only grows.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_FENCE = r"```[\w+#.-]*[ \t]*(?:\n|\Z)"
_OPENING_FENCE = re.compile(r"\A\s*" + _FENCE)
_OPENING_FENCE_IN_LINE = re.compile(r"\A[ \t]*" + _FENCE)
_INLINE_FENCE = re.compile(r"\A[ \t]*```(?=[^\s`])")
_PARTIAL_TOKEN = 3
"""A finished answer that ends with this much of a special token was cut off inside of it; less may be an operator."""


def before_special(text: str, special: Collection[str], *, done: bool) -> tuple[str, bool]:
    """Return the text before the first special token and whether there was one (or ``done``)."""
    ends = [at for token in special if (at := text.find(token)) >= 0]
    if ends:
        return text[: min(ends)], True
    longest = max((len(token) for token in special), default=1) - 1
    for length in range(min(longest, len(text)), _PARTIAL_TOKEN - 1 if done else 0, -1):
        end = text[-length:]
        if any(token.startswith(end) for token in special):
            return text[:-length], done
    return text, done


def without_fence(text: str, *, multiline: bool, done: bool) -> tuple[str, bool]:
    """Drop the Markdown fence that chat models open before their code."""
    if not done and text.strip(" \t\n" if multiline else " \t") in {"", "`", "``"}:
        return "", False
    pattern = _OPENING_FENCE if multiline else _OPENING_FENCE_IN_LINE
    if match := pattern.match(text):
        return text[match.end() :], done
    if match := _INLINE_FENCE.match(text):
        code, closing, _ = text[match.end() :].partition("```")
        return (code if done or closing else code.rstrip("`")), done or bool(closing)
    return text, done


def without_echo(text: str, head: str, *, done: bool) -> str:
    """Drop the line's head where the model begins by writing it again.

    Only a head that nobody writes twice in a row counts: several words or a path of names, no tag and no list's item.
    """
    mark = head.lstrip()
    if (
        sum(char.isalpha() for char in mark) < 3
        or mark.startswith("<")
        or mark.rstrip().endswith(",")
        or not re.search(r"\w\W", mark.rstrip("([{"))
    ):
        return text
    said = text.lstrip(" \t")
    if said.startswith(mark):
        return said[len(mark) :]
    return "" if not done and mark.startswith(said) else text


def without_indentation(text: str, head: str, *, done: bool) -> str:
    """Drop leading whitespace that the cursor's line already has: the indentation, or a space after a space."""
    # On a line that holds only its indentation the answer begins there, not a line below.
    said = text.lstrip(" \t\n" if head.isspace() else " \t")
    if not said and not done:
        return ""
    return said if head[-1:] in {" ", "\t"} and head else text
