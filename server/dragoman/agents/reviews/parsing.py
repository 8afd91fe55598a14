"""Findings read from a model's answer while it streams: JSON objects, one a line or in an array, whatever stands around."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dragoman.agents.review_limits import MESSAGE_CHARS, NESTED, OBJECT_CHARS, RELATED

Severity = Literal["error", "warning", "information", "hint"]

_KEYS: Final = ("line", "end_line", "severity", "code", "message", "quote", "fix", "related")
_MARK = re.compile(r'[{}\[\]":,\n\\]|[^\s{}\[\]":,\\]+')
_BEGINNING = re.compile(rf'[ \t]*[\[,]?[ \t]*(\{{)[ \t]*"(?:{"|".join(_KEYS)})"[ \t]*\Z')
_MEANT = re.compile(r'"(?:message|quote|line)"\s*:')
_SEVERITIES: Final[Mapping[str, Severity]] = {
    **dict.fromkeys(("error", "critical", "blocker", "high", "major", "fatal", "bug"), "error"),
    **dict.fromkeys(("warning", "warn", "medium", "moderate", "minor"), "warning"),
    **dict.fromkeys(("information", "info", "note", "low"), "information"),
    **dict.fromkeys(("hint", "suggestion", "style", "nit"), "hint"),
}
_NOT_CODE = re.compile(r"[^a-z0-9._]+")
_NUMBERED = re.compile(r"^ *\d+ ?[|>] ?", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Another place that a finding is about, as the model wrote it."""

    line: int
    message: str
    quote: str


@dataclass(frozen=True, slots=True)
class RawFinding:
    """A finding as the model wrote it; lines count from 1 and may be wrong, ``line`` 0 where none was named."""

    line: int
    end_line: int
    severity: Severity
    code: str
    message: str
    quote: str
    fix: str | None = None
    related: tuple[RawPlace, ...] = ()


@dataclass(slots=True)
class _Open:
    bracket: str
    start: int
    has_findings: bool = False


class FindingParser:
    """Reads findings from an answer cut anywhere; ``skipped`` counts objects that were meant as findings and are none."""

    def __init__(self) -> None:
        self.skipped = 0
        self._text = ""
        self._at = 0
        self._open: list[_Open] = []
        self._quoted = False
        self._before = ""
        """The last mark outside of strings that is no blank."""

    def feed(self, chunk: str) -> list[RawFinding]:
        """Return the findings that are complete with the next piece of the answer."""
        self._text += chunk
        return self._read(final=False)

    def finish(self) -> list[RawFinding]:
        """Read the end; an object that was never closed is skipped."""
        found = self._read(final=True)
        if any(one.bracket == "{" and not one.has_findings for one in self._open[-1:]):
            self.skipped += 1
        self._forget()
        return found

    def _read(self, *, final: bool) -> list[RawFinding]:
        found: list[RawFinding] = []
        while (mark := _MARK.search(self._text, self._at)) is not None:
            kind = mark[0]
            if kind == "\\" and self._quoted and mark.end() == len(self._text) and not final:
                break  # What is escaped has not come yet.
            self._at = mark.end() + (kind == "\\" and self._quoted)
            if kind == ":" and (start := self._begins_anew(mark.start())) is not None:
                self._break(start)
                continue
            if self._quoted:
                self._quoted = kind != '"'
                if not self._quoted:
                    self._before = '"'
                continue
            self._take(kind, mark.start(), found)
            if kind != "\n":
                self._before = kind
        self._trim()
        return found

    def _take(self, kind: str, start: int, found: list[RawFinding]) -> None:
        if kind == '"':
            # Quotes of the prose around are no strings.
            self._quoted = bool(self._open)
        elif kind in "{[":
            self._enter(kind, start)
        elif kind in "}]":
            self._leave(kind, found)

    def _enter(self, kind: str, start: int) -> None:
        top = self._open[-1] if self._open else None
        if top is None and kind == "[":
            return  # An array's objects stand for themselves, and prose has such brackets too.
        if kind == "{" and top is not None and top.bracket == "{" and self._before != ":":
            self._open.pop()
            self.skipped += not top.has_findings
        if len(self._open) >= NESTED:
            self._break(start + 1)
            return
        self._open.append(_Open(kind, start))

    def _leave(self, kind: str, found: list[RawFinding]) -> None:
        if not self._open:
            return
        top = self._open.pop()
        if (top.bracket == "{") != (kind == "}"):
            # Crossed brackets: nothing of what is open can be right.
            self.skipped += 1
            self._forget()
            return
        if kind == "]" or self._is_within_finding(top):
            return
        value = _decode(self._text[top.start : self._at]) if not top.has_findings else {}
        finding = _finding(value) if value else None
        if finding is not None:
            found.append(finding)
            for one in self._open:
                one.has_findings = True
        elif not top.has_findings and self._is_meant(value, top):
            self.skipped += 1

    def _is_within_finding(self, top: _Open) -> bool:
        """Tell whether an object belongs to a finding that is not complete yet, such as a place that it names."""
        around = (
            self._text[one.start : top.start] for one in self._open if one.bracket == "{" and not one.has_findings
        )
        return any(_MEANT.search(text) for text in around)

    def _is_meant(self, value: Mapping[str, Any] | None, top: _Open) -> bool:
        """Tell whether an object that is no finding was to be one."""
        if value is not None:
            return any(key in value for key in ("message", "quote", "line"))
        # Prose has braces too, and code.
        return '"' in self._text[top.start : self._at]

    def _begins_anew(self, colon: int) -> int | None:
        """Return where an object begins on this line that was not seen, for a string before it was never closed."""
        if not self._open:
            return None
        line = self._text.rfind("\n", 0, colon) + 1
        if line <= self._open[0].start or colon - line > 40:
            return None
        beginning = _BEGINNING.match(self._text[line:colon])
        if beginning is None or any(one.start == line + beginning.start(1) for one in self._open):
            return None
        return line + beginning.start(1)

    def _break(self, start: int) -> None:
        """Give up what is open and read on from ``start``."""
        self.skipped += 1
        self._forget()
        self._at = start

    def _forget(self) -> None:
        self._open.clear()
        self._quoted = False
        self._before = ""

    def _trim(self) -> None:
        """Let go of what was read; of a frame around findings only that it is open counts."""
        if self._open and not self._open[-1].has_findings and self._at - self._open[-1].start > OBJECT_CHARS:
            self._break(self._at)
        starts = [one.start for one in self._open if not one.has_findings]
        kept = min([*starts, self._text.rfind("\n", 0, self._at) + 1, self._at])
        if kept > OBJECT_CHARS:
            self._text, self._at = self._text[kept:], self._at - kept
            for one in self._open:
                one.start -= kept


