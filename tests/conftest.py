"""What all tests share: the golden switch, isolation from the user's own files, and bugs as failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.monitoring import bug


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew from what is produced now")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep tests away from the user's configuration, data and running engine."""
    base = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "DATA", "RUNTIME"):
        folder = base / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(f"DRAGOMAN_{name}_DIR", str(folder))
    return base


@pytest.fixture(autouse=True)
def no_bugs() -> Iterator[None]:
    """Fail a test during which the impossible was reported, unless it took the report away."""
    bug.recorded.clear()
    yield
    found = list(bug.recorded)
    bug.recorded.clear()
    assert not found
