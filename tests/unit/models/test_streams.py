"""The stream readers: the same events whatever pieces the network delivers."""

from __future__ import annotations

import json
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import StreamMalformedError
from dragoman.models.streams import NdjsonReader, SseEvent, SseReader


def read_sse(*pieces: bytes) -> list[SseEvent]:
    reader = SseReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


def read_ndjson(*pieces: bytes) -> list[str]:
    reader = NdjsonReader()
    return [line for piece in pieces for line in reader.feed(piece)] + reader.end()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": keep-alive\n\n: another\ndata: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: a\n\ndata: b", ["a", "b"]),
        (b"data: a\n\ndata: b\n", ["a", "b"]),
        (b"data: a\n\n\n\n\ndata: b\n\n", ["a", "b"]),
        (b"id: 7\nretry: 10\nunknown: x\ndata: a\n\n", ["a"]),
        (b"data\n\n", [""]),
        (b"event: ping\n\ndata: a\n\n", ["a"]),
        ("data: “ü”𝄞\n\n".encode(), ["“ü”𝄞"]),
        (b"", []),
    ],
)
def test_sse_reads_every_style_of_the_format(stream: bytes, events: list[str]) -> None:
    assert [event.data for event in read_sse(stream)] == events
    assert [event.data for event in read_sse(*(bytes([byte]) for byte in stream))] == events


def test_sse_names_events_and_knows_the_end_mark() -> None:
    named, old, done = read_sse(b'event: error\ndata: {"m": 1}\n\nerror: {"m": 2}\n\ndata: [DONE]\n\n')
    assert (named.name, named.data) == ("error", '{"m": 1}')
    assert (old.name, old.data) == ("error", '{"m": 2}')
    assert done.is_done
    assert not named.is_done


def test_sse_takes_a_carriage_return_between_two_pieces_as_one_newline() -> None:
    assert [event.data for event in read_sse(b"data: a\r", b"\ndata: b\r", b"\n", b"\r", b"\n")] == ["a\nb"]


_texts = st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@given(
    texts=st.lists(_texts.map(lambda text: "x" + text), max_size=8),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    places=st.lists(st.integers(min_value=0), max_size=12),
    comment=_texts,
)
def test_any_split_of_an_sse_stream_gives_the_same_events(
    texts: list[str], newline: str, places: list[int], comment: str
) -> None:
    stream = "".join(f":{comment}{newline}data: {text}{newline * 2}" for text in texts).encode()
    assert [event.data for event in read_sse(*cut(stream, places))] == texts


@given(
    values=st.lists(st.dictionaries(_texts, _texts, min_size=1)), places=st.lists(st.integers(min_value=0), max_size=12)
)
def test_any_split_of_an_ndjson_stream_gives_the_same_objects(values: list[dict[str, str]], places: list[int]) -> None:
    stream = "\n".join(json.dumps(value, ensure_ascii=False) for value in values).encode()
    assert [json.loads(line) for line in read_ndjson(*cut(stream, places))] == values


_fields = st.sampled_from([": keep-alive", ":", "id: 7", "retry: 10", "unknown", "event:"])
_lines = st.lists(st.tuples(_texts, st.lists(_fields, max_size=2)), min_size=1, max_size=3)


@given(
    events=st.lists(_lines, max_size=5),
    newlines=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1, max_size=5),
    bom=st.booleans(),
    finished=st.booleans(),
    places=st.lists(st.integers(min_value=0), max_size=12),
)
def test_any_mix_of_newlines_fields_and_data_lines_is_read_as_the_format_says(
    events: list[list[tuple[str, list[str]]]], newlines: list[str], bom: bool, finished: bool, places: list[int]
) -> None:
    lines = []
    for event in events:
        for data, others in event:
            lines += [*others, f"data: {data}"]
        lines.append("")
    if events and not finished:
        lines.pop()
    stream, ended_with = "", ""
    for number, line in enumerate(lines):
        newline = newlines[number % len(newlines)]
        if not line and ended_with == "\r" and newline == "\n":
            # These two would be one newline.
            newline = "\r"
        stream, ended_with = stream + line + newline, newline
    data = (b"\xef\xbb\xbf" if bom else b"") + stream.encode()
    assert [event.data for event in read_sse(*cut(data, places))] == [
        "\n".join(text for text, _ in event) for event in events
    ]


@given(
    lines=st.lists(st.sampled_from(['{"a": "ü𝄞"}', "[]", "", "  "]), max_size=8),
    newlines=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=3),
    bom=st.booleans(),
    finished=st.booleans(),
    places=st.lists(st.integers(min_value=0), max_size=12),
)
def test_any_mix_of_blank_lines_and_newlines_is_read_as_ndjson(
    lines: list[str], newlines: list[str], bom: bool, finished: bool, places: list[int]
) -> None:
    stream = "".join(line + newlines[number % len(newlines)] for number, line in enumerate(lines))
    if not finished:
        stream = stream.rstrip("\r\n")
    data = (b"\xef\xbb\xbf" if bom else b"") + stream.encode()
    assert read_ndjson(*cut(data, places)) == [line for line in lines if line.strip()]


def test_ndjson_skips_blank_lines_and_needs_no_last_newline() -> None:
    assert read_ndjson(b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"a"', b":2}") == ['{"a":1}', '{"a":2}']


@pytest.mark.parametrize(
    "pieces", [[b"data: " + b"x" * 50], [b"data: xxxxxxxxxx\n"] * 9, [b"data: " + b"x" * 50 + b"\n\n"]]
)
def test_sse_refuses_what_is_longer_than_its_limit(pieces: list[bytes]) -> None:
    reader = SseReader(limit=40)
    with pytest.raises(StreamMalformedError, match="longer than 40"):
        deque(map(reader.feed, pieces))


def test_ndjson_refuses_what_is_longer_than_its_limit() -> None:
    for piece in (b"x" * 50, b"x" * 50 + b"\n"):
        with pytest.raises(StreamMalformedError, match="longer than 40"):
            NdjsonReader(limit=40).feed(piece)


def test_bytes_that_are_no_text_are_malformed() -> None:
    with pytest.raises(StreamMalformedError, match="UTF-8"):
        read_sse(b"data: \xff\xfe\n\n")
    with pytest.raises(StreamMalformedError, match="UTF-8"):
        read_ndjson(b'{"a": "\xc3"}\n')
    assert read_sse(b": \xff in a comment\ndata: a\n\n")[0].data == "a"
