"""Two rankings made one: by names, and by meaning where it is known."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dragoman.context.retrieval.hybrid import find_alike, fuse
from dragoman.context.retrieval.lexical import find_similar
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.scope import read_scope
from tests.support.small_index import SmallIndex

FILES = {
    "a.py": "def alpha(order_total, tax_rate):\n    return order_total * tax_rate\n",
    "b.py": "def beta(order_total):\n    return order_total\n",
    "c.py": "def gamma(invoice_sum):\n    return invoice_sum\n",
}
BEFORE = "order_total = 3\ntax_rate = 2\n"


def ranked(index: SmallIndex, place: Place) -> list[tuple[str, float]]:
    index.retriever.files.begin()
    found = find_alike(index.retriever.files, read_scope(place, None), place)
    return [(one.chunk.path, one.score) for one in found]


def test_what_both_rank_comes_first() -> None:
    assert fuse([["a", "b", "c"], ["c", "d"]]) == ["c", "a", "b", "d"]
    assert fuse([["a", "b"], []]) == ["a", "b"]
    assert fuse([]) == []


@given(st.lists(st.lists(st.integers(0, 20), unique=True), max_size=4))
def test_everything_is_there_once_and_who_leads_all_rankings_leads(rankings: list[list[int]]) -> None:
    fused = fuse(rankings)

    assert sorted(fused) == sorted({one for ranking in rankings for one in ranking})
    if rankings and all(rankings) and len({ranking[0] for ranking in rankings}) == 1:
        assert fused[0] == rankings[0][0]


def test_without_meaning_the_names_alone_rank(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    place = Place("x.py", "python", BEFORE, "")
    index.retriever.files.begin()
    named = find_similar(index.retriever.files, read_scope(place, None), "x.py")

    assert ranked(index, place) == [(one.chunk.path, one.score) for one in named]
    assert [path for path, _ in ranked(index, place)] == ["a.py", "b.py"]


def test_what_only_means_the_same_is_found_and_counts_less_than_the_best(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    found = ranked(index, Place("x.py", "python", BEFORE, "", nearest=(("b.py", 1), ("c.py", 0))))

    assert [path for path, _ in found] == ["b.py", "a.py", "c.py"]
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1


def test_meaning_alone_is_enough(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    found = ranked(index, Place("x.py", "python", "unheard_of = 1\n", "", nearest=(("c.py", 0), ("a.py", 0))))

    assert [path for path, _ in found] == ["c.py", "a.py"]
    assert found[0][1] > found[1][1] > 0


def test_places_that_are_gone_or_in_the_own_file_are_nothing(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    nearest = (("gone.py", 0), ("c.py", 400), ("a.py", 1), ("a.py", 0))

    assert ranked(index, Place("a.py", "python", "unheard_of = 1\n", "", nearest=nearest)) == []
    found = ranked(index, Place("x.py", "python", "unheard_of = 1\n", "", nearest=nearest))
    assert [path for path, _ in found] == ["a.py"]


def test_the_place_travels_with_them() -> None:
    place = Place("x.py", "python", "", "", nearest=(("a.py", 3),))

    assert Place.from_wire(place.to_wire()) == place
