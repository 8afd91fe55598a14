"""The demonstration with the real model, as ``make demo`` runs it the second time: without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.tools import require
from tests.support.weights import weights_dir

__all__ = ["weights_dir"]

pytestmark = pytest.mark.model

NO_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def run_demo(*options: str, weights: Path, prefix: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(prefix or []), sys.executable, "-m", "dragoman", "demo", *options],
        env={**os.environ, "DRAGOMAN_DATA_DIR": str(weights)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def engines_of(runtime: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and runtime in " ".join(process.info["cmdline"] or []):
            found.append(process)
    return found


@pytest.fixture(autouse=True)
def short_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the engine a folder of its own whose name is short enough for a socket, so that it can be recognised."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        monkeypatch.setenv("DRAGOMAN_RUNTIME_DIR", folder)
        yield


def test_the_demo_shows_ghost_text_of_the_real_model_and_leaves_nothing_running(weights_dir: Path) -> None:
    done = run_demo("--non-interactive", weights=weights_dir)

    assert done.returncode == 0, done.stderr
    assert "return sum(" in done.stdout
    assert "self._items.pop()" in done.stdout
    assert "What took how long" in done.stdout
    # A second run needs no download, so none may be among what took time.
    assert "download" not in done.stdout
    deadline = time.monotonic() + 60
    while engines_of(os.environ["DRAGOMAN_RUNTIME_DIR"]):
        assert time.monotonic() < deadline, "an engine is still there"
        time.sleep(0.2)


@pytest.mark.skipif(os.geteuid() != 0, reason="taking the network away needs root")
def test_the_demo_works_without_any_network(weights_dir: Path) -> None:
    require("unshare")
    require("ip")
    done = run_demo("--non-interactive", "--json", weights=weights_dir, prefix=NO_NETWORK)

    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row["ms"] for row in json.loads(done.stdout)}
    assert any("last key to ghost text" in what for what in rows)
    assert all(ms > 0 for ms in rows.values())


def test_an_unknown_model_is_named_with_the_nearest_one(weights_dir: Path) -> None:
    done = run_demo("--model", "qwen2.5-coder-0.5", weights=weights_dir)

    assert done.returncode == 1
    assert "qwen2.5-coder-0.5b-instruct" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
