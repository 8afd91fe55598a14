"""The show score: what it reads off a suggestion, and that it is a probability whatever it reads."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.completion.scoring import (
    NOT_PARSING,
    ShowFeatures,
    context_of,
    ends_cleanly,
    is_worth_showing,
    measure,
    show_score,
    terms,
)
from dragoman.completion.scoring_weights import WITH_PROBABILITIES, WITHOUT_PROBABILITIES
from dragoman.models.base import Token
from tests.support.scripted import query_at

LOGPROB = st.floats(-20, 0)
SHARE = st.floats(0, 1)
FEATURES = st.builds(
    ShowFeatures,
    mean_logprob=LOGPROB,
    min_logprob=LOGPROB,
    first_logprob=LOGPROB,
    tokens=st.integers(0, 200),
    characters=st.integers(0, 500),
    lines=st.integers(0, 40),
    parses=st.sampled_from([True, None]),
    echo=SHARE,
    repetition=SHARE,
    known_identifiers=SHARE,
    ends_cleanly=st.booleans(),
    context=st.sampled_from(["word", "line_end", "in_line", "empty_line"]),
    language_known=st.booleans(),
    acceptance=st.none() | SHARE,
)


@given(FEATURES, LOGPROB, LOGPROB, LOGPROB)
def test_a_more_probable_answer_never_scores_less(
    features: ShowFeatures, mean: float, low: float, first: float
) -> None:
    better = replace(
        features,
        mean_logprob=max(mean, features.mean_logprob or 0.0),
        min_logprob=max(low, features.min_logprob or 0.0),
        first_logprob=max(first, features.first_logprob or 0.0),
    )
    assert show_score(better) >= show_score(features)


def test_probability_matters() -> None:
    sure = ShowFeatures(mean_logprob=-0.01, min_logprob=-0.05, first_logprob=-0.01, tokens=5, characters=20)
    unsure = replace(sure, mean_logprob=-1.5, min_logprob=-4.0, first_logprob=-2.0)
    assert show_score(sure) > 0.5 > 0.2 > show_score(unsure)


@given(FEATURES, SHARE)
def test_a_language_in_which_more_is_accepted_never_scores_less(features: ShowFeatures, rate: float) -> None:
    known = replace(features, acceptance=features.acceptance or 0.0)
    assert show_score(replace(known, acceptance=max(rate, known.acceptance or 0.0))) >= show_score(known)


ODD = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1e308])


@given(
    st.builds(
        ShowFeatures,
        mean_logprob=st.none() | ODD,
        min_logprob=st.none() | ODD,
        first_logprob=st.none() | ODD,
        tokens=st.integers(-5, 10**12),
        characters=st.integers(-5, 10**12),
        lines=st.integers(-5, 10**12),
        parses=st.sampled_from([True, False, None]),
        echo=ODD,
        repetition=ODD,
        known_identifiers=ODD,
        acceptance=st.none() | ODD,
    )
)
def test_the_score_is_a_probability_whatever_the_features_hold(features: ShowFeatures) -> None:
    assert 0.0 <= show_score(features) <= 1.0


@given(FEATURES)
def test_what_does_not_parse_is_all_but_certainly_wrong(features: ShowFeatures) -> None:
    assert show_score(replace(features, parses=False)) == NOT_PARSING


@given(FEATURES, SHARE)
def test_what_is_worth_showing(features: ShowFeatures, threshold: float) -> None:
    assert is_worth_showing(features, 0.0)
    assert is_worth_showing(replace(features, parses=False), 0.0)
    assert is_worth_showing(features, threshold) is (show_score(features) >= threshold)
    unknown = replace(features, mean_logprob=None)
    assert is_worth_showing(unknown, 1.0)
    assert not is_worth_showing(replace(unknown, parses=False), 0.1)
    assert not is_worth_showing(replace(features, parses=False), 0.1)


def test_the_weights_are_of_terms_that_there_are() -> None:
    with_probabilities = terms(ShowFeatures(mean_logprob=-1.0, tokens=1)).keys()
    without = terms(ShowFeatures()).keys()
    assert WITH_PROBABILITIES.keys() <= with_probabilities
    assert WITHOUT_PROBABILITIES.keys() <= without
    confidence = with_probabilities - without
    assert all(WITH_PROBABILITIES.get(name, 0.0) >= 0.0 for name in confidence)
    assert any(WITH_PROBABILITIES.get(name, 0.0) > 0.0 for name in confidence)


@pytest.mark.parametrize(
    ("marked", "context"),
    [
        ("    ret‸", "word"),
        ("    x = ‸", "line_end"),
        ("    ‸", "empty_line"),
        ("print(na‸)", "word"),
        ("print(‸)", "line_end"),
        ("x = ‸ + 1", "in_line"),
    ],
)
def test_the_cursors_context(marked: str, context: str) -> None:
    assert context_of(*marked.split("‸")) == context
    assert measure(query_at(marked), "x").context == context


@pytest.mark.parametrize(
    ("shown", "rest", "clean"),
    [
        ("f(x)", "", True),
        ("f(x", "", False),
        ("f(x", ")", True),
        ("x)", "", True),
        ("a +", "", False),
        ("self.", "", False),
        ("'it', \"(\"", "", True),
        ("'open", "", False),
        ('"""Say (this.\n\n    Twice."""', "", True),
        ("if x:", "", True),
        ("[\n    1,\n]", "", True),
        ("{'a': [1, 2}", "", False),
    ],
)
def test_what_ends_cleanly(shown: str, rest: str, clean: bool) -> None:
    assert ends_cleanly(shown, rest) is clean


def tokens_of(*pairs: Any) -> list[Token]:
    return [Token(text, logprob) for text, logprob in pairs]


def test_the_first_lines_tokens_are_measured() -> None:
    tokens = tokens_of(("  ", -9), ("total", -0.25), ("(x", -0.5), (")\n", -0.75), ("print", -8.0))
    features = measure(query_at("y = ‸"), "total(x)\nprint", tokens)
    assert (features.tokens, features.first_logprob, features.min_logprob) == (3, -0.25, -0.75)
    assert features.mean_logprob == pytest.approx(-0.5)
    assert (features.characters, features.lines) == (8, 2)


def test_what_was_typed_of_an_answer_is_not_measured_again() -> None:
    tokens = tokens_of(("total", -3.0), ("(x", -0.5), (")", -0.25))
    features = measure(query_at("y = total‸"), "(x)", tokens, typed="total")
    assert (features.tokens, features.first_logprob) == (2, -0.5)
    # Half a token is typed: the other half is still of that token.
    features = measure(query_at("y = to‸"), "tal(x)", tokens, typed="to")
    assert (features.tokens, features.first_logprob) == (3, -3.0)


def test_an_answer_that_a_filter_changed_is_aligned_by_its_begin() -> None:
    tokens = tokens_of(("total", -3.0), ("(x", -0.5), (")", -0.25), (")", -7.0))
    features = measure(query_at("y = ‸"), "total(x):", tokens)
    assert features.first_logprob == -3.0
    assert features.tokens >= 3


def test_without_tokens_nothing_is_said_of_probabilities() -> None:
    features = measure(query_at("y = ‸"), "total(x)")
    assert (features.mean_logprob, features.min_logprob, features.first_logprob) == (None, None, None)
    assert show_score(features) == show_score(replace(features, min_logprob=-3.0))


def test_echo_counts_lines_that_stand_close_by() -> None:
    marked = "alpha = beta(1)\ngamma = 2\nalpha‸\ndelta = epsilon()\n"
    assert measure(query_at(marked), " = beta(1)").echo == 1.0
    assert measure(query_at(marked), " = beta(1)\nsomething_else()").echo == 0.5
    assert measure(query_at(marked), " = other(1)\n").echo == 0.0
    # A bracket or an `else:` stands everywhere.
    assert measure(query_at("}\n‸\n}\n"), "}").echo == 0.0


def test_identifiers_count_as_known_when_the_file_has_them_near() -> None:
    marked = "import json\n\ndef read(path):\n    return json.lo‸\n"
    assert measure(query_at(marked), "ads(path)").known_identifiers == 0.5
    assert measure(query_at(marked), "ads(nothing)").known_identifiers == 0.0
    assert measure(query_at(marked), "'nothing'").known_identifiers == 1.0
    assert measure(query_at("x = ‸"), "1 + 2").known_identifiers == 1.0
    assert measure(query_at("pathology = 1\nx = ‸"), "path").known_identifiers == 0.0


def test_repetition_counts_runs_that_come_again() -> None:
    assert measure(query_at("‸"), "a, b, c, d").repetition == 0.0
    assert measure(query_at("‸"), "a, a, a, a, a, a, a, a").repetition > 0.7


TEXT = st.text(st.sampled_from("ab_1 \t\n()[]{}'\"\\.,:=é😀"), max_size=60)


@given(TEXT, TEXT, TEXT, st.lists(st.builds(Token, TEXT, LOGPROB), max_size=8), TEXT)
def test_anything_can_be_measured(before: str, after: str, shown: str, tokens: list[Token], typed: str) -> None:
    features = measure(query_at(f"{before}‸{after}"), shown, tokens, typed=typed)
    for share in (features.echo, features.repetition, features.known_identifiers):
        assert 0.0 <= share <= 1.0
    assert 0.0 <= show_score(features) <= 1.0
