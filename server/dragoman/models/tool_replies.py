"""The answer of a model that writes its tool calls as JSON, read while it comes: a call, or text for the user.

The form is ``{"tool": NAME, "arguments": {…}}`` or ``{"answer": TEXT}`` (see `dragoman.models.tool_wording`).
A model that cannot be held to it may put prose or a code fence around; prose is text for the user.
"""

from __future__ import annotations

import json
import re
from typing import Literal

from dragoman.models.json_text import StringDecoder

_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SCALAR = re.compile(r"[^\s,}\]]*")
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*(?:\n|$)|`{1,2}$")
_OPENINGS = ('{"tool":', '{"arguments":', '{"answer":')
_OPENING_CHARS = 120
"""What has not become the beginning of the form by then is prose: a fence, some indentation, one key."""


class ReplyReader:
    """Takes the answer in pieces; gives out the user's text as it comes, and keeps a call until it is whole."""

    def __init__(self) -> None:
        self._rest = ""
        self._state: Literal["outside", "key", "colon", "value", "span", "text", "comma", "after"] = "outside"
        self._at_line_start = True
        self._key = ""
        self._answered = False
        self._span = _Span()
        self._string = StringDecoder()
        self._fields: dict[str, str] = {}
        self._value: list[str] = []
        self._said: list[str] = []
        self.trouble = ""
        """Why what began as the form cannot be read; empty while it can."""
        self.goes_on = False
        """Whether something stands behind the object that does not belong to it."""

    @property
    def said(self) -> str:
        """All of the answer as the model wrote it."""
        return "".join(self._said)

    @property
    def is_call(self) -> bool:
        """Whether it is a call, as far as can be told by now."""
        return bool({self._key, *self._fields} & {"tool", "arguments"})

    @property
    def tool(self) -> str:
        """The name of the called tool, empty without one."""
        try:
            name = json.loads(self._fields.get("tool", '""'))
        except ValueError:
            return ""
        return name if isinstance(name, str) else ""

    @property
    def arguments(self) -> str:
        """The call's arguments, JSON as the model wrote it."""
        return self._fields.get("arguments", "{}")

    def feed(self, piece: str) -> str:
        """Take the next piece; return the text for the user that is certain by now."""
        self._said.append(piece)
        self._rest += piece
        parts: list[str] = []
        while not self.trouble and self._step(parts):
            pass
        return "".join(parts)

    def end(self) -> str:
        """Return what was held back, for nothing more will come; what is not whole is in `trouble` now."""
        held, self._rest = self._rest, ""
        if self._state == "outside":
            return held
        if self._state == "text":
            return self._string.end()
        if self._state != "after" and not self.trouble and (self.is_call or not self._answered):
            self.trouble = "its JSON ends in the middle"
        return ""

    # -- one step ------------------------------------------------------------------------------------------------------

    def _step(self, parts: list[str]) -> bool:
        """Take what can be taken from the beginning of the rest; False when more has to come."""
        match self._state:
            case "outside":
                return self._seek(parts)
            case "text":
                text, behind = self._string.feed(self._rest)
                parts.append(text)
                self._rest = behind
                if self._string.closed:
                    self._close_value()
                return self._string.closed
            case "span":
                return self._take_span(parts)
            case "after":
                self.goes_on = self.goes_on or bool(self._rest.strip().strip("`"))
                self._rest = ""
                return False
        self._rest = self._rest.lstrip()
        return bool(self._rest) and self._take_token()

    def _seek(self, parts: list[str]) -> bool:
        """Look for the beginning of the object at the start of a line; what is certain to be prose is text."""
        for start in _line_starts(self._rest, at_start=self._at_line_start):
            opening = _opens(self._rest[start:])
            if opening == "no":
                continue
            parts.append(self._rest[:start])
            self._rest = self._rest[start:]
            self._at_line_start = True
            if opening == "maybe":
                return False
            self._rest = self._rest[self._rest.index("{") + 1 :]
            self._state = "key"
            return True
        if self._rest:
            parts.append(self._rest)
            self._at_line_start = self._rest.endswith("\n")
            self._rest = ""
        return False

    def _take_token(self) -> bool:
        first = self._rest[0]
        if self._state == "value":
            self._state = "text" if self._key == "answer" and first == '"' else "span"
            self._answered = self._answered or self._key == "answer"
            if self._state == "text":
                self._rest = self._rest[1:]
            self._string, self._span = StringDecoder(), _Span()
            return True
        if first == "}" and self._state in {"key", "comma"}:
            self._state = "after"
        elif first == "," and self._state == "comma":
            self._state = "key"
        elif first == ":" and self._state == "colon":
            self._state = "value"
        elif first == '"' and self._state == "key":
            key = _KEY.match(self._rest)
            if key is None:
                return False
            self._key, self._state = key[1], "colon"
            self._rest = self._rest[key.end() :]
            return True
        else:
            self.trouble = f"its JSON is wrong at {self._rest[:20]!r}"
            return False
        self._rest = self._rest[1:]
        return True

    def _take_span(self, parts: list[str]) -> bool:
        """Take what belongs to a value that is kept as it is; an answer that is no string is passed on as its JSON."""
        length = self._span.measure(self._rest)
        taken, self._rest = self._rest[:length], self._rest[length:]
        self._value.append(taken)
        if self._key == "answer":
            parts.append(taken)
        if self._span.closed:
            self._close_value()
        return self._span.closed

    def _close_value(self) -> None:
        self._fields[self._key] = "".join(self._value)
        self._value = []
        self._key, self._state = "", "comma"


class _Span:
    """Measures how far a JSON value reaches in a text that comes in pieces; does not judge it."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._scalar = False
        self.closed = False

    def measure(self, text: str) -> int:
        """Return how many characters of ``text`` belong to the value."""
        if self._scalar or (text and not self._depth and not self._in_string and text[0] not in '{["'):
            self._scalar = True
            scalar = _SCALAR.match(text)
            length = scalar.end() if scalar is not None else 0
            self.closed = length < len(text)
            return length
        for position, character in enumerate(text):
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif character == "\\":
                    self._escaped = True
                elif character == '"':
                    self._in_string = False
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
            if not self._depth and not self._in_string:
                self.closed = True
                return position + 1
        return len(text)


def _line_starts(text: str, *, at_start: bool) -> list[int]:
    """Return where lines begin in ``text``; its own beginning counts only if it is one."""
    starts = [0] if at_start and text else []
    position = text.find("\n")
    while position >= 0:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    return starts


def _opens(text: str) -> Literal["yes", "no", "maybe"]:
    """Tell whether ``text`` begins with the object, in a fence or not; "maybe" when that depends on what comes next."""
    text = text.lstrip()[: _OPENING_CHARS + 1]
    fence = _FENCE.match(text)
    squeezed = "".join(text[fence.end() if fence is not None else 0 :].split())
    if any(squeezed.startswith(opening) for opening in _OPENINGS):
        return "yes"
    if len(text) > _OPENING_CHARS:
        return "no"
    return "maybe" if any(opening.startswith(squeezed) for opening in _OPENINGS) else "no"
