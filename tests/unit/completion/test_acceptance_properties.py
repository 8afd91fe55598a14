"""Whatever is typed, shown and told in whatever order: each suggestion has exactly one end, and nothing is counted twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.completion.on_screen import OnScreen
from dragoman.completion.query import Suggestion
from dragoman.lsp.documents import Change
from dragoman.monitoring import bug
from tests.support.screen import URI, Screen

SUGGESTIONS = ["name", "foo(a)", "x:\n    y\n    z", ")", "", "🎉 é\n", "a\r\nb", "  indented\n\n  twice"]
TEXTS = ["n", "Q", "(", "()", "\n", "name", "foo", "\r\n", "🎉", "    ", "x:\n    y", "a\nb\n"]

small = st.integers(0, 6)
actions = st.one_of(
    st.tuples(st.just("show"), st.sampled_from(SUGGESTIONS), st.integers(0, 3), st.booleans(), small, small),
    st.tuples(st.just("accept"), st.sampled_from(["whole", "word", "line"])),
    st.tuples(st.just("key"), st.integers(1, 4)),
    st.tuples(st.just("insert"), st.sampled_from(TEXTS)),
    st.tuples(st.just("change"), small, small, small, small, st.sampled_from(TEXTS)),
    st.tuples(st.just("whole text"), st.sampled_from(TEXTS)),
    st.tuples(st.just("tell"), small, st.sampled_from(["whole", "word", "line", "?"])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 3.0, 31.0])),
    st.tuples(st.just("move"), small, small),
    st.tuples(st.just("close")),
)


def act(screen: Screen, action: tuple, ids: list[str], last: list[str]) -> None:
    match action:
        case ("show", text, generation, stale, under, over):
            query = screen.query()
            if stale:
                screen.edit(Change("", (0, 0), (0, 0)))
            ids.append(screen.show(text, generation=generation, query=query, under=under, over=over))
            last[:] = [text]
        case ("accept", kind):
            if last:
                screen.insert(OnScreen(screen.query(), Suggestion("", last[0], 0, 0)).beginning(kind))
        case ("key", count):
            if last:
                screen.insert(last[0][:count])
        case ("insert", text):
            screen.insert(text)
        case ("change", one, two, three, four, text):
            start, end = sorted([(one, two), (three, four)])
            screen.edit(Change(text, start, end))
        case ("whole text", text):
            screen.replace_all(text)
        case ("tell", number, kind):
            if ids:
                screen.tracker.accepted(ids[-1 - number % len(ids)], kind)
        case ("wait", seconds):
            screen.wait(seconds)
        case ("move", line, character):
            put_cursor(screen, line, character)
        case ("close",):
            screen.tracker.document_closed(URI)


def put_cursor(screen: Screen, line: int, character: int) -> None:
    lines = screen.document.lines
    line = min(line, lines.line_count - 1)
    screen.move(line, min(character, len(lines.line(line).rstrip("\r\n"))))


def check(screen: Screen) -> None:
    assert not bug.recorded
    counts = screen.counts
    ended = sum(counts[fact] for fact in ("whole", "line", "word", "typed", "rejected"))
    taken = sum(counts[fact] for fact in ("whole", "line", "word"))
    judged = sum(counts[fact] for fact in ("survived", "edited", "removed", "unknown"))
    assert counts["shown"] == ended + screen.tracker.open_count
    assert judged <= taken
    assert taken <= judged + screen.tracker.watched_count
    assert (counts["characters"] > 0) == (taken > 0)
    assert all(count >= 0 for count in counts.values())
    assert 0 <= screen.tracker.rate("python") <= 1


@settings(max_examples=400, deadline=None)
@given(st.lists(actions, max_size=25))
def test_each_suggestion_ends_once(todo: list[tuple]) -> None:
    screen = Screen("def f(█):\n    pass\n\nlast")
    ids: list[str] = []
    last: list[str] = []
    for action in todo:
        put_cursor(screen, screen.line, screen.character)
        act(screen, action, ids, last)
        check(screen)
    screen.wait(100)
    check(screen)
    assert screen.tracker.watched_count == 0
    screen.tracker.document_closed(URI)
    assert screen.tracker.open_count == 0
    check(screen)
