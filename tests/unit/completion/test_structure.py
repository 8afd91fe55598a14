"""What the syntax says of any text at any place: it only shortens, and never raises."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.completion import structure
from dragoman.completion.postprocess import polish
from dragoman.completion.postprocess.place import Place
from dragoman.completion.postprocess.syntax import require_syntax
from dragoman.completion.shape import parse_at, shape_at
from dragoman.completion.structure import parses, trim_to_border, without_surplus
from dragoman.syntax.grammars import load
from dragoman.syntax.window import Window
from tests.support.scripted import query_at

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
PIECES = st.sampled_from([
    *("\n", "    ", "\t", "(", ")", "[", "]", "{", "}", '"', "'", "`", ";", ":", ",", "\\", "=>", " = ", "</div>", "#", "//"),
    *("def f():", "if x", "return", "foo(a, b)", "name", "class A {", "end", "é", "👨‍👩‍👧", "\ud800", "\0", "\x0c", "1"),
])  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=40))
LANGUAGES = st.sampled_from(
    [
        "python",
        "javascript",
        "typescriptreact",
        "go",
        "rust",
        "java",
        "ruby",
        "shellscript",
        "html",
        "yaml",
        "markdown",
        "cobol",
    ]
)


def window(document: str, language: str = "python") -> Window:
    load(language)
    found = parse_at(query_at(document, language=language))
    assert found is not None
    return found


@PATIENT
@given(TEXTS, TEXTS, TEXTS, LANGUAGES, st.sampled_from(["", "line", "length"]), st.booleans())
def test_the_filter_only_shortens(
    before: str, after: str, text: str, language: str, cut: structure.Cut, invoked: bool
) -> None:
    load(language)
    shape = shape_at(query_at(f"{before}‸{after}".replace("\r", ""), language=language), "auto")
    place = Place(shape.head, shape.rest, language=language, window=shape.window, cut=cut, invoked=invoked)

    result = require_syntax(text, place)

    assert text.startswith(result)
    assert result or not invoked or not text
    assert polish(text, place)[0] in text
    if result.strip() and shape.window is not None and not invoked:
        assert parses(shape.window, result) is not False


@PATIENT
@given(TEXTS, st.sampled_from(["line", "length"]))
def test_trimming_leaves_whole_lines(text: str, cut: structure.Cut) -> None:
    place = window("def f():\n    ‸\n\ndef g():\n    pass\n")

    result = trim_to_border(place, text, cut=cut)

    assert text == result or text.startswith(result + "\n")
    assert result or not text


@PATIENT
@given(TEXTS)
def test_what_is_surplus_is_closers(text: str) -> None:
    place = window("f(‸)\n")

    result = without_surplus(place, text)

    assert not text.removeprefix(result).strip(")]};, \t\n\r\x0b\x0c") or not result or result == text
    assert not result or parses(place, result)


@pytest.mark.parametrize(
    ("document", "language", "text"),
    [
        ("foo(‸\n", "python", "a, b)"),
        ("x = {‸\n", "python", '"a": 1}'),
        ("def f(‸):\n    pass\n", "python", "a, b"),
        ("def f(‸)\n", "python", "a, b"),
        ("if (‸)\n", "c", "x > 0"),
        ("function f() {\n  g(‸\n", "javascript", "1);"),
        ("function f() {‸\n", "javascript", "\n  return 1;"),
        ("@‸\n", "python", "property"),
        ('"""Title\n\nSome text and‸\n', "python", " (more"),
        ("broken(\n\ndef f():\n    return ‸\n", "python", "a + b"),
    ],
)
def test_a_document_that_is_being_written_takes_what_goes_on(document: str, language: str, text: str) -> None:
    assert parses(window(document, language), text) is True


@pytest.mark.parametrize(
    ("document", "language", "text"),
    [
        ("foo(‸\nbar()\n", "python", "a, b"),
        ("foo(‸)\n", "python", "a, (b"),
        ("x = ‸\ny = 2\n", "python", "'text"),
        ("x = ‸\n", "python", "1 here is the code"),
        ("function f() {\n  ‸\n}\n", "javascript", "if (a) {\n    b();"),
        ("function f() {\n  ‸\n}\n", "javascript", "b();\n}"),
        ("fn f() {\n    ‸\n}\n", "rust", "let x = ;"),
        ("class A {\n  int f() {\n    ‸\n  }\n}\n", "java", "int x = (1;"),
        ("package a\n\nfunc f() {\n\t‸\n}\n", "go", "for i := 0; i < 3; i++ {\n\t\tg(i)"),
    ],
)
def test_what_breaks_the_document_does_not_parse(document: str, language: str, text: str) -> None:
    assert parses(window(document, language), text) is False


def test_nothing_is_said_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    place = window("function f() {\n  foo(‸\n  bar();\n", "javascript")
    assert parses(place, "a, b") is False
    monkeypatch.setattr(structure, "JUDGED_S", -1.0)

    assert parses(place, "a, b") is None
