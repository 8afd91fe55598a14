"""The index of generations against a plain reading of its promise."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.completion.cache import GenerationIndex
from dragoman.completion.generation import Generation
from dragoman.completion.shape import shape_at
from dragoman.completion.stopping import StopRules
from dragoman.completion.surroundings import surroundings
from dragoman.errors import ModelError
from dragoman.limits import CACHE_ENTRIES, CACHE_PREFIX_CHARS, CACHE_SECONDS, TYPED_THROUGH_CHARS
from tests.support.scripted import query_at


def finished(marked: str, text: str, *, language: str = "python", clock=lambda: 0.0) -> Generation:
    query = query_at(marked, language=language)
    rules = StopRules(query, shape_at(query, "always"))
    generation = Generation(query, surroundings(query), rules, provider="fake", model="fake", clock=clock)
    generation.text, generation.done = text, True
    return generation


def find(index: GenerationIndex, marked: str, language: str = "python"):
    query = query_at(marked, language=language)
    return index.find(surroundings(query), query)


WORDS = st.text("ab\n", max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=6), WORDS)
def test_what_is_found_goes_on_and_is_the_least_typed(entries: list[tuple[str, str]], now: str) -> None:
    index = GenerationIndex(lambda: 0.0)
    newest: dict[str, str] = {}
    for before, text in entries:
        index.add(finished(before + "‸", text))
        newest[before] = text

    found = find(index, now + "‸")

    fitting = [
        len(now) - len(before)
        for before, text in newest.items()
        if now.startswith(before) and text.startswith(now[len(before) :])
    ]
    assert (found is None) == (not fitting)
    if found is not None:
        generation, typed = found
        assert len(typed) == min(fitting)
        assert generation.text.startswith(typed)


def test_a_long_document_is_recognized_by_what_stands_close_to_the_cursor() -> None:
    index = GenerationIndex(lambda: 0.0)
    close = "x = compute(y)\n" * (CACHE_PREFIX_CHARS // 15 + 1)
    index.add(finished("import a\n" + close + "total = ‸", "sum(values)"))

    assert find(index, "import b\nimport a\n" + close + "total = su‸") is not None
    assert find(index, "import b\n" + close + "total = su‸") is None
    assert find(index, "import a\n" + close.replace("y", "z") + "total = su‸") is None
    assert find(index, "import a\n" + close + "total = su‸", "ruby") is None
    assert find(index, "import a\n" + close + "total = su‸\nreturn total") is None


def test_typing_far_beyond_an_answer_s_place_finds_nothing() -> None:
    index = GenerationIndex(lambda: 0.0)
    text = "word " * (TYPED_THROUGH_CHARS // 5 + 2)
    index.add(finished("x = ‸", text))
    assert find(index, "x = " + text[:TYPED_THROUGH_CHARS] + "‸") is not None
    assert find(index, "x = " + text[: TYPED_THROUGH_CHARS + 1] + "‸") is None


def test_the_index_is_bounded_and_forgets_the_least_recently_used() -> None:
    index = GenerationIndex(lambda: 0.0)
    for number in range(CACHE_ENTRIES):
        index.add(finished(f"value_{number} = ‸\nnext_{number}", "1"))
    assert find(index, "value_0 = ‸\nnext_0") is not None
    index.add(finished("another = ‸", "1"))
    assert len(index) == CACHE_ENTRIES
    assert find(index, "value_0 = ‸\nnext_0") is not None
    assert find(index, "value_1 = ‸\nnext_1") is None


def test_old_and_failed_answers_are_forgotten() -> None:
    now = [0.0]
    index = GenerationIndex(lambda: now[0])
    index.add(finished("old = ‸", "1", clock=lambda: 0.0))
    failed = finished("failed = ‸", "1")
    index.add(failed)
    failed.error = ModelError("broken")
    assert find(index, "failed = ‸") is None
    now[0] = CACHE_SECONDS + 1
    assert find(index, "old = ‸") is None
    assert len(index) == 0


def test_forgetting_twice_does_no_harm() -> None:
    index = GenerationIndex(lambda: 0.0)
    generation = finished("x = ‸", "1")
    index.add(generation)
    index.discard(generation)
    index.discard(generation)
    assert len(index) == 0
    index.add(generation)
    assert find(index, "x = ‸") == (generation, "")
