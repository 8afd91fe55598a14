"""The wire's framing: bytes in, message bodies out, back in step after garbage.

Stdlib only and cheap to import: the early answer to ``initialize`` is cut out of the stream by this same code.
"""

from __future__ import annotations

import re

MAX_BODY = 512 * 1024 * 1024
"""Bytes; a longer message is a broken or hostile client, and the memory is better kept."""

MAX_HEADER = 64 * 1024
"""Bytes without a blank line before they count as garbage; real headers are under 100."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,20})[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_TAIL = 64
"""Bytes of dropped garbage that are kept because a header may begin in them."""


class FramingError:
    """A stretch of the stream that is no message; the stream goes on behind it."""

    __slots__ = ("problem",)

    def __init__(self, problem: str) -> None:
        self.problem = problem


class Framer:
    """Cuts a byte stream into message bodies; feed it whatever arrives."""

    def __init__(self, pending: bytes = b"") -> None:
        self._buffer = bytearray(pending)
        self._length: int | None = None
        self._skip = 0

    @property
    def pending(self) -> bytes:
        """Bytes that were fed but do not make up a whole message yet, headers included."""
        if self._length is None:
            return bytes(self._buffer)
        return b"Content-Length: %d\r\n\r\n" % self._length + self._buffer

    def feed(self, data: bytes) -> None:
        """Take in the next bytes of the stream."""
        self._buffer += data

    def next(self) -> bytes | FramingError | None:
        """Return the next body or what was wrong with the stream; None when more bytes are needed."""
        if self._skip:
            skipped = min(self._skip, len(self._buffer))
            del self._buffer[:skipped]
            self._skip -= skipped
            if self._skip:
                return None
        if self._length is None:
            found = self._read_header()
            if not isinstance(found, int):
                return found
            self._length = found
        if len(self._buffer) < self._length:
            return None
        body = bytes(memoryview(self._buffer)[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return body

    def _read_header(self) -> int | FramingError | None:
        end = _BLANK_LINE.search(self._buffer)
        if end is None:
            if len(self._buffer) <= MAX_HEADER:
                return None
            del self._buffer[:-_TAIL]
            return FramingError(f"More than {MAX_HEADER} bytes without a header.")
        header = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        # A body whose own header was lost is glued to the next header: the last Content-Length is the one that counts.
        lengths = _LENGTH.findall(header)
        if not lengths:
            return FramingError("A header without a valid Content-Length.")
        length = int(lengths[-1])
        if length > MAX_BODY:
            self._skip = length
            return FramingError(f"A message of {length} bytes is over the limit of {MAX_BODY}.")
        return length


def frame(body: bytes) -> bytes:
    """Put the header before a message body."""
    return b"Content-Length: %d\r\n\r\n" % len(body) + body
