"""The document store against a plain string, over ten thousand random edit sequences."""

from __future__ import annotations

import random
import re

import pytest

from dragoman.lsp.documents import Change, Document, DocumentStore, OutOfSyncError, Touched
from dragoman.lsp.lines import CHUNK, Lines, split_lines
from dragoman.lsp.positions import Encoding, to_code_points, to_units

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
ALPHABET = [
    *"ab \t",
    "\n",
    "\r",
    "\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "é",
    "e\u0301",
    "漢",
    "😀",
    "👩‍👩‍👧",
    "\U00010000",
    "\x00",
]


class PlainText:
    """The oracle: one string, everything recomputed from scratch with the slowest obvious code."""

    def __init__(self, text: str) -> None:
        self.text = text

    def line_spans(self) -> list[tuple[int, int]]:
        spans, at = [], 0
        for match in re.finditer(r"\r\n|\n|\r", self.text):
            spans.append((at, match.start()))
            at = match.end()
        spans.append((at, len(self.text)))
        return spans

    def offset(self, line: int, units: int, encoding: Encoding) -> int:
        spans = self.line_spans()
        if line >= len(spans):
            return len(self.text)
        at, end = spans[line]
        while at < end:
            width = unit_width(self.text[at], encoding)
            if width > units:
                break
            units -= width
            at += 1
        return at

    def edit(self, start: tuple[int, int], end: tuple[int, int], text: str, encoding: Encoding) -> None:
        first, last = self.offset(*start, encoding), self.offset(*end, encoding)
        self.text = self.text[:first] + text + self.text[last:]


def unit_width(character: str, encoding: Encoding) -> int:
    if encoding == "utf-32":
        return 1
    if encoding == "utf-16":
        return 2 if ord(character) > 0xFFFF else 1
    return len(character.encode("utf-8", "surrogatepass"))


def random_text(rng: random.Random, longest: int) -> str:
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(longest)))


def random_position(rng: random.Random, line_count: int) -> tuple[int, int]:
    return rng.randrange(line_count + 2), rng.choice([0, 0, 1, 2, 3, 5, 8, 1000])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_ten_thousand_random_edit_sequences_equal_a_plain_string(encoding: Encoding) -> None:
    for seed in range(3400):
        rng = random.Random(f"{encoding} {seed}")
        oracle = PlainText(random_text(rng, 30))
        document = Document("file:///a", "python", 0, oracle.text)
        for version in range(1, rng.randrange(2, 8)):
            count = document.lines.line_count
            start, end = sorted((random_position(rng, count), random_position(rng, count)))
            text = random_text(rng, 8)
            before = document.snapshot()
            before_text = before.lines.text()
            old = [before.lines.line(index) for index in range(before.lines.line_count)]
            touched = document.apply([Change(text, start, end)], version, encoding)
            oracle.edit(start, end, text, encoding)
            new = [document.lines.line(index) for index in range(document.lines.line_count)]
            context = (encoding, seed, version, old, start, end, text)
            assert document.lines.text() == oracle.text, context
            assert new == split_lines(oracle.text), context
            assert before.lines.text() == before_text, context
            assert new[: touched.first] == old[: touched.first], context
            unchanged = len(new) - touched.last - 1
            assert unchanged >= 0, context
            assert new[len(new) - unchanged :] == old[len(old) - unchanged :], context


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_edits_across_chunk_borders_equal_a_plain_string(encoding: Encoding) -> None:
    rng = random.Random(7)
    oracle = PlainText("".join(f"line {index} é😀\r\n" for index in range(5 * CHUNK)))
    document = Document("file:///a", "python", 0, oracle.text)
    for version in range(1, 120):
        count = document.lines.line_count
        first = rng.randrange(count)
        start, end = (first, rng.randrange(12)), (first + rng.choice([0, 0, 1, 3, CHUNK, 3 * CHUNK]), rng.randrange(12))
        if start > end:
            start, end = end, start
        text = rng.choice(["", "x", "a\nb", "z\r", "\n" * rng.randrange(3 * CHUNK)])
        document.apply([Change(text, start, end)], version, encoding)
        oracle.edit(start, end, text, encoding)
        assert document.lines.text() == oracle.text
        lines = split_lines(oracle.text)
        assert document.lines.line_count == len(lines)
        probe = rng.randrange(len(lines))
        assert document.lines.line(probe) == lines[probe]
        assert document.lines.line(len(lines) - 1) == lines[-1]


def test_several_changes_of_one_notification_report_one_range_in_the_new_text() -> None:
    document = Document("file:///a", "python", 0, "".join(f"{index}\n" for index in range(20)))
    touched = document.apply([Change("x\ny\n", (10, 0), (10, 0)), Change("", (2, 0), (4, 0))], 1, "utf-16")
    new = [document.lines.line(index) for index in range(document.lines.line_count)]
    assert new[8:10] == ["x\n", "y\n"]
    assert touched.first <= 2
    assert touched.last >= 10 - 2
    assert touched.last < document.lines.line_count


def test_touched_ranges_of_random_pairs_cover_everything_that_changed() -> None:
    for seed in range(500):
        rng = random.Random(seed)
        document = Document("file:///a", "python", 0, random_text(rng, 40))
        old = [document.lines.line(index) for index in range(document.lines.line_count)]
        changes = []
        probe = Document("file:///a", "python", 0, document.lines.text())
        for _ in range(3):
            count = probe.lines.line_count
            start, end = sorted((random_position(rng, count), random_position(rng, count)))
            changes.append(Change(random_text(rng, 6), start, end))
            probe.apply(changes[-1:], 1, "utf-16")
        touched = document.apply(changes, 1, "utf-16")
        new = [document.lines.line(index) for index in range(document.lines.line_count)]
        assert new[: touched.first] == old[: touched.first]
        unchanged = len(new) - touched.last - 1
        assert unchanged >= 0
        assert new[len(new) - unchanged :] == old[len(old) - unchanged :]


