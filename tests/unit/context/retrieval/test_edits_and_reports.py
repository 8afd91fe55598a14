"""Recent edits, copies, and what other servers report, from the assembler's values to what a model reads."""

from __future__ import annotations

import json
from pathlib import Path

from dragoman.context.diagnostics import Reported, SeenDiagnostics
from dragoman.context.edits import RecentEdits
from dragoman.context.limits import (
    CONTEXT_EDIT_LINES,
    DIAGNOSTICS_CHARS,
    DIAGNOSTICS_DOCUMENTS,
    DIAGNOSTICS_SHOWN,
    YANK_CHARS,
)
from dragoman.context.retrieval.place import Place
from tests.support.small_index import SmallIndex

FILES = {"shop/cart.py": "def total():\n    return 0\n", "shop/tax.py": "RATE = 1\n"}


def test_every_field_of_a_place_survives_the_wire() -> None:
    place = Place(
        "a.py",
        "python",
        "x = ",
        "\n",
        focus=("b.py",),
        sources=("similar",),
        edits=(("b.py", 3, "y = 1"),),
        diagnostics=((0, "error: no"),),
    )
    assert Place.from_wire(json.loads(json.dumps(place.to_wire()))) == place


def test_what_was_just_edited_elsewhere_is_read_with_where_it_is_from(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    edits = (("shop/tax.py", 4, "def surcharge_for(country_code):\n    return SURCHARGES[country_code]"),)
    found = index.gather("shop/cart.py", "def total():\n    return |\n", edits=edits)
    assert [(one.path, one.line, one.text) for one in found if one.source == "recent_edits"] == [
        ("shop/tax.py", 5, edits[0][2])
    ]
    without = index.gather("shop/cart.py", "def total():\n    return |\n", edits=edits, sources=("similar",))
    assert not [one for one in without if one.source == "recent_edits"]


def test_of_two_edits_the_newer_one_counts_more(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    edits = (("shop/new.py", 0, "newer_name = 1"), ("shop/old.py", 0, "older_name = 1"))
    _, pool = index.retriever.collect(index.place("shop/cart.py", "x = |\n", edits=edits))
    assert pool.signals_of("newer_name")["edited"] > pool.signals_of("older_name")["edited"] > 0


def test_names_in_a_report_near_the_cursor_are_read(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    marked = "def total():\n    return compute(|)\n"
    reports = ((1, 'error: Argument missing for parameter "country_code"'),)
    found = [one for one in index.gather("shop/cart.py", marked, diagnostics=reports) if one.source == "diagnostics"]
    assert [one.text for one in found] == ['line 2: error: Argument missing for parameter "country_code"']


def test_a_report_of_what_stands_there_anyway_costs_nothing(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    found = index.gather("shop/cart.py", "return compute(|)\n", diagnostics=((0, '"compute"'),))
    assert not [one for one in found if one.source == "diagnostics"]


def test_reports_move_with_their_lines() -> None:
    seen = SeenDiagnostics()
    seen.seen("u", [Reported(2, "above"), Reported(5, "gone"), Reported(9, "below", "warning")])
    # Lines 4 to 6 became one.
    seen.changed("u", 4, 4, -2)
    assert seen.near("u", 7) == ((7, "warning: below"), (2, "error: above"))
    seen.changed("u", 3, 5, 2)
    assert seen.near("u", 9) == ((9, "warning: below"), (2, "error: above"))
    seen.forget("u")
    assert seen.near("u", 9) == ()


def test_a_new_report_replaces_the_old_one_of_its_lines_or_all() -> None:
    seen = SeenDiagnostics()
    seen.seen("u", [Reported(1, "one"), Reported(4, "four")])
    seen.seen("u", [Reported(4, "new  four\nand more")], lines=(3, 5))
    assert seen.near("u", 4) == ((4, "error: new four and more"), (1, "error: one"))
    seen.seen("u", [Reported(-1, "nowhere"), Reported(2, "x" * 1_000)])
    assert [len(text) for _, text in seen.near("u", 2)] == [DIAGNOSTICS_CHARS + len("error: ")]
    seen.seen("u", [])
    assert seen.near("u", 2) == ()


def test_reports_are_bounded_in_number() -> None:
    seen = SeenDiagnostics()
    for number in range(DIAGNOSTICS_DOCUMENTS + 5):
        seen.seen(str(number), [Reported(line, "wrong") for line in range(1_000)])
    assert seen.near("0", 3) == ()
    assert len(seen.near(str(DIAGNOSTICS_DOCUMENTS), 3)) == DIAGNOSTICS_SHOWN
    assert seen.near(str(DIAGNOSTICS_DOCUMENTS), 500) == ()


def test_a_copy_counts_like_an_edit_once() -> None:
    edits = RecentEdits(lambda: 0.0)
    edits.yanked("file:///w/a.py", "one = 1\r\ntwo = 2\n")
    edits.yanked("file:///w/a.py", "one = 1\r\ntwo = 2\n")
    edits.yanked("", "from_a_browser()\n")
    edits.yanked("file:///w/secret.pem", "secret\n")
    edits.yanked("file:///w/a.py", " \n")
    found = edits.elsewhere("file:///w/b.py", lambda uri: "" if uri.endswith(".pem") else uri.rpartition("/")[2])
    assert found == (("clipboard", -1, "from_a_browser()"), ("a.py", -1, "one = 1\ntwo = 2"))


def test_a_large_copy_is_cut() -> None:
    edits = RecentEdits(lambda: 0.0)
    edits.yanked("", "line\n" * 100_000)
    edits.yanked("", "x" * 100_000)
    texts = [text for _, _, text in edits.elsewhere("", str)]
    assert [len(text) for text in texts] == [YANK_CHARS, 5 * CONTEXT_EDIT_LINES - 1]
