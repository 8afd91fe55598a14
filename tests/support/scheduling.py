"""Which worker runs which test: a file's tests stay together, so that a server or a window is started once and not by both.

pytest-xdist's own `loadgroup` puts a group's name into a test's id, which pytest 9.2 does not read any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

LONGEST_FIRST = ("tests/e2e/test_vscode", "tests/e2e/", "tests/lsp/")
"""Files that take long, by the beginning of their path: begun last, they would leave one worker idle."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist gives no types
    """Gives whole files to workers; all files that drive VS Code are one, for its window is shared and two are slow."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return what must run in one worker together with a test."""
    file = nodeid.partition("::")[0]
    return "vscode" if PurePosixPath(file).name.startswith("test_vscode") else file


def put_longest_first(items: list[pytest.Item]) -> None:
    """Sort tests so that files that take long begin first; the order within a file stays."""
    items.sort(key=lambda item: _rank(item.nodeid, LONGEST_FIRST))


def _rank(nodeid: str, beginnings: Sequence[str]) -> int:
    return next((rank for rank, beginning in enumerate(beginnings) if nodeid.startswith(beginning)), len(beginnings))
