"""The engine as a process, without a model: who starts it, who hears why it cannot load, and when it goes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dragoman.engine.client import EngineClient, EngineError, EngineOptions, EngineState
from dragoman.engine.place import Place, find_place
from dragoman.engine.protocol import Frame, decode, encode
from tests.support.gguf import write_tiny_model

PATIENCE = 30.0


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny.gguf")


def engines_of(place: Place) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(place.socket) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


async def until(condition: Callable[[], bool]) -> float:
    """Wait for the condition and return how many seconds that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE
        await asyncio.sleep(0.05)
    return time.monotonic() - started


def launch(place: Place, model: Path, *arguments: str) -> int:
    """Start an engine as a client does, but never attach; returns the exit code of the command."""
    command = [sys.executable, "-P", "-m", "dragoman.engine", "--socket", str(place.socket), "--model", str(model)]
    with place.log.open("ab") as log:
        return subprocess.run(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        ).returncode


async def drain(client: EngineClient) -> list[Frame]:
    return [frame async for frame in client.stream({"op": "complete", "prompt": "x"})]


async def ask(place: Place, request: bytes) -> Frame:
    reader, writer = await asyncio.open_unix_connection(place.socket)
    try:
        writer.write(request)
        return decode(await asyncio.wait_for(reader.readline(), PATIENCE))
    finally:
        writer.close()
        await writer.wait_closed()


async def test_short_memory_reaches_the_client_with_figures(model: Path) -> None:
    states: list[EngineState] = []
    client = EngineClient(model, EngineOptions(available_memory=50 * 1024 * 1024), states.append)
    try:
        with pytest.raises(EngineError, match=r"'tiny\.gguf' takes 208 MiB of memory and 50 MiB is free") as caught:
            await client.wait_until_loaded()
        assert caught.value.code == "out_of_memory"
        assert client.state.phase == "failed"
        assert "50 MiB" in client.state.problem
        assert [state.phase for state in states][:1] == ["starting"]
        with pytest.raises(EngineError, match="50 MiB"):
            await drain(client)
    finally:
        await client.aclose()
    await until(lambda: not engines_of(find_place(model)))


async def test_a_damaged_file_reaches_the_client(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<!DOCTYPE html><html><body></body></html>")
    client = EngineClient(page)
    try:
        with pytest.raises(EngineError, match="not a GGUF model") as caught:
            await drain(client)
        assert caught.value.code == "load_failed"
    finally:
        await client.aclose()


async def test_a_python_that_has_no_engine_is_an_error_with_its_last_words(tmp_path: Path, model: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no module of that name' >&2\nexit 1\n")
    broken.chmod(0o755)
    client = EngineClient(model, EngineOptions(python=str(broken)))
    with pytest.raises(EngineError, match="no module of that name") as caught:
        await client.attach()
    assert caught.value.code == "engine_unavailable"
    await client.aclose()
    missing = EngineClient(model, EngineOptions(python=str(tmp_path / "nothing")))
    with pytest.raises(EngineError, match="cannot be started"):
        await missing.attach()
    await missing.aclose()


async def test_an_engine_that_nobody_attaches_to_goes_by_itself(model: Path) -> None:
    place = find_place(model)
    assert launch(place, model, "--available-memory", "1") == 0
    assert place.socket.exists()
    assert (place.socket.stat().st_mode & 0o077) == 0
    took = await until(lambda: not engines_of(place))
    print(f"gone after {took:.2f} s")
    assert not place.socket.exists()


async def test_a_client_that_says_nothing_does_not_keep_it(model: Path) -> None:
    place = find_place(model)
    assert launch(place, model, "--available-memory", "1") == 0
    reader, writer = await asyncio.open_unix_connection(place.socket)
    await until(lambda: not engines_of(place))
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_the_second_of_two_engines_gives_way(model: Path) -> None:
    place = find_place(model)
    assert launch(place, model, "--available-memory", "1") == 0
    (first,) = engines_of(place)
    assert launch(place, model, "--available-memory", "1") == 3
    await until(lambda: len(engines_of(place)) <= 1)
    assert engines_of(place) == [first]
    await until(lambda: not engines_of(place))


async def test_many_clients_at_once_start_one_engine(model: Path) -> None:
    place = find_place(model)
    clients = [EngineClient(model, EngineOptions(available_memory=1)) for _ in range(4)]
    await asyncio.gather(*(client.attach() for client in clients), return_exceptions=True)
    await until(lambda: len(engines_of(place)) == 1)
    await asyncio.gather(*(client.aclose() for client in clients))
    await until(lambda: not engines_of(place))


async def test_the_socket_of_a_killed_engine_is_replaced(model: Path) -> None:
    place = find_place(model)
    assert launch(place, model, "--available-memory", "1") == 0
    (engine,) = engines_of(place)
    engine.kill()
    await until(lambda: not engines_of(place))
    assert place.socket.exists()
    assert launch(place, model, "--available-memory", "1") == 0
    info = await ask(place, encode({"op": "info"}))
    assert info["pid"] != engine.pid
    await until(lambda: not engines_of(place))


async def test_a_termination_removes_the_socket(model: Path) -> None:
    place = find_place(model)
    assert launch(place, model, "--available-memory", "1") == 0
    (engine,) = engines_of(place)
    engine.send_signal(signal.SIGTERM)
    await until(lambda: not engines_of(place))
    assert not place.socket.exists()


async def test_bad_requests_are_answered_and_hurt_nobody(model: Path) -> None:
    place = find_place(model)
    assert launch(place, model, "--available-memory", "1") == 0
    assert (await ask(place, b"not json\n"))["code"] == "rejected"
    assert (await ask(place, b"[1]\n"))["code"] == "rejected"
    assert "unknown op 'dance'" in (await ask(place, encode({"op": "dance"})))["message"]
    info = await ask(place, encode({"op": "info"}))
    assert info["state"] == "failed"
    assert info["error"]["code"] == "out_of_memory"
    await until(lambda: not engines_of(place))


async def test_a_file_that_only_looks_like_a_model_fails_to_load(model: Path) -> None:
    pytest.importorskip("xllamacpp")
    client = EngineClient(model)
    try:
        with pytest.raises(EngineError) as caught:
            await client.wait_until_loaded()
        assert caught.value.code == "load_failed"
    finally:
        await client.aclose()
    # What llama.cpp said stands in the log and nowhere else.
    assert "llama" in find_place(model).log.read_text()


async def test_a_client_leaves_no_task_and_no_open_file(model: Path) -> None:
    before = psutil.Process().num_fds(), len(asyncio.all_tasks())
    # Other tests of this process may have children of their own.
    others = psutil.Process().children()
    client = EngineClient(model, EngineOptions(available_memory=1))
    with pytest.raises(EngineError):
        await client.wait_until_loaded()
    await client.aclose()
    await asyncio.sleep(0)
    assert (psutil.Process().num_fds(), len(asyncio.all_tasks())) == before
    mine = [child for child in psutil.Process().children() if child not in others]
    assert not [child for child in mine if child.status() != psutil.STATUS_ZOMBIE]
