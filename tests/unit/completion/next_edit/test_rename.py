"""A renamed word: which other places are meant by it, and which only look alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.next_edits import Desk

BRACKETED = re.compile(r"⟦(.*?)⟧")


def check(name: str, text: str, old: str, new: str, *, keys: bool = False) -> Desk:
    """Rename the first bracketed word; what is offered then must be the other bracketed words, in order."""
    plain = BRACKETED.sub(r"\1", text)
    places = []
    for match in BRACKETED.finditer(text):
        head = BRACKETED.sub(r"\1", text[: match.start()]).replace("⟦", "")
        places.append((head.count("\n"), len(head) - head.rfind("\n") - 1))
    desk = Desk()
    desk.open(name, plain)
    line, at = places[0]
    cursor = (line, at + len(new))
    if keys:
        desk.change(name, (line, at), (line, at + len(old)), new[:1])
        for index in range(1, len(new)):
            desk.change(name, (line, at + index), (line, at + index), new[index])
    else:
        desk.change(name, (line, at), (line, at + len(old)), new)
    expected = sorted(
        (there, column + (len(new) - len(old) if there == line and column > at else 0)) for there, column in places[1:]
    )
    found = desk.due(name, cursor)
    assert sorted(edit.start for edit in found) == expected, [(edit.start, edit.label) for edit in found]
    assert all((edit.old_text, edit.new_text) == (old, new) for edit in found)
    assert desk.apply_all(name, cursor) == len(expected)
    assert desk.text(name) == BRACKETED.sub(lambda match: match[1].replace(old, new), text)
    return desk


CASES: list[tuple[str, str, str, str]] = [
    (
        "a.py",
        """\
def area(⟦width⟧, height):
    '''The width of it.'''
    # width
    half = ⟦width⟧ / 2
    other.width = "width" + f"{⟦width⟧} width {⟦width⟧:>3}"
    return half * make(width=⟦width⟧)

def make(width):
    return width
""",
        "width",
        "breadth",
    ),
    (
        "a.py",
        """\
total = 0
def f(items):
    ⟦count⟧ = 0
    for item in items:
        ⟦count⟧ += 1
    return ⟦count⟧
def g():
    count = 1
    return count
""",
        "count",
        "amount",
    ),
    (
        "a.py",
        """\
⟦LIMIT⟧ = 3
def f():
    return ⟦LIMIT⟧
def g(LIMIT):
    return LIMIT
print(⟦LIMIT⟧, x.LIMIT)
""",
        "LIMIT",
        "MAXIMUM",
    ),
    (
        "a.py",
        """\
class Box:
    def ⟦unpack⟧(self):
        return self.⟦unpack⟧()

    def other(self):
        unpack = 1
        return unpack

Box().⟦unpack⟧()
unpack()
""",
        "unpack",
        "open_up",
    ),
    (
        "a.py",
        """\
class Box:
    def __init__(self):
        self.⟦lid⟧ = 1

    def open(self, other):
        return self.⟦lid⟧ + other.lid

class Jar:
    def open(self):
        return self.lid
""",
        "lid",
        "cover",
    ),
    ("a.py", "# a ⟦my_colour⟧ here\nmy_colour = 1\n# the ⟦my_colour⟧ there\n", "my_colour", "my_color"),
    (
        "a.py",
        'load("plugins.⟦readers⟧.one")\nload("plugins.⟦readers⟧.two")\nreaders = "some readers of it"\n',
        "readers",
        "sources",
    ),
    (
        "a.ts",
        """\
export function area(⟦width⟧: number, height: number): number {
  // width
  const twice = `${⟦width⟧} width`;
  return draw({ width: ⟦width⟧, height }) + ⟦width⟧ * height;
}
const width = 3;
""",
        "width",
        "breadth",
    ),
    (
        "a.js",
        """\
