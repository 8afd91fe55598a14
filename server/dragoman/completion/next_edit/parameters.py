"""Parameter lists and argument lists, cut at their commas without a parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dragoman.completion.next_edit.languages import words
from dragoman.completion.next_edit.source import Source

LONGEST_LIST: Final = 4_000
"""Characters of a parameter or argument list; a longer one is data."""

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_NOT_CALLS: Final = words(
    "if for while switch catch return function elif with match lock using sizeof typeof not and or in"
)
_HEADS: Final = {
    "python": re.compile(r"\bdef\s+(?P<name>\w+)\s*(?:\[[^\]\n]*\])?\s*(?P<open>\()"),
    "javascript": re.compile(
        r"\bfunction\s*\*?\s*(?P<name>\w+)\s*(?:<[^>\n]*>)?\s*(?P<open>\()"
        r"|\b(?:const|let|var)\s+(?P<arrow>\w+)\s*(?::[^=\n]+)?=\s*(?:async\s*)?(?:<[^>\n]*>)?\s*(?P<open_arrow>\()"
        r"|^[ \t]+(?:(?:async|static|public|private|protected|override|abstract|get|set)\s+|\*\s*)*(?P<method>\w+)\s*"
        r"(?:<[^>\n]*>)?\s*(?P<open_method>\()(?=[^;{}]*\)\s*(?::[^;{}]+)?\{)",
        re.MULTILINE,
    ),
    "go": re.compile(
        r"^func\s+(?P<receiver>\([^)\n]*\)\s*)?(?P<name>\w+)\s*(?:\[[^\]\n]*\])?\s*(?P<open>\()", re.MULTILINE
    ),
    "rust": re.compile(r"\bfn\s+(?P<name>\w+)\s*(?:<[^>(\n]*>)?\s*(?P<open>\()"),
    "java": re.compile(
        r"\b(?:fun|func|def)\s+(?:<[^>\n]*>\s*)?(?:\w+\.)?(?P<name>\w+)\s*(?:<[^>\n]*>|\[[^\]\n]*\])?\s*(?P<open>\()"
        r"|^[ \t]*(?!(?:return|new|else|throw|case|await|package|import)\b)(?:@\w+\s+)*(?:[\w<>\[\],.?]+[ \t]+)+(?P<method>\w+)\s*"
        r"(?P<open_method>\()(?=[^;{}()]*\)\s*(?:throws[^{;]*)?[{;])",
        re.MULTILINE,
    ),
    "c": re.compile(
        r"^[ \t]*(?!(?:return|new|else|throw|case|goto|delete|using|typedef)\b)(?:[\w<>\[\],.:?*&]+[ \t]+)+[*&]*(?:\w+::)*"
        r"(?P<name>\w+)\s*(?P<open>\()(?=[^;{}]*\)\s*(?:const|noexcept|override|final|\s)*[{;])",
        re.MULTILINE,
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One parameter or argument: its offsets without the blanks around it, and its text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function; ``name`` is empty where it has none, as a pattern or a bare type."""

    name: str
    text: str
    optional: bool
    """Whether a call may leave it out: it has a default, or takes any number of arguments."""
    catches_all: bool
    keyword_only: bool = False
    positional_only: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's head: where it begins, where its parameter list lies, and what is in it."""

    name: str
    start: int
    open: int
    close: int
    parameters: tuple[Parameter, ...]
    is_method: bool
    """Whether calls leave out its first parameter, or are made on an object."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names in order."""
        return tuple(parameter.name for parameter in self.parameters)


def signatures(source: Source, first: int, last: int) -> list[Signature]:
    """Return the function heads that begin at or reach into ``[first, last)``."""
    family = source.language.name if source.language is not None else ""
    head = _HEADS.get(family)
    if head is None:
        return []
    found = []
    begin = source.text.rfind("\n", 0, max(0, first - LONGEST_LIST)) + 1
    for match in head.finditer(source.text, begin, min(len(source.text), last + 1)):
        groups = match.groupdict()
        name = groups.get("name") or groups.get("arrow") or groups.get("method") or ""
        kind = next(one for one in ("open", "open_arrow", "open_method") if groups.get(one))
        opened = match.start(kind)
        if name in _NOT_CALLS or source.zone(match.start(kind)) != "code":
            continue
        parts = arguments(source, opened)
        if parts is None:
            continue
        close = closing(source, opened)
        if close is None or close < first or (kind == "open_arrow" and "=>" not in source.text[close : close + 80]):
            continue
        found.append(_signature(family, match, name, opened, close, parts))
    return found


