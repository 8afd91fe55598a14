"""pygls' protocol with our ground under it: state checks, one reply per request, our errors, our bytes.

pygls keeps the table of features, the types of every message, the converter and the outgoing requests.
What a message does when it arrives is decided here.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import cattrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcMethodNotFound
from pygls.protocol import LanguageServerProtocol

from dragoman.lsp.failures import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
    PARSE_ERROR,
    RequestError,
    describe,
    report_notification,
)
from dragoman.lsp.framing import FramingError, frame
from dragoman.lsp.requests import RequestId, Requests
from dragoman.lsp.transport import Writer
from dragoman.monitoring import bug

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

    from dragoman.lsp.features import Feature

logger = logging.getLogger(__name__)

_SENTENCE_LENGTH = 300
"""Characters of a validation error worth showing; the rest repeats itself."""


class Protocol(LanguageServerProtocol):
    """JSON-RPC with one client."""

    def __init__(self, server: LanguageServer, converter: cattrs.Converter) -> None:
        super().__init__(server, converter)
        self.requests = Requests(self._answer, self._fail)
        self.table: dict[str, Feature] = {}
        self.initialized = False
        self._methods: dict[RequestId, str] = {}
        self._changes = 0
        self._muted: RequestId | None = None
        self._last_id = 0
        self._out: Writer | None = None
        self._heard_at = time.monotonic()
        self.on_message: Callable[[], None] = lambda: None
        """Called before each message is processed."""

    def connect(self, out: Writer) -> None:
        """Send everything to ``out`` from now on."""
        self._out = out

    def _register_builtin_features(self) -> None:
        """Leave pygls' own handlers out: every method is in our table, and no second copy of a text is kept."""

    # -- what arrives --------------------------------------------------------------------------------------------------

    def receive(self, body: bytes | FramingError) -> None:
        """Process one message as it came off the wire."""
        self._heard_at = time.monotonic()
        self.on_message()
        if isinstance(body, FramingError):
            logger.warning("the client sent something that is no message: %s", body.problem)
            self._send_error(None, PARSE_ERROR, body.problem)
            return
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            logger.warning("the client sent a message that is not valid JSON: %s", error)
            self._send_error(None, PARSE_ERROR, "The message is not valid JSON.")
            return
        self.dispatch(message)

    def replay_initialize(self, message: dict[str, Any]) -> None:
        """Process an ``initialize`` that has been answered already, and keep the reply back."""
        self._muted = message["id"]
        self.dispatch(message)

    def dispatch(self, message: Any) -> None:
        """Process one decoded message."""
        if not isinstance(message, dict):
            kind = "Batches are" if isinstance(message, list) else "A bare value is"
            self._send_error(None, INVALID_REQUEST, f"{kind} not part of the Language Server Protocol.")
        elif "method" not in message:
            self._resolve(message)
        elif not isinstance(message["method"], str):
            self._send_error(_valid_id(message.get("id")), INVALID_REQUEST, "The message's 'method' is not a string.")
        elif "id" in message:
            self._request(message)
        else:
            self._notification(message)

    def _request(self, message: dict[str, Any]) -> None:
        request_id, method = _valid_id(message["id"]), message["method"]
        if request_id is None:
            self._send_error(None, INVALID_REQUEST, f"The id of {method!r} is neither a number nor a string.")
            return
        if request_id in self.requests:
            self._send_error(request_id, INVALID_REQUEST, f"A request with the id {request_id!r} is still open.")
            return
        try:
            self._check_state(method)
            handler = self._get_handler(method)
            feature = self.table[method]
            params = self._structure(message)
            result = handler(params)
        except JsonRpcMethodNotFound:
            self._send_error(request_id, METHOD_NOT_FOUND, f"Dragoman does not know the method {method!r}.")
            return
        except Exception as error:  # noqa: BLE001 - every failure becomes the request's one reply
            self._send_error(request_id, *describe(error, method))
            return
        self._methods[request_id] = method
        if not inspect.iscoroutine(result):
            self._answer(request_id, result)
            return
        key = (method, params.text_document.uri) if feature.superseded is not None else None
        place = None
        if feature.latency == "keystroke":
            # Asked again at the same place of the same text, both want the answer.
            place = (self._changes, params.position.line, params.position.character)
        self.requests.start(
            request_id,
            result,
            name=f"{method} {request_id}",
            key=key,
            place=place,
            superseded_result=feature.superseded() if feature.superseded is not None else None,
        )

    def _notification(self, message: dict[str, Any]) -> None:
        method = message["method"]
        self._changes += method == types.TEXT_DOCUMENT_DID_CHANGE
        if method == types.CANCEL_REQUEST:
            params = message.get("params")
            request_id = _valid_id(params.get("id")) if isinstance(params, dict) else None
            if request_id is not None:
                self.requests.cancel(request_id)
            return
        if method != types.EXIT and (not self.initialized or self._shutdown):
            return
        if self.get_result_type(method) is not None:
            logger.warning("the request %r came without an id, so nobody waits for its answer: it was left out", method)
            return
        try:
            handler = self._get_handler(method)
        except JsonRpcMethodNotFound:
            logger.debug("the notification %r is unknown and was left out", method)
            return
        try:
            handler(self._structure(message))
        except Exception as error:  # noqa: BLE001 - a notification has no reply: log it, never pop it up
            report_notification(error, method)

    def quiet_for(self) -> float:
        """Return the seconds since the client last said something; 0 while a request of its is open."""
        return 0.0 if self.requests else time.monotonic() - self._heard_at

    def _check_state(self, method: str) -> None:
        if self._shutdown:
            raise RequestError(INVALID_REQUEST, f"{method!r} came after 'shutdown'; only 'exit' may follow.")
        if method == types.INITIALIZE and self.initialized:
            raise RequestError(INVALID_REQUEST, "'initialize' came a second time.")
        if method != types.INITIALIZE and not self.initialized:
            raise RequestError(NOT_INITIALIZED, f"{method!r} came before 'initialize'; send 'initialize' first.")

    def _structure(self, message: dict[str, Any]) -> Any:
        """Turn a message into its typed params; the raw ones for ``initialize``, which must not fail on an odd client."""
        method = message["method"]
        if method == types.INITIALIZE:
            params = message.get("params")
            if not isinstance(params, dict) or not isinstance(params.get("capabilities"), dict):
                raise RequestError(INVALID_PARAMS, "'initialize' needs params with the client's 'capabilities'.")
            return params
        kind = self.get_message_type(method)
        if kind is None:
            return message.get("params")
        try:
            return self._converter.structure(message, kind).params
        except Exception as error:
            raise RequestError(INVALID_PARAMS, f"The params of {method!r} are not valid: {_explain(error)}.") from error

    # -- what leaves ---------------------------------------------------------------------------------------------------

    def _answer(self, request_id: RequestId, result: Any) -> None:
        method = self._methods.pop(request_id, "")
        if self._muted is not None and request_id == self._muted:
            self._muted = None
            return
        try:
            body = json.dumps(
                {"jsonrpc": "2.0", "id": request_id, "result": self._plain(result)},
                separators=(",", ":"),
                allow_nan=False,
            ).encode()
        except Exception as error:  # noqa: BLE001 - the request still gets its one reply
            self._send_error(request_id, *describe(error, method))
            return
        self._write(body)

    def _fail(self, request_id: RequestId, error: BaseException) -> None:
        method = self._methods.pop(request_id, "")
        self._send_error(request_id, *describe(error, method))

    def send_notification(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification that is not part of the standard."""
        self._send_data({"jsonrpc": "2.0", "method": method, "params": params})

    def _send_error(self, request_id: RequestId | None, code: int, sentence: str) -> None:
        if self._muted is not None and request_id == self._muted:
            bug.report("an initialize that was answered early failed afterwards", sentence=sentence)
            self._muted = None
            return
        self._send_data({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": sentence}})

    def _plain(self, value: Any) -> Any:
        return value if value is None or type(value) in {dict, str, int} else self._converter.unstructure(value)

    def _send_data(self, data: Any) -> None:
        """Send a message of pygls or our own; the writer keeps the order and never blocks."""
        try:
            body = json.dumps(data, default=self._serialize_message, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            bug.report("a message cannot be sent", kind=type(data).__name__, error=error)
            return
        self._write(body)

    def _write(self, body: bytes) -> None:
        if self._out is not None:
            self._out.write(frame(body))

    # -- what we ask of the client -------------------------------------------------------------------------------------

    async def ask(self, method: str, params: Any, *, seconds: float | None) -> Any:
        """Send a request and return the client's typed result; raises JsonRpcException or TimeoutError."""
        self._last_id += 1
        request_id = f"dragoman-{self._last_id}"
        future = self.send_request_async(method, params, msg_id=request_id)
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self._request_futures.pop(request_id, None)
            self._result_types.pop(request_id, None)

    def _resolve(self, message: Mapping[str, Any]) -> None:
        """Hand the client's response to whoever asked."""
        request_id = _valid_id(message.get("id"))
        future = self._request_futures.pop(request_id, None) if request_id is not None else None
        if request_id is None or future is None or future.done():
            logger.debug("a response to an unknown request %r was left out", request_id)
            return
        kind = self._result_types.pop(request_id, None)
        error = message.get("error")
        try:
            if isinstance(error, Mapping):
                future.set_exception(JsonRpcException(str(error.get("message")), int(error.get("code") or 0)))
            elif kind is None:
                future.set_result(message.get("result"))
            else:
                future.set_result(self._converter.structure(message, kind).result)
        except Exception as raised:  # noqa: BLE001 - an answer of the wrong shape is the asker's to know
            future.set_exception(JsonRpcException(f"the client's answer is not valid: {_explain(raised)}"))

    async def aclose(self) -> None:
        """End every open request, in both directions."""
        await self.requests.aclose()
        for future in list(self._request_futures.values()):
            future.cancel()
        self._request_futures.clear()
        self._result_types.clear()

    def begin_shutdown(self) -> None:
        """Answer what is open as cancelled, and refuse what still comes."""
        self._shutdown = True
        self.requests.cancel_all("The server is shutting down.")

    @property
    def is_shut_down(self) -> bool:
        """Whether ``shutdown`` was processed."""
        return bool(self._shutdown)


def _valid_id(value: Any) -> RequestId | None:
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _explain(error: Exception) -> str:
    """Name the fields that are wrong, in one line."""
    try:
        problems = cattrs.transform_error(error, "")
    except Exception:  # noqa: BLE001 - only the wording depends on it
        problems = [str(error)]
    sentence = "; ".join(problem.replace(" @ .params.", " at ").replace(" @ .", " at ") for problem in problems)
    return sentence.replace("\n", " ")[:_SENTENCE_LENGTH].rstrip(".") or "they do not have the right shape"
