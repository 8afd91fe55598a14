"""Heads of definitions on one line, short enough to be read."""

from __future__ import annotations

import re

from dragoman.limits import OUTLINE_DEFAULT_CHARS, OUTLINE_DOC_CHARS, OUTLINE_SIGNATURE_CHARS

_SPACE = re.compile(r"\s+")
_OPENED = re.compile(r"([(\[]) ")
_CLOSED = re.compile(r",? ([)\]])")
_MARKS = re.compile(r"[()\[\]{}=,]")
_OPENERS = frozenset("([{")
_CLOSERS = frozenset(")]}")
_LONG = 160
"""Signatures up to this length are shown as they are."""


def one_line(text: str) -> str:
    """Return a head on one line, without the space that line breaks left, at most `OUTLINE_SIGNATURE_CHARS` long."""
    # What is much too long is cut first, so that a megabyte costs no more than a line.
    text = text[: 8 * OUTLINE_SIGNATURE_CHARS]
    if "\n" in text or "\t" in text or "  " in text:
        text = _SPACE.sub(" ", text)
        text = _CLOSED.sub(r"\1", _OPENED.sub(r"\1", text))
    text = text.strip()
    if len(text) <= _LONG:
        return text
    text = _without_long_defaults(text)
    return text if len(text) <= OUTLINE_SIGNATURE_CHARS else _cut(text)


def value_line(target: str, value: str) -> str:
    """Return ``target``, which ends with what assigns (``total =``), and a value on one line, cut to its beginning."""
    value = one_line(value)
    if len(value) > 2 * OUTLINE_DEFAULT_CHARS:
        closer = {"(": ")", "[": "]", "{": "}"}.get(value[-1:], "")
        opener = {")": "(", "]": "[", "}": "{"}.get(value[-1:], "")
        head = value.partition(opener)[0] if opener else ""
        value = (
            f"{head}{opener}…{value[-1]}"
            if opener and len(head) <= OUTLINE_DEFAULT_CHARS
            else (value[:OUTLINE_DEFAULT_CHARS] + "…" + closer)
        )
    return one_line(f"{target.rstrip()} {value}")


def first_line(text: str) -> str:
    """Return the first line of a documentation that says something, at most `OUTLINE_DOC_CHARS` long."""
    for line in text[:4_000].split("\n"):
        said = line.strip()
        if any(map(str.isalnum, said)):
            return said if len(said) <= OUTLINE_DOC_CHARS else said[: OUTLINE_DOC_CHARS - 1].rstrip() + "…"
    return ""


def _without_long_defaults(text: str) -> str:
    """Replace default values that are longer than `OUTLINE_DEFAULT_CHARS` by an ellipsis."""
    kept: list[str] = []
    depth, begun, done = 0, -1, 0
    for found in _MARKS.finditer(text):
        at, char = found.start(), found[0]
        if char in _OPENERS:
            depth += 1
        elif char in _CLOSERS:
            depth -= 1
        if begun < 0:
            if depth == 1 and char == "=" and text[at - 1] not in "=!<>" and text[at + 1 : at + 2] not in ("=", ">"):
                begun = at + 1
        elif depth == 0 or (depth == 1 and char == ","):
            if at - begun > OUTLINE_DEFAULT_CHARS:
                kept += [text[done:begun], " …" if text[begun] == " " else "…"]
                done = at
            begun = -1
    return "".join(kept) + text[done:]


def _cut(text: str) -> str:
    """Shorten a signature in its middle: the name and the first parameters stay, and what it returns."""
    end = max(text.rfind(")"), 0)
    tail = text[end:] if end > 0 and len(text) - end <= OUTLINE_SIGNATURE_CHARS // 3 else ""
    head = text[: OUTLINE_SIGNATURE_CHARS - len(tail) - 2]
    comma = head.rfind(", ")
    return f"{head[: comma + 2] if comma > len(head) // 2 else head}…{tail}"