class Box {
  ⟦unpack⟧() {
    return this.⟦unpack⟧();
  }
}
new Box().⟦unpack⟧();
unpack();
""",
        "unpack",
        "openUp",
    ),
    (
        "a.go",
        """\
package p

func Load(⟦path⟧ string) (string, error) {
\tif ⟦path⟧ == "path" {
\t\treturn ⟦path⟧, nil
\t}
\treturn Options{path: ⟦path⟧}.x, nil
}

func Save(path string) { use(path) }
""",
        "path",
        "file",
    ),
    (
        "a.rs",
        """\
fn area(⟦width⟧: u32, height: u32) -> u32 {
    let twice = ⟦width⟧ * 2; // width
    println!("{} width {⟦width⟧}", ⟦width⟧);
    twice * height
}
""",
        "width",
        "breadth",
    ),
    (
        "A.java",
        """\
class A {
    int area(int ⟦width⟧, int height) {
        /* width */
        return ⟦width⟧ * height + this.width;
    }
    int width;
}
""",
        "width",
        "breadth",
    ),
    (
        "a.c",
        """\
static int area(int ⟦width⟧, int height)
{
    return ⟦width⟧ * height + box->width;
}
int width = 3;
""",
        "width",
        "breadth",
    ),
]


CASES += [
    (
        "a.py",
        """\
class ⟦Box⟧:
    pass

x: ⟦Box⟧ = ⟦Box⟧()
def f(b: int) -> ⟦Box⟧:
    return ⟦Box⟧()
""",
        "Box",
        "Crate",
    ),
    (
        "a.js",
        """\
const ⟦limit⟧ = 3;
function f() { return ⟦limit⟧; }
export { ⟦limit⟧ };
export default { limit, x: ⟦limit⟧ };
""",
        "limit",
        "maximum",
    ),
    (
        "a.ts",
        """\
interface Options {
  ⟦breite⟧: number;
}
function f(o: Options) { return o.⟦breite⟧ + o.height; }
""",
        "breite",
        "width",
    ),
    (
        "a.go",
        """\
package p

type Box struct {
\t⟦Width⟧ int
}

func (b *Box) Area() int {
\treturn b.⟦Width⟧ * 2
}
""",
        "Width",
        "Breadth",
    ),
    (
        "b.go",
        """\
package p

func (b *Box) ⟦Surface⟧() int {
\treturn 2
}

func main() {
\tb.⟦Surface⟧()
}
""",
        "Surface",
        "Cover",
    ),
    (
        "a.rs",
        "fn area() -> u32 { 1 }\nstruct ⟦Crate2⟧;\nfn make() -> ⟦Crate2⟧ { ⟦Crate2⟧ }\n",
        "Crate2",
        "Package",
    ),
    (
        "A.java",
        """\
