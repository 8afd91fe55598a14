"""The early answer to ``initialize``: read from the raw descriptor and answered before anything heavy is imported.

Building lsprotocol's classes takes longer than everything else at start-up together, and a client waits for this one reply.
So it is answered from `dragoman.lsp.capabilities` here, and the same message is then handed to the full server, which
processes it normally and keeps its own, equal, reply to itself.  Whatever the client sends meanwhile waits in the pipe.

Stdlib only; asyncio, typing and dataclasses are not imported on purpose.
"""

from __future__ import annotations

import json
import os
import sys

from dragoman.lsp.capabilities import initialize_result
from dragoman.lsp.framing import Framer, FramingError, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_READ_SIZE = 1 << 16

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INVALID_PARAMS = -32602
NOT_INITIALIZED = -32002


class Handshake:
    """The outcome: private descriptors for the protocol, the initialize message, and bytes already read behind it.

    ``exit_code`` is set when the client left before it initialized; then there is nothing to serve.
    """

    __slots__ = ("exit_code", "initialize", "input_fd", "leftover", "output_fd")

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self.input_fd = input_fd
        self.output_fd = output_fd
        self.initialize: dict[str, Any] = {}
        self.leftover = b""
        self.exit_code: int | None = None


def claim_stdio() -> tuple[int, int]:
    """Move the protocol's two pipes to private descriptors and return them as (input, output).

    Afterwards descriptor 1 is stderr, so that a stray print of any library cannot corrupt the stream, and descriptor 0 is
    empty, so that no child process can read the client's messages.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)
        msvcrt.setmode(1, os.O_BINARY)
    input_fd, output_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        os.dup2(2, 1)
    except OSError:  # The client closed our stderr: then there is nowhere to print to.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    return input_fd, output_fd


def shake_hands(input_fd: int, output_fd: int) -> Handshake:
    """Wait for ``initialize`` on ``input_fd``, answer it on ``output_fd``, and return what the full server needs."""
    outcome = Handshake(input_fd, output_fd)
    framer = Framer()
    while outcome.exit_code is None:
        body = framer.next()
        if body is None:
            data = os.read(input_fd, _READ_SIZE)
            if data:
                framer.feed(data)
            else:
                outcome.exit_code = 1
        elif isinstance(body, FramingError):
            _send(output_fd, _error(None, PARSE_ERROR, body.problem))
        elif _answer(body, outcome):
            break
    outcome.leftover = framer.pending
    return outcome


def _answer(body: bytes, outcome: Handshake) -> bool:
    """Treat one message before ``initialize``; True when it was ``initialize``."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        _send(outcome.output_fd, _error(None, PARSE_ERROR, "The message is not valid JSON."))
        return False
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        _send(outcome.output_fd, _error(None, INVALID_REQUEST, "The message is not a JSON-RPC request."))
        return False
    method, is_request = message["method"], "id" in message
    if method == "exit" and not is_request:
        outcome.exit_code = 1
    if not is_request:
        return False
    refusal = refuse_before_initialize(message)
    if refusal is not None:
        _send(outcome.output_fd, refusal)
        return False
    result = {"jsonrpc": "2.0", "id": message["id"], "result": initialize_result(message["params"])}
    _send(outcome.output_fd, result)
    outcome.initialize = message
    return True


def refuse_before_initialize(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the error reply to a request that is not a proper ``initialize``, None when it is one."""
    if message["method"] != "initialize":
        return _error(
            message["id"], NOT_INITIALIZED, f"{message['method']!r} came before 'initialize'; send 'initialize' first."
        )
    params = message.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("capabilities"), dict):
        return _error(message["id"], INVALID_PARAMS, "'initialize' needs params with the client's 'capabilities'.")
    return None


def _error(request_id: Any, code: int, sentence: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": sentence}}


def _send(output_fd: int, message: dict[str, Any]) -> None:
    remaining = memoryview(frame(json.dumps(message, separators=(",", ":")).encode()))
    while remaining:
        remaining = remaining[os.write(output_fd, remaining) :]
