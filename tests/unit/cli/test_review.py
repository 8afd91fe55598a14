"""``dragoman review`` as users run it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman.security.trust import TrustStore
from tests.support.fake_model import FakeModel, Script
from tests.support.interrupts import heed_interrupts

MODEL = "qwen2.5-coder:7b-instruct"
CODE = "def mean(items):\n    return sum(items) / len(items)\n"
FINDING = {
    "line": 2,
    "end_line": 2,
    "severity": "error",
    "code": "empty",
    "message": "An empty list divides by zero.",
    "quote": "    return sum(items) / len(items)",
    "fix": "    return sum(items) / len(items) if items else 0.0",
}
LOST = {**FINDING, "quote": "nothing of the kind"}
ANSWER = f"Here it is:\n```json\n[{json.dumps(FINDING)},\n{json.dumps(LOST)},\n{{'line': 3, \"message\"}}]\n```\n"
LINE = "mean.py:2: error: An empty list divides by zero. [empty]\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "-q")
    (folder / "mean.py").write_text("# first\n")
    git("add", ".")
    git("commit", "-qm", "first")
    (folder / "mean.py").write_text(CODE)
    (folder / "other.py").write_text("x = 1\n")
    return folder


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def use(fake: FakeModel) -> None:
    text = f"[[providers]]\nname = 'mine'\nkind = 'openai'\nbase_url = '{fake.url}/v1'\n[models.roles]\nreview = ['{MODEL}']\n"
    (Path(os.environ["DRAGOMAN_CONFIG_DIR"]) / "config.toml").write_text(text)


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman", "review", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )


async def run(*arguments: str) -> tuple[int, str, str]:
    process = await start(*arguments)
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in errors.decode()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_changes_are_reviewed_where_git_may_be_asked(project: Path) -> None:
    async with FakeModel(Script(text=ANSWER, models=[MODEL], context=8_192)) as fake:
        use(fake)
        code, output, errors = await run()
        assert (code, output) == (1, "")
        assert "dragoman trust" in errors
        TrustStore.default().trust(project)
        code, output, errors = await run()
        assert (code, output) == (0, LINE)
        assert "1 finding in 1 file; 1 more could not be read; 1 more spoke of text that is not there." in errors
        (exchange,) = fake.generations
        question = exchange.body["messages"][-1]["content"]
        assert "2>     return sum(items) / len(items)\n" in question


async def test_programs_get_json_or_sarif() -> None:
    async with FakeModel(Script(text=ANSWER, models=[MODEL], context=8_192)) as fake:
        use(fake)
        code, output, _ = await run("mean.py", "--json")
        said = json.loads(output)
        assert (code, said["files"], said["skipped"], said["lost"]) == (0, ["mean.py"], 1, 1)
        (finding,) = said["findings"]
        assert finding["fix"] == [{"start": 17, "end": 52, "text": f"{FINDING['fix']}\n"}]
        code, output, errors = await run("mean.py", "gone.py", "--format", "sarif")
        log = json.loads(output)["runs"][0]
        assert (code, log["invocations"][0]["executionSuccessful"]) == (1, False)
        assert log["results"][0]["partialFingerprints"] == {"dragoman/v1": finding["fingerprint"]}
        assert "'gone.py'" in errors


async def test_what_cannot_be_reviewed_fails_and_wrong_usage_is_told_apart() -> None:
    async with FakeModel(Script(status=500, models=[MODEL])) as fake:
        use(fake)
        code, output, errors = await run("mean.py")
        assert (code, output) == (1, "")
        assert errors.startswith("dragoman: ")
    assert (await run("--json", "--format", "sarif"))[0] == 2


async def test_findings_come_while_the_model_speaks_and_an_interrupt_hangs_up() -> None:
    said = json.dumps(FINDING) + "\n"
    async with FakeModel(Script(text=said, endless=True, token_delay=0.005, models=[MODEL])) as fake:
        use(fake)
        process = await start("mean.py")
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line.decode() == LINE
        assert process.returncode is None
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 130
        async with asyncio.timeout(30):
            while not fake.generations[-1].hung_up:
                await asyncio.sleep(0.02)
