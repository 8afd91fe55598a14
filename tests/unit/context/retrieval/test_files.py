"""What retrieval keeps of files between two questions, and what makes it forget."""

from __future__ import annotations

from pathlib import Path

from tests.support.small_index import SmallIndex


def test_typing_forgets_the_document_alone(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"a.py": "def first_one():\n    pass\n", "b.py": "import a\n"})
    files = index.retriever.files
    files.begin()
    kept, typed = files.get("a.py"), files.get("b.py")

    index.overlays.open("b.py", "import a\n\ndef second_one():\n    pass\n")
    assert files.begin()
    assert files.get("a.py") is kept
    assert files.get("b.py") is not typed
    again = files.get("b.py")
    assert again is not None
    assert [one.name for one in again.symbols] == ["second_one"]

    index.overlays.close("b.py")
    assert files.begin()
    closed = files.get("b.py")
    assert closed is not None
    assert len(closed.symbols) == 0


def test_a_save_forgets_the_saved_file_alone(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"a.py": "def first_one():\n    pass\n", "b.py": "import a\n"})
    files = index.retriever.files
    files.begin()
    kept, saved = files.get("a.py"), files.get("b.py")

    index.write({"b.py": "import a\n\ndef second_one():\n    pass\n"})
    assert files.begin()
    assert files.get("a.py") is kept
    again = files.get("b.py")
    assert again is not None
    assert again is not saved
    assert [one.name for one in again.symbols] == ["second_one"]


def test_a_saved_file_is_read_again(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"a.py": "def rare_name():\n    pass\n", "b.py": "x = 1\n"})
    files = index.retriever.files
    files.begin()
    before = files.holders("rare_name")
    (chunk,) = files.store.chunks(before)
    assert files.piece(chunk).lines[0] == "def rare_name():"

    index.write({"a.py": "def other_name():\n    return 2\n", "b.py": "rare_name = 1\n"})
    assert files.begin()
    (chunk,) = files.store.chunks(files.holders("rare_name"))
    assert (chunk.path, files.piece(chunk).lines[0]) == ("b.py", "rare_name = 1")
