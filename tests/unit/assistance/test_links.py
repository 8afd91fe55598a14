"""Links in the paths of open documents: agents' tools follow them, the editor is told its own names."""

from __future__ import annotations

from pathlib import Path

from dragoman.assistance.ground import Ground, Surroundings
from dragoman.assistance.texts import Texts
from dragoman.lsp.lines import Lines


class Editor:
    """Finds a use of each name in the line above."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def find_usages(self, uri: str, line: int, name: str) -> tuple[tuple[str, int], ...]:
        self.asked.append(f"{uri} {name}")
        return ((uri, line - 1),)


async def test_a_use_is_asked_for_by_the_editors_name_and_found_by_the_tools(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    (tmp_path / "alias.py").symlink_to(real / "cart.py")
    (real / "cart.py").write_text("")
    editor = Editor()

    def app() -> None:
        raise AssertionError("no agent is asked")

    around = Surroundings(app, lambda: [link], lambda: True, lambda _uri: False)  # type: ignore[arg-type] - not called
    ground = Ground(editor, around)  # type: ignore[arg-type] - it is asked for usages only
    assert await ground.usages(real / "cart.py", 3, "total") == ((real / "cart.py", 2),)
    assert editor.asked == [f"{(link / 'cart.py').as_uri()} total"]
    ground._texts.changed((tmp_path / "alias.py").as_uri(), Lines.of("total()\n"), 1)
    assert await ground.usages(real / "cart.py", 3, "total") == ((real / "cart.py", 2),)
    assert editor.asked[1:] == [f"{(tmp_path / 'alias.py').as_uri()} total"]


def test_a_file_that_is_open_by_two_names_stays_open_when_one_is_closed(tmp_path: Path) -> None:
    (tmp_path / "alias.py").symlink_to(tmp_path / "cart.py")
    texts = Texts(None)  # type: ignore[arg-type] - nothing is asked of it
    for name in ("cart.py", "alias.py"):
        texts.changed((tmp_path / name).as_uri(), Lines.of(f"# {name}\n"), 1)
    texts.closed((tmp_path / "alias.py").as_uri())
    shown = texts.of_path(tmp_path / "cart.py")
    assert shown is not None
    assert shown.text == "# cart.py\n"
