"""Incremental readers of streamed answers: bytes in, split anywhere, whole events out.

Both readers hold at most one unfinished line (and the data lines of one unfinished event), bounded by ``limit`` bytes.
They raise `StreamMalformedError` for a line beyond the limit and for bytes that are not UTF-8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dragoman.errors import StreamMalformedError

LINE_LIMIT = 4 * 1024 * 1024
"""Bytes a line may have; chunks with log-probabilities have some tens of KB, a whole answer in one line below 1 MB."""

_BOM = b"\xef\xbb\xbf"
_ANY_NEWLINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One server-sent event; ``name`` is empty for the usual unnamed ones."""

    data: str
    name: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it is the mark that ends an OpenAI-compatible stream."""
        return self.data.strip() == "[DONE]"


class SseReader:
    """Reads ``text/event-stream`` with any newline style, comments, and without the final blank line."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._after_return = False
        self._first = True
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""

    def feed(self, data: bytes) -> list[SseEvent]:
        """Take in the next bytes; return the events they complete."""
        if self._after_return and data:
            # The last piece ended in \r; an \n now belongs to it.
            self._after_return = False
            if data.startswith(b"\n"):
                data = data[1:]
        if not data:
            return []
        self._after_return = data.endswith(b"\r")
        lines = _ANY_NEWLINE.split(data)
        if len(lines) == 1:
            self._rest += data
            self._check(len(self._rest))
            return []
        lines[0] = bytes(self._rest) + lines[0]
        self._rest = bytearray(lines.pop())
        self._check(len(self._rest))
        return [event for line in lines if (event := self._take(line)) is not None]

    def end(self) -> list[SseEvent]:
        """Return what the stream's end completes: an event whose blank line was never sent."""
        last = self._take(bytes(self._rest)) if self._rest else None
        self._rest.clear()
        return [event for event in (last, self._dispatch()) if event is not None]

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise StreamMalformedError(f"the stream has a line longer than {self._limit} bytes")

    def _take(self, line: bytes) -> SseEvent | None:
        self._check(len(line))
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        # Old llama.cpp servers report a failure in a field of its own.
        if field == b"error":
            self._name = b"error"
            field = b"data"
        if field == b"data":
            self._size += len(value)
            self._check(self._size)
            self._data.append(value)
        elif field == b"event":
            self._name = value
        return None

    def _dispatch(self) -> SseEvent | None:
        data, name = self._data, self._name
        self._name = b""
        if not data:
            return None
        self._data, self._size = [], 0
        return SseEvent(_decode(b"\n".join(data)), _decode(name))


class NdjsonReader:
    """Reads newline-delimited JSON; returns the lines as text, blank ones left out."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._first = True

    def feed(self, data: bytes) -> list[str]:
        """Take in the next bytes; return the lines they complete."""
        lines = data.split(b"\n")
        if len(lines) == 1:
            self._rest += data
            self._check(self._rest)
            return []
        lines[0] = bytes(self._rest) + lines[0]
        self._rest = bytearray(lines.pop())
        self._check(self._rest)
        return [text for line in lines if (text := self._take(line))]

    def end(self) -> list[str]:
        """Return the last line when it came without its newline."""
        line, self._rest = bytes(self._rest), bytearray()
        return [text] if (text := self._take(line)) else []

    def _check(self, line: bytes | bytearray) -> None:
        if len(line) > self._limit:
            raise StreamMalformedError(f"the stream has a line longer than {self._limit} bytes")

    def _take(self, line: bytes) -> str:
        self._check(line)
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        return _decode(line).strip()


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the stream is not UTF-8: {error.reason} at byte {error.start} of a line"
        raise StreamMalformedError(message) from error
