"""What the command line says of what the model read, and of the index that it came from."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from dragoman.context.workspace.place import index_file
from tests.support.fake_model import FakeModel, Script

MODEL = "qwen2.5-coder:1.5b-base"
PRICES = 'class PriceList:\n    def price_of(self, article: str) -> float:\n        """Say it."""\n        return 1.0\n'
CART = "from prices import PriceList\n\n\ndef total(prices: PriceList) -> float:\n    return prices.\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a project of two files."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "prices.py").write_text(PRICES)
    (folder / "cart.py").write_text(CART)
    monkeypatch.chdir(folder)
    return folder


async def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman", *arguments),
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in errors.decode()
    return process.returncode or 0, output.decode(), errors.decode()


def configure(text: str) -> None:
    (Path(os.environ["DRAGOMAN_CONFIG_DIR"]) / "config.toml").write_text(text)


def index_finding(output: str) -> dict[str, object]:
    (found,) = [one for one in json.loads(output)["findings"] if one["subject"] == "index"]
    return dict(found)


async def test_each_part_has_a_line_about_it_and_the_sum_is_at_the_end() -> None:
    async with FakeModel(Script(text="price_of(article)", models=[MODEL])) as fake:
        configure(f"[[providers]]\nname = 'mine'\nkind = 'ollama'\nbase_url = '{fake.url}'\n")
        code, output, errors = await run("complete", "cart.py:5:19", "--show-context")
        assert (code, output) == (0, "price_of(article)\n")
        heads = [line for line in errors.splitlines() if " tokens  " in line]
        assert heads[-2].split()[:2] == ["prefix", "cart.py:1"]
        assert heads[-1].split()[:2] == ["suffix", "cart.py:5"]
        assert any("prices.py:" in head for head in heads[:-2])
        assert "price_of(self, article: str)" in errors
        assert f"{MODEL} (mine) read about " in errors
        code, output, _ = await run("complete", "cart.py:5:19", "--show-context", "--json")
        data = json.loads(output)
        assert all(set(part) == {"source", "path", "text", "tokens", "score"} for part in data["context"])
        assert {"prices.py", "cart.py"} == {part["path"] for part in data["context"]}
        prompt = str(fake.generations[-1].body)
        assert all(part["text"].split("\n")[0] in prompt for part in data["context"])
        _, output, errors = await run("complete", "cart.py:5:19", "--json")
        assert "context" not in json.loads(output)
        assert errors == ""


async def test_on_a_terminal_it_has_colours() -> None:
    async with FakeModel(Script(text="price_of(article)", models=[MODEL])) as fake:
        configure(f"[[providers]]\nname = 'mine'\nkind = 'ollama'\nbase_url = '{fake.url}'\n")
        _, _, errors = await run("complete", "cart.py:5:19", "--show-context", FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[" in errors
    assert "cart.py:5" in errors


async def test_without_a_model_it_says_what_one_would_read() -> None:
    configure("providers = []\n")
    code, output, errors = await run("complete", "cart.py:5:19", "--show-context", "--json")
    assert code == 1
    assert {"prefix", "suffix"} < {part["source"] for part in json.loads(output)["context"]}
    _, _, errors = await run("complete", "cart.py:5:19", "--show-context")
    assert "A model would read about " in errors


async def test_where_nothing_is_asked_nothing_was_read(project: Path) -> None:
    (project / "notes.txt").write_text("text\n")
    _, output, _ = await run("complete", "notes.txt:1:5", "--show-context", "--json")
    assert json.loads(output)["context"] == []
    _, _, errors = await run("complete", "notes.txt:1:5", "--show-context")
    assert errors.startswith("No model read anything.\n")


async def test_the_doctor_looks_at_the_index_and_builds_none(project: Path) -> None:
    _, output, _ = await run("doctor", "--no-model", "--json")
    assert index_finding(output)["code"] == "index_absent"
    assert not index_file(project).exists()
    await run("complete", "cart.py:5:19")
    _, output, _ = await run("doctor", "--no-model", "--json")
    found = index_finding(output)
    assert (found["severity"], found["code"]) == ("ok", "ok")
    assert "2 files" in str(found["sentence"])
    index_file(project).write_bytes(b"broken" * 1_000)
    _, output, _ = await run("doctor", "--no-model", "--json")
    found = index_finding(output)
    assert (found["severity"], found["code"]) == ("warning", "index_damaged")
    assert str(index_file(project)) in str(found["advice"])


async def test_the_doctor_knows_where_there_can_be_no_index(project: Path) -> None:
    configure("[context]\ncompletion_tokens = 0\n")
    _, output, _ = await run("doctor", "--no-model", "--json")
    assert index_finding(output)["code"] == "context_off"
    configure("")
    _, output, _ = await run("doctor", "--no-model", "--json", HOME=str(project))
    assert index_finding(output)["code"] == "not_indexable"
