"""Keeps files that must not leave this machine out of a diff."""

from __future__ import annotations

import re
from collections.abc import Callable

_SECTION = re.compile(r"^diff --(?:git|cc|combined) ", re.MULTILINE)
_PATHS = re.compile(r"^(?:---|\+\+\+|rename from|rename to|copy from|copy to) (.+?)\t?$", re.MULTILINE)
_HEADER = re.compile(r"^diff --(?:git (.+)|(?:cc|combined) (.+))$", re.MULTILINE)
_ESCAPE = re.compile(r'\\([0-7]{3}|["\\abfnrtv])')
_ESCAPED = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


def withhold(diff: str, is_withheld: Callable[[str], bool]) -> str:
    """Return what ``git diff`` printed without the files of which ``is_withheld`` is true, by their path from the repository's top.

    A file that was renamed is kept only when both names may be.
    """
    found = sections(diff)
    before = diff[: len(diff) - sum(map(len, found))]
    return before + "".join(one for one in found if not any(map(is_withheld, _paths(one))))


def sections(diff: str) -> list[str]:
    """Return the part of each file, from its head on; what stands before the first is in none."""
    starts = [match.start() for match in _SECTION.finditer(diff)]
    return [diff[start:end] for start, end in zip(starts, [*starts[1:], len(diff)], strict=True)] if starts else []


def _paths(section: str) -> set[str]:
    """Return every name that a file has in its section of a diff; the lines of its hunks are not looked at."""
    head = section.partition("\n@@")[0]
    paths = {_plain(match[1]) for match in _PATHS.finditer(head)}
    header = _HEADER.match(head)
    if header is not None and header[2] is not None:
        paths.add(_unquoted(header[2]))
    elif header is not None:
        paths |= _both(header[1])
    return paths - {"/dev/null", ""}


def _both(names: str) -> set[str]:
    """Take the two names of ``diff --git a/NAME b/NAME`` apart; both are the same where no other line tells them."""
    if names.startswith('"') or names.endswith('"'):
        return {_plain(name) for name in re.findall(r'"(?:\\.|[^"\\])*"|\S+', names)}
    half = len(names) // 2
    first, second = names[:half], names[half + 1 :]
    if _plain(first) == _plain(second):
        return {_plain(first)}
    return {_plain(name) for name in names.split(" ")}


def _plain(name: str) -> str:
    name = _unquoted(name)
    return name[2:] if re.match(r"[a-z]/", name) else name


def _unquoted(name: str) -> str:
    """Undo git's quotes, which it puts around names with unusual characters, as bytes in octal."""
    if not (name.startswith('"') and name.endswith('"') and len(name) > 1):
        return name
    raw, end = b"", 0
    inner = name[1:-1]
    for match in _ESCAPE.finditer(inner):
        raw += inner[end : match.start()].encode()
        code = match[1]
        raw += bytes([_ESCAPED[code] if code in _ESCAPED else int(code, 8) & 255])
        end = match.end()
    return (raw + inner[end:].encode()).decode("utf-8", "replace")
