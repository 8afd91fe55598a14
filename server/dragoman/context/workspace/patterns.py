"""The lines of an ignore file, with git's meaning.

Our own and not a library's: git asks of each folder on the way whether it is ignored, and only then of what is in it, while
the libraries match whole paths at once and have to guess which part of a path a pattern met.
A test compares this with git itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SPECIAL = frozenset("*?[\\")

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: what it matches, and whether that is ignored or, with ``!``, taken back."""

    matches: re.Pattern[str]
    whole_path: bool
    """Whether the path is matched, from the file's folder on, or only the name."""
    folders_only: bool
    negated: bool


class PatternList:
    """All patterns of a file, in order; the last that matches decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        patterns = [pattern for line in lines if (pattern := read_pattern(line)) is not None]
        self._patterns = tuple(reversed(patterns))
        # Most names match nothing, and one expression for all patterns says so at once.
        self._any_name = _alternatives(one for one in patterns if not one.whole_path)
        self._any_path = _alternatives(one for one in patterns if one.whole_path)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def judge(self, path: str, name: str, *, is_dir: bool) -> bool | None:
        """Tell whether the path, relative to the file's folder, is ignored; None when no pattern speaks of it.

        ``name`` is the path's last part.
        """
        if not path.isascii():
            path, name = _as_bytes(path), _as_bytes(name)
        if not (
            (self._any_name is not None and self._any_name.fullmatch(name))
            or (self._any_path is not None and self._any_path.fullmatch(path))
        ):
            return None
        for pattern in self._patterns:
            if pattern.folders_only and not is_dir:
                continue
            if pattern.matches.fullmatch(path if pattern.whole_path else name):
                return not pattern.negated
        return None


def read_pattern(line: str) -> Pattern | None:
    """Read one line of an ignore file; None for one that says nothing: blank, a comment, or malformed."""
    line = _strip(_as_bytes(line.rstrip("\r\n")))
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    if negated:
        line = line[1:]
    folders_only = line.endswith("/")
    if folders_only:
        line = line[:-1]
    whole_path = "/" in line
    line = line.removeprefix("/")
    if not line:
        return None
    try:
        expression = re.compile(_translate(line), re.DOTALL)
    except (ValueError, re.error):
        return None
    return Pattern(expression, whole_path, folders_only, negated)


def glob_pattern(glob: str) -> list[str]:
    """Return an editor's glob as lines of an ignore file: braces spelled out, and no slash means the workspace's own folder."""
    return [one if one.startswith("/") else f"/{one}" for one in _spell_out(glob.rstrip("/")) if one]


def _alternatives(patterns: Iterable[Pattern]) -> re.Pattern[str] | None:
    expressions = "|".join(f"(?:{pattern.matches.pattern})" for pattern in patterns)
    return re.compile(expressions, re.DOTALL) if expressions else None


def _as_bytes(text: str) -> str:
    """Return the text with a character for each of its bytes: to git, ``?`` is one byte, whatever the name's alphabet."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def _strip(line: str) -> str:
    """Remove trailing spaces but for one behind a backslash."""
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 and len(stripped) < len(line) else stripped


def _translate(pattern: str) -> str:
    """Return a regular expression for the whole of what the pattern matches; raises ValueError for a malformed one."""
    out = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "*":
            end = at
            while pattern.startswith("*", end):
                end += 1
            # Two stars and more cross folders where they stand alone between slashes; git cuts plain text off the beginning
            # first, so that they also do behind that.
            begins = not _SPECIAL.intersection(pattern[:at]) or pattern[at - 1] == "/"
            alone = end - at > 1 and begins and pattern[end : end + 1] in {"", "/"}
            if alone and end < len(pattern):
                out.append("(?:.*/)?")
                end += 1
            else:
                out.append(".*" if alone else "[^/]*")
            at = end
        elif pattern[at] == "?":
            out.append("[^/]")
            at += 1
        elif pattern[at] == "[":
            expression, at = _translate_set(pattern, at + 1)
            out.append(expression)
        else:
            if pattern[at] == "\\":
                at += 1
                if at == len(pattern):
                    raise ValueError("a backslash at the end")
            out.append(re.escape(pattern[at]))
            at += 1
    return "".join(out)


def _translate_set(pattern: str, at: int) -> tuple[str, int]:
    """Translate ``[…]`` from behind its bracket; returns the expression and where it ends."""
    negated = pattern[at : at + 1] in {"!", "^"}
    if negated:
        at += 1
    items: list[str] = []
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
            name = pattern[at + 2 : end]
            if name not in _CLASSES:
                raise ValueError(f"no class of characters {name!r}")
            items.append(_CLASSES[name])
            at = end + 2
            continue
        low, at = _one_of_set(pattern, at)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in {"]", ""}:
            high, at = _one_of_set(pattern, at + 1)
            if low <= high:
                items.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            items.append(re.escape(low))
    if at >= len(pattern):
        raise ValueError("a bracket that is not closed")
    inside = "".join(items)
    if negated:
        return f"[^/{inside}]", at + 1
    return (f"(?!/)[{inside}]" if inside else "(?!)"), at + 1


def _one_of_set(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at] == "\\":
        at += 1
    if at >= len(pattern):
        raise ValueError("a bracket that is not closed")
    return pattern[at], at + 1


def _spell_out(glob: str) -> list[str]:
    """Return the globs that ``a{b,c}`` stands for; nested braces, and what has none, as they are."""
    match = re.search(r"\{([^{}]*)\}", glob)
    if match is None:
        return [glob]
    return [
        expanded
        for choice in match[1].split(",")
        for expanded in _spell_out(glob[: match.start()] + choice + glob[match.end() :])
    ]
