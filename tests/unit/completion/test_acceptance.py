"""What is inferred from the text alone, editor by editor, and what an editor's own word adds to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dragoman.completion.acceptance import AcceptanceTracker
from dragoman.completion.query import Outcome, SelectedItem, Suggestion
from dragoman.lsp.documents import Change
from dragoman.monitoring import bug
from dragoman.monitoring.usage import Event
from tests.support.screen import URI, Screen

LOOP = "for x in xs:\n    print(x)\n    total += x"


# -- the whole ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "suggestion"),
    [
        ("total = █\n", "sum(values)"),
        ("def f():\n    █\n", LOOP),
        ("print(█)\n", "x, y"),
        ("a\r\nb = █\r\nc\r\n", "first\r\n    second"),
        ("a\r\nb = █\r\nc\r\n", "first\n    second"),
        ("s = '👩‍💻' + █\n", "'🎉🎉' + name"),
        ("█", "import os"),
        ("x = f(█)  # note\n", "1, 2"),
    ],
)
@pytest.mark.parametrize("told", ["not", "before", "after"])
def test_tab_in_vs_code_takes_the_whole(document: str, suggestion: str, told: str) -> None:
    """VS Code inserts the text and then runs the item's command; other clients do it the other way round or not at all."""
    screen = Screen(document)
    identifier = screen.show(suggestion)
    if told == "before":
        screen.tracker.accepted(identifier, "whole")
    screen.insert(suggestion)
    if told == "after":
        screen.tracker.accepted(identifier, "whole")
        screen.tracker.accepted(identifier, "whole")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["characters"] == len(suggestion.replace("\r\n", "\n"))
    assert screen.fates == {"survived": 1}


def test_closing_brackets_that_the_editor_adds_belong_to_the_acceptance() -> None:
    screen = Screen("x = █\n")
    screen.show("foo(a, [b")
    screen.insert("foo(a, [b", behind="])")

    assert screen.ends == {"shown": 1, "whole": 1}


def test_closing_brackets_that_are_typed_over_belong_to_it_too() -> None:
    screen = Screen("x = foo(█)\n")
    screen.show("a, b)")
    screen.edit(Change("a, b)", (0, 8), (0, 9)))

    assert screen.text == "x = foo(a, b)\n"
    assert screen.ends == {"shown": 1, "whole": 1}


def test_a_suggestion_may_replace_what_stands_behind_the_cursor() -> None:
    screen = Screen("x = foo(█)\n")
    screen.show("a, b)", over=1)
    screen.edit(Change("a, b)", (0, 8), (0, 9)))

    assert screen.ends == {"shown": 1, "whole": 1}


def test_an_editor_may_indent_accepted_lines_in_its_own_way() -> None:
    screen = Screen("def f():\n\t█\n")
    screen.show(LOOP)
    screen.insert(LOOP.replace("    ", "\t\t"))

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.fates == {"survived": 1}


def test_every_cursor_gets_the_text() -> None:
    screen = Screen("a = \nb = █\nc = \n")
    text = "[\n    1,\n]"
    screen.show(text)
    screen.edit(*(Change(text, (line, 4), (line, 4)) for line in (2, 1, 0)))

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.fates == {"survived": 1}


def test_an_alternative_can_be_taken() -> None:
    screen = Screen("x = █\n")
    screen.show("one()", alternatives=("other(1)", "third"))
    screen.insert("other(1)")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["characters"] == len("other(1)")


# -- a part of it ------------------------------------------------------------------------------------------------------


def test_ctrl_right_takes_words_and_the_rest_stays() -> None:
    screen = Screen("x = █\n")
    screen.show("first_name + last", generation=7)
    screen.insert("first_name")
    screen.show(" + last", generation=7, source="cache")
    screen.insert(" +")
    screen.show(" last", generation=7, source="cache")
    assert screen.tracker.open_count == 1
    screen.insert(" last")

    assert screen.ends == {"shown": 1, "word": 1}
    assert screen.counts["characters"] == len("first_name + last")
    assert (screen.counts["from_model"], screen.counts["from_cache"]) == (1, 2)
    assert screen.fates == {"survived": 1}


