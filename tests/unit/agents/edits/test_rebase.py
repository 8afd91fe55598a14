"""The user types while hunks are open: against an oracle that knows of every single character where it came from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dragoman.agents.edits.hunks import Hunk
from dragoman.agents.edits.indentation import common_indent
from dragoman.agents.edits.rebase import refine
from dragoman.agents.edits.session import EditSession, HunkConflict, HunkFinal
from dragoman.agents.tools.documents import TextEdit, apply_edits

LINES = st.lists(st.sampled_from(["a", "b", "  b", "", "}", "cc"]), max_size=8)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))
TYPED = st.sampled_from(["x", "\n", "y\n", "\n  z", "", "xy\nz\n"])


@dataclass(eq=False)
class Character:
    """One character, or none for a hunk that only takes away; and who put it there, "" being nobody and the base."""

    text: str
    by: str = ""


class Oracle:
    """A document of characters that know where they come from, and beside it the one that the user would have without hunks."""

    def __init__(self, base: str) -> None:
        self.document = [Character(one) for one in base]
        self.own = list(self.document)
        self.gone: dict[str, list[Character]] = {}
        self.touched: set[str] = set()

    @property
    def text(self) -> str:
        return "".join(one.text for one in self.document)

    def index(self, offset: int, *, after: bool) -> int:
        """Return where a character is in the document, behind the empty ones at its place or before them."""
        for index, one in enumerate(self.document):
            if offset == 0 and not (after and not one.text):
                return index
            offset -= len(one.text)
        return len(self.document)

    def type(self, start: int, end: int, text: str) -> None:
        first = self.index(start, after=True)
        last = max(first, self.index(end, after=False))
        for one in self.document[first:last]:
            self.touched |= {one.by} - {"", "user"}
            if one in self.own:
                self.own.remove(one)
        around = {one.by for one in self.document[first - 1 : first]} & {
            one.by for one in self.document[last : last + 1]
        }
        self.touched |= around - {"", "user"}
        typed = [Character(one, by="user") for one in text]
        self.own[self.place(first) : self.place(first)] = typed
        self.document[first:last] = typed

    def place(self, index: int) -> int:
        """Return where something that is put into the document there belongs in the user's own."""
        for one in reversed(self.document[:index]):
            before = self.gone[one.by][-1:] if one.by in self.gone else [one]
            if before and before[0] in self.own:
                return self.own.index(before[0]) + 1
        return 0

    def make(self, hunk: Hunk) -> None:
        first = self.index(hunk.start, after=hunk.start < hunk.end)
        while (
            first < len(self.document) and not self.document[first].text and number(self.document[first]) < number(hunk)
        ):
            first += 1
        last = first + hunk.end - hunk.start
        gone = self.document[first:last]
        assert "".join(one.text for one in gone) == hunk.old
        assert {one.by for one in gone} <= {""}, "a hunk took away what is not the base's"
        self.gone[hunk.id] = gone
        self.document[first:last] = [Character(one, by=hunk.id) for one in hunk.new or ("",)]

    def take_back(self, hunk: str) -> None:
        assert hunk not in self.touched
        first = next(index for index, one in enumerate(self.document) if one.by == hunk)
        last = first + sum(one.by == hunk for one in self.document)
        assert {one.by for one in self.document[first:last]} == {hunk}
        self.document[first:last] = self.gone.pop(hunk)


def number(one: Character | Hunk) -> int:
    name = one.id if isinstance(one, Hunk) else one.by
    return int(name[1:]) if name[:1] == "h" else -1


