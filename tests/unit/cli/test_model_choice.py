"""`dragoman models explain` and `bench`: the reasons that a person sees, and figures that come from calls."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.fake_model import FakeModel, Script

CODER, LLAMA = "qwen2.5-coder:1.5b-base", "llama3.1:8b"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def run(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman", "models", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in errors.decode()
    return process.returncode or 0, output.decode(), errors.decode()


def configure(*fakes: FakeModel, more: str = "") -> None:
    rows = [f"[[providers]]\nname = 'p{at}'\nkind = 'ollama'\nbase_url = '{one.url}'\n" for at, one in enumerate(fakes)]
    Path(os.environ["DRAGOMAN_CONFIG_DIR"], "config.toml").write_text(more + "\n".join(rows), encoding="utf-8")


async def test_explain_names_who_answers_who_else_would_and_why_the_others_do_not() -> None:
    async with FakeModel(Script(models=[CODER, LLAMA])) as first, FakeModel(Script(models=[CODER])) as second:
        configure(first, second, more="[models]\nstrategy = 'priority'\n")
        code, output, _ = await run("explain", "completion", "--json")
        told = json.loads(output)
        shown_code, shown, _ = await run("explain", "completion")

    assert (code, shown_code) == (0, 0)
    assert told["chosen"] == {"provider": "p0", "model": CODER}
    assert [(one["provider"], one["model"], one["verdict"], one["why"]) for one in told["candidates"]] == [
        ("p0", CODER, "chosen", "matches the default 'qwen2.5-coder*'"),
        ("p1", CODER, "able", "matches the default 'qwen2.5-coder*'"),
        ("p0", LLAMA, "able", "fills in the middle"),
    ]
    assert [one["endpoint"] for one in told["endpoints"]] == [f"p0/{CODER}", f"p1/{CODER}"]
    assert told["endpoints"][0]["why"] == "number 1 of 2 in the order of the settings"
    assert f"completion: {CODER} of p0" in shown
    assert f"2. p1/{CODER}" in shown


async def test_explain_fails_when_nobody_can_and_says_what_each_lacks() -> None:
    async with FakeModel(Script(models=[LLAMA])) as fake:
        configure(fake)
        code, output, _ = await run("explain", "chat", "--needs", "vision", "--json")
        told = json.loads(output)

    assert code == 1
    assert told["chosen"] is None
    assert told["problem"] == f"No model can answer this request: {LLAMA!r} sees no pictures."


@pytest.mark.parametrize(
    ("arguments", "named"), [(["explain", "poetry"], "review"), (["explain", "chat", "--needs", "wit"], "vision")]
)
async def test_a_wrong_word_is_answered_with_the_right_ones(arguments: list[str], named: str) -> None:
    code, _, errors = await run(*arguments)

    assert code == 2
    assert named in errors


async def test_bench_asks_as_often_as_it_says_and_never_the_same_twice() -> None:
    async with FakeModel(Script(text="total = 0\nfor one in orders:\n    total += one\n", models=[CODER])) as fake:
        configure(fake)
        code, output, errors = await run("bench", "--rounds", "2", "--json")
        asked = [one.body["prompt"] for one in fake.requests if one.path == "/api/generate"]
        people = await run("bench", CODER, "--rounds", "1")

    told = json.loads(output)
    assert (code, people[0]) == (0, 0)
    assert (told["name"], told["provider"], told["kind"], told["rounds"]) == (CODER, "p0", "completion", 2)
    assert told["tokens_per_second"] > 0
    assert len(set(asked)) == len(asked) == 3
    assert "tokens a second" in people[1]
    assert not errors.strip()
