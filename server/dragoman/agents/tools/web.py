"""Getting one page over HTTP(S), without a library: only from the address that was looked at, bounded, cancellable.

Only `dragoman.models` holds an HTTP client; this one knows GET and nothing else. It uses no proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from dragoman.agents.limits import FETCH_BYTES, FETCH_HEAD_BYTES, FETCH_HEADERS, FETCH_URL_CHARS
from dragoman.errors import FetchError

_PORTS: Final = {"http": 80, "https": 443}
_UNFIT: Final = frozenset(map(chr, range(33))) | {"\x7f", "\\"}


@dataclass(frozen=True, slots=True)
class Page:
    """What a server answered: ``body`` is at most `FETCH_BYTES` of it, and ``cut`` says that there is more."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


def parse_url(url: str) -> SplitResult:
    """Return a URL's parts; raises FetchError for what is no plain http(s) address."""
    if len(url) > FETCH_URL_CHARS:
        raise FetchError(f"The URL has {len(url):,} characters; at most {FETCH_URL_CHARS:,} are taken.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise FetchError(f"{url!r} is no URL.") from None
    if parts.scheme not in _PORTS or not host or _UNFIT & set(url) or not url.isascii():
        raise FetchError(f"{url!r} is no http(s) URL.", hint="Give a whole one, such as https://example.org/page.")
    if parts.username is not None or parts.password is not None:
        raise FetchError("A URL with a name or a password in it is not fetched.")
    return parts


def host_of(parts: SplitResult) -> str:
    """Return the host as rules name it: in small letters, without a dot at its end."""
    return (parts.hostname or "").rstrip(".").lower()


async def get(parts: SplitResult, *, private: bool) -> Page:
    """Get a page; ``private`` allows addresses that are not of the public internet.  Raises FetchError."""
    host, port = host_of(parts), parts.port or _PORTS[parts.scheme]
    addresses = await _resolve(host, port, private=private)
    context = await asyncio.to_thread(ssl.create_default_context) if parts.scheme == "https" else None
    reader, writer = await _connect(host, addresses, port, context)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        name = f"[{host}]" if ":" in host else host
        shown = name if port == _PORTS[parts.scheme] else f"{name}:{port}"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {shown}\r\nUser-Agent: dragoman\r\nAccept: text/*, application/json;q=0.9, */*;q=0.1"
            "\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        await writer.drain()
        return await _read(reader)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise FetchError(f"{host!r} does not answer as it should: {_say(error)}.") from None
    finally:
        # Not waited for: a server that does not close its side must not hold up anybody.
        writer.transport.abort()


def is_public(address: str) -> bool:
    """Tell whether an address is of the public internet, and not of this machine, this network or a cloud's own services."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo[1] if one.teredo else None)
        # 64:ff9b::/96 leads to the IPv4 address in its last bits.
        if one in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(one) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
    return one.is_global and not one.is_multicast


async def _resolve(host: str, port: int, *, private: bool) -> list[str]:
    """Return a host's addresses; raises FetchError where one of them may not be asked."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError(f"The host {host!r} is not found: {_say(error)}.") from None
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    # All of them: a name that leads to both is one that somebody has set a trap with.
    if not private and (near := next((one for one in addresses if not is_public(one)), None)) is not None:
        raise FetchError(
            f"{host!r} is at {near}, which is no address of the public internet, so it is not asked.",
            hint=f'The user can allow it by its name: permissions = {{ "fetch_url:{host}" = "allow" }}.',
        )
    return addresses


async def _connect(
    host: str, addresses: list[str], port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to one of the addresses, and to no other that the name may lead to by now."""
    failure: Exception | None = None
    for address in addresses:
        try:
            return await asyncio.open_connection(
                address,
                port,
                ssl=context,
                server_hostname=host if context is not None else None,
                limit=FETCH_HEAD_BYTES,
            )
        except (OSError, ssl.CertificateError) as error:
            failure = error
    raise FetchError(f"{host!r} cannot be reached: {_say(failure)}.")


async def _read(reader: asyncio.StreamReader) -> Page:
    """Read an answer; raises ValueError for what is none, and what streams raise."""
    status, headers = await _read_head(reader)
    while 100 <= status < 200:
        status, headers = await _read_head(reader)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ValueError("it sends a compressed page, which was not asked for")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, cut = await _read_chunks(reader)
    elif "content-length" in headers:
        length = int(headers["content-length"])
        if length < 0:
            raise ValueError("its length is negative")
        body, cut = await reader.readexactly(min(length, FETCH_BYTES)), length > FETCH_BYTES
    else:
        body, cut = await _read_rest(reader)
    return Page(status, headers, body, cut)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    words = head[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal() or len(head) > FETCH_HEADERS:
        raise ValueError("it does not speak HTTP/1.1")
    pairs = (line.partition(":") for line in head[1:] if line)
    return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    body = bytearray()
    while size := int((await reader.readuntil(b"\n")).partition(b";")[0].strip(), 16):
        if size < 0:
            raise ValueError("the length of a piece is negative")
        body += await reader.readexactly(min(size, FETCH_BYTES + 1 - len(body)))
        if len(body) > FETCH_BYTES:
            return bytes(body[:FETCH_BYTES]), True
        await reader.readexactly(2)
    return bytes(body), False


async def _read_rest(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    body = bytearray()
    with contextlib.suppress(ssl.SSLError):
        while len(body) <= FETCH_BYTES and (data := await reader.read(65_536)):
            body += data
    return bytes(body[:FETCH_BYTES]), len(body) > FETCH_BYTES


def _say(error: BaseException | None) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "the connection broke off"
    if isinstance(error, asyncio.LimitOverrunError):
        return "its head is too long"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)
