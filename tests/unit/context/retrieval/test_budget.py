"""The budget holds, what is shown once is not paid twice, and the order stays from key to key."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.context.packing import pack
from dragoman.context.retrieval.candidates import Item
from dragoman.context.retrieval.fusion import choose
from dragoman.context.retrieval.rendering import render
from dragoman.context.snippets import Snippet
from dragoman.context.tokens import count, rough
from dragoman.models import tokenizers

NAMES = st.sampled_from([f"name_{letter}" for letter in "abcdefghijkl"])


@st.composite
def items(draw):
    found = []
    for at in range(draw(st.integers(0, 30))):
        names = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
        whole = draw(st.booleans())
        header = "" if whole else draw(st.sampled_from(["", "class One", "class Two(One)"]))
        text = f"def {names[0]}({', '.join(names[1:])})" * (3 if whole else 1)
        path = draw(st.sampled_from(["a.py", "b.py"]))
        found.append(Item("symbols", path, at, text, names, header, whole=whole, score=0.5 if whole else 0.0))
    return found


@given(items(), st.dictionaries(NAMES, st.floats(0, 1)), st.integers(0, 400))
def test_what_is_chosen_never_costs_more_than_the_budget(found, chances, budget) -> None:
    chosen = choose(found, chances, budget)
    snippets = render(chosen)

    assert sum(one.tokens for one in chosen) <= budget
    # What stands above a signature, and the path above each file, was paid for too.
    assert sum(one.tokens for one in snippets) <= budget + 2 * len(snippets)


@given(items(), st.dictionaries(NAMES, st.floats(0, 1)))
def test_the_same_question_has_the_same_answer(found, chances) -> None:
    assert render(choose(found, chances, 300)) == render(choose(list(found), dict(chances), 300))


def test_a_name_that_is_shown_is_worth_nothing_again() -> None:
    one = Item("symbols", "a.py", 1, "def wanted_name()", ("wanted_name",))
    same = Item("imports", "b.py", 1, "def wanted_name()", ("wanted_name",))
    other = Item("imports", "b.py", 2, "def other_name()", ("other_name",))

    chosen = choose([one, same, other], {"wanted_name": 0.9, "other_name": 0.1}, 1_000)

    assert [part.item for part in chosen] == [one, other]


def test_the_most_valuable_stands_last_nearest_to_the_cursor() -> None:
    parts = [Item("symbols", f"{name}.py", 0, f"def {name}()", (name,)) for name in ("least", "most", "middle")]

    snippets = render(choose(parts, {"least": 0.1, "middle": 0.5, "most": 0.9}, 1_000))

    assert [one.path for one in snippets] == ["least.py", "middle.py", "most.py"]


def test_signatures_stand_below_their_class_and_code_as_it_is() -> None:
    chances = {"first": 0.9, "second": 0.8, "third": 0.7}
    parts = [
        Item("symbols", "a.py", 4, "def second(self)", ("second",), "class One"),
        Item("symbols", "a.py", 2, "def first(self)", ("first",), "class One"),
        Item("similar", "a.py", 20, "total = third()\nprint(total)", ("third",), whole=True, score=0.1),
    ]

    texts = {one.text: one.line for one in render(choose(parts, chances, 1_000))}

    assert texts == {
        "class One\n    def first(self)\n    def second(self)": 3,
        "total = third()\nprint(total)": 21,
    }


def test_a_signature_that_stands_in_a_shown_piece_is_not_shown_again() -> None:
    parts = [
        Item("symbols", "a.py", 11, "def first()", ("first",)),
        Item("similar", "a.py", 10, "x = 1\ndef first():\n    pass", ("first", "pass"), whole=True, score=1.0),
    ]

    assert [one.source for one in render(choose(parts, {"first": 0.9}, 1_000))] == ["similar"]


def snippet(name: str, tokens: int = 10) -> Snippet:
    return Snippet("symbols", f"{name}.py", name, tokens, 1.0)


def test_what_was_there_keeps_its_place_and_what_is_new_follows() -> None:
    before = (snippet("one"), snippet("two"), snippet("three"))

    now = pack([snippet("new"), snippet("three"), snippet("one")], before, 100)

    assert [one.text for one in now] == ["one", "three", "new"]


def test_where_the_budget_is_short_the_least_valuable_goes() -> None:
    now = pack([snippet("least", 60), snippet("middle", 30), snippet("most", 60)], (), 100)

    assert [one.text for one in now] == ["middle", "most"]


@settings(deadline=None)  # The first real count loads a vocabulary.
@given(
    st.lists(
        st.sampled_from(["def area(self, width: int) -> int", "total = sum(map(len, x))", "名前 = 1", "12345", ""])
    )
)
def test_counts_are_near_the_real_ones_and_rather_above(lines) -> None:
    text = "\n".join(lines)

    assert count(text) >= 0.9 * tokenizers.count(text)
    assert rough(text) >= 0
