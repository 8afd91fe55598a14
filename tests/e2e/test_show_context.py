"""The whole server telling what its model read: beside what the model did read, here and elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.support.fake_editor import DRAGOMAN, PATIENCE, FakeEditor, editing
from tests.support.fake_model import FakeModel, Script
from tests.support.index import modules, write

SECRET = "s3cr3tPw-9"
PRICES = (
    f'URL = "postgres://shop:{SECRET}@db/x"\n\n\nclass PriceList:\n    def price_of(self, article: str) -> float: ...\n'
)
CART = "from prices import PriceList\n\n\ndef total(prices: PriceList) -> float:\n    return prices.\n"
CONFIG = """
[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
{more}
models = [{{ name = "fake-coder", roles = ["completion"], fim = "qwen" }}]

[completion]
debounce_ms = 0
show_after_ms = 50
show_threshold = 0
"""


@contextlib.asynccontextmanager
async def shop(folder: Path, *, far: bool = False) -> AsyncIterator[tuple[FakeEditor, FakeModel, Path]]:
    """Start a server in a workspace; a model behind a proxy is far away for all it can tell."""
    root = folder / "shop"
    write(root, {"prices.py": PRICES, "cart.py": CART, "hidden/prices.py": PRICES.replace("PriceList", "Hidden")})
    async with FakeModel(Script(text="price_of(article)\n", models=["fake-coder"])) as model:
        more = f'proxy = "{model.url}"' if far else ""
        path = folder / "config.toml"
        path.write_text(CONFIG.format(url="http://models.invalid" if far else model.url, more=more), encoding="utf-8")
        async with editing(command=[*DRAGOMAN, "--config", str(path)], env=dict(os.environ)) as editor:
            folders = [{"uri": root.as_uri(), "name": "shop"}]
            await editor.initialize(
                workspaceFolders=folders, initializationOptions={"trusted": True, "excludes": ["**/hidden"]}
            )
            yield editor, model, root


async def indexed(editor: FakeEditor, files: int) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            status = await editor.status()
            for index in (status["context"] or {"indexes": ()})["indexes"]:
                if index["state"] == "ready" and index["files"] >= files:
                    return status
            await asyncio.sleep(0.05)


async def asked(editor: FakeEditor, uri: str) -> dict[str, Any]:
    """Ask for a suggestion where other files are needed, and return what the server says of it."""
    assert await editor.inline(uri, 4, 18, 1)
    known: dict[str, Any] = await editor.command("dragoman.showContext", {"uri": uri})
    return known


async def test_what_is_told_is_what_the_model_got(tmp_path: Path) -> None:
    async with shop(tmp_path) as (editor, model, root):
        uri = (root / "cart.py").as_uri()
        editor.open(uri, CART)
        await indexed(editor, 2)
        known = await asked(editor, uri)
        prompt = model.generations[-1].body["prompt"]
    assert (known["model"], known["provider"], known["local"]) == ("fake-coder", "fake", True)
    assert (known["line"], known["character"]) == (4, 18)
    assert {part["path"] for part in known["parts"]} == {"prices.py", "cart.py"}
    at = 0
    for part in known["parts"]:
        at = prompt.index(part["text"], at) + len(part["text"])
    assert "secrets" not in known


async def test_before_a_model_elsewhere_the_secrets_are_counted_and_not_told(tmp_path: Path) -> None:
    async with shop(tmp_path, far=True) as (editor, model, root):
        uri = (root / "cart.py").as_uri()
        editor.open(uri, f'{CART}password = "{SECRET}"\n')
        await indexed(editor, 2)
        known = await asked(editor, uri)
        prompt = str(model.generations[-1].body)
    assert known["local"] is False
    assert known["secrets"] == prompt.count("DRAGOMAN_SECRET_") >= 1
    assert SECRET not in str(known)
    assert SECRET not in prompt


async def test_the_editor_is_told_how_far_the_index_is_and_what_it_hides_is_no_setting(tmp_path: Path) -> None:
    modules(tmp_path / "shop", 600)
    async with shop(tmp_path) as (editor, _, root):
        editor.ignored.discard("dragoman/status")
        editor.open((root / "cart.py").as_uri(), CART)
        told = []
        async with asyncio.timeout(PATIENCE):
            while not any("Indexing" in sentence for sentence in told) or told[-1]:
                told.append((await editor.await_notification("dragoman/status"))["index"])
        status = await indexed(editor, 602)
        editor.ignored.add("dragoman/status")
    # Nobody shows a message about 'excludes': an unread one would have failed the test.
    assert status["index"] == ""
    assert status["context"]["indexes"][0]["files"] == 602
