"""How much memory a model takes, and how much there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.engine import gguf, memory
from dragoman.engine.inference import batch_tokens
from tests.support.gguf import make_header, write_tiny_model


def test_the_header_says_how_large_the_cache_becomes(tmp_path: Path) -> None:
    shape = gguf.read_shape(write_tiny_model(tmp_path / "m.gguf"))
    assert shape == gguf.Shape("qwen2", 32768, 24, 2, 64)
    # Keys and values, two bytes each, for every layer, head and dimension.
    assert shape.kv_bytes(4096) == 2 * 2 * 4096 * 24 * 2 * 64
    assert memory.required_bytes(491_400_064, shape, 4096) > 491_400_064 + shape.kv_bytes(4096)


def test_the_vocabulary_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    fields: dict[str, int | str | list[int]] = {
        "general.architecture": "llama",
        "llama.block_count": 3,
        "tokenizer.ggml.x": 1,
    }
    path.write_bytes(make_header(fields)[:-8])
    assert gguf.read_shape(path).layers == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"<!DOCTYPE html><html></html>", make_header({"general.architecture": "qwen2"})[:-3]],
    ids=["empty", "magic only", "a web page", "cut"],
)
def test_what_is_no_model_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(gguf.GgufError):
        gguf.read_shape(path)


def test_an_absurd_length_in_the_header_does_not_fill_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    header = bytearray(make_header({"general.architecture": "qwen2"}))
    header[24:32] = b"\xff" * 8
    path.write_bytes(header)
    with pytest.raises(gguf.GgufError, match="damaged"):
        gguf.read_shape(path)


def test_this_machine_says_what_is_free() -> None:
    free = memory.available_bytes()
    assert free is not None
    assert free > 0


def test_a_control_group_bounds_what_is_free(tmp_path: Path) -> None:
    group = tmp_path / "fs" / "outer" / "inner"
    group.mkdir(parents=True)
    membership = tmp_path / "cgroup"
    membership.write_text("0::/outer/inner\n")
    read = memory._group_bytes
    assert read(tmp_path / "fs", membership) is None
    (group / "memory.max").write_text("max\n")
    outer = group.parent
    (outer / "memory.max").write_text("1000\n")
    (outer / "memory.current").write_text("700\n")
    (outer / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    assert read(tmp_path / "fs", membership) == 500
    (group / "memory.max").write_text("300\n")
    (group / "memory.current").write_text("100\n")
    (group / "memory.stat").write_text("anon 100\n")
    assert read(tmp_path / "fs", membership) == 200
    membership.write_text("1:cpu:/\n")
    assert read(tmp_path / "fs", membership) is None


def test_sizes_are_said_in_units_of_people() -> None:
    assert memory.describe(700 * memory.MIB) == "700 MiB"
    assert memory.describe(1536 * memory.MIB) == "1.5 GiB"


def test_batches_are_small_where_the_model_is_slow() -> None:
    small, large = 491_400_064, 1_117_320_768
    assert batch_tokens(small, 1) == 16
    assert batch_tokens(large, 1) == 8
    assert batch_tokens(small, 4) == 64
    assert batch_tokens(small, 64) == 128
    assert batch_tokens(50_000_000_000, 1) == 8
