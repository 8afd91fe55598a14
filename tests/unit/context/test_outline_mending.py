"""Texts with an open bracket, and files by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.context.workspace.languages import brace_mending, python_mending
from dragoman.syntax.file_types import language_of

code = st.lists(
    st.sampled_from(
        ["(", ")", "[", "]", "{", "}", "'", '"', '"""', "# c", "// c", "\n", "    ", "def f", "return", "x", ","]
    )
).map("".join)


@given(code)
def test_mending_only_adds_and_moves_no_line(text: str) -> None:
    for mend in (python_mending.mended, brace_mending.mended):
        mended = mend(text)
        rest = iter(mended)

        assert mended.count("\n") == text.count("\n")
        assert all(char in rest for char in text)


def test_what_is_whole_stays_as_it_is() -> None:
    for path in sorted(Path("server/dragoman/completion").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert python_mending.mended(text) == text


def test_an_open_call_is_closed_before_the_next_statement() -> None:
    assert python_mending.mended("x = f(\ndef g(): pass\n") == "x = f()\ndef g(): pass\n"
    assert brace_mending.mended("f() {\n  g(a[1\n}\n") == "f() {\n  g(a[1\n]);}\n"


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/app.py", "python"),
        ("types.pyi", "python"),
        ("a/B.TSX", "typescriptreact"),
        ("C:\\code\\main.rs", "rust"),
        ("Gemfile", "ruby"),
        (".bashrc", "shellscript"),
        ("poetry.lock", "toml"),
        ("LICENSE", ""),
        ("py", ""),
        ("x.unknown", ""),
    ],
)
def test_a_name_tells_the_language(path: str, language: str) -> None:
    assert language_of(path) == language
