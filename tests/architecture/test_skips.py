"""With CI=true nothing real is skipped in silence; elsewhere a missing part is a visible skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MAY_SKIP_IN_CI

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest

@pytest.mark.skipif(True, reason="marked")
def test_marked(): pass

def test_called(): pytest.skip("called")

@pytest.mark.xfail(reason="known")
def test_known(): assert False

def test_fine(): pass

@pytest.mark.skipif(True, reason="may")
@pytest.mark.parametrize("one", [1])
def {allowed}(one): pass
"""


@pytest.mark.parametrize(
    ("ci", "counts"),
    [("true", "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error"), ("", "1 passed, 3 skipped, 1 xfailed")],
)
def test_a_skip_is_a_failure_with_ci(tmp_path: Path, ci: str, counts: str) -> None:
    (tmp_path / "test_some.py").write_text(TESTS.format(allowed=next(iter(MAY_SKIP_IN_CI))), encoding="utf-8")
    assert counts in run(tmp_path, ci)


@pytest.mark.parametrize(("ci", "counts"), [("true", "1 error"), ("", "1 skipped")])
def test_a_skipped_module_is_a_failure_with_ci(tmp_path: Path, ci: str, counts: str) -> None:
    (tmp_path / "test_all.py").write_text("import pytest\npytest.importorskip('no_such_part')\n", encoding="utf-8")
    assert counts in run(tmp_path, ci)


def test_every_test_that_may_be_skipped_exists() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in MAY_SKIP_IN_CI if f"def {name}(" not in texts] == []


def run(folder: Path, ci: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q", "-c", os.devnull]
    environment = {**os.environ, "CI": ci, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, f"--rootdir={folder}", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout
