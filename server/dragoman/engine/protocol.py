"""What the engine's socket speaks: one JSON object per line, UTF-8, in both directions.

A client opens a connection, writes one request line and reads frames until one ends the exchange.
Closing the connection is the way to cancel.

Requests (``op`` says which):

- ``{"op": "info"}``: one ``info`` frame, then the engine closes.
- ``{"op": "attach"}``: an ``info`` frame now and whenever the state changes.
  The connection stays open; while at least one is open the engine lives.
- ``{"op": "complete", "prompt", "max_tokens", "stop", "temperature", "seed", "logprobs", "priority", "client"}``
- ``{"op": "chat", "messages", "json_schema", …}``, else as ``complete``.
- ``{"op": "count", "text"}``: the number of tokens of a text.

``priority`` is ``interactive`` (default) or ``background``; ``client`` groups requests so that the queue can be fair.

Frames (``type`` says which):

- ``info``: ``state`` (``loading``, ``ready``, ``failed``), ``progress`` (0 to 1 while loading), ``model``, ``n_ctx``, ``pid``,
  ``worker_pid``, ``threads``, ``clients``, ``queued``, ``free_slots``, and ``error`` when failed.
- ``accepted``: the request stands in the queue; from here on a cut connection means the engine died.
- ``progress``: ``processed`` of ``total`` prompt tokens are evaluated.
- ``text``: a piece of the answer, and when asked for ``logprobs``: objects with ``token`` and ``logprob``, of which some belong
  to text of a later frame when the library holds it back.
- ``end``: ``finish`` (``stop``, ``length``), ``usage`` (``prompt``, ``completion``, ``cached`` tokens), ``timings``.
- ``count``: ``tokens``.
- ``error``: ``code`` (``out_of_memory``, ``engine_unavailable``, ``load_failed``, ``context_overflow``, ``rejected``, ``died``,
  ``internal``), ``message``, ``hint``, and ``excess`` in tokens for an overflow.
"""

from __future__ import annotations

import json
from typing import Any

VERSION = 1
"""Part of the socket's name: an engine of another version is another engine."""

MAX_LINE = 16 * 1024 * 1024
"""Longest line in bytes; a prompt is bounded by the context window, so this only guards memory."""

Frame = dict[str, Any]

LAST_FRAMES = frozenset({"end", "error", "count"})
"""Types after which nothing follows in a generation."""


def encode(frame: Frame) -> bytes:
    """Return the frame as one line; what is no Unicode text (half a surrogate pair) becomes a question mark."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Frame:
    """Return the line's object; raises ValueError for anything else."""
    frame = json.loads(line)
    if not isinstance(frame, dict):
        raise ValueError(f"expected an object, got {type(frame).__name__}")  # noqa: TRY004 - one error for all bad lines
    return frame


def failure(code: str, message: str, hint: str = "", **details: Any) -> Frame:
    """Return an ``error`` frame."""
    return {"type": "error", "code": code, "message": message, "hint": hint, **details}
