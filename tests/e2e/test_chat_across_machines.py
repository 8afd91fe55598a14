"""`dragoman chat` with a model here and then one elsewhere: what was for the first only does not reach the second."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fake_model import FakeModel, Script

CONFIG = """\
[agents.assistant]
model = "near-chat"
[[providers]]
name = "near"
kind = "openai"
base_url = "{near}/v1"
models = [{{ name = "near-chat", roles = ["chat"], tools = true, context_window = 16384 }}]
[[providers]]
name = "far"
kind = "openai"
base_url = "http://models.invalid/v1"
proxy = "{far}"
models = [{{ name = "far-chat", roles = ["chat"], tools = true, context_window = 16384 }}]
"""
DRAGOMAN = (sys.executable, "-m", "dragoman")


async def say(words: str, *flags: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*DRAGOMAN, "chat", *flags), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    await asyncio.wait_for(process.communicate(words.encode()), 60)
    assert process.returncode == 0


async def test_key_files_stay_here_in_a_diff_and_in_what_was_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / ".env").write_text("GREETING=hello\n")
    (folder / "a.py").write_text("x = 1\n")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for command in (["init", "-q"], ["add", "-A", "-f"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], check=True, capture_output=True)
    (folder / ".env").write_text("GREETING=bluewhale\n")
    (folder / "a.py").write_text("x = 2\n")
    subprocess.run([*DRAGOMAN, "trust", str(folder)], check=True, capture_output=True)
    near_script, far_script = (Script(text=f"{one} says.", models=[f"{one}-chat"]) for one in ("near", "far"))
    async with FakeModel(near_script) as near, FakeModel(far_script) as far:
        config = Path(os.environ["DRAGOMAN_CONFIG_DIR"]) / "config.toml"
        config.write_text(CONFIG.format(near=near.url, far=far.url))
        await say("Explain @diff\n", "--model", "far-chat")
        assert "x = 2" in json.dumps(far.generations[-1].body)
        await say("What is in @.env ?\n")
        assert "bluewhale" in json.dumps(near.generations[-1].body)
        await say("And now?\n", "--continue", "--model", "far-chat")
        last = json.dumps(far.generations[-1].body)
        assert "What is in @.env ?" in last
        assert "stays on this machine" in last
        assert "bluewhale" not in json.dumps([one.body for one in far.generations])
