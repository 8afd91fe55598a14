"""What one line holds: its secrets by place, and whether it could be part of a key's block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dragoman.limits import BARE_RUN_CHARS, PEM_LINE_CHARS, SOLID_RUN_CHARS
from dragoman.security.redaction.assignments import NAMES, find_assignments, find_value
from dragoman.security.redaction.formats import find_formats
from dragoman.security.redaction.phrases import find_phrases
from dragoman.security.redaction.randomness import looks_random


@dataclass(frozen=True, slots=True)
class Span:
    """A secret in a line: characters ``start`` to ``end``, and what gave it away."""

    start: int
    end: int
    kind: str


Shape = Literal["plain", "body", "tail", "begin", "end", "begin_public", "end_public", "header", "value"]
"""What a line can be in a block: a mark of a private or public one, a header or empty, a whole line (``body``) or the last.

``value`` is one that gives a value to the name in the line above.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A judged line; ``block`` is where its part of a block would be, if it is one."""

    spans: tuple[Span, ...] = ()
    shape: Shape = "plain"
    block: Span | None = None


_NOTHING = Line()
_EMPTY = Line((), "header")
_RUN = r"[A-Za-z0-9+/_-]"
_LONG = re.compile(rf"[\w.=~$,:+/-]{{{BARE_RUN_CHARS - 4},}}", re.ASCII)
_HINTS = (*NAMES, "://", "-----", "identified", "sig=", "basic ", " -p")
"""Most lines have none of these and no long run, and nothing else is searched in them; ``in`` takes a tenth of a pattern's time."""

_BARE = re.compile(rf"(?<!{_RUN}){_RUN}{{{BARE_RUN_CHARS},}}={{0,2}}")
_KNOWN_HASH = re.compile(r"(?i)(?:sha-?\d{1,3}[-:=_]|base64,|integrity[\"'=: ]+)$")
_COMMIT = re.compile(r"(?<![^/])[0-9a-f]{7,64}(?![^/])")
_WORDS = re.compile(r"(?:[a-z]{2,}/)+")
_JOINT = re.compile(r"[_/+-]")
_MARKER = re.compile(r"-----(BEGIN|END) ([A-Z0-9 ]{0,40})-----")
_HEADER = re.compile(r"^[\s\"'#*>]*(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID):")
_BODY = re.compile(r"^[\s\"'`#*>|/+-]*?([A-Za-z0-9+/]{4,}={0,2})(?:\\+[nr])*[\"'`+,;)\s\\]*$")


def judge_line(line: str, extra: Sequence[re.Pattern[str]] = ()) -> Line:
    """Find the secrets of one line; ``extra`` are the user's own patterns, whose first group counts where there is one."""
    if not line or line.isspace():
        return _EMPTY
    found = [Span(*match.span(match.lastindex or 0), "extra") for pattern in extra for match in pattern.finditer(line)]
    if not (found or _is_suspicious(line)):
        if (value := find_value(line)) is not None:
            return Line((), "value", Span(*value, "assignment"))
        short = _BODY.match(line) if len(line) < PEM_LINE_CHARS * 2 else None
        return Line((), "tail", Span(*short.span(1), "private_key")) if short else _NOTHING
    shape, block = _shape(line)
    for find in (find_formats, find_assignments, find_phrases):
        found += [Span(*one) for one in find(line)]
    if shape != "body":
        found += [
            Span(_start(match), match.end(), "random") for match in _BARE.finditer(line) if _is_rolled(line, match)
        ]
    if (value := find_value(line)) is not None:
        shape, block = "value", Span(*value, "assignment")
    return Line(_merged(line, found), shape, block)


def _is_suspicious(line: str) -> bool:
    lowered = line.lower()
    return any(hint in lowered for hint in _HINTS) or _LONG.search(line) is not None


def is_rolled_body(line: str, block: Span) -> bool:
    """Tell whether a line that could be part of a key's block is suspicious without its marks."""
    return looks_random(line[block.start : block.end])


def find_fragment(line: str, *, at_start: bool) -> Span | None:
    """Find what may be left of a secret that a window cut through, at the beginning or the end of ``line``."""
    pattern = (
        rf"^{_RUN}{{{BARE_RUN_CHARS},}}={{0,2}}" if at_start else rf"(?<!{_RUN}){_RUN}{{{BARE_RUN_CHARS},}}={{0,2}}$"
    )
    match = re.search(pattern, line)
    return Span(*match.span(), "fragment") if match and looks_random(match[0], classes=2) else None


def _shape(line: str) -> tuple[Shape, Span | None]:
    if "-----" in line and (marker := _MARKER.search(line)) is not None:
        private = "PRIVATE KEY" in marker[2]
        begins = marker[1] == "BEGIN"
        return ("begin" if private else "begin_public") if begins else ("end" if private else "end_public"), None
    if _HEADER.match(line):
        return "header", None
    body = _BODY.match(line)
    if body is None:
        return "plain", None
    length = body.end(1) - body.start(1)
    return ("body" if length >= PEM_LINE_CHARS else "tail"), Span(*body.span(1), "private_key")


def _is_rolled(line: str, match: re.Match[str]) -> bool:
    run = match[0]
    if "/" in run:
        # A commit's number in an address is no secret.
        run = _COMMIT.sub("", run)
    if len(run) < BARE_RUN_CHARS or not looks_random(run) or _KNOWN_HASH.search(line[: match.start()]):
        return False
    # Names have joints; chance seldom makes two of them close together.
    return any(len(part) >= SOLID_RUN_CHARS and looks_random(part) for part in _JOINT.split(run))


def _start(match: re.Match[str]) -> int:
    """Return where a run begins behind the words of an address: ``com/services/T0…``."""
    words = _WORDS.match(match[0])
    return match.start() + (words.end() if words else 0)


def _merged(line: str, found: Sequence[Span]) -> tuple[Span, ...]:
    """Join what overlaps, and what is left of a name's characters behind a secret to the secret."""
    merged: list[Span] = []
    for span in sorted(found, key=lambda one: (one.start, -one.end)):
        end = span.end
        while end < len(line) and (line[end].isalnum() or line[end] == "_") and line[end].isascii():
            end += 1
        if span.start >= end:
            continue
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(end, merged[-1].end), merged[-1].kind)
        else:
            merged.append(Span(span.start, end, span.kind))
    return tuple(merged)
