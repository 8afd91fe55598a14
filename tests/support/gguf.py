"""Writes headers of GGUF files for tests."""

from __future__ import annotations

import struct
from pathlib import Path


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def make_header(fields: dict[str, int | str | list[int]]) -> bytes:
    """Return a header with these fields and no tensors."""
    out = [struct.pack("<4sIQQ", b"GGUF", 3, 0, len(fields))]
    for key, value in fields.items():
        out.append(_text(key))
        if isinstance(value, str):
            out.append(struct.pack("<I", 8) + _text(value))
        elif isinstance(value, list):
            out.append(struct.pack("<IIQ", 9, 4, len(value)) + struct.pack(f"<{len(value)}I", *value))
        else:
            out.append(struct.pack("<II", 4, value))
    return b"".join(out)


def write_tiny_model(path: Path, size: int = 10_000) -> Path:
    """Write a file whose header describes a model and which holds nothing of it."""
    header = make_header(
        {
            "general.architecture": "qwen2",
            "qwen2.block_count": 24,
            "general.sizes": [1, 2, 3],
            "qwen2.context_length": 32768,
            "qwen2.embedding_length": 896,
            "qwen2.attention.head_count": 14,
            "qwen2.attention.head_count_kv": 2,
        }
    )
    path.write_bytes(header + b"\0" * (size - len(header)))
    return path