@settings(max_examples=120, deadline=None)
@given(st.data(), TEXTS, LINES)
def test_what_the_user_typed_is_never_lost_and_every_hunk_is_made_once(
    data: st.DataObject, base: str, wanted: list[str]
) -> None:
    session = EditSession(base, range=(0, len(base)))
    oracle = Oracle(base)
    chunks = [f"{line}\n" for line in ["```", *wanted, "```"]]
    conflicts: set[str] = set()
    for step in range(len(chunks) + 6):
        events = session.feed(chunks[step]) if step < len(chunks) else session.finish()
        kind = data.draw(st.sampled_from(["type", "accept", "none"]))
        if kind == "type":
            start = data.draw(st.integers(0, len(session.text)))
            end = data.draw(st.integers(start, min(len(session.text), start + 4)))
            edit = TextEdit(start, end, data.draw(TYPED))
            # One of several equal readings of what was typed; that they are equal has a test of its own.
            for part in reversed(refine(session.text, edit)):
                oracle.type(part.start, part.end, part.text)
            events += session.document_changed([edit])
        elif kind == "accept":
            final = [one for one in session.hunks if one.state == "final"]
            chosen = data.draw(st.lists(st.sampled_from(final), unique=True)) if final else []
            assert conflicts.isdisjoint(one.id for one in chosen)
            before = session.text
            edits = session.accept([one.id for one in chosen])
            assert apply_edits(before, edits) == session.text
            assert sorted((one.start, one.end, one.new) for one in chosen) == sorted(
                (one.start, one.end, one.text) for one in edits
            )
            for hunk in sorted(chosen, key=lambda one: (one.start, one.end, number(one)), reverse=True):
                assert hunk.id not in oracle.gone
                oracle.make(hunk)
        conflicts |= {one.hunk.id for one in events if isinstance(one, HunkConflict)}
        assert session.text == oracle.text
    made = [one.id for one in session.hunks if one.state == "applied"]
    assert set(made) == set(oracle.gone)
    before = session.text
    assert apply_edits(before, session.undo()) == session.text
    left = {one.id for one in session.hunks if one.state == "applied"}
    for hunk_id in set(made) - left:
        oracle.take_back(hunk_id)
    assert session.text == oracle.text
    if not left:
        assert session.text == "".join(one.text for one in oracle.own)


@settings(max_examples=120, deadline=None)
@given(st.data(), TEXTS, LINES)
@example(None, "a\nb\n", [])
def test_hunks_can_be_made_in_any_order_and_all_of_them_are_the_answer(
    data: st.DataObject | None, base: str, wanted: list[str]
) -> None:
    assume(not common_indent(base.splitlines()))
    session = EditSession(base, range=(0, len(base)))
    session.feed("```\n" + "".join(f"{line}\n" for line in wanted) + "```\n")
    session.finish()
    ids = [one.id for one in session.hunks]
    order = data.draw(st.permutations(ids)) if data else ids[::-1]
    for one in order:
        session.accept([one])
    assert session.text == "\n".join(wanted) + ("\n" if wanted and base.endswith("\n") else "")
    assert session.undo() or not ids
    assert session.text == base


@settings(max_examples=120, deadline=None)
@given(st.data(), TEXTS, st.one_of(TYPED, TEXTS))
def test_a_change_is_made_smaller_and_stays_the_same(data: st.DataObject, text: str, new: str) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    edit = TextEdit(start, end, new)
    parts = refine(text, edit)
    assert apply_edits(text, parts) == apply_edits(text, [edit])
    assert all(one.end <= other.start for one, other in itertools.pairwise(parts))


FRAGMENTS = ["<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```", "```diff", "a.py", "@@ -1,2 +1,2 @@", "--- a/a.py"]


@settings(max_examples=120, deadline=None)
@given(
    TEXTS,
    st.lists(
        st.sampled_from([*FRAGMENTS, "+++ b/a.py", "+a", "-b", " b", "a", "b", "  b", "", "cc", "x"]), max_size=25
    ),
    st.booleans(),
    st.integers(1, 40),
)
def test_no_answer_is_too_odd_and_what_is_final_stays_as_it_is(
    base: str, answer: list[str], selected: bool, size: int
) -> None:
    session = EditSession(base, range=(0, len(base)) if selected else None, path="a.py")
    text = "\n".join(answer)
    final: list[Hunk] = []
    for at in range(0, len(text), size):
        final += [one.hunk for one in session.feed(text[at : at + size]) if isinstance(one, HunkFinal)]
    events = session.finish()
    final += [one.hunk for one in events if isinstance(one, HunkFinal)]
    assert [one for one in session.hunks if one.state == "final"] == sorted(final, key=number)
    assert len({one.id for one in final}) == len(final)
    assert all(one.state in {"final", "rejected"} for one in session.hunks)
    assert apply_edits(base, [TextEdit(one.start, one.end, one.new) for one in final]) == apply_edits(
        base, session.accept()
    )
    session.undo()
    assert session.text == base
