"""HTTP/1.1 as bytes: a request's head made, a response read in whatever pieces it comes. No I/O in here.

A call of a model is one POST and a reply of many small chunks, made at every key: what is not needed for that is left out.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

HEAD_LIMIT = 64 * 1024
"""Bytes of a status line with its headers; real ones have under 4 KB."""
LINE_LIMIT = 4 * 1024
"""Bytes of a chunk's size with its extensions."""

Headers = list[tuple[bytes, bytes]]

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\0\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEAD_END = re.compile(rb"\n\r?\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_NO_BODY = (204, 304)


class MalformedResponseError(Exception):
    """What the server sent is no HTTP response."""


def request_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a request up to its body; raises ValueError for a header that would smuggle in another."""
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in headers:
        if b"\n" in value or b"\r" in value or not _NAME.fullmatch(name):
            raise ValueError(f"header {name!r} cannot be sent")
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)


class ResponseReader:
    """Reads one response: `feed` takes bytes, `status` and `headers` appear, `pieces` fills, `complete` turns true.

    The reader of ``pieces`` takes them out at the left. ``leftover`` says whether bytes came behind the end.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.pieces: deque[bytes] = deque()
        self.complete = False
        self.begun = False
        """Whether any byte came."""
        self.keeps_alive = False
        """Whether the connection can be used again when the response is complete."""
        self.leftover = False
        self._buffer = bytearray()
        self._remaining: int | None = 0
        """Bytes of the body, or of the chunk, that are still to come; None until the connection closes."""
        self._chunked = False
        self._in_chunk = False
        self._trailing = False

    def feed(self, data: bytes | memoryview) -> None:
        """Take in the next bytes; raises `MalformedResponseError`."""
        self.begun = True
        self._buffer += data
        if not self.status and not self._read_head():
            return
        if not self.complete:
            self._read_body()
        if self.complete and self._buffer:
            self.leftover = True
            self._buffer.clear()

    def end(self) -> None:
        """Take in that the connection was closed; raises `MalformedResponseError` when the response is not whole."""
        if self.status and self._remaining is None:
            self.complete = True
        if not self.complete:
            raise MalformedResponseError("the connection was closed before the response ended")

    # -- the head ------------------------------------------------------------------------------------------------------

    def _read_head(self) -> bool:
        while True:
            end = _HEAD_END.search(self._buffer)
            if end is None or end.end() > HEAD_LIMIT:
                if len(self._buffer) > HEAD_LIMIT:
                    raise MalformedResponseError(f"more than {HEAD_LIMIT} bytes of headers")
                return False
            lines = bytes(self._buffer[: end.start()]).split(b"\n")
            del self._buffer[: end.end()]
            found = _STATUS.fullmatch(lines[0].removesuffix(b"\r"))
            if found is None:
                raise MalformedResponseError("the first line is no status line of HTTP/1.1")
            status = int(found[2])
            if status == 101:
                raise MalformedResponseError("another protocol that nobody asked for")
            if status >= 200:
                break
            # An interim response, such as 100 or 103; the real one follows.
        self.headers = _parse_headers(lines[1:])
        self._frame(status, old=found[1] == b"0")
        self.status = status
        return True

    def _frame(self, status: int, *, old: bool) -> None:
        """Find out from the headers where the body ends."""
        codings = self._values(b"transfer-encoding")
        lengths = set(self._values(b"content-length"))
        options = self._values(b"connection")
        self.keeps_alive = b"close" not in options and (not old or b"keep-alive" in options)
        if codings and codings != [b"chunked"]:
            raise MalformedResponseError("a transfer encoding that nobody asked for")
        if status in _NO_BODY:
            self.complete = True
        elif codings:
            self._chunked = True
            # A length beside the chunks is how responses are smuggled: believe the chunks, and this connection no more.
            self.keeps_alive = self.keeps_alive and not lengths
        elif lengths:
            (length, *others) = lengths
            if others or not length.isdigit() or len(length) > 15:
                raise MalformedResponseError("a content-length that is none")
            self._remaining = int(length)
            self.complete = self._remaining == 0
        else:
            self._remaining = None
            self.keeps_alive = False

    def _values(self, wanted: bytes) -> list[bytes]:
        return [
            part.strip().lower() for name, value in self.headers if name.lower() == wanted for part in value.split(b",")
        ]

    # -- the body ------------------------------------------------------------------------------------------------------

    def _read_body(self) -> None:
        if self._chunked:
            self._read_chunks()
            return
        piece = bytes(self._buffer if self._remaining is None else self._buffer[: self._remaining])
        del self._buffer[: len(piece)]
        if piece:
            self.pieces.append(piece)
        if self._remaining is not None:
            self._remaining -= len(piece)
            self.complete = self._remaining == 0

    def _read_chunks(self) -> None:
        buffer, at = self._buffer, 0
        while not self.complete:
            if self._remaining:
                piece = bytes(buffer[at : at + self._remaining])
                if not piece:
                    break
                self.pieces.append(piece)
                at += len(piece)
                self._remaining -= len(piece)
                continue
            newline = buffer.find(b"\n", at)
            if newline < 0:
                if len(buffer) - at > LINE_LIMIT:
                    raise MalformedResponseError("a chunk without its size")
                break
            line = bytes(buffer[at:newline]).removesuffix(b"\r")
            at = newline + 1
            self._take_line(line)
        del buffer[:at]

    def _take_line(self, line: bytes) -> None:
        """Take in a line between the chunks: the end of one, the size of the next, or a trailer."""
        if self._trailing:
            self.complete = not line
        elif self._in_chunk:
            if line:
                raise MalformedResponseError("a chunk longer than its size")
            self._in_chunk = False
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise MalformedResponseError("a chunk without its size")
            self._remaining = int(size[1], 16)
            self._trailing = self._remaining == 0
            self._in_chunk = not self._trailing


def _parse_headers(lines: list[bytes]) -> Headers:
    headers: Headers = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and headers:
            # Folded, as old servers do.
            name, value = headers[-1]
            headers[-1] = (name, value + b" " + line.strip())
            continue
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise MalformedResponseError("a line among the headers that is none")
        headers.append((name, value.strip()))
    return headers
