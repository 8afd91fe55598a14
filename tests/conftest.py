"""What all tests share: the golden switch, isolation from the user's own files, bugs as failures, and no quiet skip in CI."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dragoman.monitoring import bug, logs
from tests.support.scheduling import FileScheduling, put_longest_first


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew from what is produced now")


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

MAY_SKIP_IN_CI = {
    "test_an_address_of_ipv6_can_be_served_on": "a container may have no IPv6, and nothing can install it",
    "test_the_address_that_answers_wins_over_one_that_does_not": "only Linux has all of 127.0.0.0/8",
    "test_a_disk_that_is_really_full_is_said_to_be_and_nothing_half_is_left": "a container may forbid mounting",
    "test_a_full_disk_loses_nothing_that_was_there": "only Linux has /dev/full",
}
"""Tests that may be skipped with CI=true, each with its reason. Whatever else is skipped there is a failure: a real part that
nobody tested looks like one that works."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure with CI=true, unless it may be."""
    report = yield
    may = hasattr(report, "wasxfail") or item.name.partition("[")[0] in MAY_SKIP_IN_CI
    return report if may else _fail_if_skipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module."""
    return _fail_if_skipped((yield))


def _fail_if_skipped(report: Report) -> Report:
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped with CI=true, where no real part may be missing: {report.longrepr}"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Give whole files to the workers; not asked where there is only one."""
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    put_longest_first(items)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep tests away from the user's configuration, data and running engine."""
    base = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "DATA", "RUNTIME", "CACHE"):
        folder = base / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(f"DRAGOMAN_{name}_DIR", str(folder))
    return base


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """Take back what a command that runs in this process does to the logs: the next test reads its own."""
    level = logging.root.level
    yield
    if logging.root.level != level:
        logs.close_logs()
        logging.root.setLevel(level)


@pytest.fixture(autouse=True)
def no_bugs() -> Iterator[None]:
    """Fail a test during which the impossible was reported, unless it took the report away."""
    bug.recorded.clear()
    yield
    found = list(bug.recorded)
    bug.recorded.clear()
    assert not found
