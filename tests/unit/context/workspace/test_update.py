"""Bringing an index up to date."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.context.workspace import update as module
from dragoman.context.workspace.contents import read_contents
from dragoman.context.workspace.crawl import Walk
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.store import IndexStore
from dragoman.context.workspace.update import Update, Updater, make_entry, read_entry
from tests.support.index import modules, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def store(tmp_path: Path) -> IndexStore:
    return IndexStore.open(tmp_path / "index.sqlite", write=True)


def bring_up(store: IndexStore, root: Path, **options: object) -> Update:
    return Updater(store, Walk(root, IgnoreRules(root)), **options).run()  # type: ignore[arg-type]


def test_what_has_not_changed_is_not_read_again(root: Path, store: IndexStore) -> None:
    modules(root, 40)

    assert bring_up(store, root) == Update(files=40, written=40, removed=0)
    assert bring_up(store, root) == Update(files=40, written=0, removed=0)

    write(
        root,
        {"new.py": "def newcomer(): ...\n", "package/part0/module_1.py": "def longer_than_it_was_before(): ...\n" * 3},
    )
    (root / "package/part0/module_2.py").unlink()
    assert bring_up(store, root) == Update(files=40, written=2, removed=1)
    assert store.symbols_named("newcomer")
    assert not store.symbols_named("function_1")
    assert not store.symbols_named("function_2")


def test_a_text_of_the_same_length_counts_as_changed_by_its_time(root: Path, store: IndexStore) -> None:
    write(root, {"a.py": "def one(): ...\n"})
    bring_up(store, root)
    write(root, {"a.py": "def two(): ...\n"})
    os.utime(root / "a.py", ns=(0, 1))

    assert bring_up(store, root).written == 1
    assert store.symbols_named("two")


def test_entries_hold_the_words_of_each_chunk(root: Path) -> None:
    write(root, {"a.py": "def alpha():\n    return beta\n" + "\n" * 3 + "def gamma():\n    return 12, 'delta'\n"})
    contents = read_contents(root, "a.py")
    assert contents is not None

    entry = make_entry("a.py", contents)

    assert entry.language == "python"
    assert len(entry.terms) == len(entry.outline.chunks)
    # Each once in a piece: how often is not asked.
    assert " ".join(entry.terms).split() == ["def", "alpha", "return", "beta", "gamma", "delta"]
    assert (entry.mtime_ns, entry.size) == ((root / "a.py").stat().st_mtime_ns, (root / "a.py").stat().st_size)


def test_what_somebody_saved_meanwhile_is_not_overwritten(
    root: Path, store: IndexStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"a.py": "def before(): ...\n"})
    made = make_entry

    def slow(path: str, contents: object) -> object:
        entry = made(path, contents)  # type: ignore[arg-type]
        write(root, {path: "def afterwards(): ...\n"})
        fresh = read_contents(root, path)
        assert fresh is not None
        store.put([made(path, fresh)])
        return entry

    monkeypatch.setattr(module, "make_entry", slow)
    bring_up(store, root)

    assert store.symbols_named("afterwards")
    assert not store.symbols_named("before")


def test_files_of_a_folder_that_cannot_be_read_now_stay(root: Path, store: IndexStore) -> None:
    write(root, {"a.py": "x = 1\n", "locked/b.py": "y = 1\n", "locked2/c.py": "z = 1\n"})
    bring_up(store, root)
    walk = Walk(root, IgnoreRules(root))
    read = walk._read

    class Blind(Walk):
        def _read(self, folder: str, below: list[str]) -> object:
            if folder.startswith("locked"):
                if folder == "locked":
                    self.unreadable.append(folder)
                return iter(())
            return read(folder, below)

    Updater(store, Blind(root, IgnoreRules(root))).run()

    assert set(store.known()) == {"a.py", "locked/b.py"}


def test_files_that_an_index_process_died_of_are_left_out(root: Path, store: IndexStore) -> None:
    modules(root, 5)
    read: list[str] = []

    result = bring_up(store, root, reading=read.append, skip=["package/part0/module_3.py"])

    assert result.files == 4
    assert "package/part0/module_3.py" not in read
    assert len(read) == 4


def test_named_files_are_checked_like_found_ones(root: Path, store: IndexStore) -> None:
    write(root, {".gitignore": "private\n", "private/a.py": "x = 1\n", ".env": "KEY=1\n", "b.py": "x = 1\n"})
    (root / "link.py").symlink_to(root / "b.py")
    rules = IgnoreRules(root)
    names = ["private/a.py", ".env", "link.py", "../x.py", "gone.py", "", "b.py", "odd\udcff.py"]

    Updater(store, Walk(root, rules)).run_on(names)

    assert set(store.known()) == {"b.py"}
    assert [name for name in names if read_entry(root, rules, name) is not None] == ["b.py"]


def test_a_file_that_no_longer_belongs_is_removed(root: Path, store: IndexStore) -> None:
    write(root, {"a.py": "x = 1\n", "b.py": "x = 1\n"})
    bring_up(store, root)
    (root / "a.py").write_bytes(b"\0\1\2")
    write(root, {".gitignore": "b.py\n"})

    bring_up(store, root)

    assert set(store.known()) == {".gitignore"}


def test_progress_is_told(root: Path, store: IndexStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CRAWL_REPORT_S", 0.0)
    modules(root, 30)
    told: list[tuple[int, int]] = []

    bring_up(store, root, report=lambda done, total: told.append((done, total)))

    assert told[-1] == (30, 30)
    assert all(done <= total for done, total in told)


def test_a_full_disk_is_the_callers_to_explain(root: Path, store: IndexStore, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(root, 30)

    def full(_entries: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "put", full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        bring_up(store, root)


def _sizes(store: IndexStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    sizes: list[int] = []
    put = store.put
    monkeypatch.setattr(store, "put", lambda entries: (sizes.append(len(entries)), put(entries)))
    return lambda: sizes


def test_transactions_are_short(root: Path, store: IndexStore, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(root, 60)
    write(root, {f"long{number}.py": "\n".join(f"value_{one} = {one}" for one in range(9_000)) for number in range(4)})
    sizes = _sizes(store, monkeypatch)

    bring_up(store, root)

    assert sum(sizes()) == 64
    assert max(sizes()) <= module.CRAWL_BATCH_FILES
    assert len(sizes()) >= 64 // module.CRAWL_BATCH_FILES + 2
