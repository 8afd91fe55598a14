"""The one HTTP client for model servers: limits, streams and the translation of every failure.

Importing this module does not import httpx (60 ms); the first call does, in a thread.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from dragoman.errors import (
    ModelError,
    ModelTimeoutError,
    ProviderUnreachableError,
    StreamBrokenError,
    StreamMalformedError,
)
from dragoman.models.providers.endpoint import Endpoint, StatedModel, Timeouts
from dragoman.models.providers.failures import Asker, error_from_payload, error_from_status
from dragoman.models.providers.reasons import explain_connect_failure
from dragoman.models.streams import NdjsonReader, SseEvent, SseReader

if TYPE_CHECKING:
    import httpx

    from dragoman.models.providers.transport import Requests

DONE: dict[str, Any] = {"[DONE]": True}
"""Yielded by `HttpClient.stream` for the mark that ends an OpenAI-compatible stream."""

__all__ = ["DONE", "Endpoint", "HttpClient", "StatedModel", "Timeouts", "preload"]

Phase = Literal["connect", "first_token", "idle", "total"]

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a reply that is not streamed; the longest listings have some hundred KB."""
ERROR_BODY_LIMIT = 64 * 1024
"""Bytes read of a refusal: the reason stands at its beginning."""
_PRELOADED = "dragoman.models.providers.transport"
DRAIN_S = 0.25
"""How long to wait for the end of a body after the end mark; it normally comes in the same packet."""


