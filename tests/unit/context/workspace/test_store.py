"""The index's file: what goes in comes out, what changes is replaced, what is worn is read anew."""

from __future__ import annotations

import sqlite3

import pytest

from dragoman.context.workspace.cards import Cards
from dragoman.context.workspace.outline import identifiers
from dragoman.context.workspace.reading import read_outline
from dragoman.context.workspace.store import Entry, IndexStore

SHELF = "from library.books import Book, Atlas as Map\n\n\nclass Shelf(list):\n    def lend_volume(self) -> Book: ...\n"


def entry(path: str, text: str, mtime: int = 1) -> Entry:
    outline = read_outline("python", text)
    lines = text.split("\n")
    terms = tuple(" ".join(identifiers("\n".join(lines[one.first_line : one.last_line + 1]))) for one in outline.chunks)
    return Entry(path, "python", mtime, len(text), outline, terms)


@pytest.fixture
def store(tmp_path):
    store = IndexStore.open(tmp_path / "index.db")
    yield store
    store.close()


def test_a_file_comes_back_with_its_symbols_and_imports(store) -> None:
    store.put([entry("library/shelf.py", SHELF)])

    stamp, language, packed = store.outline("library/shelf.py")

    assert (stamp, language) == (store.stamp("library/shelf.py"), "python")
    cards = Cards(packed)
    assert [one[:2] for one in cards] == [("Shelf", "class"), ("lend_volume", "method")]
    assert cards[1][4:] == ("def lend_volume(self) -> Book", 0, (), "Book")
    assert [one[:3] for one in cards.imports()] == [
        ("library.books", "Book", "Book"),
        ("library.books", "Atlas", "Map"),
    ]
    assert store.counts() == {"files": 1, "symbols": 2, "chunks": 1}


def test_names_lead_to_their_files(store) -> None:
    store.put([entry("library/shelf.py", SHELF)])
    number = store.file("library/shelf.py").id

    assert store.symbols_named("lend_volume") == [(number, 1)]
    assert store.defined("Shelf", 10) == [(number, "library/shelf.py", "python", 0, True)]
    assert [one.top for one in store.defined("lend_volume", 10)] == [False], "it stands in a class"
    assert store.importers("Atlas") == [number]
    assert store.modules("shelf", 10) == ["library/shelf.py"]
    assert [one.path for one in store.files_in("library", 10)] == ["library/shelf.py"]
    assert len(store.chunks_with("lend_volume", 10)) == 1


def test_a_changed_file_is_found_by_what_it_says_now_only(store) -> None:
    store.put([entry("a.py", "def first_of_all(): ...\n")])
    before = store.version()
    store.put([entry("a.py", "def second_of_all(): ...\n", mtime=2)])

    assert store.version() != before
    assert store.symbols_named("first_of_all") == []
    assert [one.path for one in store.chunks(store.chunks_with("second_of_all", 10))] == ["a.py"]
    assert store.chunks(store.chunks_with("first_of_all", 10)) == []
    assert store.known() == {"a.py": (2, 25)}


def test_only_the_pieces_that_have_changed_are_written_anew(store) -> None:
    parts = [f"def function_{number}():\n" + "    value = 1\n" * 30 + "\n\n" for number in range(3)]
    store.put([entry("a.py", "".join(parts))])
    before = {one.first_line: one.id for one in store.chunks(store.chunks_with("value", 10))}
    store.put([entry("a.py", "def newcomer():\n" + "    other = 1\n" * 30 + "\n\n" + "".join(parts), mtime=2)])
    after = {one.first_line: one.id for one in store.chunks(store.chunks_with("value", 10))}

    assert len(before) == 3
    assert after == {line + 33: number for line, number in before.items()}, "they have moved and are the same"
    assert {one.mtime_ns for one in store.chunks([*after.values()])} == {2}
    assert len(store.chunks(store.chunks_with("newcomer", 10))) == 1


def test_a_removed_file_is_gone(store) -> None:
    store.put([entry("a.py", "def first_of_all(): ...\n")])
    store.remove(["a.py", "never/there.py"])

    assert store.counts() == {"files": 0, "symbols": 0, "chunks": 0}
    assert store.outline("a.py") is None


def test_a_worn_index_forgets_its_words_and_is_read_again(store, monkeypatch) -> None:
    monkeypatch.setattr("dragoman.context.workspace.store.INDEX_DEAD_CHUNKS", 3)
    one = entry("a.py", "def first_of_all(): ...\n")
    store.put([one])
    assert not store.compact_if_worn()
    for mtime in range(5):
        store.put([entry("a.py", f"def first_of_all({'x' * mtime}xxx): ...\n", mtime)])
    store.put([entry("a.py", "def first_of_all(): ...\n", 6)])

    assert store.compact_if_worn()

    assert store.known() == {"a.py": (-1, 24)}, "the next crawl takes it for changed"
    assert store.symbols_named("first_of_all"), "what is defined stays known"
    assert store.chunks_with("first_of_all", 10) == []
    store.put([one])
    assert len(store.chunks(store.chunks_with("first_of_all", 10))) == 1


@pytest.mark.parametrize("term", ["", "two words", 'quo"te', "1st", "ﬀﬁ", "naïve_name", "a*", "名前空間"])
def test_no_term_breaks_the_search(store, term) -> None:
    store.put([entry("a.py", "naïve_name = 名前空間 = 1\n")])

    assert len(store.chunks_with(term, 5)) == (1 if term in {"naïve_name", "名前空間"} else 0)


def test_a_damaged_file_is_made_anew(tmp_path, caplog) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"this is no database, and long enough to be taken for one" * 40)

    store = IndexStore.open(path)

    assert store.counts()["files"] == 0
    assert [one.levelname for one in caplog.records] == ["WARNING"]
    store.close()


def test_another_versions_index_is_made_anew(tmp_path) -> None:
    path = tmp_path / "index.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE files(path)")
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    store = IndexStore.open(path)

    store.put([entry("a.py", "x = 1\n")])
    assert store.counts()["files"] == 1
    store.close()


def test_a_failed_write_leaves_nothing_half(store) -> None:
    broken = Entry("b.py", "python", 1, 1, read_outline("python", "def one(): ...\n"), ())

    with pytest.raises(ValueError, match="zip"):
        store.put([entry("a.py", "x = 1\n"), broken])

    assert store.counts() == {"files": 0, "symbols": 0, "chunks": 0}
