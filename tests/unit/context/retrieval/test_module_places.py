"""Shortcuts of retrieval give what the long way gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.context.retrieval.recent import Recent
from dragoman.context.retrieval.resolution import _candidates, _nearest
from dragoman.context.retrieval.sources.receiver import _call_at
from dragoman.context.workspace.outline import Import

PARTS = st.sampled_from(["app", "src", "shop", "cart", "lib"])
FOLDERS = st.lists(PARTS, max_size=3).map("/".join)
MODULES = st.lists(PARTS, min_size=1, max_size=2).map(".".join)


def files() -> st.SearchStrategy[str]:
    endings = st.sampled_from([".py", "/__init__.py", ".pyi", "/__init__.pyi", ".js"])
    return st.builds(lambda folder, name, end: f"{folder}/{name}{end}".lstrip("/"), FOLDERS, PARTS, endings)


@given(files(), MODULES, st.lists(files(), max_size=12))
def test_the_nearest_module_is_the_first_of_the_places_where_it_may_lie(
    path: str, module: str, there: list[str]
) -> None:
    one = Import(module, "", module.partition(".")[0], 0)
    candidates = (place for place in _candidates(path, one, "python", "workspace") if place != path)

    assert _nearest(path, module, there) == next((place for place in candidates if place in there), "")


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("total = add(1, ", "add"),
        ("self.cart.add(price(item), ", "self.cart.add"),
        ("outer(inner(1, (2, 3)), ", "outer"),
        ("outer(inner(", "inner"),
        ("shelf->lend(", "shelf->lend"),
        ("outer((1, ", ""),
        ("done(1)", ""),
        ("", ""),
    ],
)
def test_the_call_at_the_cursor_is_the_last_that_is_open(text: str, called: str) -> None:
    assert _call_at(text) == called


def test_what_was_longest_not_asked_for_goes_first() -> None:
    recent: Recent[str, int | None] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a", None) == 1
    recent.put("c", 3)

    assert [recent.get(one, None) for one in "abc"] == [1, None, 3]
    assert len(recent) == 2
