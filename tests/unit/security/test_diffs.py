"""A file that must not leave is in no diff that does, held against git's own output."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dragoman.security.diffs import withhold
from dragoman.security.paths import is_secret_path

NAMES = ("main.py", "with space.py", "ünicode.py", 'quo"te.py')
KEYS = (".env", "sub/.env.local", "keys/my key.pem", "keys/schlüssel.pem", 'keys/a"b.key')


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, encoding="utf-8").stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    for name in (*NAMES, *KEYS):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"old of {name}\n", encoding="utf-8")
    git(tmp_path, "add", "-A", "-f")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


@pytest.mark.parametrize("options", [(), ("-U0",), ("--no-prefix",), ("--stat", "-p"), ("-c", "core.quotePath=false")])
def test_changed_keys_are_taken_out_and_the_rest_stays(repository: Path, options: tuple[str, ...]) -> None:
    for name in (*NAMES, *KEYS):
        (repository / name).write_text(f"new of {name}\n--- a/.env\n+++ b/.env\n", encoding="utf-8")
    settings = options if options[:1] == ("-c",) else ()
    diff = git(repository, *settings, "diff", *(() if settings else options))
    kept = withhold(diff, is_secret_path)

    assert all(f"new of {name}" in diff for name in (*NAMES, *KEYS))
    assert all(f"+new of {name}" in kept for name in NAMES)
    assert not any(f"new of {name}" in kept or f"old of {name}" in kept for name in KEYS)


def test_renamed_deleted_new_binary_and_mode_changes_too(repository: Path) -> None:
    git(repository, "mv", ".env", "plain.txt")
    git(repository, "mv", "main.py", "id_rsa")
    git(repository, "rm", "-q", "sub/.env.local")
    (repository / "new.key").write_bytes(b"\0binary")
    (repository / "keys" / "my key.pem").chmod(0o755)
    git(repository, "add", "-A", "-f")
    diff = git(repository, "diff", "--cached", "-M")
    kept = withhold(diff, is_secret_path)

    assert diff.count("diff --git") == 5
    assert kept == ""


def test_what_is_no_diff_stays_as_it_is() -> None:
    assert withhold("", lambda _path: True) == ""
    assert withhold("hello\n+++ b/.env\n", lambda _path: True) == "hello\n+++ b/.env\n"
