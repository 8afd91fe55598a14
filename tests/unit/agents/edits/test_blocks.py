"""What is read of an answer, whatever pieces it comes in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.agents.edits.blocks import Block, BlockParser, Broken, FenceClosed, FenceLine, FenceOpened, Part, Prose
from dragoman.agents.edits.paths import is_same_path, path_of_line

ONE = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"

ANSWERS = {
    "bare": (ONE, [("", "old", "new")]),
    "crlf": (ONE.replace("\n", "\r\n"), [("", "old", "new")]),
    "no end of line": (ONE.rstrip("\n"), [("", "old", "new")]),
    "blanks behind markers": (
        "<<<<<<< SEARCH  \nold\n=======   \nnew\n>>>>>>> REPLACE \t\n",
        [("", "old", "new")],
    ),
    "a path before": (f"src/a.py\n{ONE}", [("src/a.py", "old", "new")]),
    "a path, then a fence": (f"Do this:\n\n**src/a.py**\n```python\n{ONE}```\n", [("src/a.py", "old", "new")]),
    "a path in the fence": (f"```python\n# src/a.py\n{ONE}```\n", [("src/a.py", "old", "new")]),
    "a path behind the fence": (f"```python:src/a.py\n{ONE}```\n", [("src/a.py", "old", "new")]),
    "a path in a sentence is none": (f"Look at a.py here:\n{ONE}", [("", "old", "new")]),
    "several files": (
        f"a.py\n{ONE}Then\n{ONE}`b.py`:\n\n````\n{ONE}{ONE}````\nDone.",
        [("a.py", "old", "new")] * 2 + [("b.py", "old", "new")] * 2,
    ),
    "nothing in the place of it": (ONE.replace("new\n", ""), [("", "old", "")]),
    "fences in the code": (
        "```\n<<<<<<< SEARCH\n```sh\nls\n```\n=======\n```\n>>>>>>> REPLACE\n```\n",
        [("", "```sh\nls\n```", "```")],
    ),
    "a block in the code": (
        f"<<<<<<< SEARCH\na\n{ONE}=======\nb\n>>>>>>> REPLACE\n",
        [("", f"a\n{ONE}".rstrip("\n"), "b")],
    ),
    "a block without end before": (
        f"<<<<<<< SEARCH\na\n=======\nb\n{ONE}",
        ["A block of the answer has no end", ("", "old", "new")],
    ),
    "cut": (f"{ONE}<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPL", [("", "old", "new"), "is not whole"]),
    "cut in the search": (f"{ONE}a.py\n```\n<<<<<<< SEARCH\nx", [("", "old", "new"), "is not whole"]),
    "no divider": ("<<<<<<< SEARCH\nx\n>>>>>>> REPLACE\n" + ONE, ["no line `=======`", ("", "old", "new")]),
    "a diff": (
        (
            "diff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n@@ -3,3 +3,4 @@ def f():\n a\n-b\n+c\n+d\n\n"
            "@@ -9 +10 @@\n-e\n+f\nThat is all.\n"
        ),
        [("x.py", "a\nb\n", "a\nc\nd\n"), ("x.py", "e", "f")],
    ),
    "a diff in a fence, numbers wrong": (
        "```diff\n--- a/x.py\n+++ b/x.py\n@@ -1,9 +1,9 @@\n--- old\n+++ new\n x\n@@ ... @@\n-e\n+f\n```\n",
        [("x.py", "-- old\nx", "++ new\nx"), ("x.py", "e", "f")],
    ),
    "a diff without numbers": ("a.py\n```diff\n x\n-e\n+f\n```\n", [("a.py", "x\ne", "x\nf")]),
    "a diff whose lines lost their spaces, numbers wrong": (
        "```diff\n--- a/x.py\n+++ b/x.py\n@@ -1,9 +1,9 @@\nx\n\ty\n-e\n+f\n```\n",
        [("x.py", "x\n\ty\ne", "x\n\ty\nf")],
    ),
    "a diff, then something else before its numbers are full": (
        "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+c\nforgotten\n",
        ["is not whole"],
    ),
    "within a list": (
        "1. So:\n\n      ```\n      <<<<<<< SEARCH\n      old\n      =======\n      new\n      >>>>>>> REPLACE\n      ```\n",
        [("", "      old", "      new")],
    ),
    "a diff that is cut": ("```diff\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n", ["is not whole"]),
}


def read(answer: str, cuts: list[int] | None = None) -> list[Part]:
    parser = BlockParser()
    places = sorted({0, len(answer), *(cut % (len(answer) + 1) for cut in cuts or [])})
    parts = [part for a, b in itertools.pairwise(places) for part in parser.feed(answer[a:b])]
    return [*parts, *parser.finish()]


@pytest.mark.parametrize("name", ANSWERS)
def test_blocks_are_read_from_every_shape_of_answer(name: str) -> None:
    answer, expected = ANSWERS[name]
    found = [part for part in read(answer) if isinstance(part, Block | Broken)]
    assert len(found) == len(expected), found
    for part, wanted in zip(found, expected, strict=True):
        if isinstance(wanted, str):
            assert isinstance(part, Broken)
            assert wanted in part.message
        else:
            assert isinstance(part, Block)
            assert (part.path, *("\n".join(lines) for lines in part.halves[-1])) == wanted


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 1_000), max_size=30))
def test_where_the_stream_is_cut_makes_no_difference(name: str, cuts: list[int]) -> None:
    assert read(ANSWERS[name][0], cuts) == read(ANSWERS[name][0])


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("<>=`~@+- \r\nSEARCHREPLACEa./|"), max_size=200), st.lists(st.integers(0, 200)))
def test_no_answer_is_too_odd(answer: str, cuts: list[int]) -> None:
    assert read(answer, cuts) == read(answer)


def test_a_block_is_known_with_its_last_line() -> None:
    parser = BlockParser()
    assert [part for part in parser.feed(ONE[:-1]) if isinstance(part, Block)] == []
    assert len(parser.feed("\n")) == 1


def test_code_with_dividers_has_several_readings() -> None:
    (block,) = read("<<<<<<< SEARCH\nTitle\n=====\n\nx\n=======\nTitle\n=======\n\ny\n>>>>>>> REPLACE\n")
    assert isinstance(block, Block)
    assert [len(old) for old, _ in block.halves] == [6, 4, 1]


def test_fenced_code_comes_line_by_line_and_prose_around_it() -> None:
    answer = 'Here:\n\n```python title="a.py"\ndef f():\n    """\n    ```sh\n    ls\n    ```\n    """\n```\nDone'
    parts = read(answer)
    assert [part.text for part in parts if isinstance(part, Prose)] == ["Here:\n", "\n", "Done\n"]
    assert FenceOpened("a.py", 'python title="a.py"') in parts
    code = [part.text for part in parts if isinstance(part, FenceLine)]
    assert code == answer.split("\n")[3:-2]
    assert parts[-2] == FenceClosed()
    assert isinstance(read(answer[:60])[-1], Broken)


def test_a_block_that_begins_within_code_never_becomes_code() -> None:
    parts = read(f"```\nimport os\nx = 1\n{ONE}```\n")
    assert not any(isinstance(part, FenceLine) and "SEARCH" in part.text for part in parts)
    assert not any(isinstance(part, FenceClosed) for part in parts)
    assert [type(part) for part in parts if isinstance(part, Block | Broken)] == [Broken, Block]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("src/a.py", "src/a.py"),
        ("### `src/a b.py`:", "src/a b.py"),
        ("// src/a.ts", "src/a.ts"),
        ("File: ./a.py", "a.py"),
        ("`Makefile`", "Makefile"),
        ("Done.", ""),
        ("e.g.", ""),
        ("v1.2", ""),
        ("x = a / b", ""),
        ("Now change the file src/a.py", ""),
        ("", ""),
    ],
)
def test_a_path_is_told_from_a_sentence(line: str, path: str) -> None:
    assert path_of_line(line) == path


def test_paths_are_the_same_when_one_ends_as_the_other() -> None:
    assert is_same_path("a.py", "src/a.py")
    assert is_same_path("/project/src/a.py", "./src/a.py")
    assert is_same_path("", "a.py")
    assert not is_same_path("ba.py", "src/a.py")
    assert not is_same_path("lib/a.py", "src/a.py")
