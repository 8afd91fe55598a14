"""How large a picture is, read from the head of its file: no decoder is needed to count its tokens."""

from __future__ import annotations

from math import ceil

from dragoman.context.limits import (
    PICTURE_HEAD_BYTES,
    PICTURE_PATCH,
    PICTURE_TOKENS_LEAST,
    PICTURE_TOKENS_MOST,
)

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def picture_tokens(data: bytes) -> int:
    """Return the tokens that a picture counts, the most there are where its size cannot be read.

    One for each square of 28 pixels, between two bounds: what hosted models and the encoders of open ones ask for.
    A server that does not scale large pictures down (Qwen-VL in llama.cpp takes up to 4,096) refuses by itself.
    """
    size = picture_size(data)
    if size is None:
        return PICTURE_TOKENS_MOST
    patches = ceil(size[0] / PICTURE_PATCH) * ceil(size[1] / PICTURE_PATCH)
    return max(PICTURE_TOKENS_LEAST, min(PICTURE_TOKENS_MOST, patches))


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, GIF, JPEG or WebP file in pixels; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return _big(data, 16, 4), _big(data, 20, 4)
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        return _little(data, 6, 2), _little(data, 8, 2)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data[:PICTURE_HEAD_BYTES])
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp(data)
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_FRAMES:
            return _big(data, at + 7, 2), _big(data, at + 5, 2)
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            at += 2 + max(2, _big(data, at + 2, 2))
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    if kind == b"VP8L":
        bits = _little(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
    return None


def _big(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")
