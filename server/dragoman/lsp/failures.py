"""The door's one translation of failures into JSON-RPC errors: a code and a sentence, never a traceback or a path."""

from __future__ import annotations

import logging
import secrets

from pygls.exceptions import JsonRpcException

from dragoman.errors import DragomanError
from dragoman.lsp.requests import RequestCancelledError
from dragoman.monitoring import bug

logger = logging.getLogger(__name__)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800
REQUEST_FAILED = -32803


class RequestError(Exception):
    """A request that the door itself refuses, with its code and the sentence for the user."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def describe(error: BaseException, method: str) -> tuple[int, str]:
    """Return the JSON-RPC code and sentence for a failed request; what is unexpected is reported as a bug."""
    if isinstance(error, RequestError):
        return error.code, error.sentence
    if isinstance(error, RequestCancelledError):
        return REQUEST_CANCELLED, str(error)
    if isinstance(error, DragomanError):
        return REQUEST_FAILED, str(error)
    if isinstance(error, JsonRpcException):
        return error.code, error.message
    reference = secrets.token_hex(4)
    bug.report("request handler failed", method=method, reference=reference, error=error)
    return INTERNAL_ERROR, f"Dragoman could not answer {method!r}; its log has the reason under {reference}."


def report_notification(error: BaseException, method: str) -> None:
    """Log the failure of a notification, which nobody can be answered for; it never pops up in the editor."""
    if isinstance(error, (RequestError, DragomanError)):
        logger.warning("notification %r was not processed: %s", method, error)
    else:
        bug.report("notification handler failed", method=method, error=error)
