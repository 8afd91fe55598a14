"""What belongs to the index besides git's word on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dragoman.context.workspace import ignore
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.patterns import glob_pattern, read_pattern


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def test_our_own_file_has_the_last_word(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": "/out\n*.gen.py\n!docs\n",
            ".dragomanignore": "!/out\n!node_modules\ndocs/\nsecret.py\n",
            "deep/.dragomanignore": "!secret.py\n",
        },
    )
    rules = IgnoreRules(tmp_path, ["**/*.tmp", "out"])

    assert not rules.ignores("out", is_dir=True)
    assert not rules.ignores("node_modules", is_dir=True)
    assert rules.ignores("docs/index.md")
    assert rules.ignores("a/secret.py")
    assert not rules.ignores("deep/secret.py")
    assert rules.ignores("a.gen.py")
    assert rules.ignores("deep/b.tmp")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        "a/.git/hooks/x",
        "a/.hg/store",
        ".env",
        "a/server.pem",
        "a/.ENV.local",
        "id_rsa",
        ".aws/c.py",
        "a/.ssh/config",
    ],
)
def test_nothing_brings_back_keys_and_the_history(tmp_path: Path, path: str) -> None:
    write(tmp_path, {".dragomanignore": "!*\n!.git\n!.env*\n!*.pem\n", ".gitignore": "!*\n"})

    assert IgnoreRules(tmp_path).ignores(path)


@pytest.mark.parametrize(
    "path",
    [
        "node_modules/x/index.js",
        "a/.venv/lib/x.py",
        "a/__pycache__/x.pyc",
        ".mypy_cache/x",
        "../x",
        "a/../x",
        "",
        "a//b",
    ],
)
def test_what_tools_put_there_and_what_is_elsewhere_is_ignored(tmp_path: Path, path: str) -> None:
    assert IgnoreRules(tmp_path).ignores(path) is (path != "")


def test_a_python_environment_is_known_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"py311/pyvenv.cfg": "home = /usr\n", "py311/lib/x.py": "", "py/x.py": ""})
    rules = IgnoreRules(tmp_path)

    assert rules.ignores("py311/lib/x.py")
    assert not rules.ignores("py/x.py")


def test_the_editors_globs_mean_what_they_mean_there(tmp_path: Path) -> None:
    rules = IgnoreRules(tmp_path, ["out", "**/*.{log,tmp}", "src/**/gen", "/abs"])

    assert rules.ignores("out/x")
    assert not rules.ignores("a/out/x")
    assert rules.ignores("a/b.log")
    assert rules.ignores("b.tmp")
    assert rules.ignores("src/a/b/gen/x.py")
    assert rules.ignores("src/gen/x.py")
    assert rules.ignores("abs")
    assert not rules.ignores("b.py")
    assert glob_pattern("a{b,c{d,e}}") == ["/ab", "/acd", "/ace"] or set(glob_pattern("a{b,c{d,e}}")) == {
        "/ab",
        "/acd",
        "/ace",
    }


def test_a_folder_of_a_larger_repository_obeys_the_files_above_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    write(
        tmp_path,
        {
            ".gitignore": "build/\n/packages/shop/private.py\n",
            "packages/.gitignore": "*.snap\n",
            "packages/shop/.gitignore": "!keep.snap\n",
            ".git/info/exclude": "mine.txt\n",
        },
    )
    rules = IgnoreRules(tmp_path / "packages" / "shop")

    assert rules.ignores("build", is_dir=True)
    assert rules.ignores("private.py")
    assert not rules.ignores("sub/private.py")
    assert rules.ignores("sub/a.snap")
    assert not rules.ignores("sub/keep.snap")
    assert rules.ignores("mine.txt")


def test_a_work_tree_obeys_its_repositorys_private_list(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(main)]
    subprocess.run(["git", "init", "-q", str(main)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(tree)], check=True)
    (main / ".git" / "info" / "exclude").write_text("mine.txt\n", encoding="utf-8")

    assert IgnoreRules(tree).ignores("mine.txt")


def test_a_changed_ignore_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignore, "IGNORE_FRESH_S", 0.0)
    rules = IgnoreRules(tmp_path)
    (tmp_path / "a").mkdir()
    assert not rules.ignores("a/b/x.log")

    write(tmp_path, {"a/.gitignore": "*.log\n"})
    assert rules.ignores("a/b/x.log")

    write(tmp_path, {".gitignore": "/a/b\n", "a/.gitignore": ""})
    assert rules.ignores("a/b/x.py")
    (tmp_path / ".gitignore").unlink()
    assert not rules.ignores("a/b/x.py")


def test_what_is_believed_for_a_while_can_be_forgotten_at_once(tmp_path: Path) -> None:
    rules = IgnoreRules(tmp_path)
    assert not rules.ignores("x.log")
    write(tmp_path, {".gitignore": "*.log\n"})

    rules.forget()

    assert rules.ignores("x.log")


def test_bytes_that_are_no_text_and_folders_called_like_ignore_files_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".dragomanignore").mkdir()
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf*.log\r\n\xff\xfe\n\0\nx[\n")
    rules = IgnoreRules(tmp_path)

    assert rules.ignores("a.log")
    assert rules.ignores(b"\xff\xfe".decode("utf-8", "surrogateescape"))
    assert not rules.ignores("x")


def test_few_folders_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignore, "IGNORE_CACHED_FOLDERS", 10)
    write(tmp_path, {".gitignore": "*.log\n"})
    rules = IgnoreRules(tmp_path)

    assert all(rules.ignores(f"{number}/a/b/x.log") for number in range(30))
    assert len(rules._folders) <= 13


@pytest.mark.parametrize("line", ["", "   ", "# note", "/", "!", "!/", "a\\", "[a"])
def test_lines_that_say_nothing(line: str) -> None:
    assert read_pattern(line) is None
