"""Cutting the stream into messages, however the bytes arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragoman.lsp.framing import MAX_BODY, Framer, FramingError, frame


def drain(framer: Framer) -> list[bytes | str]:
    found: list[bytes | str] = []
    while (message := framer.next()) is not None:
        found.append("error" if isinstance(message, FramingError) else message)
    return found


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(0, 400)))
def test_any_cut_of_the_stream_gives_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(body) for body in bodies)
    framer, found, at = Framer(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        framer.feed(stream[at:cut])
        found += drain(framer)
        at = max(at, cut)
    assert found == bodies
    assert framer.pending == b""


@given(st.binary(max_size=300), st.integers(0, 300))
def test_garbage_never_raises_and_pending_bytes_continue_elsewhere(data: bytes, cut: int) -> None:
    framer = Framer()
    framer.feed(data[:cut])
    drain(framer)
    other = Framer(framer.pending)
    framer.feed(data[cut:])
    other.feed(data[cut:])
    assert drain(framer) == drain(other)


def test_a_message_that_is_too_long_is_skipped_and_the_next_one_read() -> None:
    framer = Framer(b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 10))
    assert drain(framer) == ["error"]
    block = bytes(1 << 24)
    for _ in range(MAX_BODY // len(block)):
        framer.feed(block)
        assert drain(framer) == []
    framer.feed(bytes(10) + frame(b"next"))
    assert drain(framer) == [b"next"]


def test_a_body_without_its_header_is_dropped_with_what_is_glued_to_it() -> None:
    framer = Framer(b"Content-Type: x\r\n\r\n{}" + frame(b"good") + frame(b"better"))
    assert drain(framer) == ["error", b"good", b"better"]
