"""Paths in a workspace of several folders lead where they can, by a folder's name too, and never out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dragoman.agents.tools.places import find_place
from dragoman.errors import PathOutsideError


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    shop, docs = tmp_path / "shop", tmp_path / "docs"
    for folder in (shop, docs):
        folder.mkdir()
    (shop / "a.py").touch()
    (docs / "b.md").touch()
    return shop, docs


@pytest.mark.parametrize(
    ("path", "folder", "shown"),
    [
        ("a.py", 0, "a.py"),
        ("b.md", 1, "b.md"),
        ("docs/b.md", 1, "b.md"),
        ("docs", 1, "."),
        ("docs/new.md", 1, "new.md"),
        ("new.py", 0, "new.py"),
        ("other/new.py", 0, "other/new.py"),
        ("shop/a.py", 0, "a.py"),
    ],
)
def test_a_path_is_looked_for_in_each_folder_and_by_its_name(
    roots: tuple[Path, Path], path: str, folder: int, shown: str
) -> None:
    place = find_place(roots, path)
    assert (place.root, place.shown) == (Path(os.path.realpath(roots[folder])), shown)


def test_a_folder_of_the_first_one_comes_before_another_of_its_name(roots: tuple[Path, Path]) -> None:
    (roots[0] / "docs").mkdir()
    assert find_place(roots, "docs/new.md").root == Path(os.path.realpath(roots[0]))


@pytest.mark.parametrize("path", ["docs/../../etc/passwd", "../docs2/x"])
def test_a_name_leads_nowhere_else(roots: tuple[Path, Path], path: str) -> None:
    with pytest.raises(PathOutsideError):
        find_place(roots, path)


def test_a_link_below_a_name_leads_nowhere_else_either(roots: tuple[Path, Path], tmp_path: Path) -> None:
    (roots[1] / "link").symlink_to(tmp_path)
    assert find_place(roots, "docs/link/x").path == Path(os.path.realpath(roots[0])) / "docs" / "link" / "x"