def _decode(text: str) -> dict[str, Any] | None:
    try:
        # Models write line ends into strings as they are.
        value = json.loads(text, strict=False)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finding(value: Mapping[str, Any]) -> RawFinding | None:
    message, quote, fix = value.get("message"), value.get("quote"), value.get("fix")
    if not isinstance(message, str) or not (message := _CONTROL.sub("", message).strip()):
        return None
    if quote is not None and not isinstance(quote, str):
        return None
    line = _number(value.get("line"))
    if not line and not (quote and quote.strip()):
        return None
    severity = str(value.get("severity", "")).strip().lower()
    code = _NOT_CODE.sub("-", str(value.get("code") or "").lower()).strip("-")[:60]
    return RawFinding(
        line=line,
        end_line=max(line, _number(value.get("end_line"))),
        severity=_SEVERITIES.get(severity, "warning"),
        code=code or "review",
        message=message[:MESSAGE_CHARS],
        quote=_without_numbers(quote or ""),
        fix=_without_numbers(fix) if isinstance(fix, str) and fix.strip() else None,
        related=_places(value.get("related")),
    )


def _places(value: Any) -> tuple[RawPlace, ...]:
    """Return the places that make sense; the finding stands without the others."""
    found = []
    for one in value if isinstance(value, list) else ():
        message, quote = (one.get("message"), one.get("quote")) if isinstance(one, Mapping) else (None, None)
        if not isinstance(message, str) or not (message := _CONTROL.sub("", message).strip()):
            continue
        quote = _without_numbers(quote) if isinstance(quote, str) else ""
        line = _number(one.get("line"))
        if line or quote.strip():
            found.append(RawPlace(line, message[:MESSAGE_CHARS], quote))
    return tuple(found[:RELATED])


def _number(value: Any) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10_000_000:
        return 0
    return int(value)


def _without_numbers(text: str) -> str:
    """Return lines without the numbers that they were shown with, where a model copied those as well."""
    lines = [line for line in text.split("\n") if line.strip()]
    return _NUMBERED.sub("", text) if lines and all(_NUMBERED.match(line) for line in lines) else text
