"""The fake model server itself: what other tests believe of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.fake_answers import answer_from_target, split_prompt

PROJECT = Path(__file__).resolve().parents[3]
TARGET = "import os\n\n\ndef name():\n    return os.name\n\n\ndef home():\n    return os.environ['HOME']\n"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A fake in a process of its own that continues `TARGET`; it must end cleanly and without a word."""
    file = tmp_path / "target.py"
    file.write_text(TARGET)
    command = [sys.executable, "-W", "error", "-X", "dev", "-m", "tests.support.fake_model", "--with-stdin"]
    with subprocess.Popen(
        [*command, "--oracle", str(file)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        url = json.loads(process.stdout.readline())["url"]
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            yield client
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


def test_the_oracle_continues_the_file_and_everything_is_counted(client: httpx.Client) -> None:
    prompt = "<|fim_prefix|>import os\n\n\ndef name():\n    re<|fim_suffix|>\n\n\ndef home():<|fim_middle|>"
    answer = client.post("/completion", json={"prompt": prompt}).json()["content"]
    assert answer == "turn os.name"
    log = client.get("/_fake/log").json()
    assert (log["connections"], log["in_flight"], log["max_in_flight"]) == (1, 0, 1)
    (request,) = log["requests"]
    assert request["prefix"].endswith("    re")
    assert request["finished"]
    assert request["arrived"] <= request["first_token"] <= request["ended"] <= log["now"]


def test_the_script_can_be_changed_and_the_log_cleared(client: httpx.Client) -> None:
    script = {"oracle": None, "rules": [["os.", "name"], ["", "nothing"]]}
    assert client.post("/_fake/script", json=script).status_code == 200
    for prompt, said in (("x = os.", "name"), ("x = ", "nothing")):
        reply = client.post("/api/generate", json={"prompt": prompt, "stream": False})
        assert reply.json()["response"] == said
    assert len(client.get("/_fake/log").json()["requests"]) == 2
    client.post("/_fake/reset")
    assert client.get("/_fake/log").json()["requests"] == []
    refused = client.post("/_fake/script", json={"no_such_field": 1})
    assert refused.status_code == 400
    assert "no_such_field" in refused.text


def test_the_oracle_answers_at_every_place_of_the_file() -> None:
    answer = answer_from_target(TARGET)
    for place in range(10, len(TARGET)):
        before, after = TARGET[:place], TARGET[place:]
        assert before + answer(before, "") == TARGET
        assert after.startswith(answer(before, after))


def test_prompts_of_every_shape_are_taken_apart() -> None:
    for prompt in (
        "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
        "<|repo_name|>r\n<|file_sep|>f\nother<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
        "<fim_prefix>a<fim_suffix>b<fim_middle>",
        "[SUFFIX]b[PREFIX]a",
        "<\uff5cfim\u2581begin\uff5c>a<\uff5cfim\u2581hole\uff5c>b<\uff5cfim\u2581end\uff5c>",
    ):
        assert split_prompt(prompt) == ("a", "b")
    assert split_prompt("<PRE> a <SUF>b <MID>") == (" a ", "b ")
    assert split_prompt("a") == ("a", "")
    assert split_prompt("a", "b") == ("a", "b")
