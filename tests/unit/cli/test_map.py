"""``dragoman map`` as a user runs it, over a real index."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "money.py").write_text("class Money:\n    def rounded(self):\n        return self\n", encoding="utf-8")
    (folder / "cart.py").write_text("from money import Money\n\n\ndef total():\n    return Money()\n", encoding="utf-8")
    (folder / ".env").write_text("def secret_of_env(): pass\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


async def run(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman", "map", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in errors.decode()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_files_stand_in_their_order_with_members_below_their_class() -> None:
    code, output, _ = await run()
    assert code == 0
    assert output == "cart.py\n  def total()\n\nmoney.py\n  class Money\n      def rounded(self)\n\n"


async def test_a_file_that_one_looks_at_is_not_in_its_own_map() -> None:
    code, output, _ = await run("cart.py", "--tokens", "100", "--mention", "rounded", "--json")
    assert code == 0
    (only,) = json.loads(output)
    assert set(only) == {"path", "text", "tokens", "score"}
    assert (only["path"], only["text"]) == ("money.py", "class Money\n    def rounded(self)")


async def test_what_cannot_be_drawn_is_said(project: Path) -> None:
    code, _, errors = await run("gone.py")
    assert (code, errors) == (1, "dragoman: There is no file 'gone.py'.\n")
    code, output, errors = await run("--tokens", "1")
    assert (code, output) == (0, "")
    assert "nothing to show" in errors
    code, _, _ = await run("--tokens", "0")
    assert code == 2