def test_a_word_and_then_the_rest_at_once_is_the_whole() -> None:
    screen = Screen("x = █\n")
    screen.show("first_name + last")
    screen.insert("first_name")
    screen.insert(" + last")

    assert screen.ends == {"shown": 1, "whole": 1}


def test_a_word_and_then_something_else_is_a_word() -> None:
    screen = Screen("x = █\n")
    screen.show("first_name + last")
    screen.insert("first_name")
    screen.insert(")")

    assert screen.ends == {"shown": 1, "word": 1}
    assert screen.counts["characters"] == len("first_name")
    assert screen.fates == {"survived": 1}


def test_a_word_that_nothing_follows_counts_when_its_time_is_over() -> None:
    screen = Screen("x = █\n")
    screen.show("first_name + last")
    screen.insert("first_name")
    assert screen.ends == {"shown": 1}

    assert screen.fates == {"survived": 1}
    assert screen.ends == {"shown": 1, "word": 1}
    assert screen.tracker.open_count == screen.tracker.watched_count == 0


@pytest.mark.parametrize("piece", ["for x in xs:", "for x in xs:\n", "for x in xs:\n    "])
def test_the_first_line_is_a_line(piece: str) -> None:
    screen = Screen("def f():\n    █\n")
    screen.show(LOOP)
    screen.insert(piece)
    screen.insert("Q")

    assert screen.ends == {"shown": 1, "line": 1}


def test_neovims_menu_takes_line_by_line() -> None:
    """Its item replaces the word before the cursor with itself and the line, then runs the command; Enter is a key."""
    screen = Screen("def f():\n    fo█\n")
    first = screen.show("r x in xs:\n        print(x)", generation=9)
    screen.edit(Change("for x in xs:", (1, 4), (1, 6)))
    screen.tracker.accepted(first, "line")
    screen.move(1, 16)
    screen.insert("\n        ")
    second = screen.show("print(x)", generation=9, source="cache")
    screen.edit(Change("print(x)", (2, 8), (2, 8)))
    screen.tracker.accepted(second, "whole")

    assert screen.text == "def f():\n    for x in xs:\n        print(x)\n"
    assert screen.ends == {"shown": 1, "line": 1}
    assert screen.fates == {"survived": 1}


def test_what_looks_rejected_was_accepted_when_the_editor_says_so() -> None:
    """A menu may take the word before the cursor out first and put the item in with a second change."""
    screen = Screen("x = pri█\n")
    identifier = screen.show("nt(name)")
    screen.remove((0, 4), (0, 7))
    screen.edit(Change("print(name)", (0, 4), (0, 4)))
    screen.tracker.accepted(identifier, "whole")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.fates == {"survived": 1}


def test_the_editors_word_comes_too_late_to_count_twice() -> None:
    screen = Screen("x = █\n")
    identifier = screen.show("name")
    screen.insert("Q")
    assert screen.ends == {"shown": 1, "rejected": 1}
    screen.tracker.accepted(identifier, "whole")
    screen.tracker.accepted("nobody's", "whole")

    assert screen.ends == {"shown": 1, "rejected": 1}


# -- typed -------------------------------------------------------------------------------------------------------------


def test_typing_through_is_one_suggestion_and_no_acceptance() -> None:
    screen = Screen("x = █\n")
    text = "name + 1"
    for typed, key in enumerate(text):
        screen.show(text[typed:], generation=3, source="cache" if typed else "model")
        screen.insert(key)

    assert screen.ends == {"shown": 1, "typed": 1}
    assert screen.counts["from_model"] == 1
    assert screen.counts["from_cache"] == len(text) - 1
    assert screen.counts["characters"] == 0
    assert screen.fates == {}


def test_typing_through_brackets_that_close_themselves() -> None:
    screen = Screen("x = f█\n")
    screen.show("(a[0])")
    screen.insert("(", behind=")")
    screen.insert("a")
    screen.insert("[", behind="]")
    screen.insert("0")

    assert screen.text == "x = f(a[0])\n"
    assert screen.ends == {"shown": 1, "typed": 1}


