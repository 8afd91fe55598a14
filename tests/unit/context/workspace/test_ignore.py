"""What belongs to the index; git itself says what git ignores."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.context.workspace.ignore import IgnoreRules

NAMES = ["a", "b", "ab", "a.py", "b.log", "c d", "[x]", "é", "-", "a^"]
"""Names of folders and files below; those with an ending are files."""

names = st.sampled_from(NAMES)
pieces = st.sampled_from(
    ["a", "b", "ab", "*", "**", "?", "*.py", "[ab]", "[!a]", "[^b]", "a*", "*b", "[a-c]*", "c d", "é", r"\a"]
)
odd = st.sampled_from(
    ["[", "[]", "[a", "\\", "***", "a**", "**b", "[[:alpha:]]", "[]x]", "[a-]", "[^]x]", r"[\]x]", "#", r"\#", "!"]
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    body = "/".join(draw(st.lists(pieces | odd, min_size=1, max_size=3)))
    return "".join(
        [
            draw(st.sampled_from(["", "", "!"])),
            draw(st.sampled_from(["", "", "/"])),
            body,
            draw(st.sampled_from(["", "", "/", " ", r"\ ", "  "])),
        ]
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with every name three folders deep."""
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    folders = [root]
    for depth in range(3):
        below = []
        for folder in folders:
            for name in NAMES:
                path = folder / name
                if "." in name or depth == 2:
                    path.write_text("")
                elif name in {"a", "ab", "[x]"}:
                    path.mkdir()
                    below.append(path)
                else:
                    path.write_text("")
        folders = below
    return root


def git_ignores(root: Path, paths: list[str]) -> set[str]:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", "-C", str(root), "check-ignore", "--stdin", "-z", "--no-index"],
        input="\0".join(paths).encode() + b"\0",
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return {path.decode() for path in done.stdout.split(b"\0") if path}


def files_below(root: Path) -> list[str]:
    return [
        str((Path(folder) / name).relative_to(root))
        for folder, folders, files in os.walk(root)
        for name in [*files, *folders]
        if ".git" not in Path(folder).relative_to(root).parts and name not in {".git", ".gitignore"}
    ]


@given(top=st.lists(lines(), max_size=5), nested=st.lists(lines(), max_size=3), exclude=st.lists(lines(), max_size=2))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_git_ignores_is_ignored_and_nothing_else(
    repository: Path, top: list[str], nested: list[str], exclude: list[str]
) -> None:
    (repository / ".gitignore").write_text("\n".join(top) + "\n", encoding="utf-8")
    (repository / "a" / ".gitignore").write_text("\n".join(nested) + "\n", encoding="utf-8")
    (repository / ".git" / "info" / "exclude").write_text("\n".join(exclude) + "\n", encoding="utf-8")
    rules = IgnoreRules(repository)
    paths = files_below(repository)

    ours = {path for path in paths if rules.ignores(path, is_dir=(repository / path).is_dir())}

    assert ours == git_ignores(repository, paths)
