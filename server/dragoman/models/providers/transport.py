"""The connections beneath the HTTP client: which proxy they take, which certificates they trust, and that none is lost.

Imports httpx: only `dragoman.models.providers.http` imports this module, when the first call is made.
"""

from __future__ import annotations

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

KEEPALIVE_S = 60.0
"""How long an idle connection is kept: longer than a pause in typing."""
KEEPALIVE_CONNECTIONS = 8


class Transport(httpx.AsyncHTTPTransport):
    """httpx's transport, which closes what a cancelled call leaves behind.

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


def make_client(endpoint: Endpoint) -> httpx.AsyncClient:
    """Make the HTTP client of an endpoint; raises OSError, ValueError or ImportError for a bad proxy or certificate."""
    headers = {
        "User-Agent": "dragoman",
        "Content-Type": "application/json",
        # Compressing a stream of tokens costs latency and saves nothing.
        "Accept-Encoding": "identity",
        **endpoint.headers,
    }
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    proxy = endpoint.proxy or _proxy_of_the_environment(endpoint.base_url)
    transport = Transport(
        verify=_tls(endpoint, proxy),
        trust_env=False,
        http2=False,
        proxy=proxy,
        limits=httpx.Limits(
            max_connections=None,
            max_keepalive_connections=KEEPALIVE_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_S,
        ),
    )
    return httpx.AsyncClient(
        transport=transport,
        headers=headers,
        trust_env=False,
        follow_redirects=False,
        # Every other limit is ours, because httpx's cannot tell a first token from a later one.
        timeout=httpx.Timeout(None, connect=endpoint.timeouts.connect),
    )


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
    context.load_verify_locations(cafile=certifi.where())
    if endpoint.ca_file:
        context.load_verify_locations(cafile=endpoint.ca_file)
    return context
