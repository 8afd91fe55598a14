"""What the index's processes speak over their pipes: JSON objects, each behind its length.

A message is four bytes, its length in bytes (big-endian), and that much UTF-8.
The server sends requests (``id``, ``method``, ``params``) and notifications (the same without ``id``); the index answers with
``id`` and ``result`` or ``error`` (an object with ``code`` and ``message``), and sends ``event`` when something happened.
The crawler gets one message, its plan, and sends events only.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import IO, Any

from dragoman.limits import INDEX_MESSAGE_BYTES

Message = dict[str, Any]

HEADER_BYTES = 4


def encode(message: Message) -> bytes:
    """Return the message with its length in front; half a surrogate pair, which an editor may send, survives."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def body_length(header: bytes) -> int:
    """Return the length that a header announces; raises ValueError for one that no message has."""
    length = int.from_bytes(header, "big")
    if length > INDEX_MESSAGE_BYTES:
        raise ValueError(f"a message of {length} bytes is announced, more than {INDEX_MESSAGE_BYTES}")
    return length


def decode(body: bytes) -> Message:
    """Return the message; raises ValueError for anything that is no JSON object."""
    message = json.loads(body.decode("utf-8", "surrogatepass"))
    if not isinstance(message, dict):
        raise ValueError(f"expected an object, got {type(message).__name__}")  # noqa: TRY004 - one error for what is no message
    return message


class Channel:
    """One process's blocking ends of the two pipes; one thread receives, any may send."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._sending = threading.Lock()

    @classmethod
    def claim(cls) -> Channel:
        """Take standard input and output for the protocol: who reads or prints from now on gets nothing and standard error."""
        incoming, outgoing = os.dup(0), os.dup(1)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device, not a path of ours
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        return cls(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"))

    def receive(self) -> Message | None:
        """Wait for the next message; None when the other side is gone.  Raises ValueError for what is no message."""
        try:
            header = self._incoming.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES:
                return None
            length = body_length(header)
            body = self._incoming.read(length)
        except OSError:
            return None
        return decode(body) if len(body) == length else None

    def send(self, message: Message) -> None:
        """Send a message, waiting while the pipe is full; when the other side is gone the receiver notices."""
        with self._sending, contextlib.suppress(OSError):
            self._outgoing.write(encode(message))
            self._outgoing.flush()

    def close(self) -> None:
        """Close both ends."""
        for stream in (self._incoming, self._outgoing):
            with contextlib.suppress(OSError):
                stream.close()
