"""What holds for the outline of any text, in any language."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.context.workspace.outline import Outline
from dragoman.context.workspace.reading import read_outline
from dragoman.limits import (
    CHUNK_MAX_LINES,
    OUTLINE_DOC_CHARS,
    OUTLINE_IMPORTS,
    OUTLINE_NAME_CHARS,
    OUTLINE_SIGNATURE_CHARS,
    OUTLINE_SYMBOLS,
)
from dragoman.syntax.file_types import language_of
from dragoman.syntax.languages import WHEELS
from tests.unit.context.test_outline_golden import CASES

LANGUAGES = sorted({*WHEELS, "plaintext", ""})
PIECES = [
    "def f(", "class A", "(", ")", "{", "}", "[", "]", ":", ";", "=", "=>", "->", '"', "'", '"""', "`", "#", "//", "/*", "*/",
    "\n", "\r\n", "\r", "\f", "\0", "\t", "    ", "\ud800", "é", "𝒳", "import a", "from . import b", "fn x", "func y() ",
    "self.x = Foo()", "@property\n", "async ", "return", "end\n", "module M\n", "CREATE TABLE t (", "<div id='a'>", "</div>",
    "- a: b\n", "a: |\n", "[t]\n", "# h\n", "```", "$(", "<<EOF\n", "impl T for S {", "x := 1", "template <", "namespace n {",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.tuples(st.sampled_from([case.text for case in CASES]), st.integers(0, 400), st.integers(0, 60)).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[0][drawn[1] + drawn[2] :]
    ),
)


def lines_of(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))


def check(outline: Outline, text: str) -> None:
    lines = lines_of(text)
    covered = [line for chunk in outline.chunks for line in range(chunk.first_line, chunk.last_line + 1)]
    assert covered == list(range(len(lines)))
    assert all(chunk.last_line - chunk.first_line < CHUNK_MAX_LINES for chunk in outline.chunks)
    assert len(outline.symbols) <= OUTLINE_SYMBOLS
    assert len(outline.imports) <= OUTLINE_IMPORTS
    for position, symbol in enumerate(outline.symbols):
        assert 0 <= symbol.line <= symbol.end_line < len(lines)
        assert -1 <= symbol.parent < position
        assert symbol.name == symbol.name.strip()
        assert 0 < len(symbol.name) <= OUTLINE_NAME_CHARS
        assert 0 < len(symbol.signature) <= OUTLINE_SIGNATURE_CHARS
        assert len(symbol.doc) <= OUTLINE_DOC_CHARS
        said = [symbol.name, symbol.signature, symbol.doc, symbol.type, *symbol.bases]
        assert not any(char in part for part in said for char in "\n\r\t")
        "".join(said).encode()
    for taken in outline.imports:
        assert 0 <= taken.line < len(lines)
        assert taken.bound


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(LANGUAGES), texts)
def test_any_text_has_an_outline(language: str, text: str) -> None:
    check(read_outline(language, text), text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path.stem}: {case.name}")
def test_line_ends_change_nothing(case: object) -> None:
    language = language_of(case.name)  # type: ignore[attr-defined]
    text = case.text  # type: ignore[attr-defined]
    outline = read_outline(language, text)

    check(outline, text)
    assert read_outline(language, text.replace("\n", "\r\n")) == outline
    assert read_outline(language, text.replace("\n", "\r")) == outline


@pytest.mark.parametrize("language", LANGUAGES)
def test_deep_nesting_is_no_trouble(language: str) -> None:
    for opener in ("(", "[", "{", "<a>", "- ", "if x:\n ", "def f():\n class A:\n  ", "fn f() { ", "'", "/*"):
        text = opener * 3_000
        check(read_outline(language, text), text)


def test_classes_in_classes_are_read_at_any_depth() -> None:
    text = "".join(f"{' ' * depth}class C{depth}:\n" for depth in range(150)) + " " * 150 + "x = 1\n"

    outline = read_outline("python", text)

    check(outline, text)
    assert [symbol.name for symbol in outline.symbols[:3]] == ["C0", "C1", "C2"]
    assert outline.symbols[99].parent == 98


@pytest.mark.parametrize("language", ["python", "javascript", "json", "css", "html", "sql"])
def test_a_line_of_a_megabyte_has_one_piece_and_no_symbols(language: str) -> None:
    text = "function f(a){var b=1;return a+b};" * 30_000

    outline = read_outline(language, text)

    assert outline.symbols == ()
    assert len(outline.chunks) == 1


def test_a_file_with_too_many_symbols_keeps_the_first() -> None:
    text = "".join(f"def f{number}():\n    import m{number}\n\n" for number in range(OUTLINE_SYMBOLS + 100))

    outline = read_outline("python", text)

    check(outline, text)
    assert len(outline.symbols) == OUTLINE_SYMBOLS
    assert len(outline.imports) == OUTLINE_IMPORTS
    assert outline.symbols[-1].name == f"f{OUTLINE_SYMBOLS - 1}"


def test_lines_end_at_line_ends_only() -> None:
    text = "a = 1\f\x0b\x1c\u2028\n\ndef f():\n    pass\n"

    outline = read_outline("python", text)

    assert [(symbol.name, symbol.line) for symbol in outline.symbols] == [("a", 0), ("f", 2)]


def test_an_error_leaves_the_rest_readable() -> None:
    text = "class A:\n    def f(self):\n        x = (1,\n\n    def g(self) -> int:\n        return 1\n\n\ndef h():\n    pass\n"

    names = {symbol.name for symbol in read_outline("python", text).symbols}

    assert {"A", "f", "g", "h"} <= names


def test_sources_of_this_project_are_cut_at_their_definitions() -> None:
    """A chunk of a real module mostly begins where something begins; and none is a sliver."""
    begins = total = slivers = 0
    for path in sorted(Path("server/dragoman/completion").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = lines_of(text)
        for chunk in read_outline("python", text).chunks:
            total += 1
            slivers += chunk.last_line - chunk.first_line < 2
            begins += lines[chunk.first_line].lstrip().startswith(("def ", "async def ", "class ", "@", '"""', "#"))
    assert total > 100
    assert begins / total > 0.6
    assert slivers / total < 0.03