class HttpClient:
    """Talks JSON to one endpoint over kept-alive HTTP/1.1 connections; raises the `ModelError` family only."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.known_models: tuple[str, ...] = ()
        self._transport: httpx.AsyncBaseTransport | None = None
        self._requests: Requests | None = None
        self._closed = False

    async def aclose(self) -> None:
        """Close every connection; running calls end with an error."""
        self._closed = True
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def fetch(
        self,
        method: Literal["GET", "POST"],
        path: str,
        body: Any = None,
        *,
        limit: float | None = None,
        model: str | None = None,
        secrets: Sequence[str] = (),
    ) -> Any:
        """Send a request and return the JSON of its reply; ``limit`` in seconds bounds the whole exchange.

        ``path`` is appended to the base address, or is a whole URL. ``secrets`` are kept out of messages.
        """
        asker = self.asker(model, *secrets)
        content = await self._fetch(method, path, body, limit, asker)
        try:
            return json.loads(content)
        except ValueError as error:
            hint = "Something else may listen there; check base_url."
            raise StreamMalformedError(f"{asker.place} did not answer {path!r} with JSON.", hint=hint) from error

    async def fetch_text(self, path: str, *, limit: float | None = None) -> str:
        """GET a page and return its text; ``limit`` and ``path`` as for `fetch`."""
        return (await self._fetch("GET", path, None, limit, self.asker())).decode("utf-8", "replace")

    async def stream(
        self,
        path: str,
        body: Any,
        *,
        lines: Literal["sse", "ndjson"],
        has_token: Callable[[dict[str, Any]], bool],
        model: str | None = None,
        secrets: Sequence[str] = (),
        limits: Timeouts | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """POST a request and yield the objects of its streamed reply until the end mark or the end of the stream.

        ``has_token`` says whether an object ends the wait for the first token.
        ``secrets`` are the texts of the prompt, kept out of messages. Closing the generator closes the connection.
        An error object inside the stream is raised; whether an end without end mark is an error is the caller's to say.
        """
        asker = self.asker(model, *secrets)
        limits = limits or self.endpoint.timeouts
        started = _now()
        total = started + limits.total
        deadline, phase = _sooner(started + limits.first_token, "first_token", total)
        response = await self._open("POST", path, body, asker, deadline, phase)
        try:
            if lines == "sse" and "json" in response.headers.get("content-type", ""):
                # The server does not stream; its one object has nearly the same shape.
                yield _parse(
                    asker, (await self._read(response, asker, deadline, BODY_LIMIT)).decode("utf-8", "replace")
                )
                return
            reader: SseReader | NdjsonReader = SseReader() if lines == "sse" else NdjsonReader()
            pieces = aiter(_stream(response))
            waiting = True
            while True:
                piece = await self._next_piece(pieces, asker, deadline, phase)
                for item in reader.feed(piece) if piece else reader.end():
                    if isinstance(item, SseEvent) and item.is_done:
                        yield DONE
                        await self._drain(response, pieces, asker)
                        return
                    value = _parse(asker, item if isinstance(item, str) else item.data)
                    waiting = waiting and not has_token(value)
                    yield value
                    if not waiting:
                        deadline, phase = _sooner(_now() + limits.idle, "idle", total)
                if not piece:
                    return
        finally:
            await _stream(response).aclose()

    def asker(self, model: str | None = None, *texts: str) -> Asker:
        """Say who asks, for messages, which ``texts`` are kept out of."""
        # A prompt of a few letters is no secret, and cutting it out would garble the message.
        secrets = tuple(text for text in (self.endpoint.api_key, *(one for one in texts if len(one) > 15)) if text)
        return Asker(self.endpoint.name, self.endpoint.address, model, self.known_models, secrets)

    # -- one exchange --------------------------------------------------------------------------------------------------

    async def _fetch(self, method: str, path: str, body: Any, limit: float | None, asker: Asker) -> bytes:
        deadline = _now() + (self.endpoint.timeouts.first_token if limit is None else limit)
        response = await self._open(method, path, body, asker, deadline, "total")
        try:
            return await self._read(response, asker, deadline, BODY_LIMIT)
        finally:
            await _stream(response).aclose()

    async def _open(
        self, method: str, path: str, body: Any, asker: Asker, deadline: float, phase: Phase
    ) -> httpx.Response:
        """Send a request and return its reply, body unread; raises for every status but 2xx."""
        await preload()
        transport, requests = self._connect(asker)
        import httpx

        url = path if "://" in path else self.endpoint.base_url + path
        asker = replace(asker, path=urlsplit(url).path)
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout_at(deadline):
                response = await transport.handle_async_request(requests.make(method, url, content))
        except httpx.ConnectTimeout as error:
            raise self._connect_timeout(asker) from error
        except TimeoutError as error:
            raise self._timeout(asker, phase) from error
        except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise explain_connect_failure(asker, self.endpoint, error) from error
        except (httpx.HTTPError, RuntimeError) as error:
            message = f"{asker.place} closed the connection before it answered."
            raise ProviderUnreachableError(message, hint="It may have stopped or be restarting.") from error
        if response.is_success:
            if "html" not in response.headers.get("content-type", ""):
                return response
            await _stream(response).aclose()
            message = f"{asker.place} answered {asker.path!r} with a web page."
            raise StreamMalformedError(message, hint="Something else listens there; check base_url and kind.")
        try:
            refusal = await self._read(response, asker, min(deadline, _now() + 5.0), ERROR_BODY_LIMIT, cut=True)
        except ModelError:
            refusal = b""
        finally:
            await _stream(response).aclose()
        raise error_from_status(asker, response.status_code, refusal, response.headers)

    async def _next_piece(self, pieces: AsyncIterator[bytes], asker: Asker, deadline: float, phase: Phase) -> bytes:
        """Return the next bytes of a body, empty at its end."""
        import httpx

        try:
            async with asyncio.timeout_at(deadline):
                piece: bytes = await anext(pieces, b"")
                return piece
        except TimeoutError as error:
            raise self._timeout(asker, phase) from error
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as error:
            message = f"The answer of {asker.place} broke off."
            raise StreamBrokenError(message, hint="It may have stopped, or the network failed.") from error

    async def _drain(self, response: httpx.Response, pieces: AsyncIterator[bytes], asker: Asker) -> None:
        """Let what follows the end mark come, normally nothing: a body read to its end lets the connection be used again."""
        release: Callable[[float], None] | None = response.extensions.get("release")
        if release is not None:
            release(DRAIN_S)
            return
        with suppress(ModelError):
            while await self._next_piece(pieces, asker, _now() + DRAIN_S, "idle"):
                pass

    async def _read(
        self, response: httpx.Response, asker: Asker, deadline: float, limit: int, *, cut: bool = False
    ) -> bytes:
        """Read a body of at most ``limit`` bytes; a longer one is cut short or an error."""
        body = bytearray()
        pieces = aiter(_stream(response))
        while piece := await self._next_piece(pieces, asker, deadline, "total"):
            body += piece
            if len(body) > limit:
                if cut:
                    break
                raise StreamMalformedError(f"{asker.place} answered with more than {limit} bytes.")
        return bytes(body[:limit])

    def _timeout(self, asker: Asker, phase: Phase) -> ModelTimeoutError:
        limits = self.endpoint.timeouts
        said = {
            "connect": f"did not accept a connection within {limits.connect:g} s",
            "first_token": f"gave no first token within {limits.first_token:g} s",
            "idle": f"stopped in the middle of an answer for {limits.idle:g} s",
            "total": "took longer than the limit for a whole answer",
        }[phase]
        hint = f"Raise timeouts.{phase} of this provider if it is only slow."
        return ModelTimeoutError(f"{asker.place} {said}.", phase=phase, hint=hint)

    def _connect_timeout(self, asker: Asker) -> ModelTimeoutError:
        return self._timeout(asker, "connect")

    # -- the connection pool -------------------------------------------------------------------------------------------

    def _connect(self, asker: Asker) -> tuple[httpx.AsyncBaseTransport, Requests]:
        if self._closed:
            raise ProviderUnreachableError(f"{asker.place} is closed.")
        if self._transport is None or self._requests is None:
            from dragoman.models.providers.transport import Requests, make_transport

            try:
                self._transport, self._requests = make_transport(self.endpoint), Requests(self.endpoint)
            except (OSError, ssl.SSLError, ValueError, ImportError) as error:
                message = f"The connection to {asker.place} cannot be set up: {asker.clean(str(error))}."
                raise ProviderUnreachableError(message, hint="Check proxy and ca_file of this provider.") from error
        return self._transport, self._requests


async def preload() -> None:
    """Import the HTTP library without blocking the event loop; no work after the first time."""
    if _PRELOADED not in sys.modules:
        await asyncio.to_thread(importlib.import_module, _PRELOADED)


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    """Return a response's body as its transport gives it: bytes as they came, for nothing is compressed."""
    return cast("httpx.AsyncByteStream", response.stream)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _sooner(deadline: float, phase: Phase, total: float) -> tuple[float, Phase]:
    return (deadline, phase) if deadline <= total else (total, "total")


def _parse(asker: Asker, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise StreamMalformedError(f"{asker.place} sent a chunk that is not JSON.") from error
    if not isinstance(value, dict):
        raise StreamMalformedError(f"{asker.place} sent a chunk that is not a JSON object.")
    failure = value.get("error")
    if failure:
        code = failure.get("code") if isinstance(failure, dict) else None
        raise error_from_payload(asker, code if isinstance(code, int) and code >= 400 else 500, value)
    return value
