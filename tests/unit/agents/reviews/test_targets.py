"""A review looks at what was named or has changed, and leaves out what is ignored, secret or elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dragoman.agents.reviews.targets import ReviewTargets, find_changed, find_changed_lines, find_named
from dragoman.errors import ReviewError


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src/deep").mkdir(parents=True)
    (folder / ".gitignore").write_text("ignored.py\n")
    for name in ("src/a.py", "src/deep/b.py", "src/ignored.py", "c.py", ".env", "src/data.png"):
        (folder / name).write_text("one = 1\ntwo = 2\nthree = 3\n")
    (folder / "src/link.py").symlink_to(folder / "c.py")
    git(folder, "init", "-q")
    return folder


def names(targets: ReviewTargets) -> list[str]:
    return [one.shown for one in targets.files]


def test_folders_give_what_is_not_ignored_and_files_give_themselves(root: Path) -> None:
    assert names(find_named(root, [root / "src"])) == ["src/a.py", "src/deep/b.py"]
    assert names(find_named(root, [root])) == [".gitignore", "c.py", "src/a.py", "src/deep/b.py"]
    named = find_named(root, [root / one for one in ("src/link.py", "src/ignored.py", ".env", "src/link.py")])
    assert [(one.shown, one.is_private) for one in named.files] == [
        ("c.py", False),
        ("src/ignored.py", True),
        (".env", True),
    ]


def test_what_is_not_there_or_elsewhere_is_told_and_the_rest_is_reviewed(root: Path) -> None:
    found = find_named(root, [root / "missing.py", root.parent, root / "c.py"])
    assert names(found) == ["c.py"]
    assert [one.code for one in found.problems] == ["file_unfit", "path_outside"]


def test_there_is_a_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.agents.reviews.targets.REVIEW_FILES", 1)
    found = find_named(root, [root / "src"])
    assert (names(found), found.left_out) == (["src/a.py"], 1)


def test_changes_are_lines_of_files_that_may_be_read(root: Path) -> None:
    git(root, "add", "-Af", ".")
    git(root, "commit", "-qm", "first")
    for name in ("src/a.py", "src/ignored.py", ".env"):
        (root / name).write_text("zero = 0\none = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 5\n")
    (root / "c.py").write_text("one = 1\n")
    found = find_changed(root, trusted=True)
    assert [(one.shown, one.changed, one.is_private) for one in found.files] == [
        ("src/a.py", (range(1, 2), range(5, 7)), False)
    ]


def test_git_is_asked_only_where_that_is_trusted_and_there_is_one(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="not trusted"):
        find_changed(root, trusted=False)
    (tmp_path / "plain").mkdir()
    with pytest.raises(ReviewError, match="no git repository"):
        find_changed(tmp_path / "plain", trusted=True)


def test_changed_lines_are_counted_as_the_editor_has_them(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    path = root / "src/a.py"
    path.write_text("one = 1\ntwo = 22\nthree = 3\n")

    def rows(text: str) -> list[int]:
        found = find_changed_lines(root, path, text, trusted=True)
        return [row for part in found or () for row in part]

    assert rows("one = 1\ntwo = 22\nthree = 3\n") == [2]
    # Two lines were typed above and are not saved yet.
    assert rows("zero = 0\n\none = 1\ntwo = 22\nthree = 3\n") == [1, 2, 4]
    # A form feed begins no line, neither for git nor for an editor, and their line breaks may differ.
    path.write_text("one = 1\n\x0c\ntwo = 2\x0b\nthree = 33\n")
    assert rows("one = 1\r\n\x0c\r\ntwo = 2\x0b\r\nthree = 33\r\n") == [2, 3, 4]
    assert find_changed_lines(root, root / "c.py", "one = 1\ntwo = 2\nthree = 3\n", trusted=True) is None
    with pytest.raises(ReviewError):
        find_changed_lines(root, path, "", trusted=False)
