"""Closing what was left open in a file of a language with braces, so that one unfinished call does not hide the rest."""

from __future__ import annotations

import re
from typing import Final

_TOKENS: Final = re.compile(
    r"""(?P<skip>//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*(?:"|$)|'(?:\\[^\n]{1,10}|[^'\\\n])'|`(?:\\.|[^`\\])*(?:`|\Z))"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]])|(?P<brace>\})""",
    re.DOTALL | re.MULTILINE,
)
_CLOSERS: Final = {"(": ")", "[": "]"}


def mended(text: str) -> str:
    """Return ``text`` with its round and square brackets closed before the brace around them; its lines stay where they are."""
    kept: list[str] = []
    done = 0
    opened: list[str] = []
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup
        if kind == "open":
            opened.append(token[0])
        elif kind == "close":
            if opened and _CLOSERS.get(opened[-1]) == token[0]:
                opened.pop()
        elif kind == "brace" and "{" in opened:
            closers = ""
            while opened[-1] != "{":
                closers += _CLOSERS[opened.pop()]
            opened.pop()
            if closers:
                kept += [text[done : token.start()], closers, ";"]
                done = token.start()
    return "".join(kept) + text[done:]