def _signature(family: str, match: re.Match[str], name: str, opened: int, close: int, parts: list[Part]) -> Signature:
    parameters = _parameters(family, [part.text for part in parts])
    groups = match.groupdict()
    is_method = bool(groups.get("receiver") or (groups.get("method") and family == "javascript"))
    if parameters and parameters[0].text.split(":")[0].strip().lstrip("&*").split(" ")[-1] in {"self", "cls"}:
        parameters, is_method = parameters[1:], True
    return Signature(name, match.start(), opened, close, tuple(parameters), is_method)


def _parameters(family: str, texts: list[str]) -> list[Parameter]:
    found: list[Parameter] = []
    keyword_only = False
    for text in texts:
        if family == "python" and text in {"*", "/"}:
            if text == "/":
                found = [
                    Parameter(one.name, one.text, one.optional, one.catches_all, positional_only=True) for one in found
                ]
            keyword_only = keyword_only or text == "*"
            continue
        catches_all = text.startswith(("*", "...")) if family in {"python", "javascript"} else "..." in text
        name = parameter_name(family, text)
        optional = (
            catches_all
            or "=" in re.sub(r"=>|==|<=|>=|!=", "", text)
            or (family == "javascript" and "?" in text.split(":")[0])
        )
        found.append(Parameter(name, text, optional, catches_all, keyword_only))
        keyword_only = keyword_only or (family == "python" and text.startswith("*") and not text.startswith("**"))
    return found


def parameter_name(family: str, text: str) -> str:
    """Return the name of a parameter written as ``text``, empty when it has none."""
    if family in {"java", "c"} and ":" not in text.replace("::", ""):
        words = re.findall(r"\w+", text.split("=", maxsplit=1)[0].split("[", maxsplit=1)[0])
        return words[-1] if len(words) > 1 or family == "java" else ""
    match = re.match(r"(?:(?:mut|ref|public|private|protected|readonly|val|var|inout|_)\s+)*[*&.]*(\w+)", text)
    return match[1] if match is not None else ""


def arguments(source: Source, opened: int) -> list[Part] | None:
    """Return the parts between the bracket at ``opened`` and its partner; None when there is no partner nearby."""
    text = source.text
    parts: list[Part] = []
    waiting = [_CLOSING[text[opened]]]
    start = at = opened + 1
    limit = min(len(text), opened + LONGEST_LIST)
    while at < limit:
        char = text[at]
        if char in "\"'`#/([{}]),<>-" and source.zone(at) == "code":
            if char in _CLOSING:
                waiting.append(_CLOSING[char])
            elif char in ")]}":
                if waiting.pop() != char:
                    return None
                if not waiting:
                    _add(parts, text, start, at)
                    return parts
            elif char == "," and len(waiting) == 1 and not _inside_angles(text[start:at], text[at:limit]):
                _add(parts, text, start, at)
                start = at + 1
        at += 1
    return None


def _inside_angles(before: str, after: str) -> bool:
    """Tell whether a comma stands between the angle brackets of a type, as in ``Map<K, V> m``."""
    if "<" not in before:
        return False
    opened = len(re.findall(r"\w<", before)) - before.count(">") + before.count("->") + before.count("=>")
    return opened > 0 and re.match(r"[^()=;]*>", after) is not None


def _add(parts: list[Part], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped or parts:
        begin = start + len(piece) - len(piece.lstrip())
        if stripped:
            parts.append(Part(begin, begin + len(stripped), stripped))


def closing(source: Source, opened: int) -> int | None:
    """Return the offset of the bracket that closes the one at ``opened``, None when there is none nearby."""
    text = source.text
    waiting = [_CLOSING[text[opened]]]
    for at in range(opened + 1, min(len(text), opened + LONGEST_LIST)):
        char = text[at]
        if char in "()[]{}" and source.zone(at) == "code":
            if char in _CLOSING:
                waiting.append(_CLOSING[char])
            elif waiting.pop() != char:
                return None
            elif not waiting:
                return at
    return None
