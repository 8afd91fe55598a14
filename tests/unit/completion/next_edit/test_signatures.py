"""A changed parameter list, and what becomes of the calls."""

from __future__ import annotations

import pytest

from tests.support.next_edits import Desk

PYTHON = """\
def fetch({parameters}):
    return url


def main(timeout):
    {first}
    {second}
    fetch(*everything)
    fetch()
    other.fetch('x', 3, 4)
    # fetch('x', 3, 4)
"""

# The old parameters, the new ones, two calls before and after.
CASES = [
    ("url, retries", "url", "fetch('x', 3)", "fetch('x', retries=f(1, 2))", "fetch('x')", "fetch('x')"),
    ("url, retries", "retries", "fetch('x', 3)", "fetch(url='x', retries=4)", "fetch(3)", "fetch(retries=4)"),
    (
        "url, retries",
        "retries, url",
        "fetch('x', (3, 4))",
        "fetch('x', retries=4)",
        "fetch((3, 4), 'x')",
        "fetch(url='x', retries=4)",
    ),
    (
        "url, retries=1",
        "url, attempts=1",
        "fetch('x', retries = 3)",
        "fetch('x', 3)",
        "fetch('x', attempts = 3)",
        "fetch('x', 3)",
    ),
    ("url", "url, timeout", "fetch('x')", "fetch(g(', )'))", "fetch('x', timeout)", "fetch(g(', )'), timeout)"),
    (
        "url",
        "url, *, timeout",
        "fetch('x')",
        "fetch(url='x')",
        "fetch('x', timeout=timeout)",
        "fetch(timeout=timeout, url='x')",
    ),
    ("url", "url, speed=1", "fetch('x')", "fetch(url='x')", "fetch('x')", "fetch(url='x')"),
    (
        "url, speed",
        "url, size=1, speed=2",
        "fetch('x', 3)",
        "fetch('x', speed=3)",
        "fetch('x', speed=3)",
        "fetch('x', speed=3)",
    ),
    (
        "url, speed: int",
        "url, speed: float",
        "fetch('x', 3)",
        "fetch('x', speed=3)",
        "fetch('x', 3)",
        "fetch('x', speed=3)",
    ),
]


@pytest.mark.parametrize(("old", "new", "first", "second", "first_after", "second_after"), CASES)
def test_calls_follow_the_parameters(
    old: str, new: str, first: str, second: str, first_after: str, second_after: str
) -> None:
    desk = Desk(a__py=PYTHON.format(parameters=old, first=first, second=second))
    cursor = desk.replace("a.py", f"({old})", f"({new})")
    desk.apply_all("a.py", cursor)
    expected = PYTHON.format(parameters=new, first=first_after, second=second_after)
    assert desk.text("a.py") == expected
    assert desk.due("a.py", cursor) == []


def test_what_the_new_argument_is_may_be_unknown() -> None:
    desk = Desk(a__py="def fetch(url):\n    return url\n\n\nfetch('x')\nfetch('y', 1)\n")
    cursor = desk.replace("a.py", "(url)", "(url, timeout)")
    (edit,) = desk.due("a.py", cursor)
    assert not edit.is_known
    assert edit.start == edit.end == (4, 9)
    assert "fetch" in edit.label
    desk.change("a.py", (4, 9), (4, 9), ", 3")
    assert desk.due("a.py", (4, 12)) == []


def test_a_list_over_several_lines_keeps_its_shape() -> None:
    desk = Desk(a__py="def fetch(url, speed, size):\n    return url\n\n\nfetch(\n    'x',\n    2,\n    3,\n)\n")
    desk.apply_all("a.py", desk.replace("a.py", ", speed", ""))
    assert desk.text("a.py").endswith("fetch(\n    'x',\n    3,\n)\n")


def test_methods_and_constructors() -> None:
    desk = Desk(
        a__py="""\
class Box:
    def __init__(self, width, height):
        self.fill_up(1, 2)

    def fill_up(self, amount, speed):
        return self.fill_up(speed=speed, amount=2)

Box(1, 2).fill_up(3, 4)
fill_up(3, 4)
"""
    )
    assert desk.apply_all("a.py", desk.replace("a.py", "amount, speed", "speed")) == 3
    assert "self.fill_up(speed=speed)" in desk.text("a.py")
    assert "self.fill_up(2)" in desk.text("a.py")
    assert "Box(1, 2).fill_up(4)\nfill_up(3, 4)" in desk.text("a.py")
    assert desk.apply_all("a.py", desk.replace("a.py", "width, height", "height, width")) == 1
    assert "Box(2, 1)" in desk.text("a.py")


