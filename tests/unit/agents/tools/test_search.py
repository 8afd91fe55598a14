"""Searching: what is found, what is left out, and expressions that do not end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from dragoman.agents import limits
from dragoman.agents.tools import search
from dragoman.agents.tools.diagnostics import Diagnostics
from dragoman.agents.tools.policy import DEFAULTS, Policy, Rule
from dragoman.errors import PatternError, ToolArgumentsError
from tests.support.small_index import SmallIndex
from tests.support.tool_bench import ToolBench


@pytest.fixture
def bench(tmp_path: Path) -> ToolBench:
    return ToolBench(tmp_path / "project")


async def test_lines_with_their_places(bench: ToolBench) -> None:
    bench.write("src/a.py", "import os\r\n\r\ndef Area(w):\r\n    return w\r\n")
    bench.write("b.md", "def area, and def area again\n")
    bench.write("build/c.py", "def area\n")
    bench.write(".gitignore", "build/\n")
    bench.write("d.bin", b"def area\0")
    assert await bench.call("search", pattern="def area") == "b.md:1: def area, and def area again"
    everything = await bench.call("search", pattern=r"def\s+area", regex=True, ignore_case=True)
    assert sorted(everything.splitlines()) == ["b.md:1: def area, and def area again", "src/a.py:3: def Area(w):"]
    assert await bench.call("search", pattern="^def", regex=True, path="src") == "src/a.py:3: def Area(w):"
    assert await bench.call("search", pattern="def", glob="*.py") == "src/a.py:3: def Area(w):"
    assert await bench.call("search", pattern="def", path="src/a.py", ignore_case=True) == "src/a.py:3: def Area(w):"
    assert await bench.call("search", pattern="def area", glob="") == "b.md:1: def area, and def area again"
    assert await bench.call("search", pattern="a.ea") == "[no match in 3 files]"


async def test_what_is_shown_is_bounded(bench: ToolBench) -> None:
    for number in range(20):
        bench.write(f"{number:02}.txt", "hit\n" * 100)
    result = await bench.result("search", pattern="hit")
    assert result.details["matches"] == limits.SEARCH_MATCHES
    assert result.details["files"] == limits.SEARCH_MATCHES / limits.SEARCH_FILE_MATCHES
    assert "stopped at 200 matches" in result.text
    bench.write("wide/min.js", "x" * 100_000 + "needle" + "y" * 100_000)
    text = await bench.call("search", pattern="needle", path="wide")
    assert "needle" in text
    assert len(text) < limits.SEARCH_LINE_CHARS + 100


async def test_expressions_that_are_wrong_or_do_not_end(bench: ToolBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_LINE_SECONDS", 0.1)
    bench.write("a.txt", "a" * 60 + "b\n")
    with pytest.raises(PatternError, match="no regular expression"):
        await bench.call("search", pattern="(unclosed", regex=True)
    with pytest.raises(ToolArgumentsError):
        await bench.call("search", pattern="x" * (limits.SEARCH_PATTERN_CHARS + 1))
    task = asyncio.create_task(bench.call("search", pattern=r"^(a|aa)+$", regex=True))
    # The event loop has its turn while the expression tries.
    await asyncio.sleep(0)
    with pytest.raises(PatternError, match="takes too long"):
        await task


async def test_a_cancelled_search_ends_its_thread(bench: ToolBench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        bench.write(f"{number}.txt", "x\n")
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()
    read: list[Path] = []

    def reading(path: Path) -> str:
        read.append(path)
        begun.set()
        go.wait(10)
        return "x"

    inner = search._search

    def searching(*arguments: object) -> object:
        try:
            return inner(*arguments)  # type: ignore[arg-type]
        finally:
            ended.set()

    monkeypatch.setattr(search, "_read", reading)
    monkeypatch.setattr(search, "_search", searching)
    task = asyncio.create_task(bench.call("search", pattern="y"))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert await asyncio.to_thread(ended.wait, 10)
    assert len(read) == 1


def test_definitions_are_found_in_the_index_and_in_open_documents(tmp_path: Path) -> None:
    index = SmallIndex(
        tmp_path, {"a.py": "class Cart:\n    def total(self) -> int:\n        return 0\n", "b.py": "x = 1\n"}
    )

    def found(name: str) -> list[tuple[str, int, str]]:
        answer = index.retriever.call("definitions", {"name": name, "limit": 5})
        return [(one["path"], one["line"], one["text"]) for one in answer["snippets"]]

    assert found("total") == [("a.py", 2, "def total(self) -> int (in Cart)")]
    assert found("missing") == []
    index.overlays.open("b.py", "\n\ndef total(price):\n    pass\n")
    assert found("total") == [
        ("a.py", 2, "def total(self) -> int (in Cart)"),
        ("b.py", 3, "def total(price)"),
    ]


async def test_files_that_a_rule_closes_are_neither_found_nor_listed(tmp_path: Path) -> None:
    rules = (Rule("deny", "read", path="private/**"), Rule("ask", "read", path="drafts/**"))
    bench = ToolBench(tmp_path / "project", policy=Policy(rules, trusted=True))
    for path in ("a.txt", "private/k.txt", "drafts/d.txt"):
        bench.write(path, "the plan\n")
    note = "[2 files are left out, which the user's rules do not open to this]"
    assert await bench.call("search", pattern="plan") == f"a.txt:1: the plan\n{note}"
    assert await bench.call("list_files") == f"a.txt\n{note}"
    assert bench.answers.questions == []
    # Who is asked about a folder and says yes has answered for what is in it.
    assert await bench.call("search", pattern="plan", path="drafts") == "drafts/d.txt:1: the plan"
    assert [one.summary for one in bench.answers.questions] == ["Search drafts for 'plan'"]


async def test_a_yes_where_everything_is_asked_about_shows_everything_but_what_is_denied(tmp_path: Path) -> None:
    policy = Policy((Rule("deny", path="private/**"),), {**DEFAULTS, "read": "ask"}, trusted=True)
    bench = ToolBench(tmp_path / "project", policy=policy)
    for path in ("a.txt", "private/k.txt"):
        bench.write(path, "the plan\n")
    assert (await bench.call("list_files")).splitlines()[0] == "a.txt"
    assert len(bench.answers.questions) == 1


async def test_reports_on_files_that_a_rule_closes_are_not_shown(tmp_path: Path) -> None:
    class Reported:
        def reported(self, path: Path | None) -> str:
            return "a.py:1: error: one\nprivate/k.py:3: error: two\n  of it\nb.py:2: error: three"

    policy = Policy((Rule("deny", "read", path="private/**"),), trusted=True)
    bench = ToolBench(tmp_path / "project", policy=policy, more=[Diagnostics(Reported())])
    shown = await bench.call("diagnostics")
    assert shown.splitlines()[:-1] == ["a.py:1: error: one", "b.py:2: error: three"]
