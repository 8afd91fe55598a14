"""Reading HTTP/1.1: the same response whatever pieces it comes in, and h11, which reads every byte by the book, agrees."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.models.providers.http11 import (
    HEAD_LIMIT,
    LINE_LIMIT,
    MalformedResponseError,
    ResponseReader,
    request_head,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
Found = tuple[int, list[tuple[bytes, bytes]], bytes]


def read(*pieces: bytes, ends: bool = False) -> ResponseReader:
    reader = ResponseReader()
    for piece in pieces:
        reader.feed(piece)
    if ends:
        reader.end()
    return reader


def body(reader: ResponseReader) -> bytes:
    return b"".join(reader.pieces)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


def by_the_book(data: bytes) -> Found:
    """Return what h11 reads."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, headers, content = 0, [], b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status, headers = event.status_code, list(event.headers)
        elif isinstance(event, h11.Data):
            content += bytes(event.data)
    return status, headers, content


names = st.sampled_from([b"Content-Type", b"x-a", b"X-B", b"Date"])
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8).map(str.encode)
pieces_of_body = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    parts = draw(pieces_of_body)
    headers = draw(st.lists(st.tuples(names, values), max_size=4))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" if draw(st.booleans()) else b""
    if framing == "length":
        headers.append((b"Content-Length", b"%d" % sum(map(len, parts))))
        content = b"".join(parts)
    elif framing == "chunked":
        headers.append((b"Transfer-Encoding", draw(st.sampled_from([b"chunked", b"Chunked"]))))
        extension = draw(st.sampled_from([b"", b";a=b", b";x"]))
        trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
        content = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
        content += b"0\r\n" + trailer + b"\r\n"
    else:
        content = b"".join(parts)
    status = draw(st.sampled_from([b"200 OK", b"404 Not Found", b"500 "]))
    head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return interim + b"HTTP/1.1 " + status + b"\r\n" + head + b"\r\n" + content


@PATIENT
@given(responses(), st.lists(st.integers(0, 500), max_size=8))
def test_any_pieces_give_what_the_book_says(data: bytes, places: list[int]) -> None:
    reader = read(*cut(data, places), ends=True)

    status, headers, content = by_the_book(data)
    assert reader.status == status
    assert [(name.lower(), value) for name, value in reader.headers] == [
        (name.lower(), value.lower() if name.lower() == b"transfer-encoding" else value) for name, value in headers
    ] or b"Chunked" in data
    assert body(reader) == content
    assert reader.complete
    assert not reader.leftover


@PATIENT
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_nothing_that_a_server_may_send_does_more_than_raise_its_error(pieces: list[bytes]) -> None:
    for start in (b"", OK, CHUNKED, OK + b"Content-Length: 5\r\n\r\n"):
        reader = ResponseReader()
        try:
            for piece in (start, *pieces):
                reader.feed(piece)
            reader.end()
        except MalformedResponseError:
            continue
        assert reader.complete


@pytest.mark.parametrize(
    ("response", "keeps"),
    [
        (OK + b"Content-Length: 2\r\n\r\nok", True),
        (OK + b"Content-Length: 2, 2\r\n\r\nok", True),
        (OK + b"Content-Length: 2\r\nConnection: Close\r\n\r\nok", False),
        (OK + b"Content-Length: 2\r\nconnection: x, close\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok", True),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\n", True),
        (OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", False),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", True),
        (OK + b"X-Folded: a\r\n  b\r\nContent-Length: 2\r\n\r\nok", True),
    ],
)
def test_whether_a_connection_can_be_used_again(response: bytes, keeps: bool) -> None:
    for pieces in ([response], cut(response, list(range(len(response))))):
        reader = read(*pieces)
        assert (reader.status, body(reader), reader.complete) == (200, b"ok", True)
        assert reader.keeps_alive == keeps


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_response_without_a_body_is_complete_at_once(status: bytes) -> None:
    reader = read(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n")

    assert reader.complete
    assert reader.keeps_alive


def test_bytes_behind_the_end_are_told() -> None:
    assert read(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n").leftover
    assert read(CHUNKED + b"0\r\n\r\n", b"x").leftover


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        OK + b"no header\r\n\r\n",
        OK + b"bad name: x\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"X: " + b"a" * HEAD_LIMIT,
        OK + b"X: " + b"a" * HEAD_LIMIT + b"\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"-2\r\n",
        CHUNKED + b"2\r\nlonger\r\n",
        CHUNKED + b"1" * (LINE_LIMIT + 1),
        CHUNKED + b"f" * 16 + b"\r\n",
    ],
)
def test_what_is_no_response_is_an_error(response: bytes) -> None:
    for pieces in ([response], cut(response, list(range(0, min(len(response), 200), 7)))):
        with pytest.raises(MalformedResponseError):
            read(*pieces)


@pytest.mark.parametrize(
    "response", [b"", b"HTTP/1.1 2", OK, OK + b"Content-Length: 3\r\n\r\nok", CHUNKED + b"2\r\nok\r\n", CHUNKED]
)
def test_an_end_before_the_end_is_an_error(response: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        read(response, ends=True)


def test_the_head_of_a_request() -> None:
    assert request_head(b"POST", b"/v1?x", [(b"Host", b"a:1")]) == b"POST /v1?x HTTP/1.1\r\nHost: a:1\r\n\r\n"


@pytest.mark.parametrize("header", [(b"X", b"a\r\nY: b"), (b"X", b"a\nb"), (b"X Y", b"a"), (b"", b"a"), (b"X:", b"a")])
def test_no_header_brings_in_another(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        request_head(b"GET", b"/", [header])
