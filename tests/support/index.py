"""A workspace and the real index of it, for tests."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from dragoman.context.workspace.client import IndexClient
from dragoman.context.workspace.place import index_file
from dragoman.context.workspace.store import IndexStore

PATIENCE = 30.0
ROOT = Path(__file__).parents[2]

ECHO_PROGRAM = '''
"""The index's process with somebody in the retriever's place who tells what it sees."""
import argparse, sys, time
from pathlib import Path
from dragoman.context.workspace.process import enter
from dragoman.context.workspace.worker import Worker

class Answers:
    def __init__(self, store, root, overlays, changes):
        self.overlays = overlays
        self.asked = []
    def call(self, method, params):
        self.asked.append(method)
        if method == "overlays":
            return {path: [one.text, [s.name for s in one.outline.symbols]] for path, one in self.overlays.items()}
        if method == "asked":
            return self.asked
        if method == "sleep":
            return time.sleep(params["seconds"])
        if method == "print":
            print("not the protocol", flush=True)
            return sys.stdin.read()
        raise LookupError(method)
    def work(self):
        return False
    def wanted(self):
        return []

parser = argparse.ArgumentParser()
parser.add_argument("--name")
parser.add_argument("--root", type=Path)
parser.add_argument("--index", type=Path)
options = parser.parse_args(sys.argv[4:])
Worker(options.root, options.index, enter(), Answers).run()
'''


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def modules(root: Path, count: int, folder: str = "package") -> None:
    """Write so many small Python files, 50 in a folder."""
    for number in range(count):
        path = root / folder / f"part{number // 50}" / f"module_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def function_{number}(value):\n    return value + {number}\n", encoding="utf-8")


def indexed(root: Path) -> set[str]:
    """Return the paths in a workspace's index, as its file has them."""
    store = IndexStore.open(index_file(root), write=False)
    try:
        return set(store.known())
    finally:
        store.close()


def defined(root: Path, name: str) -> bool:
    """Tell whether the index knows a definition of that name."""
    store = IndexStore.open(index_file(root), write=False)
    try:
        return bool(store.symbols_named(name))
    finally:
        store.close()


def echoing(folder: Path) -> str:
    """Make a program that stands for the interpreter and runs `ECHO_PROGRAM`."""
    return _wrapper(folder, f'exec "{sys.executable}" "{_written(folder)}" "$@"')


def limited(folder: Path, kilobytes: int) -> str:
    """Make an interpreter that cannot write files longer than that, as on a full disk."""
    return _wrapper(folder, f'ulimit -f {kilobytes}\nexec "{sys.executable}" "$@"')


def _written(folder: Path) -> Path:
    program = folder / "echo_index.py"
    program.write_text(ECHO_PROGRAM, encoding="utf-8")
    return program


def _wrapper(folder: Path, command: str) -> str:
    script = folder / "interpreter"
    script.write_text(f"#!{shutil.which('bash')}\n{command}\n", encoding="utf-8")
    script.chmod(0o755)
    return str(script)


async def until(condition: Callable[[], bool]) -> float:
    """Wait for the condition and return how many seconds that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def processes(root: Path) -> list[psutil.Process]:
    """Return the index's processes of a workspace, and every crawler of theirs."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if "dragoman-index" in line and str(root) in line:
                found += [process, *process.children()]
        except psutil.Error:
            continue
    return found


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def crawled(client: IndexClient) -> dict[str, object]:
    """Wait for the crawl's end and return the status."""
    status: dict[str, object] = await client.call("wait", timeout=PATIENCE)
    return status


Open = Callable[..., IndexClient]


@pytest.fixture(name="root")
def root_fixture(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture(name="opened")
async def opened_fixture(root: Path) -> AsyncIterator[Open]:
    clients: list[IndexClient] = []

    def make(**options: object) -> IndexClient:
        clients.append(IndexClient(root, **options))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    for client in clients:
        started = time.monotonic()
        await client.aclose()
        assert time.monotonic() - started < 10
    assert processes(root) == []
