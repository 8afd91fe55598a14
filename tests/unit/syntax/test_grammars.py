"""Grammars come when they are asked for, in a thread, and their absence costs nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from dragoman.syntax import grammars
from dragoman.syntax.faults import count_faults, open_brackets
from dragoman.syntax.languages import COMMENTS, INTERPOLATIONS, STRINGS, WHEELS, Wheel

KINDS_OF_NONE = {"string_interpolation"}


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammars, "_known", {})


def wait_for(language: str) -> grammars.Grammar:
    until = time.monotonic() + 60
    while (found := grammars.grammar(language)) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


@pytest.mark.usefixtures("nothing_loaded")
def test_the_first_call_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = threading.Event()
    real = grammars._load
    monkeypatch.setattr(grammars, "_load", lambda wheel: loading.wait(60) and real(wheel))

    assert grammars.grammar("python") is None
    assert grammars.grammar("python") is None
    loading.set()

    assert wait_for("python").name == "python"


@pytest.mark.usefixtures("nothing_loaded")
def test_a_grammar_is_loaded_once() -> None:
    assert wait_for("javascript") is grammars.grammar("javascriptreact") is grammars.load("jsx")


@pytest.mark.usefixtures("nothing_loaded")
@pytest.mark.parametrize(
    "wheel", [Wheel("tree_sitter_of_nobody"), Wheel("tree_sitter_python", "no_such_function"), Wheel("json")]
)
def test_a_wheel_that_is_missing_or_broken_is_asked_for_once(wheel: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    real = grammars._load
    monkeypatch.setattr(grammars, "_load", lambda wheel: tried.append(wheel) or real(wheel))
    monkeypatch.setitem(WHEELS, "rare", wheel)

    assert grammars.grammar("rare") is None
    for thread in threading.enumerate():
        if thread.name.startswith("load-"):
            thread.join(60)

    assert grammars.grammar("rare") is None
    assert tried == [wheel]


def test_an_unknown_language_has_none() -> None:
    assert grammars.grammar("klingon") is None
    assert grammars.load("klingon") is None


@pytest.mark.parametrize("language", sorted(WHEELS))
def test_every_grammar_in_the_table_works(language: str) -> None:
    grammar = grammars.load(language)

    assert grammar is not None
    tree = grammar.parse(b"x = (1, 2)\n")
    assert tree is not None
    assert all(bracket.bracket in "([{" for bracket in open_brackets(grammar, tree))


def test_the_kinds_of_strings_and_comments_exist() -> None:
    known = set()
    for language in WHEELS:
        found = grammars.load(language).language
        known |= {found.node_kind_for_id(number) for number in range(found.node_kind_count)}

    assert not (STRINGS | COMMENTS | INTERPOLATIONS) - known


def test_the_language_server_starts_without_a_parser() -> None:
    code = (
        "import sys, dragoman.app, dragoman.lsp.server, dragoman.editor, dragoman.completion.engine, dragoman.syntax.window\n"
        "print([name for name in sys.modules if name.startswith('tree_sitter')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_parse_that_takes_too_long_is_given_up_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = grammars.load("python")
    monkeypatch.setattr(grammars, "PARSE_BUDGET_S", -1.0)
    assert grammar.parse(b"x = (\n" * 2000) is None
    monkeypatch.undo()

    tree = grammar.parse(b"y = 1\n")

    assert tree is not None
    assert not count_faults(tree)
    assert tree.root_node.end_byte == 6


@pytest.mark.parametrize(
    ("language", "source", "opened"),
    [
        ("python", "f(a[1, {'(': 2", "([{"),
        ("python", "f('(') # (", ""),
        ("javascript", "f(`${a(`", "("),
        ("javascript", "f({a: [1]}); g(", "("),
        ("rust", "fn f() { let c = '('; g(", "{("),
        ("java", "class A { int f() { return g(", "{{("),
    ],
)
def test_open_brackets_are_those_of_the_code(language: str, source: str, opened: str) -> None:
    grammar = grammars.load(language)
    tree = grammar.parse(source.encode() + b"\n")

    found = "".join(bracket.bracket for bracket in open_brackets(grammar, tree))

    assert found.startswith(opened) if opened else not found
