"""An edit over a document whose editor says what it likes, when it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dragoman.agents.edits.session import EditSession
from dragoman.assistance.edits import OpenEdit
from dragoman.assistance.texts import Texts
from dragoman.lsp.lines import Lines
from dragoman.lsp.services import EditorEdit
from tests.support.agent_scene import BLOCK, CART

URI = "file:///shop/cart.py"


class Editor:
    """Makes every edit that is for the text as it is, and tells of it."""

    shows_runs = True
    admits_refusals = True

    def __init__(self) -> None:
        self.texts = Texts(self)  # type: ignore[arg-type] - it is asked for edits only
        self.lines = CART.split("\n")
        self.version = 0
        self.say()

    def say(self) -> None:
        self.version += 1
        self.texts.changed(URI, Lines.of("\n".join(self.lines)), self.version)

    async def apply_edits(self, uri: str, edits: Sequence[EditorEdit], *, version: int | None, label: str) -> bool:
        assert (uri, version) == (URI, self.version)
        for edit in edits:
            assert (edit.start_character, edit.end_character) == (0, 0), "whole lines"
            self.lines[edit.start_line : edit.end_line] = edit.text.removesuffix("\n").split("\n")
        self.say()
        return True


def hear(edit: OpenEdit, told: list[Mapping[str, Any]]) -> None:
    edit.feed(BLOCK)
    edit.finish()
    edit.attach(told.append)


@pytest.mark.parametrize("is_attached_first", [True, False])
async def test_what_is_typed_before_anybody_tells_the_edit_moves_its_hunks(is_attached_first: bool) -> None:
    editor, told = Editor(), list[Mapping[str, Any]]()
    edit = OpenEdit(URI, EditSession(CART, path="cart.py"), editor.texts, preview=True, label="Edit")
    if is_attached_first:
        hear(edit, told)
    editor.lines.insert(0, "import math")
    editor.say()
    if not is_attached_first:
        hear(edit, told)
        assert told[-1]["hunk"]["range"]["start"] == {"line": 6, "character": 0}
    assert await edit.decide(None, accept=True) == 1
    assert "\n".join(editor.lines) == f"import math\n{CART}".replace("return 0", "return len(items)")
    assert told[-1]["hunk"]["state"] == "applied"
