"""The connections beneath the HTTP client: which proxy they take, which certificates they trust, and that none is lost.

Imports httpx: only `dragoman.models.providers.http` imports this module, when the first call is made.
"""

from __future__ import annotations

import base64
import ssl
import sys
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

# httpx imports its own command line where click and rich are installed and does without it elsewhere.
# A language server has no use for it: 5 MiB and 40 ms.
sys.modules.setdefault("httpx._main", cast("Any", None))

import httpx  # noqa: E402

from dragoman.models.providers.endpoint import Endpoint, is_loopback  # noqa: E402
from dragoman.models.providers.wire import Wire  # noqa: E402

KEEPALIVE_S = 60.0
"""How long an idle connection is kept: longer than a pause in typing."""
KEEPALIVE_CONNECTIONS = 8


class ProxiedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, for endpoints behind a proxy, which closes what a cancelled call leaves behind.

    A call that is cancelled between connecting and sending leaves its connection in the pool, open, belonging to
    nobody and never used again: one in fifty of quickly superseded keystrokes.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; whatever ends it early, no connection stays behind."""
        try:
            return await super().handle_async_request(request)
        except BaseException:
            await self._close_orphans()
            raise

    async def _close_orphans(self) -> None:
        pool = self._pool
        used = {id(entry.connection) for entry in pool._requests}
        for connection in pool.connections:
            if id(connection) not in used and not connection.is_idle() and not connection.is_closed():
                await connection.aclose()


def make_transport(endpoint: Endpoint) -> httpx.AsyncBaseTransport:
    """Make the connections to an endpoint; raises OSError, ValueError or ImportError for a bad proxy or certificate."""
    proxy = proxy_of(endpoint)
    tls = _tls(endpoint, proxy)
    if proxy is None:
        return Wire(tls, connect_s=endpoint.timeouts.connect, keep=KEEPALIVE_CONNECTIONS, keep_s=KEEPALIVE_S)
    return ProxiedTransport(
        verify=tls,
        trust_env=False,
        http2=False,
        proxy=proxy,
        limits=httpx.Limits(
            max_connections=None,
            max_keepalive_connections=KEEPALIVE_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_S,
        ),
    )


class Requests:
    """Makes the requests to one endpoint: what is alike in all of them is made once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        # Every other limit is ours, because httpx's cannot tell a first token from a later one.
        timeout = httpx.Timeout(None, connect=endpoint.timeouts.connect)
        self._extensions = {"timeout": timeout.as_dict()}
        self._known: dict[str, tuple[httpx.URL, list[tuple[bytes, bytes]]]] = {}

    def make(self, method: str, address: str, body: bytes | None) -> httpx.Request:
        """Return a request; raises httpx.InvalidURL or httpx.UnsupportedProtocol for an address that is none."""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = self._prepare(address)
        url, headers = found
        if body is not None:
            headers = [*headers, (b"Content-Length", b"%d" % len(body))]
        stream = httpx.ByteStream(body or b"")
        return httpx.Request(method, url, headers=headers, stream=stream, extensions=self._extensions)

    def _prepare(self, address: str) -> tuple[httpx.URL, list[tuple[bytes, bytes]]]:
        url = httpx.URL(address)
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.UnsupportedProtocol(f"{address!r} is no http address")
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Accept": "*/*",
            # Compressing a stream of tokens costs latency and saves nothing.
            "Accept-Encoding": "identity",
            "User-Agent": "dragoman",
            "Content-Type": "application/json",
        }
        if self._endpoint.api_key:
            headers["Authorization"] = f"Bearer {self._endpoint.api_key}"
        stated = {name.lower() for name in self._endpoint.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in stated}
        headers |= self._endpoint.headers
        if url.username or url.password:
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            pair = f"{url.username}:{url.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
        return url, httpx.Headers(headers).raw


def proxy_of(endpoint: Endpoint) -> str | None:
    """Return the proxy that leads to an endpoint: the stated one, else the environment's; None for none."""
    return endpoint.proxy or _proxy_of_the_environment(endpoint.base_url)


def _proxy_of_the_environment(url: str) -> str | None:
    """Return the proxy that the environment (or the system) wants for an address; never one for loopback."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _tls(endpoint: Endpoint, proxy: str | None) -> ssl.SSLContext:
    if not endpoint.base_url.startswith("https:") and not (proxy or "").startswith("https:"):
        # Nothing will use it: an empty context is made in microseconds, one with all authorities in 20 ms.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    import certifi

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(cafile=certifi.where())
    if endpoint.ca_file:
        context.load_verify_locations(cafile=endpoint.ca_file)
    return context
