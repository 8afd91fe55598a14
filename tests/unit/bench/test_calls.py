"""M5's parts: the typing ends in the new version, the model keeps to its place, the screen shows what an editor would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench import calls
from tests.bench.calls_editor import Editor
from tests.bench.calls_model import StandIn
from tests.bench.calls_packages import packages, work_of
from tests.bench.calls_place import Place
from tests.bench.calls_policies import PEERS, Peer
from tests.bench.calls_typing import Buffer, Typist, changes, replay
from tests.support.virtual_time import run_virtual

OLD = '''"""A module."""

import os


def area(radius):
    return 3 * radius


def name():
    return "nobody"
'''
NEW = '''"""A module about circles."""

import math
import os


def area(radius: float) -> float:
    """Return the area of a circle."""
    if radius < 0:
        raise ValueError("a radius is not negative", radius)

    return math.pi * radius**2


def describe(radius, *, unit="cm"):
    parts = [
        f"{area(radius):.2f}",
        unit,
        "don't",
    ]
    return " ".join(parts)


class Circle:
    def __init__(self):
        self.names = {}
'''

lines = st.lists(
    st.sampled_from(["", "a", "    b", "def f(x):", "foo(", "    [1, 2],", ")", '"""doc"""', 'it\'s "so"', "}", "{(["])
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
    max_size=14,
).map("\n".join)


def typed(old: str, new: str) -> str:
    buffers = [typist.buffer for typist, _key in replay(old, new, "test")]
    return buffers[-1].text if buffers else old


def without_typo(text: str) -> str:
    """Return a place where ``text`` is typed straight on."""
    places = map(str, range(1000))
    return next(place for place in places if "typo" not in [key.kind for _, key in replay("", text, place)])


def test_typing_ends_in_the_new_version() -> None:
    assert typed(OLD, NEW) == NEW
    assert typed(NEW, OLD) == OLD
    assert typed("", NEW) == NEW
    assert typed(NEW, "") == ""


@given(lines, lines)
@settings(max_examples=300, deadline=None)
def test_any_text_is_typed_to_any_other(old: str, new: str) -> None:
    assert typed(old, new) == new


def test_a_person_makes_typos_and_takes_them_back() -> None:
    new = "# begin\n" + "value = compute(1)\n" * 150 + "# end\n"
    kinds = [key.kind for _, key in replay("# begin\n# end\n", new, "test")]

    assert 0.01 < kinds.count("typo") / kinds.count("type") < 0.15
    assert kinds.count("backspace") >= kinds.count("typo")
    assert {"over", "enter", "wander", "cut", "paste"} <= set(kinds)


def test_what_an_editor_closes_by_itself_is_typed_over() -> None:
    keys = [(key.kind, typist.buffer.lines[0]) for typist, key in replay("", "f(a)", without_typo("f(a)"))]

    assert keys[1:] == [("type", "f"), ("type", "f()"), ("type", "f(a)"), ("over", "f(a)")]


def test_what_is_true_at_the_cursor_ends_before_what_stands_there_already() -> None:
    text = "f(a, b) + 1"
    typist = Typist(Buffer([""]), changes("", text)[0], f"{without_typo(text)}:0")
    typist.begin()
    seen = []
    while not typist.finished:
        seen.append(typist.truth())
        typist.press()

    assert seen[:3] == ["f(a, b) + 1", "(a, b) + 1", "a, b"]
    assert seen[-1] == "1"


def test_accepting_what_is_true_goes_on_to_the_same_end() -> None:
    for share in (1, 2, 3):
        buffer = Buffer(OLD.split("\n"))
        for number, change in enumerate(changes(OLD, NEW)):
            typist = Typist(buffer, change, f"{share}:{number}")
            typist.begin()
            while not typist.finished:
                truth = typist.truth()
                if truth and len(truth) % 4 < share:
                    typist.accept(truth[: 1 + len(truth) // share])
                else:
                    typist.press()
        assert buffer.text == NEW


def model_at(share: float, new: str = NEW) -> tuple[StandIn, Typist]:
    typist = Typist(Buffer([""]), changes("", new)[0], "file:0")
    typist.begin()
    model = StandIn(share, 1, typist=typist, lines=[line for line in new.split("\n") if line])
    return model, typist


def test_a_model_that_is_always_right_says_what_will_be_typed() -> None:
    model, _typist = model_at(1.0)

    answer, _ = model.answer("")

    assert NEW.startswith(answer.split("\n")[0])
    assert answer


def test_a_model_that_is_never_right_says_something_else_and_the_same_again() -> None:
    model, typist = model_at(0.0)
    for _ in range(60):
        typist.press()
    before = typist.buffer.before

    answer, place = model.answer(before)

    assert answer
    assert (answer, place) == model.answer(before)
    assert not (typist.truth() or "").startswith(answer)


def test_a_model_knows_nothing_behind_a_typo() -> None:
    model, _ = model_at(1.0)

    answer, place = model.answer("imprt ma")

    assert place[0] == "off"
    assert answer


class Scripted(Peer):
    """Says what it is told, at once, and remembers where it was asked."""

    label = "scripted"

    def __init__(self, model: StandIn, say: Callable[[Place], str | None]) -> None:
        super().__init__(model)
        self._say = say

    async def suggest(self, place: Place) -> str | None:
        return self._say(place)


def type_with(say: Callable[[Place, StandIn], str | None], *, accepts: bool = False, share: float = 1.0) -> Editor:
    async def go() -> Editor:
        model = StandIn(share, 1)
        editor = Editor(Scripted(model, lambda place: say(place, model)), model, 1, accepts=accepts)
        await editor.type_file("a.py", "python", OLD, NEW, "    ")
        await editor.aclose()
        return editor

    return run_virtual(go())


def test_a_text_from_nowhere_counts_as_stale() -> None:
    counts = type_with(lambda place, model: "from nowhere").tally.counts

    assert counts["stale"] == counts["answers"] > 50
    assert counts["valid"] == counts["right"] == 0


def test_nothing_said_is_nothing_shown() -> None:
    counts = type_with(lambda place, model: "").tally.counts

    assert counts["answers"] == counts["valid"] == counts["stale"] == counts["calls"] == 0
    assert counts["samples"] > 300


def test_a_person_accepts_what_is_right_and_types_less() -> None:
    alone = run_virtual(calls.type_package(PEERS[1], [work()], 1.0, 1, accepts=False))[1].counts
    helped = run_virtual(calls.type_package(PEERS[1], [work()], 1.0, 1, accepts=True))[1].counts

    assert alone["accepted"] == 0
    assert helped["accepted"] > 0
    assert helped["keys"] < alone["keys"]


def work(chars: int = 0) -> calls.Work:
    return calls.Work("a.py", "python", "    ", OLD, NEW, chars)


@pytest.mark.parametrize("make", [*PEERS, *calls.OURS])
@pytest.mark.parametrize("accepts", [False, True])
def test_every_policy_types_to_the_end_without_stale_text_and_the_same_again(
    make: Callable[[StandIn], calls.Policy], accepts: bool
) -> None:
    _policy, tally = run_virtual(calls.type_package(make, [work()], 0.5, 1, accepts=accepts))

    assert tally.examples == []
    assert tally.counts["calls"] > 0
    assert tally.counts["keys"] > 50
    again = run_virtual(calls.type_package(make, [work()], 0.5, 1, accepts=accepts))[1]
    assert again.counts == tally.counts


def test_our_calls_at_a_share_lie_on_our_own_trade_off() -> None:
    def cell(right: int, made: int) -> calls.Cell:
        tally = calls.Tally()
        tally.counts.update(keys=100, samples=100, right=right, calls=made)
        return calls.Cell("", [tally])

    frontier = [cell(20, 5), cell(40, 15), cell(35, 30)]

    assert calls.at_share(frontier, 10, "right") == 5
    assert calls.at_share(frontier, 30, "right") == 10
    assert calls.at_share(frontier, 50, "right") is None


def pairs(folder: Path) -> Path:
    for name, old, new in (("one", OLD, NEW), ("two", NEW, OLD), ("same", OLD, OLD)):
        for version, text in (("1.9", old), ("1.10", new)):
            (folder / name / version).mkdir(parents=True)
            (folder / name / version / "a.py").write_text(text, encoding="utf-8")
    return folder


def test_the_older_version_sorts_first_and_unchanged_files_are_no_work(tmp_path: Path) -> None:
    found = {name: work_of(name, old, new, chars=100, seed=1) for name, old, new in packages(pairs(tmp_path))}

    assert [(one.old, one.new) for one in found["one"]] == [(OLD, NEW)]
    assert found["same"] == []


def test_the_bench_runs_and_its_table_has_a_row_for_every_policy(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = pairs(tmp_path / "pairs")

    assert calls.main(["--quick", "--packages", str(folder), "--shares", "0.3", "--out", str(out)]) == 0

    rows = [json.loads(line) for line in (out / "calls.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2 * (len(calls.OURS) + len(PEERS))
    assert {row["kind"] for row in rows} == {"engine", "policy re-implemented"}
    for row in rows:
        assert all(show(row) for show in calls.TABLE.columns.values())
        assert 0 < row["calls"]["0.3"] <= 120
    ours = next(row for row in rows if row["policy"] == "Dragoman")
    assert ours["stale"] == 0


def test_the_loop_is_left_without_tasks() -> None:
    async def go() -> int:
        for make in (*PEERS, *calls.OURS):
            await calls.type_package(make, [work()], 0.5, 1, accepts=False)
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - 1

    assert run_virtual(go()) == 0
