"""The line between server and index: messages, what waits for the pipe, where the index lies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.context.workspace import place
from dragoman.context.workspace.outbox import Outbox
from dragoman.context.workspace.place import index_file, lock_file, prune
from dragoman.context.workspace.protocol import HEADER_BYTES, Channel, body_length, decode, encode
from dragoman.context.workspace.scanning import Scanning
from dragoman.file_lock import try_lock
from dragoman.limits import INDEX_CHANGES

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_every_message_comes_out_as_it_went_in(message: dict[str, object]) -> None:
    data = encode(message)

    assert body_length(data[:HEADER_BYTES]) == len(data) - HEADER_BYTES
    assert decode(data[HEADER_BYTES:]) == message


def channels() -> tuple[Channel, int]:
    """Return a channel that reads what is written to the descriptor."""
    reading, writing = os.pipe()
    return Channel(os.fdopen(reading, "rb"), open(os.devnull, "wb")), writing  # noqa: PTH123


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\5{}", encode({"a": 1})[:-1]])
def test_a_line_that_is_cut_ends_quietly(data: bytes) -> None:
    channel, writing = channels()
    os.write(writing, data)
    os.close(writing)

    assert channel.receive() is None
    channel.close()


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\3{a}", b"\0\0\0\1\xff"])
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    channel, writing = channels()
    os.write(writing, data)
    os.close(writing)

    with pytest.raises(ValueError, match=r".+"):
        channel.receive()
    channel.close()


def test_messages_of_several_threads_do_not_mix() -> None:
    reading, writing = os.pipe()
    channel = Channel(os.fdopen(reading, "rb"), os.fdopen(writing, "wb"))
    threads = [
        threading.Thread(
            target=lambda number=number: [channel.send({"n": number, "pad": "x" * 5_000}) for _ in range(20)]
        )
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    received = [channel.receive() for _ in range(100)]
    for thread in threads:
        thread.join()

    assert sorted(message["n"] for message in received if message) == sorted(list(range(5)) * 20)
    channel.close()


def test_what_waits_is_merged_and_stays_in_order() -> None:
    outbox = Outbox()
    outbox.put({"method": "overlay", "params": {"path": "a", "text": "1"}})
    outbox.put({"id": 1, "method": "gather", "params": {}})
    outbox.put({"method": "overlay", "params": {"path": "a", "text": "2"}})
    outbox.put({"method": "changed", "params": {"paths": ["x", "y"]}})
    outbox.put({"method": "overlay", "params": {"path": "b", "text": "1"}})
    outbox.put({"method": "changed", "params": {"paths": ["y", "z"]}})
    outbox.put({"id": 2, "method": "gather", "params": {}})
    outbox.put({"method": "cancel", "params": {"id": 7}})
    outbox.put({"method": "cancel", "params": {"id": 8}})

    assert outbox.withdraw(2)
    assert not outbox.withdraw(2)
    assert [outbox.take() for _ in range(len(outbox))] == [
        {"method": "overlay", "params": {"path": "a", "text": "2"}},
        {"id": 1, "method": "gather", "params": {}},
        {"method": "changed", "params": {"paths": ["x", "y", "z"]}},
        {"method": "overlay", "params": {"path": "b", "text": "1"}},
        {"method": "cancel", "params": {"id": 7}},
        {"method": "cancel", "params": {"id": 8}},
    ]


def test_too_many_changes_become_a_look_at_everything() -> None:
    outbox = Outbox()
    for number in range(INDEX_CHANGES + 10):
        outbox.put({"method": "changed", "params": {"paths": [f"{number}.py"]}})

    assert len(outbox) == 1
    assert outbox.take() == {"method": "rescan", "params": {}}


def test_a_workspace_has_one_index_whatever_its_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    one = index_file(tmp_path / "real")

    assert one == index_file(tmp_path / "link") == index_file(tmp_path / "real" / ".." / "real")
    assert one != index_file(tmp_path)
    assert one.is_relative_to(os.environ["DRAGOMAN_CACHE_DIR"])


def test_indexes_that_nobody_used_for_a_month_are_deleted(tmp_path: Path) -> None:
    old, used, locked = (index_file(tmp_path / name, tmp_path) for name in ("old", "used", "locked"))
    for index in (old, used, locked):
        for path in (index, Path(f"{index}-wal"), lock_file(index)):
            path.touch()
            os.utime(path, (0, 0))
    (tmp_path / "other.txt").touch()
    place.claim(used)
    with lock_file(locked).open("rb") as held:
        assert try_lock(held.fileno())
        assert prune(tmp_path) == 1

    assert {path.name for path in tmp_path.iterdir()} == {
        *(path.name for index in (used, locked) for path in (index, Path(f"{index}-wal"), lock_file(index))),
        "other.txt",
    }


def test_a_file_that_a_crawler_dies_of_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[tuple[bool, list[str]]] = []
    scanning = Scanning(tmp_path, lambda _message: None)
    scanning.index = tmp_path / "index.sqlite"
    monkeypatch.setattr("dragoman.context.workspace.scanning.INDEX_LOCK_POLL_S", 0.0)

    def begin(_index: Path) -> None:
        plans.append((scanning._crashes > 0, [*scanning._skipped]))
        scanning._running_all, scanning._wants_all = True, False

    monkeypatch.setattr(scanning, "_begin", begin)
    scanning.request()
    scanning.take({"event": "ended", "code": -11, "finished": False})
    scanning.take({"event": "reading", "path": "fine.py"})
    scanning.take({"event": "reading", "path": "deadly.py"})
    scanning.take({"event": "ended", "code": -11, "finished": False})
    scanning.take({"event": "finished", "files": 7, "problem": ""})
    scanning.take({"event": "ended", "code": 0, "finished": True})

    assert plans == [(False, []), (True, []), (True, ["deadly.py"])]
    assert (scanning.state, scanning.files, scanning.problem) == ("ready", 7, "")
    scanning.close()


def test_a_crawler_that_always_dies_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = Scanning(tmp_path, lambda _message: None)
    scanning.index = tmp_path / "index.sqlite"
    monkeypatch.setattr("dragoman.context.workspace.scanning.INDEX_LOCK_POLL_S", 0.0)
    begun = []

    def begin(_index: Path) -> None:
        begun.append(1)
        scanning._running_all, scanning._wants_all = True, False

    monkeypatch.setattr(scanning, "_begin", begin)
    scanning.request()
    for _ in range(10):
        if scanning.state == "scanning":
            scanning.take({"event": "ended", "code": 1, "finished": False})

    assert len(begun) == 4
    assert scanning.state == "ready"
    assert "unexpectedly" in scanning.problem
    scanning.close()


def test_the_indexs_process_is_light() -> None:
    """It is there as long as the editor is, once for each window."""
    code = (
        "import sys, dragoman.context.__main__, dragoman.context.workspace.worker, dragoman.context.workspace.crawler\n"
        "import dragoman.context.retrieval.retriever\n"
        "print([name for name in ('pydantic', 'httpx', 'rich', 'lsprotocol', 'pygls', 'typer', 'asyncio', 'watchfiles') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
