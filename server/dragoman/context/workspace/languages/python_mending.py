"""Closing what was left open in a Python file, so that one unfinished line does not hide the rest from the parser.

Whoever is typing has an open bracket most of the time, and the parser takes everything behind it for its inside.
"""

from __future__ import annotations

import re
from typing import Final

_TOKENS: Final = re.compile(
    r"""(?P<long>\"{3}|'{3})(?:\\.|[^\\])*?(?:(?P=long)|\Z)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*(?:"|$)|'(?:\\.|[^'\\\n])*(?:'|$))"""
    r"""|(?P<comment>\#[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>\n)""",
    re.DOTALL | re.MULTILINE,
)
_STATEMENT: Final = re.compile(
    r"[ \t]*(?:(?:async[ ]+)?(?:def|class|with|while|return|raise|import|try|pass|del|assert)\b|from[ ]+\S+[ ]+import\b"
    r"|@\w|self\.\w+[ ]*(?::[^=\n]*)?=[^=])"
)
"""How a line begins that cannot be inside of brackets."""
_HEAD: Final = re.compile(r"([ \t]*)(?:async[ ]+)?(?:def|class)\b")
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}


def mended(text: str) -> str:
    """Return ``text`` with brackets and strings closed before the next statement; its lines stay where they are."""
    kept: list[str] = []
    done = first = 0
    opened: list[str] = []
    comment = -1
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup
        if kind == "open":
            first = first if opened else token.start()
            opened.append(token[0])
        elif kind == "close":
            if opened:
                opened.pop()
        elif kind == "comment":
            comment = token.start()
        elif kind == "string":
            if len(token[0]) == 1 or token[0][-1] != token[0][0]:
                kept += [text[done : token.end()], token[0][0]]
                done = token.end()
        elif kind == "end":
            if opened and _STATEMENT.match(text, token.end()):
                at = max(done, comment if comment >= 0 else token.start())
                closers = "".join(_CLOSERS[each] for each in reversed(opened)) + _colon(text, first, token.end())
                kept += [text[done:at], closers, " " if comment >= 0 else ""]
                done = at
                opened.clear()
            comment = -1
    return "".join(kept) + text[done:]


def _colon(text: str, bracket: int, after: int) -> str:
    """Return what a head of a definition lacks whose bracket was left open, before the line at ``after``."""
    head = _HEAD.match(text, text.rfind("\n", 0, bracket) + 1)
    if head is None:
        return ""
    line = text[after : after + 200]
    return ":" if len(line) - len(line.lstrip(" \t")) > len(head[1]) else ": ..."
