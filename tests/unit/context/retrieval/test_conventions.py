"""How a project wants to be worked on, as far as its files say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dragoman.context.limits import CONVENTION_CHARS
from dragoman.context.snippets import Snippet
from tests.support.small_index import SmallIndex

FILES = {
    "README.md": "# Shop\n\nSells things.\n",
    "AGENTS.md": "Run the tests first.\n",
    ".editorconfig": "root = true\nindent_size = 4\n",
    "web/AGENTS.md": "Views are functions.\n",
    "web/admin/README.md": "The admin's pages.\n",
    "web/admin/views.py": "x = 1\n",
    "api/AGENTS.md": "Not for the web.\n",
}


def found(index: SmallIndex, **params: Any) -> dict[str, str]:
    return {
        one.path: one.text for one in map(Snippet.from_wire, index.retriever.call("conventions", params)["snippets"])
    }


def test_notes_for_agents_come_before_the_readme(tmp_path: Path) -> None:
    assert list(found(SmallIndex(tmp_path, FILES))) == ["AGENTS.md", "README.md", ".editorconfig"]


def test_the_folders_around_the_focus_speak_first_and_others_not_at_all(tmp_path: Path) -> None:
    paths = list(found(SmallIndex(tmp_path, FILES), focus=["web/admin/views.py"]))
    assert paths == ["web/AGENTS.md", "AGENTS.md", "web/admin/README.md", "README.md", ".editorconfig"]


def test_whole_lines_of_the_beginning_are_kept_within_the_budget(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"README.md": "".join(f"Line {number} of the text.\n" for number in range(2_000))})
    (text,) = found(index, tokens=60).values()
    assert text.startswith("Line 0 of the text.\nLine 1 of the text.")
    assert text.endswith(" of the text.")
    (long,) = found(index, tokens=100_000).values()
    assert len(long) <= CONVENTION_CHARS
    assert found(index, tokens=10) == {}


def test_what_the_index_does_not_hold_is_not_read(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"a.py": "x = 1\n"})
    (tmp_path / "README.md").write_text("ignored\n", encoding="utf-8")
    assert found(index) == {}
