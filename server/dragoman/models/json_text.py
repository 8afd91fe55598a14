"""JSON as models write it: read strictly, found in the prose around it, and its strings decoded while they come."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal, NoReturn

_DECODER = json.JSONDecoder(
    parse_constant=lambda name: _refuse(f"{name} is not JSON"), parse_int=lambda digits: _read_integer(digits)
)
_DIGITS: Final = 1_000
"""A longer integer is refused: Python reads up to 4,300 digits, and no number that means anything has a thousand."""
_OPENERS = {
    brackets: re.compile(rf"^[ \t]*```[^\n`]*\n\s*|[{re.escape(brackets)}]", re.MULTILINE)
    for brackets in ("{[", "{", "[")
}
_PROSE = re.compile(r"[{\[]\s*[^\s\"{}\[\]\d,:-]")
"""A bracket of prose, as in ``[sic]`` and ``{name}``; the constants of JSON are told apart before."""
_CONSTANT = re.compile(r"\[\s*(?:true|false|null)\b")
_PLAIN = re.compile(r'[^"\\]*')
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LOST = "\ufffd"
"""What half a surrogate pair becomes: there is no such character."""


def load_json(text: str) -> Any:
    """Return the one JSON value that ``text`` is; raises ValueError, whose text says what is wrong and not what stood there.

    Stricter than Python: no ``NaN``, and no halves of surrogate pairs, which nobody could write to a file or a socket.
    """
    text = text.strip()
    value, end = _decode(text, 0)
    if text[end:].strip():
        _refuse(f"there is more after the value, at {_place(text, end)}")
    return value


def find_json(text: str, brackets: Literal["{[", "{", "["] = "{[") -> Any:
    """Return the first JSON value in a model's answer: the whole, or in a code fence, or an object or array amid prose.

    ``brackets`` are those that may begin it: prose has some of its own, such as ``[1]``.
    Raises ValueError as `load_json`; what begins like an object and is none is an error, not prose to be skipped.
    """
    stripped = text.strip()
    if stripped and stripped[0] not in "`{[":
        try:
            return load_json(stripped)
        except ValueError:
            pass
    position = 0
    while (opener := _OPENERS[brackets].search(text, position)) is not None:
        if "`" in opener[0]:
            position = opener.end()
            closing = text.find("```", position)
            if closing < 0 or text[position] in brackets:
                continue
            try:
                return load_json(text[position:closing])
            except ValueError:
                # A fence of something else, such as code.
                position = closing + 3
                continue
        start = opener.start()
        if _PROSE.match(text, start) and not _CONSTANT.match(text, start):
            position = _end_of_bracket(text, start)
            continue
        return _decode(text, start)[0]
    raise ValueError("there is no JSON value")


def quote_json(text: str) -> str:
    """Return ``text`` as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _decode(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        _refuse(f"{error.msg} at {_place(text, error.pos)}")
    except RecursionError:
        _refuse("it is nested too deeply")
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            _refuse("a string holds half a surrogate pair")
    return value, end


def _read_integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        _refuse(f"a number has {len(digits)} digits")
    return int(digits)


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position)
    return f"line {line + 1} column {position - text.rfind(chr(10), 0, position)}"


def _end_of_bracket(text: str, start: int) -> int:
    """Return where the bracket at ``start`` is closed again; the text's end if nowhere."""
    depth = 0
    for position in range(start, len(text)):
        if text[position] in "{[":
            depth += 1
        elif text[position] in "}]":
            depth -= 1
            if not depth:
                return position + 1
    return len(text)


class StringDecoder:
    """Decodes the inside of a JSON string that comes in pieces, escapes and surrogate pairs cut anywhere.

    Lenient where a model is careless: a raw newline stays, an escape that does not exist stays as it was written.
    """

    def __init__(self) -> None:
        self._held = ""
        self._half = ""
        self.closed = False
        """Whether the closing quote has come."""

    def feed(self, piece: str) -> tuple[str, str]:
        """Take the next piece; return the text that is certain by now and, once the string is closed, what stood behind it."""
        source, self._held = self._held + piece, ""
        parts: list[str] = []
        position = 0
        while not self.closed and position < len(source):
            plain = _PLAIN.match(source, position)
            if plain is not None and plain[0]:
                parts.append(self._flush() + plain[0])
                position = plain.end()
            elif source[position] == '"':
                parts.append(self._flush())
                self.closed = True
                position += 1
            else:
                length, text = self._escape(source, position)
                if not length:
                    self._held = source[position:]
                    position = len(source)
                    break
                parts.append(text)
                position += length
        return "".join(parts), source[position:] if self.closed else ""

    def end(self) -> str:
        """Return what was held back of a string that was never closed: half a pair as the mark of a lost character."""
        self._held = ""
        return self._flush()

    def _flush(self) -> str:
        lost, self._half = (_LOST if self._half else ""), ""
        return lost

    def _escape(self, source: str, start: int) -> tuple[int, str]:
        """Read the escape at ``start``; returns its length, 0 when it is not all there, and what it stands for."""
        kind = source[start + 1 : start + 2]
        if not kind:
            return 0, ""
        if kind != "u":
            return 2, self._flush() + _ESCAPES.get(kind, "\\" + kind)
        digits = source[start + 2 : start + 6]
        if _HEX.fullmatch(digits) is None:
            if len(digits) == 4 or not all(one in "0123456789abcdefABCDEF" for one in digits):
                return 2, self._flush() + "\\u"
            return 0, ""
        code = int(digits, 16)
        if 0xD800 <= code < 0xDC00:
            lost, self._half = self._flush(), chr(code)
            return 6, lost
        if 0xDC00 <= code < 0xE000:
            half, self._half = self._half, ""
            return 6, (half + chr(code)).encode("utf-16", "surrogatepass").decode("utf-16") if half else _LOST
        return 6, self._flush() + chr(code)
