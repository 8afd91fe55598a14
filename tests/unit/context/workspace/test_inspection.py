"""The index seen from outside, in each state that it can be in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dragoman.context.workspace.inspection import inspect_index
from dragoman.context.workspace.outline import Outline
from dragoman.context.workspace.place import index_file, lock_file
from dragoman.context.workspace.store import Entry, IndexStore
from dragoman.file_lock import try_lock


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index of three files, in a folder whose name has what addresses escape."""
    path = index_file(tmp_path, tmp_path / "in dex?#%")
    store = IndexStore.open(path)
    store.put([Entry(f"{name}.py", "python", 1, 1, Outline("python"), ()) for name in "abc"])
    store.close()
    return path


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = inspect_index(tmp_path, tmp_path / "index")
    assert (found.state, found.files, found.bytes) == ("absent", 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_index_is_counted_and_stays_as_it_is(tmp_path: Path, index: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in index.parent.iterdir())
    found = inspect_index(tmp_path, index.parent)
    assert (found.state, found.files, found.problem) == ("ready", 3, "")
    assert found.bytes == index.stat().st_size
    assert sorted((path.name, path.stat().st_mtime_ns) for path in index.parent.iterdir()) == before


def test_one_that_is_open_elsewhere_is_counted_with_what_was_written_last(tmp_path: Path, index: Path) -> None:
    store = IndexStore.open(index)
    store.put([Entry("d.py", "python", 1, 1, Outline("python"), ())])
    assert inspect_index(tmp_path, index.parent).files == 4
    store.close()


def test_one_that_is_being_built_says_so(tmp_path: Path, index: Path) -> None:
    descriptor = os.open(lock_file(index), os.O_RDWR | os.O_CREAT)
    try:
        assert inspect_index(tmp_path, index.parent).state == "ready"
        assert try_lock(descriptor)
        assert inspect_index(tmp_path, index.parent).state == "scanning"
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("content", [b"not a database" * 500, b"", b"SQLite format 3\0" + b"\xff" * 5_000])
def test_what_is_no_index_has_a_problem(tmp_path: Path, index: Path, content: bytes) -> None:
    index.write_bytes(content)
    found = inspect_index(tmp_path, index.parent)
    assert (found.state, found.files) == ("damaged", 0)
    assert found.problem
    assert index.read_bytes() == content
