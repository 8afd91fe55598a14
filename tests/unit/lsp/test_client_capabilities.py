"""What a client says that it can do, in the words of the clients that there are."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.lsp.session import ClientCapabilities


@pytest.mark.parametrize(
    ("said", "versions"),
    [
        ({"documentChanges": True}, True),
        # Neovim.
        ({"normalizesLineEndings": True, "resourceOperations": ["rename", "create", "delete"]}, True),
        ({"resourceOperations": []}, False),
        ({}, False),
    ],
)
def test_whoever_moves_files_by_an_edit_takes_edits_for_a_version(said: dict[str, Any], versions: bool) -> None:
    assert ClientCapabilities({"workspace": {"workspaceEdit": said}}).versions_edits is versions
