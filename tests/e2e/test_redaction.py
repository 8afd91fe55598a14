"""The whole server before a model on another machine: what leaves, what comes back, and what is not even asked."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.fake_editor import DRAGOMAN, FakeEditor, editing
from tests.support.fake_model import FakeModel

SECRET = "s3cr3tPw-9"
CONFIG = """
[[providers]]
name = "far"
kind = "openai"
base_url = "http://models.invalid/v1"
proxy = "{proxy}"
models = [{{ name = "far-coder", roles = ["completion"], fim = "qwen" }}]

[completion]
debounce_ms = 0
show_after_ms = 50
show_threshold = 0
"""


@contextlib.asynccontextmanager
async def far(folder: Path, answer) -> AsyncIterator[tuple[FakeEditor, FakeModel]]:
    """Start a server whose only model is behind a proxy, so far away for all it can tell."""
    async with FakeModel(answer=answer) as model:
        path = folder / "config.toml"
        path.write_text(CONFIG.format(proxy=model.url), encoding="utf-8")
        async with editing(command=[*DRAGOMAN, "--config", str(path)], env=dict(os.environ)) as editor:
            editor.ignored |= {"window/showMessage"}
            await editor.initialize()
            yield editor, model


def repeat_the_password(prefix: str, suffix: str) -> str:
    found = re.search(r"//shop:([^@]*)@", prefix)
    return f'"postgres://shop:{found[1]}@db/other"\n' if found else '"nothing"\n'


async def test_no_secret_leaves_and_the_suggestion_has_it_back(tmp_path: Path) -> None:
    uri = (tmp_path / "a.py").as_uri()
    text = f'first = "postgres://shop:{SECRET}@db/x"\nsecond = \n# {SECRET}\n'
    async with far(tmp_path, repeat_the_password) as (editor, model):
        editor.open(uri, text)
        items = await editor.inline(uri, 1, 9)
        sent = [str(exchange.body) for exchange in model.generations]

    assert [item["insertText"] for item in items] == [f'"postgres://shop:{SECRET}@db/other"']
    assert len(sent) == 1
    assert SECRET not in sent[0]
    assert "DRAGOMAN_SECRET_" in sent[0]


async def test_a_secret_that_is_being_typed_does_not_leave_either(tmp_path: Path) -> None:
    uri = (tmp_path / "a.py").as_uri()
    async with far(tmp_path, lambda _prefix, _suffix: '"\n') as (editor, model):
        editor.open(uri, 'password = "hunt3r"\n')
        for character in range(14, 19):
            await editor.inline(uri, 0, character)
        sent = "\n".join(str(exchange.body) for exchange in model.generations)

    assert "fim_suffix" in sent
    assert not re.search(r"hunt|nt3r|3r\"", sent)


async def test_files_of_keys_are_not_even_asked_about_under_any_name(tmp_path: Path) -> None:
    (tmp_path / ".ENV").write_text("A=1\n")
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".ENV")
    (tmp_path / "plain.py").write_text("")
    async with far(tmp_path, lambda _prefix, _suffix: "1\n") as (editor, model):
        for name in (".ENV", "notes.txt", "credentials.json", ".env.local"):
            uri = (tmp_path / name).as_uri()
            editor.open(uri, "A=\n", language="properties")
            assert await editor.inline(uri, 0, 2) == []
            status = await editor.status()
            assert status["reason"] == "ignored_file"
            assert name in status["sentence"]
        assert not model.generations
        uri = (tmp_path / "plain.py").as_uri()
        editor.open(uri, "a = \n")
        assert await editor.inline(uri, 0, 4)
        assert len(model.generations) == 1
