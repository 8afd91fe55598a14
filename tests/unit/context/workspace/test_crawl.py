"""The walk over a workspace."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from dragoman.context.workspace import crawl
from dragoman.context.workspace.crawl import Walk, is_inside
from dragoman.context.workspace.ignore import IgnoreRules
from tests.support.index import write


def walk(root: Path, *near: str, limit: int = 1_000, only_near: bool = False) -> Walk:
    return Walk(root, IgnoreRules(root), near, limit=limit, only_near=only_near)


def test_folders_near_the_user_come_first_and_nothing_comes_twice(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(("top.py", "a/1.py", "a/b/2.py", "z/near/3.py", "z/near/deep/4.py", "z/5.py"), "x"))

    paths = [file.path for file in walk(tmp_path, "z/near", "no/such", "../..", "z/near")]

    assert paths[0] == "z/near/3.py"
    assert paths.index("z/near/deep/4.py") < paths.index("a/b/2.py")
    assert sorted(paths) == ["a/1.py", "a/b/2.py", "top.py", "z/5.py", "z/near/3.py", "z/near/deep/4.py"]


def test_only_what_is_asked_for_is_walked(tmp_path: Path) -> None:
    write(tmp_path, {"a/1.py": "x", "a/b/2.py": "x", "3.py": "x"})

    assert sorted(file.path for file in walk(tmp_path, "a", only_near=True)) == ["a/1.py", "a/b/2.py"]


def test_a_file_is_told_with_its_time_and_size(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "12345"})
    os.utime(tmp_path / "a.py", ns=(1, 1_234_567_890_123))

    (file,) = walk(tmp_path)

    assert (file.path, file.mtime_ns, file.size) == ("a.py", 1_234_567_890_123, 5)


def test_a_workspace_that_is_too_large_is_walked_in_part_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20_000):
        if number % 1_000 == 0:
            (tmp_path / f"folder{number // 1_000}").mkdir()
        (tmp_path / f"folder{number // 1_000}" / f"{number}.py").touch()
    caplog.set_level(logging.WARNING)
    one = walk(tmp_path, limit=2_500)

    count = sum(1 for _ in one)

    assert count == 2_500
    assert one.cut_short
    assert [record.getMessage() for record in caplog.records] == [
        f"the workspace {tmp_path} has more than 2500 files; the rest is not indexed"
    ]


def test_a_maze_of_folders_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawl, "CRAWL_FOLDERS", 50)
    monkeypatch.setattr(crawl, "CRAWL_DEPTH", 5)
    for number in range(100):
        (tmp_path / f"{number}").mkdir()
    deep = tmp_path.joinpath(*("d" * 1 for _ in range(10)))
    deep.mkdir(parents=True)
    (deep / "x.py").touch()

    one = walk(tmp_path)

    assert list(one) == []
    assert one.cut_short


def test_links_are_not_followed_and_loops_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.py": "x", "elsewhere/b.py": "x"})
    root = tmp_path / "in"
    (root / "loop").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "b.py").symlink_to(tmp_path / "elsewhere" / "b.py")
    (root / "dangling").symlink_to("nothing")

    assert [file.path for file in walk(root, "out", "loop")] == ["a.py"]
    assert not is_inside(root, "out/b.py")
    assert not is_inside(root, "loop/a.py")
    assert not is_inside(root, "../elsewhere/b.py")
    assert is_inside(root, "a.py")
    assert is_inside(root, "not/there.py")


def test_a_workspace_reached_by_a_link_is_walked(tmp_path: Path) -> None:
    write(tmp_path, {"real/a.py": "x"})
    (tmp_path / "link").symlink_to("real")

    assert [file.path for file in walk(tmp_path / "link")] == ["a.py"]
    assert is_inside(tmp_path / "link", "a.py")


def test_folders_that_cannot_be_read_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": "x", "locked/b.py": "x"})
    scandir = os.scandir

    def guarded(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(crawl.os, "scandir", guarded)
    one = walk(tmp_path)

    assert [file.path for file in one] == ["a.py"]
    assert one.unreadable == ["locked"]


def test_a_root_that_is_gone_is_an_error_and_not_an_empty_workspace(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(walk(tmp_path / "unmounted"))
