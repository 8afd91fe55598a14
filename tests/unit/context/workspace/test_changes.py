"""What is saved, deleted and moved, while nothing else goes on and while the workspace is crawled."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dragoman.context.workspace.changes import Changes
from dragoman.context.workspace.opening import OpenIndex
from dragoman.context.workspace.overlays import Overlays
from tests.support.index import modules, write


class Scans:
    """Stands in the crawler's place."""

    def __init__(self) -> None:
        self.is_running = False
        self.state = "ready"
        self.requests: list[list[str] | None] = []

    def request(self, paths: object = None) -> None:
        self.requests.append(None if paths is None else list(paths))  # type: ignore[call-overload]


class Scene:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.index = OpenIndex(folder / "index.sqlite")
        self.scans = Scans()
        self.overlays = Overlays()
        self.changes = Changes(self.root, self.index, self.scans, self.overlays)  # type: ignore[arg-type]

    def known(self) -> set[str]:
        return set(self.index.store.known())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_save_during_a_crawl_is_fresh_in_memory_and_written_afterwards(scene: Scene) -> None:
    write(scene.root, {"a.py": "def saved(): ...\n"})
    scene.scans.is_running = True

    scene.changes.take(["a.py"])
    overlay = scene.overlays.get("a.py")
    assert overlay is not None
    assert [symbol.name for symbol in overlay.outline.symbols] == ["saved"]
    assert scene.known() == set()

    scene.scans.is_running = False
    scene.changes.recheck()
    assert scene.changes.work()
    assert scene.known() == {"a.py"}
    assert scene.overlays.get("a.py") is None


def test_a_deletion_during_a_crawl_is_not_undone_by_it(scene: Scene) -> None:
    write(scene.root, {"a.py": "def doomed(): ...\n"})
    scene.changes.take(["a.py"])
    scene.scans.is_running = True
    (scene.root / "a.py").unlink()

    scene.changes.take(["a.py"])
    assert scene.known() == set()
    scene.changes.recheck()
    assert scene.changes.work()


def test_many_changes_and_large_files_are_the_crawlers(scene: Scene) -> None:
    modules(scene.root, 300)
    write(scene.root, {"large.py": "x = 1\n" * 40_000, ".env": "KEY=1\n" * 40_000})
    names = [str(path.relative_to(scene.root)) for path in scene.root.rglob("module_*.py")]

    scene.changes.take(["large.py", ".env"])
    assert scene.scans.requests == [["large.py"]]
    scene.changes.take(names)
    assert scene.scans.requests[1:] == [names]


def test_a_new_folder_is_read_and_one_that_went_is_looked_for(scene: Scene) -> None:
    modules(scene.root, 20)
    scene.changes.take(["package"])
    while scene.changes.work():
        pass
    assert len(scene.known()) == 20

    (scene.root / "package").rename(scene.root / "moved")
    scene.changes.take(["package", "never/there"])
    assert scene.scans.requests == [None]


@pytest.mark.parametrize("name", ["odd\udcff.py", "a\0b.py", "", "..", "/etc/passwd", "a" * 5_000])
def test_hostile_names_are_nobodys_files(scene: Scene, name: str) -> None:
    scene.changes.take([name])

    assert scene.known() == set()


def test_on_a_full_disk_saved_files_stay_in_memory(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    write(scene.root, {"a.py": "def saved(): ...\n"})

    def full(_entries: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(scene.index.store, "put", full)
        scene.changes.take(["a.py"])
    assert "disk" in scene.changes.problem
    assert scene.overlays.get("a.py") is not None

    scene.changes.take(["a.py"])
    assert scene.changes.problem == ""
    assert scene.overlays.get("a.py") is None
    assert scene.known() == {"a.py"}
