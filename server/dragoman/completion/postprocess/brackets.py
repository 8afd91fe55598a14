"""Brackets and quotes that the editor closed already are not closed again."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = {closer: opener for opener, closer in _PAIRS.items()}
_QUOTES = "\"'`"


def balance_brackets(text: str, place: Place) -> str:
    """Cut a one-line text at the closer that the rest of the line provides.

    Between auto-closed brackets (``f(|)``) a model writes the closing bracket too: the text ends before the first closer
    that closes nothing of its own while the rest of the line begins with that same closer.
    """
    rest = place.rest.lstrip()
    if not rest or (rest[0] not in _CLOSERS and rest[0] not in _QUOTES):
        return text
    first, newline, _ = text.partition("\n")
    if newline:
        return text
    at = _first_unopened(first, rest[0])
    if at is None:
        return text
    return first[:at]


def _first_unopened(text: str, closer: str) -> int | None:
    """Return where ``closer`` first closes something that was opened before the text, None when it never does."""
    depth: list[str] = []
    quote = ""
    escaped = False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quote:
            if char == quote:
                quote = ""
        elif char == closer and closer in _QUOTES:
            return index
        elif char in _QUOTES and closer not in _QUOTES:
            quote = char
        elif char in _PAIRS:
            depth.append(char)
        elif char in _CLOSERS:
            if depth and depth[-1] == _CLOSERS[char]:
                depth.pop()
            elif not depth and char == closer:
                return index
    return None
