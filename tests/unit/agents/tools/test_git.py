"""Asking a real git, committing, and repositories that name programs; the project's tools over a real index's process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dragoman.agents.tools.policy import Policy, Rule
from dragoman.agents.tools.project import project_tools
from dragoman.context.overview import Overview
from dragoman.context.workspace.client import IndexClient
from dragoman.errors import CommandError, FileUnfitError, PathOutsideError, ToolArgumentsError
from tests.support.tool_bench import ToolBench

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git")


def git(root: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True, env=environment)
    return done.stdout


@pytest.fixture
def bench(tmp_path: Path) -> ToolBench:
    bench = ToolBench(tmp_path / "project")
    bench.write("a.py", "one = 1\n")
    bench.write("b.py", "two = 2\n")
    git(bench.root, "-c", "init.defaultBranch=main", "init")
    git(bench.root, "config", "user.name", "A")
    git(bench.root, "config", "user.email", "a@example.org")
    git(bench.root, "add", ".")
    git(bench.root, "commit", "-m", "first")
    return bench


@needs_git
async def test_status_diff_log_and_commit(bench: ToolBench) -> None:
    bench.write("a.py", "one = 10\n")
    bench.write("b.py", "two = 20\n")
    bench.write("new.py", "x\n")
    assert (await bench.call("git_status")).splitlines() == ["## main", " M a.py", " M b.py", "?? new.py"]
    diff = await bench.call("git_diff", path="a.py")
    assert "+one = 10" in diff
    assert "two" not in diff
    committed = await bench.result("git_commit", message="Ten\n\nAnd why.", paths=["a.py", "new.py"])
    assert git(bench.root, "log", "-1", "--format=%H %s|%b").strip() == f"{committed.details['commit']} Ten|And why."
    assert (await bench.call("git_status")).splitlines() == ["## main", " M b.py"]
    assert [line.partition(": ")[2] for line in (await bench.call("git_log")).splitlines()] == ["Ten", "first"]
    assert (await bench.call("git_log", path="b.py")).endswith("A: first")
    assert "+one = 10" in await bench.call("git_diff", revision="HEAD~1", path="a.py")
    assert (await bench.call("git_log", revision="HEAD~1..HEAD")).endswith("A: Ten")
    assert await bench.call("git_diff", staged=True) == "[no differences]"


@needs_git
async def test_a_commit_is_of_files_that_are_named_and_no_folder(bench: ToolBench) -> None:
    bench.write("conf/.env", "TOKEN=hunter2hunter2\n")
    bench.write("conf/a b.py", "one = 1\n")
    with pytest.raises(FileUnfitError, match="folder"):
        await bench.call("git_commit", message="m", paths=["conf"])
    await bench.call("git_commit", message="m", paths=["conf/a b.py"])
    shutil.rmtree(bench.root / "conf")
    with pytest.raises(CommandError, match="is below one of the paths"):
        await bench.call("git_commit", message="m", paths=["conf"])
    await bench.call("git_commit", message="gone", paths=["conf/a b.py"])
    assert git(bench.root, "log", "--format=%s").split() == ["gone", "m", "first"]
    assert git(bench.root, "ls-files").split() == ["a.py", "b.py"]


@needs_git
async def test_status_names_no_file_that_a_rule_closes(tmp_path: Path) -> None:
    policy = Policy((Rule("deny", "read", path="plans/**"),), trusted=True)
    top = tmp_path / "top"
    bench = ToolBench(top / "project", policy=policy)
    for path in ("plans/old.md", "plans/ü.md", "plans/buy -> sell.md", "plans/a\u2028M  b.md", "a.py", "odd\nname.py"):
        bench.write(path, f"{path}\none\ntwo\nthree\n")
    (top / "beside.md").write_text("elsewhere\n")
    git(top, "-c", "init.defaultBranch=main", "init")
    for setting in ("color.status=always", "color.ui=always", "status.relativePaths=false", "core.quotePath=false"):
        git(top, "config", *setting.split("="))
    git(top, "add", ".")
    git(top, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-m", "first")
    git(bench.root, "mv", "plans/old.md", "open.md")
    git(bench.root, "mv", "a.py", "b.py")
    for path in ("plans/ü.md", "plans/buy -> sell.md", "plans/a\u2028M  b.md", "odd\nname.py"):
        bench.write(path, "changed\n")
    shown = await bench.call("git_status")
    assert shown.splitlines() == [
        "## main",
        "R  a.py -> b.py",
        ' M "odd\\nname.py"',
        "[4 files are left out, which the user's rules do not open to this]",
    ]


@needs_git
async def test_a_long_diff_is_cut_where_each_part_has_its_head(bench: ToolBench) -> None:
    for name in ("c.py", "d.py", "e.py"):
        bench.write(name, f"{name}\n" * 400)
    git(bench.root, "add", ".")
    bench.context.result_chars = 5_000
    shown = await bench.call("git_diff")
    assert len(shown) <= 5_000
    assert [line for line in shown.splitlines() if line.startswith("diff ")] == [
        f"diff --git a/{name} b/{name}" for name in ("c.py", "d.py")
    ]
    assert shown.endswith("[… the rest of it and 1 more file left out; give a path …]")


@needs_git
async def test_wrong_questions_are_clear_errors(bench: ToolBench, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="git failed"):
        await bench.call("git_diff", revision="nowhere")
    for revision in ("--output=x", "-x"):
        with pytest.raises((CommandError, ToolArgumentsError)):
            await bench.call("git_diff", revision=revision)
    with pytest.raises(PathOutsideError):
        await bench.call("git_commit", message="m", paths=["../x"])
    with pytest.raises(CommandError, match="git failed"):
        await bench.call("git_commit", message="m", paths=["missing.py"])
    bench.write(".env", "TOKEN=hunter2hunter2\n")
    with pytest.raises(CommandError, match="hold keys"):
        await bench.call("git_commit", message="m", paths=[".env"])
    git(bench.root, "add", "-f", ".env")
    assert "hunter2" not in await bench.call("git_diff")
    assert not (bench.root / "x").exists()
    with pytest.raises(CommandError, match="git failed"):
        await ToolBench(tmp_path / "plain").call("git_status")


@needs_git
async def test_a_hostile_repository_runs_nothing(bench: ToolBench, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {touched}\ncat\n')
    program.chmod(0o755)
    for key in (
        *(
            "core.fsmonitor",
            "core.pager",
            "core.editor",
            "diff.external",
            "gpg.program",
            "core.sshCommand",
            "pager.log",
        ),
        *("diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process"),
        *("core.alternateRefsCommand", "credential.helper", "interactive.diffFilter", "uploadpack.packObjectsHook"),
    ):
        git(bench.root, "config", key, str(program))
    for key in ("commit.gpgSign", "log.showSignature", "gpg.x509.program", "core.hooksPath"):
        value = {"core.hooksPath": str(tmp_path / "hooks")}.get(key, "true")
        git(bench.root, "config", key, value)
    hooks = (
        "pre-commit",
        "commit-msg",
        "post-commit",
        "prepare-commit-msg",
        "post-index-change",
        "reference-transaction",
    )
    for folder in (bench.root / ".git" / "hooks", tmp_path / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in hooks:
            shutil.copy(program, folder / hook)
    bench.write(".gitattributes", "a.py diff=evil\nb.py filter=evil\n")
    bench.write("a.py", "one = 10\n")
    bench.write("b.py", "two = 20\n")
    assert "+one = 10" in await bench.call("git_diff")
    await bench.call("git_status")
    await bench.call("git_log")
    await bench.call("git_commit", message="m", paths=["a.py"])
    with pytest.raises(CommandError, match="filter"):
        await bench.call("git_commit", message="m", paths=["b.py"])
    assert not touched.exists(), touched.read_text()
    # The traps are real: git by itself steps into them.
    git(bench.root, "--no-pager", "diff")
    assert touched.exists()


async def test_the_project_s_map_and_symbols_come_from_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE_DIR", str(tmp_path / "cache"))
    root = (tmp_path / "project").resolve()
    root.mkdir()
    overview = Overview(root, IndexClient(root))
    bench = ToolBench(root, more=project_tools(overview))
    bench.write("shop/cart.py", "class Cart:\n    def total(self) -> int:\n        return 0\n")
    bench.write("main.py", "from shop.cart import Cart\n\ndef main() -> None:\n    Cart().total()\n")
    try:
        await overview.settle()
        assert await bench.call("find_symbol", name="Cart.total") == "shop/cart.py:2: def total(self) -> int (in Cart)"
        assert "nothing is defined" in await bench.call("find_symbol", name="nowhere")
        drawn = await bench.call("repository_map", focus=["main.py"], mentioned=["Cart"])
        assert "shop/cart.py" in drawn
        assert "def total(self) -> int" in drawn
        with pytest.raises(PathOutsideError):
            await bench.call("repository_map", focus=["../x"])
        bench.context.policy = Policy((Rule("deny", "read", path="shop/**"),), trusted=True)
        assert "shop" not in await bench.call("find_symbol", name="Cart.total")
        assert "shop/" not in await bench.call("repository_map")
    finally:
        await overview.aclose()


@needs_git
async def test_a_diff_leaves_out_what_a_rule_closes(bench: ToolBench) -> None:
    bench.context.policy = Policy((Rule("deny", "read", path="b.py"),), trusted=True)
    bench.write("b.py", "two = 20\n")
    result = await bench.result("git_diff")
    assert result.details == {"characters": 0}
    assert result.text.startswith("[no differences]\n[1 file is left out")
    bench.write("a.py", "one = 10\n")
    text = await bench.call("git_diff")
    assert "+one = 10" in text
    assert "two" not in text
