"""What each filter promises for any text at any place."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.completion.postprocess import FILTERS, Filter, polish
from dragoman.completion.postprocess.place import Place
from dragoman.completion.postprocess.prose import drop_prose

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A loaded machine is no failure."""
PIECES = st.sampled_from(
    [
        *(
            "\n",
            " ",
            "    ",
            "\t",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            '"',
            "'",
            "`",
            ";",
            ":",
            ",",
            "\\",
            "=>",
            "/>",
            "</div>",
        ),
        *("name", "foo(a, b)", "return result", "end", "else:", "Here is", "Sure, ", "This function returns 1"),
        *("<|endoftext|>", "<fim_middle>", "<EOT>", "[INST]", "</s>", "User: ", "é", "👨‍👩‍👧"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=16).map("".join), st.text(max_size=60))
LINES = TEXTS.map(lambda text: text.replace("\n", " ").replace("\r", " "))
PLACES = st.builds(
    Place,
    head=LINES,
    rest=LINES,
    following=st.lists(LINES, max_size=4).map(tuple),
    special=st.sampled_from([frozenset(), frozenset({"<|endoftext|>", "<|fim_middle|>"})]),
    selected=st.sampled_from(["", "", "name", "foo"]),
    at_start=st.booleans(),
    language=st.sampled_from(["", "python", "markdown"]),
)
CUTS_AT_THE_END = [(name, apply) for name, apply in FILTERS if name != "indentation"]


@pytest.mark.parametrize(("name", "apply"), CUTS_AT_THE_END, ids=[name for name, _ in CUTS_AT_THE_END])
def test_a_filter_only_cuts_the_end(name: str, apply: Filter) -> None:
    @PATIENT
    @given(TEXTS, PLACES)
    def check(text: str, place: Place) -> None:
        assert text.startswith(apply(text, place))

    check()


@PATIENT
@given(TEXTS, PLACES)
def test_indentation_only_cuts_the_beginning(text: str, place: Place) -> None:
    result = dict(FILTERS)["indentation"](text, place)
    assert text.endswith(result)
    assert not text.removesuffix(result).strip()


# The overlap may come twice in a text: a second pass would cut once more what is wanted.
ONCE_IS_ENOUGH = [(name, apply) for name, apply in FILTERS if name != "suffix overlap"]


@pytest.mark.parametrize(("name", "apply"), ONCE_IS_ENOUGH, ids=[name for name, _ in ONCE_IS_ENOUGH])
def test_a_second_pass_changes_nothing(name: str, apply: Filter) -> None:
    @PATIENT
    @given(TEXTS, PLACES)
    def check(text: str, place: Place) -> None:
        once = apply(text, place)
        assert apply(once, place) == once

    check()


@PATIENT
@given(TEXTS, PLACES)
def test_polish_names_the_filter_that_emptied_the_text(text: str, place: Place) -> None:
    polished, emptied_by = polish(text, place)
    assert polished in text
    if polished:
        assert polished.strip()
        assert polished.startswith(place.selected)
        assert not emptied_by
    else:
        assert emptied_by in dict(FILTERS)


@pytest.mark.parametrize(
    "line",
    [
        "here = find()",
        "sure = True",
        "i = 0",
        "output: str",
        "note = 1",
        "this.function(x)",
        "the_code = 1",
        "let me: User;",
        "let code = 1;",
        "solution: Solution",
        "you = Player()",
        "I = 1",
        "okay.call()",
        "sorry, thanks = 1, 2",
    ],
)
def test_code_is_not_taken_for_prose(line: str) -> None:
    assert drop_prose(line, Place(head="    ", rest="")) == line


@pytest.mark.parametrize("language", ["markdown", "plaintext"])
def test_prose_is_the_content_of_a_document(language: str) -> None:
    text = "Here is the list of commands."
    assert drop_prose(text, Place(head="", rest="", language=language)) == text
    assert drop_prose(text, Place(head="", rest="", language="python")) == ""
