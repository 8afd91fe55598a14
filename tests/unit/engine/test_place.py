"""Where the socket lies, and who may not have been there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.engine.place import PlaceError, default_folder, find_place


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short folder: a socket's address may have a hundred bytes, and pytest's own folders are long."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        yield Path(folder)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_the_folder_is_made_for_its_user_alone(tmp_path: Path, model: Path) -> None:
    place = find_place(model, tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert place.socket.name.startswith("dragoman-engine-")
    assert {place.socket.parent, place.lock.parent, place.log.parent} == {tmp_path / "run"}


def test_the_same_file_has_one_place_and_another_file_another(tmp_path: Path, model: Path) -> None:
    run = tmp_path / "run"
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    assert find_place(model, run) == find_place(link, run)
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    assert find_place(other, run) != find_place(model, run)


def test_a_replaced_file_is_another_model(tmp_path: Path, model: Path) -> None:
    before = find_place(model, tmp_path / "run")
    model.write_bytes(b"GGUF of another size")
    assert find_place(model, tmp_path / "run") != before


def test_a_folder_open_to_others_is_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)
    with pytest.raises(PlaceError, match="open to others"):
        find_place(model, tmp_path / "run")


def test_a_link_and_a_file_are_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with pytest.raises(PlaceError, match="not a folder"):
        find_place(model, tmp_path / "run")
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(PlaceError, match="cannot be made"):
        find_place(model, tmp_path / "f")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    os.chown(tmp_path / "run", 12345, 12345)
    with pytest.raises(PlaceError, match="belongs to user 12345"):
        find_place(model, tmp_path / "run")


def test_a_deep_folder_gets_a_short_socket_of_its_own(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    monkeypatch.setattr("dragoman.engine.place.SOCKET_PATH_LIMIT", len(str(tmp_path)) + 60)
    deep = [find_place(model, tmp_path / ("deep" * 15) / name) for name in "ab"]
    assert all(len(os.fsencode(place.socket)) < len(str(tmp_path)) + 60 for place in deep)
    assert deep[0] != deep[1]


def test_the_runtime_folder_of_the_session_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_RUNTIME_DIR", str(tmp_path / "chosen"))
    assert default_folder() == tmp_path / "chosen"
    monkeypatch.delenv("DRAGOMAN_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_folder() == tmp_path / "dragoman"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    assert default_folder().name == f"dragoman-{os.getuid()}"
