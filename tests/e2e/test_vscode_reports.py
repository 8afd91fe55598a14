"""VS Code tells the server what another extension reports in the document on screen, and when it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.vscode import STATUS, Workbench

pytestmark = pytest.mark.editor

QUIET = '[completion]\ntrigger = "invoked"\n'
"""Ghost text is not what is tested here."""
BROKEN = '{\n  "name": oops\n}\n'


@pytest.fixture(scope="module")
def editor() -> Iterator[Workbench]:
    with Workbench(files={"data.json": BROKEN}, config=QUIET, name="vscode-reports") as workbench:
        workbench.wait(STATUS)
        workbench.until(lambda: workbench.messages("initialized"), "the server")
        yield workbench


def told(editor: Workbench) -> list[dict[str, Any]]:
    return [message["params"] for message in editor.messages("dragoman/diagnostics")]


def test_what_is_reported_on_screen_is_told_and_so_is_its_end(editor: Workbench) -> None:
    editor.open("data.json")
    editor.until(lambda: any(one["diagnostics"] for one in told(editor)), "a report")
    newest = told(editor)[-1]
    assert newest["uri"].endswith("/data.json")
    assert {one["line"] for one in newest["diagnostics"]} == {1}
    assert newest["diagnostics"][0]["severity"] == 1
    assert newest["diagnostics"][0]["message"]
    editor.press("Control+Home", "ArrowDown", "End", "Control+Shift+ArrowLeft")
    editor.type("1")
    editor.until(lambda: told(editor)[-1]["diagnostics"] == [], "the news that nothing is wrong")