def test_other_documents_that_import_it() -> None:
    desk = Desk(
        a__py="def fetch(url, speed):\n    return url\n",
        b__py="from a import fetch\nfetch('x', 1)\n",
        c__py="import a\na.fetch('x', 1)\nb.fetch('x', 1)\n",
        d__py="fetch('x', 1)\n",
    )
    cursor = desk.replace("a.py", ", speed", "")
    assert desk.apply_all("a.py", cursor) == 2
    assert desk.text("b.py").endswith("fetch('x')\n")
    assert desk.text("c.py") == "import a\na.fetch('x')\nb.fetch('x', 1)\n"
    assert desk.text("d.py") == "fetch('x', 1)\n"


LANGUAGES = [
    (
        "a.ts",
        "export function area(width: number, height: number): number {\n  return width;\n}\narea(1, f(2, 3));\n",
        ", height: number",
        "",
        "area(1);",
    ),
    (
        "a.ts",
        "const area = (width: number, height = 2) => width;\nconsole.log(area(1, 3));\n",
        "width: number, height = 2",
        "height = 2, width = 1",
        "area(3, 1)",
    ),
    (
        "a.js",
        "class Box {\n  fillUp(amount, speed) {\n    return this.fillUp(1, 2);\n  }\n}\n",
        "amount, speed",
        "speed, amount",
        "this.fillUp(2, 1)",
    ),
    (
        "a.go",
        'package p\n\nfunc Load(path string, n int) error {\n\treturn nil\n}\n\nfunc main() {\n\t_ = Load("a,b", 1)\n}\n',
        ", n int",
        "",
        'Load("a,b")',
    ),
    (
        "a.rs",
        "fn area(width: u32, height: Option<(u8, u8)>) -> u32 { width }\n\nfn main() {\n    area(1, Some((2, 3)));\n}\n",
        "width: u32, height: Option<(u8, u8)>",
        "height: Option<(u8, u8)>, width: u32",
        "area(Some((2, 3)), 1)",
    ),
    (
        "A.java",
        "class A {\n    int fillUp(Map<String, Integer> box, int speed) {\n        return fillUp(m, 2);\n    }\n}\n",
        ", int speed",
        "",
        "return fillUp(m);",
    ),
    (
        "a.c",
        "static int area(int width, int height)\n{\n    return width;\n}\n\nint main(void)\n{\n    return area(1, g(2, 3));\n}\n",
        "int width, int height",
        "int height, int width",
        "area(g(2, 3), 1)",
    ),
]


@pytest.mark.parametrize(
    ("name", "text", "old", "new", "expected"), LANGUAGES, ids=[f"{c[0]}-{n}" for n, c in enumerate(LANGUAGES)]
)
def test_languages(name: str, text: str, old: str, new: str, expected: str) -> None:
    desk = Desk()
    desk.open(name, text)
    cursor = desk.replace(name, old, new)
    assert desk.apply_all(name, cursor) == 1
    assert expected in desk.text(name)


@pytest.mark.parametrize(
    "text",
    [
        "def f(a, b):\n    pass\n\ndef f(a, b):\n    pass\n\nf(1, 2)\n",  # which of the two a call means is not known
        "def f(a, b, *rest, **others):\n    pass\n\nf(*x)\n",
        "class A:\n    def get(self, a, b):\n        pass\n\nthing.get(1, 2)\n",  # half of all objects have one
        "def f(a, b):\n    pass\n\nf(1, 2\n",
        "def f(a, b):\n    pass\n\nf(1, (2]))\n",
        "def f(a, b):\n    pass\n\nf(1)\nf(1, 2, 3)\nf(1, c=2)\n",  # wrong before already: another function's
    ],
)
def test_nothing_is_due(text: str) -> None:
    desk = Desk(a__py=text)
    assert desk.due("a.py", desk.replace("a.py", ", b", "")) == []


def test_typing_a_parameter_offers_nothing_wrong_on_the_way() -> None:
    desk = Desk(a__py="def fetch(url):\n    return url\n\n\ndef main(timeout):\n    fetch('x')\n")
    line, at = desk.locate("a.py", "):")
    for index, char in enumerate(", timeout=None"):
        desk.change("a.py", (line, at + index), (line, at + index), char)
        known = [edit.new_text for edit in desk.due("a.py", (line, at + index + 1)) if edit.is_known]
        assert known in ([], [", timeout"])
    assert desk.due("a.py", (line, at)) == []
