"""Between questions the names of the file at hand are looked up, so that the next line's question finds them known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_index import SmallIndex

FAR_OFF = "\n" * 50
OWN = (
    "import shop\n\n\ndef first():\n    pass\n"
    f"{FAR_OFF}def second():\n    discount = rebate(customer)\n    return discount\n"
)
FILES = {
    "own.py": OWN,
    "other.py": "def bill():\n    discount = rebate(customer)\n    print(discount)\n",
    "third.py": "def elsewhere():\n    return unrelated\n",
}
QUESTION = OWN.replace("    return discount\n", "    |\n")


def looked_up(index: SmallIndex, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every name is added that is looked up from now on."""
    names: list[str] = []
    look_up = index.store.chunks_with

    def noted(term: str, limit: int) -> list[int]:
        names.append(term)
        return look_up(term, limit)

    monkeypatch.setattr(index.store, "chunks_with", noted)
    return names


def test_after_a_moment_the_next_question_looks_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = SmallIndex(tmp_path, FILES)
    index.gather("own.py", OWN.replace("    pass\n", "    |\n"), sources=("similar",))
    names = looked_up(index, monkeypatch)
    while index.retriever.work():
        pass
    assert {"discount", "rebate", "customer"} <= set(names)
    assert not {"def", "return", "import", "unrelated"} & set(names)
    assert len(names) == len(set(names))
    names.clear()
    assert "rebate" in index.text("own.py", QUESTION, "similar")
    assert names == []


def test_what_is_known_ahead_changes_no_answer(tmp_path: Path) -> None:
    cold, warm = (SmallIndex(tmp_path / name, FILES) for name in ("cold", "warm"))
    warm.gather("own.py", "|")
    while warm.retriever.work():
        pass
    assert warm.gather("own.py", QUESTION) == cold.gather("own.py", QUESTION) != []


def test_another_file_takes_the_place_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = SmallIndex(tmp_path, FILES)
    index.gather("own.py", "|")
    index.gather("third.py", "|")
    names = looked_up(index, monkeypatch)
    while index.retriever.work():
        pass
    assert set(names) == {"elsewhere", "unrelated"}
    index.gather("gone.py", "|")
    while index.retriever.work():
        pass
