"""Windows: the lines around a cursor, in bytes, whatever the text is made of."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.limits import PARSED_CHARS
from dragoman.syntax.faults import count_faults
from dragoman.syntax.grammars import Grammar, load
from dragoman.syntax.window import Window, encode, window_at
from tests.support.scripted import Text

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["def f(a):", "    return a", "", "x = 'é👨‍👩‍👧'", "x = (", ")", '"""', "\x0c", "\tif x:", "\ud800", "a\0b"]
        ),
        st.text(st.characters(exclude_characters="\r\n"), max_size=12),
    ),
    min_size=1,
    max_size=12,
)


def grammar(language: str = "python") -> Grammar:
    found = load(language)
    assert found is not None
    found.recent = None
    return found


def at(text: str, line: int, character: int, language: str = "python") -> Window | None:
    return window_at(grammar(language), Text(text), line, character)


@PATIENT
@given(LINES, st.data())
def test_the_cursor_is_where_the_document_has_it(lines: list[str], data: st.DataObject) -> None:
    line = data.draw(st.integers(0, len(lines) - 1))
    character = data.draw(st.integers(0, len(lines[line])))

    window = at("\n".join(lines), line, character)

    assert window is not None
    assert window.source[window.head : window.cursor] == encode(lines[line][:character])
    assert window.source[window.cursor : window.rest] == encode(lines[line][character:])
    assert window.source.count(b"\n", 0, window.cursor) == line


@PATIENT
@given(LINES, LINES)
def test_what_is_taken_over_from_the_text_before_is_parsed_as_anew(before: list[str], after: list[str]) -> None:
    kept = [f"name_{number} = {number}" for number in range(20)]
    language = grammar()
    window_at(language, Text("\n".join(kept + before + kept)), 0, 0)
    text = "\n".join(kept + after + kept)

    again = window_at(language, Text(text), 3, 0)
    anew = at(text, 3, 0)

    assert again is not None
    assert anew is not None
    assert again.source == anew.source
    # Recovery from errors may differ; what parses does not.
    assert bool(count_faults(again.tree)) == bool(count_faults(anew.tree))


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_are_one_kind(ending: str) -> None:
    class Ended:
        line_count = 3

        def line(self, index: int) -> str:
            return f"x{index} = 1{ending}"

    window = window_at(grammar(), Ended(), 1, 2)

    assert window is not None
    assert window.source == b"x0 = 1\nx1 = 1\nx2 = 1\n"
    assert not count_faults(window.tree)


def test_a_window_of_a_large_document_keeps_what_is_around() -> None:
    methods = [
        line for number in range(500) for line in (f"    int m{number}() {{", f"        return {number};", "    }", "")
    ]
    text = "\n".join(["class A {", *methods, "}", ""])

    window = at(text, 1001, 8, "java")

    assert window is not None
    assert window.source.startswith(b"class A {\n")
    assert window.source.endswith(b"    }\n\n}\n")
    assert window.source.count(b"\n") < 400
    assert count_faults(window.tree) == 0


@pytest.mark.parametrize(
    "text",
    [
        "x" * 20_000,
        "(" * 20_000,
        "x = 1\n" * 400_000,
        ("y" * 2_000 + "\n") * 5_000,
        "\n" * 100_000,
    ],
    ids=["a long line", "a long line of brackets", "ten short megabytes", "ten long megabytes", "nothing but lines"],
)
def test_a_document_of_any_size_costs_a_window(text: str) -> None:
    class Counted(Text):
        read = 0

        def line(self, index: int) -> str:
            Counted.read += 1
            return super().line(index)

    document = Counted(text)

    window = window_at(grammar(), document, document.line_count // 2, 0)

    assert window is None or len(window.source) <= PARSED_CHARS * 4 + 2_000
    assert Counted.read <= 5_000


def test_noise_is_given_up() -> None:
    noise = random.Random(1)
    text = "".join(noise.choice("(){}[]:;,.'\"\\ \nabc=+-*/<>") for _ in range(PARSED_CHARS - 2_000))

    # Either is right: what must not happen is an error, or a parse without an end.
    window = at(text, 1, 0)

    assert window is None or window.cursor <= len(window.source)


def test_typing_leaves_nothing_behind() -> None:
    language = grammar()
    lines = [f"name_{number} = call(first, second, {number})" for number in range(300)]

    def type_through() -> None:
        for length in range(1, 40):
            window_at(language, Text("\n".join([*lines[:150], "x" * length, *lines[150:]])), 150, length)

    type_through()
    tracemalloc.start()
    try:
        type_through()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5):
            type_through()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # One piece of text kept by each of these two hundred parses would be twice as much.
    assert after - before < 50_000


def test_a_nul_is_no_error_in_a_string() -> None:
    window = at("x = 'a\0b'\n", 0, 0)

    assert window is not None
    assert b"\0" not in window.source
    assert count_faults(window.tree) == 0
