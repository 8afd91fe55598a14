"""Brackets and quotes that the editor closed already are not closed again."""

from __future__ import annotations

import re

from dragoman.completion.postprocess.place import Place

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = {closer: opener for opener, closer in _PAIRS.items()}
_QUOTES = "\"'`"
_CLOSING = ")]}" + _QUOTES
_CLOSING_UNIT = re.compile("\"{3}|'{3}|.")
_UNIT = re.compile(r"\\.|\"{3}|'{3}|.", re.DOTALL)
"""An escaped character, a triple quote, or any other character."""


def balance_brackets(text: str, place: Place) -> str:
    """Cut a text at the closer that the rest of the line provides.

    Between auto-closed brackets (``f(|)``) a model writes the closing bracket too: the text ends before the first closer
    that closes nothing of its own while the rest of the line begins with that same closer.
    A line break before that closer stays: the closer then stands on a line of its own.
    """
    rest = place.rest.lstrip()
    if not rest or (rest[0] not in _CLOSERS and rest[0] not in _QUOTES):
        return text
    if rest[0] in _QUOTES and ("\n" in text or place.head.count(rest[0]) % 2 == 0):
        # The quote opens a string of its own, behind the cursor.
        return text
    settled = _match(text, place.covered)[1]
    at = first_unopened(text[settled:], rest[0])
    if at is None:
        return text
    at += settled
    return text[:at].rstrip(" \t") if place.rest[0] in " \t" else text[:at]


def covered_closers(text: str, head: str, rest: str) -> int:
    """Return how many characters behind the cursor ``text`` is to replace, because it brings them itself and goes on.

    Behind ``area(|)`` a model says ``width) -> int:``; cut at the bracket that the editor closed, all that follows it would
    be lost.  0 where nothing would be, or where something else than closers follows the cursor.
    """
    closers = rest.rstrip()
    if not closers or closers.strip(_CLOSING) or (closers[0] in _QUOTES and head.count(closers[0]) % 2 == 0):
        return 0
    begin, end, length = _match(text, closers)
    return 0 if begin < 0 or (text[begin:end] == closers[:length] and not text[end:].strip()) else length


def _match(text: str, closers: str) -> tuple[int, int, int]:
    """Return where ``text`` closes what ``closers`` would, from the first to behind the last, and how many of them it does."""
    begin, end, length = -1, 0, 0
    for unit in _CLOSING_UNIT.findall(closers):
        found = text.find(unit, end) if len(unit) > 1 else first_unopened(text[end:], unit)
        if found is None or found < 0:
            break
        found += end if len(unit) == 1 else 0
        begin = found if begin < 0 else begin
        end = found + len(unit)
        length += len(unit)
    return begin, end, length


def open_ends(line: str) -> str:
    """Return the closers of what ``line`` leaves open, the innermost first: brackets, and a quote."""
    depth: list[str] = []
    quote = ""
    for unit in _UNIT.findall(line):
        if quote:
            quote = "" if unit == quote else quote
        elif unit[0] in _QUOTES:
            quote = unit
        elif unit in _PAIRS:
            depth.append(_PAIRS[unit])
        elif depth and unit == depth[-1]:
            depth.pop()
    return quote + "".join(reversed(depth))


def first_unopened(text: str, closer: str) -> int | None:
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
            # An apostrophe or a lifetime has no partner on its line.
            quote = char if char in text[index + 1 :].split("\n", 1)[0] else ""
        elif char in _PAIRS:
            depth.append(char)
        elif char in _CLOSERS:
            if depth and depth[-1] == _CLOSERS[char]:
                depth.pop()
            elif not depth and char == closer:
                return index
    return None


def leaves_open(text: str) -> bool:
    """Tell whether ``text`` opens a bracket that it does not close; what stands in strings of one line does not count."""
    depth: list[str] = []
    for line in text.split("\n"):
        quote = ""
        escaped = False
        for index, char in enumerate(line):
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif quote:
                quote = "" if char == quote else quote
            elif char in _QUOTES:
                quote = char if char in line[index + 1 :] else ""
            elif char in _PAIRS:
                depth.append(char)
            elif char in _CLOSERS and depth and depth[-1] == _CLOSERS[char]:
                depth.pop()
    return bool(depth)
