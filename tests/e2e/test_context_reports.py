"""Copies, other servers' reports and git's changes on their way to the model: the whole server and its index's process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_context import DESK, SHELF, Scene, scene

FILES = {
    "library/__init__.py": "",
    "library/shelf.py": SHELF,
    "library/desk.py": DESK,
    "library/fines.py": "def fine_for(days):\n    return days\n",
}


def commit(root: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for arguments in (["init"], ["add", "."], ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, env=environment)


async def typed(scene: Scene, wanted: str) -> str:
    return await scene.prompt_with("library/desk.py", 4, "    ", lambda prompt: wanted in prompt)


async def test_a_copy_and_a_report_are_read(tmp_path: Path) -> None:
    async with scene(tmp_path, FILES) as shown:
        shown.open("library/desk.py", DESK)
        await shown.indexed()
        shown.editor.notify(
            "dragoman/yanked",
            {"text": "overdue_charge = rate_of(copied_region)\n", "uri": shown.uri("library/fines.py")},
        )
        prompt = await typed(shown, "rate_of(copied_region)")
        assert "library/fines.py" in prompt
        shown.editor.notify(
            "dragoman/diagnostics",
            {
                "uri": shown.uri("library/desk.py"),
                "diagnostics": [
                    {"line": 4, "message": 'Argument missing for parameter "membership_card"', "severity": 1}
                ],
            },
        )
        prompt = await typed(shown, "membership_card")
        assert 'line 5: error: Argument missing for parameter "membership_card"' in prompt


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git")
async def test_changes_since_the_last_commit_are_read_in_a_trusted_folder_only(tmp_path: Path) -> None:
    changed = "def fine_for(days):\n    return days * daily_rate(holiday_calendar)\n"
    root = tmp_path / "project"
    for trusted in (False, True):
        shutil.rmtree(root, ignore_errors=True)
        options = {"trusted": trusted}
        async with scene(tmp_path, FILES, initializationOptions=options) as shown:
            commit(root)
            (root / "library/fines.py").write_text(changed, encoding="utf-8")
            shown.open("library/desk.py", DESK)
            await shown.indexed()
            if trusted:
                assert "library/fines.py" in await typed(shown, "daily_rate(holiday_calendar)")
            else:
                for line in range(3):
                    prompt = await shown.prompt("library/desk.py", line, 0)
                    assert "holiday_calendar" not in prompt
