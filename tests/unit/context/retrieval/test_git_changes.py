"""What differs from the last commit, of a real git; and that a hostile repository runs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dragoman.context.limits import GIT_DIFF_BYTES, GIT_HUNKS
from dragoman.context.workspace import git_changes
from dragoman.context.workspace.git_changes import GitChanges, Hunk, diff, parse_diff
from tests.support.small_index import SmallIndex

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git")

FILES = {
    "shop/cart.py": "def total():\n    return 0\n",
    "shop/tax.py": "\n".join(f"value_{number} = {number}" for number in range(40)) + "\n",
}


def git(root: Path, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(tmp_path: Path) -> SmallIndex:
    root = tmp_path / "project"
    index = SmallIndex(root, FILES)
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    return index


def change(index: SmallIndex) -> None:
    index.write({"shop/tax.py": FILES["shop/tax.py"].replace("value_20 = 20", "value_20 = surcharge_of(region)")})


def asked(index: SmallIndex, *, trusted: bool = True) -> tuple[Hunk, ...]:
    index.changes.trusted = trusted
    index.changes.refresh()
    index.changes.settle()
    return index.changes.hunks()


def test_changed_lines_are_told_with_two_around_them(repository: SmallIndex) -> None:
    change(repository)
    (hunk,) = asked(repository)
    assert (hunk.path, hunk.first_line) == ("shop/tax.py", 18)
    assert hunk.lines[2] == "value_20 = surcharge_of(region)"
    assert len(hunk.lines) == 5
    assert hunk.added == ("value_20 = surcharge_of(region)",)


def test_they_are_read_by_a_model_elsewhere_and_their_names_count(repository: SmallIndex) -> None:
    change(repository)
    asked(repository)
    found = repository.gather("shop/cart.py", "def total():\n    return |\n")
    (shown,) = [one for one in found if one.source == "git_diff"]
    assert (shown.path, shown.line) == ("shop/tax.py", 19)
    assert "surcharge_of(region)" in shown.text
    here = repository.gather("shop/tax.py", "value = |\n")
    assert not [one for one in here if one.source == "git_diff"]


def test_what_the_index_does_not_hold_stays_where_it_is(repository: SmallIndex) -> None:
    (repository.root / "keys.py").write_text("password_of_all = 1\n", encoding="utf-8")
    git(repository.root, "add", "-N", "keys.py")
    assert [hunk.path for hunk in asked(repository)] == ["keys.py"]
    _, pool = repository.retriever.collect(repository.place("shop/cart.py", "x = |\n"))
    assert "password_of_all" not in pool.names()


def test_a_folder_within_a_repository_has_paths_of_its_own(repository: SmallIndex) -> None:
    change(repository)
    changes = GitChanges(repository.root / "shop")
    changes.trusted = True
    changes.refresh()
    changes.settle()
    assert [hunk.path for hunk in changes.hunks()] == ["tax.py"]


def test_an_untrusted_workspace_is_not_asked_about(repository: SmallIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    change(repository)
    monkeypatch.setattr(git_changes, "diff", lambda _root: pytest.fail("git was run"))
    assert asked(repository, trusted=False) == ()
    repository.gather("shop/cart.py", "x = |\n")
    assert repository.changes._thread is None


def test_git_is_asked_once_for_many_questions(repository: SmallIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_of: list[Path] = []
    monkeypatch.setattr(git_changes, "diff", lambda root: asked_of.append(root) or "")
    for _ in range(20):
        asked(repository)
    assert asked_of == [repository.root]


@pytest.mark.parametrize("below", ["", "shop"])
def test_a_hostile_repository_runs_nothing(repository: SmallIndex, tmp_path: Path, below: str) -> None:
    root, touched = repository.root, tmp_path / "touched"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {touched}\ncat\n', encoding="utf-8")
    program.chmod(0o755)
    (root / ".gitattributes").write_text("*.py filter=evil diff=evil\n*.md filter=chat\n", encoding="utf-8")
    (root / "readme.md").write_text("one\n", encoding="utf-8")
    git(root, "add", ".")
    git(root, "commit", "-m", "second")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-index-change").symlink_to(program)
    for key in (
        *("core.fsmonitor", "diff.external", "diff.evil.command", "diff.evil.textconv", "core.pager", "pager.diff"),
        *("filter.evil.clean", "filter.evil.smudge", "filter.chat.process", "core.sshCommand", "core.askPass"),
        *("alias.diff", "alias.config"),
    ):
        git(root, "config", key, f"!{program}" if key.startswith("alias") else str(program))
    git(root, "config", "filter.evil.required", "true")
    git(root, "config", "core.hooksPath", str(hooks))
    change(repository)
    (root / "readme.md").write_text("another line\n", encoding="utf-8")
    found = list(parse_diff(diff(root / below)))
    assert {hunk.path.rpartition("/")[2] for hunk in found} >= {"tax.py"}
    assert not touched.exists(), touched.read_text(encoding="utf-8")
    # The same without the precautions does run them, or this test says nothing.
    git(root, "status")
    assert touched.exists()


def test_a_filter_with_a_name_that_cannot_be_switched_off_ends_it(repository: SmallIndex, tmp_path: Path) -> None:
    change(repository)
    git(repository.root, "config", "filter.a=b.clean", f"touch {tmp_path / 'touched'}")
    with pytest.raises(ValueError, match="filter"):
        diff(repository.root)
    assert asked(repository) == ()


def test_a_git_in_the_workspace_is_not_run(repository: SmallIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    own = repository.root / "bin" / "git"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\ntouch ran\n", encoding="utf-8")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{own.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(FileNotFoundError):
        diff(repository.root)
    assert not (repository.root / "ran").exists()


def test_a_git_that_hangs_is_ended_with_its_children(
    repository: SmallIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 600 &\nsleep 600\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(git_changes, "GIT_TIMEOUT_S", 0.2)
    assert diff(repository.root) == ""


def test_a_huge_diff_is_cut(repository: SmallIndex) -> None:
    lines = "\n".join(f"name_of_line_{number} = {number}" for number in range(60_000))
    (repository.root / "shop/tax.py").write_text(lines, encoding="utf-8")
    assert len(diff(repository.root).encode()) == GIT_DIFF_BYTES
    for number in range(GIT_HUNKS + 20):
        (repository.root / f"f{number}.py").write_text("new_one = 1\n", encoding="utf-8")
    git(repository.root, "checkout", "shop/tax.py")
    git(repository.root, "add", "-N", ".")
    assert len(asked(repository)) == GIT_HUNKS


def test_no_repository_and_no_commit_are_no_failure(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    assert asked(index) == ()
    git(tmp_path, "init")
    assert GitChanges(tmp_path).branch_words() == frozenset()


def test_the_branch_s_words_tell_what_it_is_about(repository: SmallIndex, tmp_path: Path) -> None:
    assert repository.changes.branch_words() == frozenset()
    git(repository.root, "checkout", "-b", "feature/PROJ-17-gift_vouchers")
    assert GitChanges(repository.root).branch_words() == {"proj", "gift", "vouchers"}
    assert GitChanges(repository.root / "shop").branch_words() == {"proj", "gift", "vouchers"}
    tree = tmp_path / "tree"
    git(repository.root, "worktree", "add", "-b", "fix/rounding-errors", str(tree))
    assert GitChanges(tree).branch_words() == {"rounding", "errors"}
    git(repository.root, "checkout", "--detach")
    assert GitChanges(repository.root).branch_words() == frozenset()


def test_they_count_among_the_words_of_the_place(repository: SmallIndex) -> None:
    git(repository.root, "checkout", "-b", "vouchers")
    question, _ = repository.retriever.collect(repository.place("shop/cart.py", "x = |\n"))
    assert "vouchers" in question.scope.words
    without, _ = repository.retriever.collect(repository.place("shop/cart.py", "x = |\n", sources=("symbols",)))
    assert "vouchers" not in without.scope.words


def test_a_head_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git" / "HEAD")
    assert GitChanges(tmp_path).branch_words() == frozenset()


def test_odd_diffs_are_read_as_far_as_they_make_sense() -> None:
    text = (
        "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@ def f():\n x = 1\n+++ b/odd\n-gone\n"
        'diff --git "a/\\303.py" "b/\\303.py"\n+++ "b/\\303.py"\n@@ -0,0 +1 @@\n+y = 2\n'
        "diff --git a/b.py b/b.py\nBinary files differ\ndiff --git a/c.py b/c.py\n+++ b/c.py\n@@ -0,0 +1,2 @@\n+z = 3\r\n+cut o"
    )
    assert list(parse_diff(text)) == [
        Hunk("a.py", 0, ("x = 1", "++ b/odd"), ("++ b/odd",)),
        Hunk("c.py", 0, ("z = 3", "cut o"), ("z = 3", "cut o")),
    ]