def test_form_feed_and_its_kin_do_not_end_a_line() -> None:
    for character in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
        assert split_lines(f"a{character}b\nc") == [f"a{character}b\n", "c"]


def test_an_edit_past_the_last_line_end_lands_at_the_end() -> None:
    document = Document("file:///a", "python", 0, "abc")
    document.apply([Change("X", (0, 99), (0, 99))], 1, "utf-16")
    assert document.lines.text() == "abcX"


def test_the_empty_last_line_can_be_read_and_edited() -> None:
    document = Document("file:///a", "python", 0, "a\n")
    assert document.lines.line(1) == ""
    document.apply([Change("b", (1, 0), (1, 0))], 1, "utf-16")
    assert document.lines.text() == "a\nb"


def test_a_position_inside_an_astral_character_means_its_start() -> None:
    document = Document("file:///a", "python", 0, "x😀y")
    document.apply([Change("-", (0, 2), (0, 2))], 1, "utf-16")
    assert document.lines.text() == "x-😀y"


def test_a_reversed_range_puts_the_document_out_of_sync_until_it_is_sent_again() -> None:
    document = Document("file:///a", "python", 0, "abc\n")
    with pytest.raises(OutOfSyncError, match="file:///a"):
        document.apply(
            [Change("1", (0, 0), (0, 0)), Change("X", (0, 2), (0, 1)), Change("2", (0, 0), (0, 0))], 1, "utf-16"
        )
    assert document.lines.text() == "1abc\n"
    assert not document.in_sync
    document.apply([Change("3", (0, 0), (0, 0))], 2, "utf-16")
    assert (document.lines.text(), document.version, document.in_sync) == ("1abc\n", 2, False)
    assert document.apply(
        [Change("X", (0, 2), (0, 1)), Change("a\nb"), Change("c", (1, 1), (1, 1))], 3, "utf-16"
    ) == Touched(0, 1)
    assert document.in_sync
    assert document.lines.text() == "a\nbc"


def test_reading_outside_the_text_is_an_index_error() -> None:
    lines = Lines.of("a\nb")
    for index in (-1, 2, 100):
        with pytest.raises(IndexError, match=str(index)):
            lines.line(index)


def test_a_reader_elsewhere_and_an_edit_see_the_same_lines() -> None:
    """What was cut into lines for reading is carried over to the changed copy, at its new place."""
    rng = random.Random(5)
    lines = Lines.of("".join(f"line {index}\n" for index in range(6 * CHUNK)))
    oracle = split_lines(lines.text())
    for number in range(300):
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(oracle))
            assert lines.line(at) == oracle[at]
        first = rng.randrange(len(oracle) - 1)
        last = min(first + rng.choice([0, 0, 0, 1, CHUNK]), len(oracle) - 2)
        new = [f"edit {number}.{index}\n" for index in range(rng.choice([1, 1, 2, CHUNK, 3 * CHUNK]))]
        lines = lines.replace(first, last, new)
        oracle[first : last + 1] = new
        assert lines.line_count == len(oracle)
        assert [lines.line(at) for at in range(max(0, first - 2), min(len(oracle), first + 3))] == oracle[
            max(0, first - 2) : first + 3
        ]
    assert lines.text() == "".join(oracle)
    assert [lines.line(at) for at in range(len(oracle))] == oracle


def test_an_edit_shares_the_untouched_chunks() -> None:
    document = Document("file:///a", "python", 0, "x\n" * (100 * CHUNK))
    before = document.lines
    document.apply([Change("y", (50 * CHUNK + 3, 0), (50 * CHUNK + 3, 0))], 1, "utf-16")
    shared = {id(chunk) for chunk in before._chunks} & {id(chunk) for chunk in document.lines._chunks}
    assert len(shared) == len(before._chunks) - 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_positions_go_there_and_back(encoding: Encoding) -> None:
    line = "a😀é漢\u2028" * 3000 + "\r\n"
    for index in (0, 1, 2, 3, 4095, 4096, 4097, 9000, len(line) - 2):
        units = to_units(line, index, encoding)
        assert units == sum(unit_width(character, encoding) for character in line[:index])
        assert to_code_points(line, units, encoding) == index
    assert to_code_points(line, 10**9, encoding) == len(line) - 2
    assert to_units(line, len(line), encoding) == to_units(line, len(line) - 2, encoding)


def test_lone_surrogates_from_a_bad_client_count_as_what_they_are() -> None:
    document = Document("file:///a", "python", 0, "a\ud83d")
    document.apply([Change("b", (0, 2), (0, 2))], 1, "utf-16")
    assert document.lines.text() == "a\ud83db"


def test_touched_moves_with_a_later_edit_above_it() -> None:
    assert Touched(10, 12).then(2, 4, 2) == Touched(2, 10)


def test_opening_twice_replaces_and_closing_forgets() -> None:
    store = DocumentStore()
    store.open("file:///a", "python", 1, "one")
    store.open("file:///a", "python", 1, "two")
    document = store.get("file:///a")
    assert document is not None
    assert document.lines.text() == "two"
    assert len(store) == 1
    assert store.close("file:///a")
    assert not store.close("file:///a")
    assert store.get("file:///a") is None