def test_typing_over_lines_with_automatic_indentation() -> None:
    screen = Screen("def f():\n    █\n")
    screen.show("if x:\n        y")
    screen.type("if x:")
    screen.insert("\n        ")
    screen.type("y")

    assert screen.ends == {"shown": 1, "typed": 1}


def test_some_keys_and_then_tab_is_an_acceptance_of_the_rest() -> None:
    screen = Screen("x = █\n")
    screen.show("first_name + last")
    screen.type("first")
    screen.insert("_name + last")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["characters"] == len("_name + last")


def test_several_keys_in_one_change_within_a_word_are_typed() -> None:
    """Neovim sends what was typed in 150 ms together."""
    screen = Screen("x = █\n")
    screen.show("first_name")
    screen.insert("fir")
    screen.insert("st_na")
    screen.insert("m")
    screen.insert("e")

    assert screen.ends == {"shown": 1, "typed": 1}


def test_the_popups_item_is_not_ours() -> None:
    screen = Screen("x = █\n")
    screen.show("print(name)", selected="print")
    screen.insert("print")
    screen.insert("Q")

    assert screen.ends == {"shown": 1, "rejected": 1}


def test_the_popups_item_at_the_beginning_of_a_suggestion_is_typed_through_and_the_rest_taken() -> None:
    """With an item selected the suggestion begins with it and replaces what was typed of it."""
    screen = Screen("x = pr█\n")
    query = replace(screen.query(), selected=SelectedItem(4, 6, "print"))
    screen.show("print(name)", query=query, under=2)
    screen.insert("int")
    screen.insert("(name)")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["characters"] == len("(name)")


@pytest.mark.parametrize(("old", "new"), [("old", "other"), ("na", "name"), ("name", "na"), ("a", "b = a")])
def test_an_edit_around_the_cursor_is_taken_or_not(old: str, new: str) -> None:
    """The next edit replaces text on both sides of the cursor."""
    for taken in (True, False):
        screen = Screen(f"x = {old[0]}█{old[1:]} # end\ny\n")
        screen.show(new, under=1, over=len(old) - 1, generation=0, source="edit")
        screen.edit(Change("y", (1, 0), (1, 1)))
        if taken:
            screen.edit(Change(new, (0, 4), (0, 4 + len(old))))
        else:
            screen.insert("Q")

        assert screen.ends == {"shown": 1, ("whole" if taken else "rejected"): 1}
        assert screen.counts["from_edit"] == 1


def test_an_engines_outcome_says_all_there_is_to_say() -> None:
    screen = Screen("x = █\n")
    for outcome in (
        Outcome((), "empty_answer"),
        Outcome((Suggestion("7:0", "name", 4, 4),), source="stream", model="m"),
        Outcome((Suggestion("7:0", "name", 4, 4), Suggestion("7:1", "other", 4, 4)), source="stream", model="m"),
    ):
        screen.tracker.answered(screen.query(), outcome)
    screen.insert("other")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert (screen.counts["from_model"], screen.counts["from_stream"]) == (1, 1)


def test_one_key_may_be_several_code_points() -> None:
    screen = Screen("x = '█'\n")
    screen.show("👩‍💻 at work")
    screen.insert("👩‍💻")
    screen.insert("Q")

    assert screen.ends == {"shown": 1, "rejected": 1}


def test_backspace_and_the_key_again_are_nothing_new() -> None:
    screen = Screen("x = █\n")
    screen.show("name", generation=4)
    screen.type("na")
    screen.backspace()
    screen.type("a")
    assert screen.tracker.open_count == 1
    screen.type("Q")
    screen.backspace()
    screen.show("me", generation=4, source="cache")
    screen.insert("me")

    assert screen.ends == {"shown": 1, "whole": 1}


# -- rejected ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["Q", ")", "\n", "naQ", "name2", " name"])
def test_anything_else_is_a_rejection(other: str) -> None:
    screen = Screen("x = █\n")
    screen.show("name + 1")
    screen.insert(other)

    assert screen.ends == {"shown": 1, "rejected": 1}
    assert screen.fates == {}


