"""Reads the few header fields of a GGUF file that say how much memory its model needs."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"GGUF"

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING = 8
_ARRAY = 9
_MAX_STRING = 1 << 24


class GgufError(Exception):
    """The file is not GGUF, or its header is damaged."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header says about the model; 0 where it says nothing."""

    architecture: str
    context_length: int
    layers: int
    kv_heads: int
    head_size: int

    def kv_bytes(self, n_ctx: int) -> int:
        """Return the size of the key-value cache in bytes for ``n_ctx`` tokens in half precision."""
        return 2 * 2 * n_ctx * self.layers * self.kv_heads * self.head_size


def read_shape(path: Path) -> Shape:
    """Return the model's shape; raises GgufError, OSError."""
    try:
        with path.open("rb") as file:
            return _shape(_read_fields(file))
    except (struct.error, UnicodeDecodeError) as error:
        raise GgufError(f"{path.name!r} ends within its header") from error


def _shape(fields: dict[str, Any]) -> Shape:
    architecture = str(fields.get("general.architecture", ""))

    def number(key: str) -> int:
        value = fields.get(f"{architecture}.{key}", 0)
        return value if isinstance(value, int) else 0

    heads = number("attention.head_count")
    return Shape(
        architecture=architecture,
        context_length=number("context_length"),
        layers=number("block_count"),
        kv_heads=number("attention.head_count_kv") or heads,
        head_size=number("attention.key_length") or (number("embedding_length") // heads if heads else 0),
    )


def _read_fields(file: BinaryIO) -> dict[str, Any]:
    """Read the fields before the vocabulary, which is long and of no use here."""
    magic, version, _tensors, count = struct.unpack("<4sIQQ", file.read(24))
    if magic != MAGIC or version not in {2, 3}:
        raise GgufError("the file is not a GGUF model")
    fields: dict[str, Any] = {}
    for _ in range(count):
        key = _read_string(file)
        if key.startswith("tokenizer."):
            break
        fields[key] = _read_value(file, _read_number(file, "<I"))
    return fields


def _read_number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _read_string(file: BinaryIO) -> str:
    length = _read_number(file, "<Q")
    if length > _MAX_STRING:
        raise GgufError("the file's header is damaged")
    data = file.read(length)
    if len(data) < length:
        raise GgufError("the file ends within its header")
    return data.decode()


def _read_value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _read_string(file)
    if kind == _ARRAY:
        item_kind, length = _read_number(file, "<I"), _read_number(file, "<Q")
        for _ in range(min(length, _MAX_STRING)):
            _read_value(file, item_kind)
        return None
    if kind not in _SCALARS:
        raise GgufError(f"the file's header holds an unknown type {kind}")
    return _read_number(file, _SCALARS[kind])