class A {
    int ⟦pourOut⟧(int amount) {
        return amount;
    }
    void go() {
        ⟦pourOut⟧(1);
        this.⟦pourOut⟧(2);
    }
}
""",
        "pourOut",
        "fillUp",
    ),
    ("a.sh", "⟦TARGET⟧=1\necho $⟦TARGET⟧ # TARGET\n", "TARGET", "GOAL"),
]


@pytest.mark.parametrize("keys", [False, True], ids=["at once", "by keys"])
@pytest.mark.parametrize(("name", "text", "old", "new"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES])
def test_the_other_places_of_a_rename(name: str, text: str, old: str, new: str, keys: bool) -> None:
    check(name, text, old, new, keys=keys)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("x = first\ny = first\nsecond = 1\nfirst = 2\n", "first", "second"),  # another variable was meant
        ("ab = 1\nuse(ab)\n", "ab", "abc"),  # too short to be told from others
        ("value = 1\nuse(value)\n", "value", "return"),  # a keyword is no name
        ("value = 1\nuse(value)\n", "value", "v"),
        ("use(value)\nother(value)\n", "value", "thing"),  # nothing here declares it
        ("def make():\n    pass\n\ndef make():\n    pass\n\nmake()\n", "make", "build"),  # a copy got a name of its own
        ("message = 'the words of it'\nuse('words')\n", "words", "text"),  # a sentence is nobody's name
        ("# the words of it\n# other words\n", "words", "text"),  # nor one of prose
        ("value = 1\nuse(value)\nuse(value)\n", "use(value", "use(amount"),  # at a use, another variable is meant
        ("1 + 2\n1 + 2\n", "1", "3"),
    ],
)
def test_no_rename(text: str, old: str, new: str) -> None:
    desk = Desk(a__py=text)
    assert desk.due("a.py", desk.replace("a.py", old, new)) == []


def test_typing_a_new_word_is_no_rename() -> None:
    desk = Desk(a__py="count = 1\nuse(count)\n\n")
    line = 2
    for index, char in enumerate("count_all = count"):
        desk.change("a.py", (line, index), (line, index), char)
        assert desk.due("a.py", (line, index + 1)) == []
        assert desk.ghost("a.py", (line, index + 1)) is None


def test_another_edit_ends_it_and_blank_lines_do_not() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n\n\nx = 1\n")
    cursor = desk.replace("a.py", "width", "breadth")
    assert len(desk.due("a.py", cursor)) == 1
    desk.change("a.py", (3, 0), (3, 0), "\n")
    assert len(desk.due("a.py", cursor)) == 1
    desk.replace("a.py", "x = 1", "x = 12")
    assert desk.due("a.py", cursor) == []


def test_undone_is_not_due() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n")
    cursor = desk.replace("a.py", "width", "breadth")
    assert desk.due("a.py", cursor)
    desk.replace("a.py", "breadth", "width")
    assert desk.due("a.py", cursor) == []


def test_dismissed_is_not_offered_and_another_one_is() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n\ndef g(height):\n    return height\n")
    cursor = desk.replace("a.py", "width", "breadth")
    desk.next_edits.dismissed()
    assert desk.due("a.py", cursor) == []
    cursor = desk.replace("a.py", "height", "length")
    assert len(desk.due("a.py", cursor)) == 1


def test_what_is_dismissed_in_one_place_is_offered_in_another() -> None:
    desk = Desk(
        a__py="def f(width):\n    return width\n\n\ndef g(width):\n    return width\n",
        b__py="def f(width):\n    return width\n",
    )
    desk.replace("a.py", "width", "breadth")
    desk.next_edits.dismissed()
    assert len(desk.due("b.py", desk.replace("b.py", "width", "breadth"))) == 1
    desk.next_edits.dismissed()
    cursor = desk.replace("a.py", "width", "breadth", 1)
    assert [edit.start for edit in desk.due("a.py", cursor)] == [(5, 11)]


def test_switched_off_offers_nothing_and_hears_all() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n")
    desk.next_edits.enabled = False
    cursor = desk.replace("a.py", "width", "breadth")
    assert desk.due("a.py", cursor) == []
    desk.next_edits.enabled = True
    assert len(desk.due("a.py", cursor)) == 1


def test_a_second_variable_made_of_one_is_no_rename() -> None:
    desk = Desk(a__py="def f():\n    value = 1\n    use(value)\n    value = 2\n    use(value)\n")
    assert desk.due("a.py", desk.replace("a.py", "value", "second", 2)) == []
    desk = Desk(a__py="def f():\n    value = 1\n    use(value)\n    value = 2\n    use(value)\n")
    assert len(desk.due("a.py", desk.replace("a.py", "value", "second"))) == 3


def test_the_same_rename_in_the_next_function_is_one_of_its_own() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n\n\ndef g(width):\n    return width\n")
    cursor = desk.replace("a.py", "width", "breadth")
    assert desk.apply_all("a.py", cursor) == 1
    cursor = desk.replace("a.py", "width", "breadth")
    assert [edit.start for edit in desk.due("a.py", cursor)] == [(5, 11)]


def test_a_pause_in_the_middle_of_a_word_changes_nothing() -> None:
    desk = Desk(a__py="def f(width):\n    return width\n")
    desk.replace("a.py", "width", "br")
    desk.now += 60
    cursor = desk.replace("a.py", "br", "breadth")
    (edit,) = desk.due("a.py", cursor)
    assert (edit.old_text, edit.new_text) == ("width", "breadth")


def test_other_documents_that_import_it_come_last_and_others_not_at_all() -> None:
    desk = Desk(
        a__py="def area():\n    pass\n\n\narea()\n",
        b__py="from a import area\nprint(area(), 'area')\n",
        c__py="import a\na.area()\nother.area()\n",
        d__py="def area():\n    pass\narea()\n",
        e__js="import { area } from 'a';\narea();\n",
        f__md="area\n",
    )
    cursor = desk.replace("a.py", "area", "surface")
    found = [(edit.uri[-4:], edit.start) for edit in desk.due("a.py", cursor)]
    assert found[0] == ("a.py", (4, 0))
    assert sorted(found[1:]) == [("b.py", (0, 14)), ("b.py", (1, 6)), ("c.py", (1, 2))]
    desk.close("b.py")
    assert len(desk.due("a.py", cursor)) == 2
    desk.close("a.py")
    assert desk.due("c.py", (0, 0)) == []


def test_the_next_one_is_the_next_after_the_cursor() -> None:
    desk = Desk(a__py="def f(width):\n    a = width\n    b = width\n    return width\n")
    desk.replace("a.py", "width", "breadth")
    assert [edit.start[0] for edit in desk.due("a.py", (2, 0))] == [2, 3, 1]


def test_ghost_text_completes_the_word_at_the_next_place() -> None:
    desk = Desk(a__py="def f(width):\n    return width + 1\n")
    desk.replace("a.py", "width", "breadth", keys=True)
    line, at = desk.locate("a.py", "width")
    assert desk.ghost("a.py", (line, at + 5)) is None  # cannot be shown as text inserted there
    desk.change("a.py", (line, at), (line, at + 5), "")
    assert desk.ghost("a.py", (line, at)) == "breadth"
    desk.change("a.py", (line, at), (line, at), "b")
    assert desk.ghost("a.py", (line, at + 1)) == "readth"
    desk.change("a.py", (line, at + 1), (line, at + 1), "r")
    assert desk.ghost("a.py", (line, at + 2)) == "eadth"
    desk.change("a.py", (line, at + 2), (line, at + 2), "x")
    assert desk.ghost("a.py", (line, at + 3)) is None


def test_ghost_text_adds_what_the_new_name_has_more() -> None:
    desk = Desk(a__py="def f(count):\n    return count + 1\n")
    desk.replace("a.py", "count", "counter")
    assert desk.ghost("a.py", (1, 16)) == "er"
    assert desk.ghost("a.py", (1, 14)) is None
    assert desk.ghost("a.py", (0, 13)) is None


WORDS = st.sampled_from(["width", "height", "wid", "width_2", "widths", "x"])
PUNCTUATION = st.sampled_from([" + ", " * ", ", ", " (1) * ", "\n    y = ", "[0] + ", " - 😀_ - "])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, PUNCTUATION), max_size=25), st.sampled_from(["\n", "\r\n"]))
def test_all_offered_edits_of_a_rename_replace_the_whole_words(body: list[tuple[str, str]], ending: str) -> None:
    code = "".join(word + mark for word, mark in body)
    text = f"def f(width, height):\n    x = {code}1\n    return x\n".replace("\n", ending).replace("😀_", "'😀'")
    desk = Desk(a__py=text)
    cursor = desk.replace("a.py", "width", "breadth")
    desk.apply_all("a.py", cursor)
    assert desk.text("a.py") == re.sub(r"\bwidth\b", "breadth", text)