def test_another_suggestion_takes_the_place_of_the_first() -> None:
    screen = Screen("x = █\ny = \n")
    screen.show("name")
    screen.move(1, 4)
    screen.show("other")

    assert screen.ends == {"shown": 2, "rejected": 1}
    assert screen.tracker.open_count == 1


def test_closing_the_document_rejects_what_it_shows() -> None:
    screen = Screen("x = █\n")
    screen.show("name")
    screen.tracker.document_closed(URI)

    assert screen.ends == {"shown": 1, "rejected": 1}


def test_edits_elsewhere_leave_it_where_it_is() -> None:
    screen = Screen("a\nx = █\nb\n")
    screen.show("name")
    screen.edit(Change("new\nlines\n", (0, 0), (0, 0)))
    screen.edit(Change("more\n", (4, 0), (4, 0)))
    screen.move(3, 4)
    screen.insert("name")

    assert screen.text == "new\nlines\na\nx = name\nmore\nb\n"
    assert screen.ends == {"shown": 1, "whole": 1}


def test_clients_that_send_whole_texts_are_understood() -> None:
    screen = Screen("a\nx = █\nb\n")
    screen.show("[\n    1,\n]")
    screen.replace_all("new\na\nx = \nb\n")
    screen.replace_all("new\na\nx = [\n    1,\n]\nb\n")
    screen.replace_all("more\nnew\na\nx = [\n    1,\n]\nb\n")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.fates == {"survived": 1}


# -- replies that come late --------------------------------------------------------------------------------------------


def test_a_reply_that_no_longer_fits_is_on_nobodys_screen() -> None:
    screen = Screen("x = █\n")
    query = screen.query()
    screen.insert("Q")
    screen.show("name", query=query)

    assert screen.ends == {}
    assert screen.counts["from_model"] == 0


def test_a_late_reply_that_still_fits_counts_from_there() -> None:
    screen = Screen("x = █\n")
    query = screen.query()
    screen.type("na")
    screen.show("name", query=query)
    screen.insert("me")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["characters"] == 2


def test_identifiers_are_one_suggestion_while_they_are_typed() -> None:
    screen = Screen("x = nam█\n")
    screen.show("e_of", generation=0, source="identifiers")
    screen.insert("e")
    screen.show("_of", generation=0, source="identifiers")
    screen.insert("_of")

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.counts["from_identifiers"] == 2


# -- the rate ----------------------------------------------------------------------------------------------------------


def test_the_rate_begins_at_a_quarter_and_follows_what_happens() -> None:
    screen = Screen("█\n")
    tracker = screen.tracker
    assert tracker.rate("python") == tracker.rate("rust") == 0.25
    rates = []
    for _ in range(30):
        screen.show("name ")
        screen.insert("name ")
        rates.append(tracker.rate("python"))
    assert rates == sorted(rates)
    assert 0.7 < rates[-1] <= 1
    assert 0.25 < tracker.rate("rust") < rates[-1]
    for _ in range(60):
        screen.show("name")
        screen.insert("Q")
        screen.wait(3)
    assert tracker.rate("python") < 0.4


def test_what_was_typed_to_its_end_counts_neither_way() -> None:
    screen = Screen("█\n")
    screen.show("n")
    screen.type("n")

    assert screen.ends == {"shown": 1, "typed": 1}
    assert screen.tracker.rate("python") == 0.25


def test_earlier_sessions_count() -> None:
    tracker = AcceptanceTracker(lambda _event: None)
    tracker.recall({"python": (40.0, 50.0), "go": (0.0, 50.0)})

    assert tracker.rate("python") > 0.6
    assert tracker.rate("go") < 0.2
    assert tracker.rate("go") < tracker.rate("zig") < tracker.rate("python")


def test_a_fault_in_counting_is_reported_and_goes_no_further() -> None:
    def fail(_event: Event) -> None:
        raise RuntimeError("no")

    screen = Screen("x = █\n", AcceptanceTracker(fail))
    screen.show("name")
    screen.insert("name")

    assert {found.message for found in bug.recorded} == {"acceptance cannot be counted"}
    bug.recorded.clear()
