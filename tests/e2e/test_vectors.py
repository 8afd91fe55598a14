"""The workspace embedded by a model server while nobody types, and found by its meaning: real index, scripted server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dragoman.app import App, build_context
from dragoman.context import embedder
from dragoman.context.assembler import ContextAssembler
from dragoman.context.embedder import embed_pieces
from dragoman.errors import ContextOverflowError, ProviderFailedError, RequestRejectedError
from dragoman.extras import why_no_vectors
from dragoman.models.base import ModelInfo
from dragoman.settings import LoadedSettings, Settings
from tests.support.fake_editor import DRAGOMAN, editing
from tests.support.fake_model import FakeModel, Script
from tests.support.index import processes, until, write
from tests.support.scripted import Text, query_at

needs_vectors = pytest.mark.skipif(bool(why_no_vectors()), reason=why_no_vectors())


def function(name: str) -> str:
    body = "".join(f"    value = {name}_step(value, {step})\n" for step in range(10))
    return f"def {name}(value):\n{body}    return value\n"


FILES = {
    "users.py": function("load_user_record"),
    "billing.py": function("send_invoice_mail"),
    "maths.py": function("cube_root_of"),
}
LIKE_BILLING = "x = 1\n" + "mailer.sendInvoice(mailInvoice, senderMail)\n" * 3
"""Shares words with ``billing.py``, but not one whole name."""


class Scene:
    """A workspace, what knows it, and the server that embeds it."""

    def __init__(self, root: Path, fake: FakeModel, app: App, context: ContextAssembler) -> None:
        self.root = root
        self.fake = fake
        self.app = app
        self.context = context
        self.file = (root / "new.py").as_uri()

    def open(self, path: str = "new.py") -> str:
        uri = (self.root / path).as_uri()
        self.context.document_changed(uri, Text(LIKE_BILLING), first_line=0, last_line=0)
        return uri

    async def embedded(self, count: int) -> None:
        await until(lambda: self.context.vectors.describe()["stored"] == count)

    async def sources(self, uri: str, line: int) -> set[str]:
        """Ask at the end of one line and return which files the context is of."""
        lines = LIKE_BILLING.split("\n")
        marked = "\n".join([*lines[:line], lines[line] + "‸", *lines[line + 1 :]])
        context = await self.context.gather(query_at(marked, uri=uri), patient=True)
        return {one.path for one in context.snippets}

    def texts(self) -> str:
        return "\n".join(text for request in self.fake.embeddings for text in request.body["input"])


@contextlib.asynccontextmanager
async def scene(
    tmp_path: Path, files: dict[str, str], script: Script | None = None, **settings: Any
) -> AsyncIterator[Scene]:
    root = (tmp_path / "workspace").resolve()
    write(root, files)
    async with FakeModel(script or Script(models=["nomic-embed-text"], dialects=["openai"])) as fake:
        provider = {"name": "near", "kind": "openai", "base_url": f"{fake.url}/v1"}
        context = {"vectors": True, "sources": ["similar"]} | settings.pop("context", {})
        chosen = Settings.model_validate({"providers": [{**provider, **settings}], "context": context})
        app = App(LoadedSettings(chosen))
        knowledge = build_context([root], chosen, watch=True, trusted=False)
        knowledge.vectors.use(partial(app.models.for_role, "embedding"))
        try:
            yield Scene(root, fake, app, knowledge)
        finally:
            await knowledge.aclose()
            await app.aclose()
    assert processes(root) == []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("IDLE", 0.05), ("REST", 0.05), ("BACKOFF", 0.05)):
        monkeypatch.setattr(embedder, f"VECTOR_{name}_S", value)


@needs_vectors
async def test_what_shares_no_name_is_found_by_its_meaning_at_the_next_question(tmp_path: Path) -> None:
    async with scene(tmp_path, FILES) as one:
        uri = one.open()
        await one.embedded(3)
        assert "billing.py" not in await one.sources(uri, 1)
        await until(lambda: bool(one.context.vectors.nearest(uri, 2)))

        assert one.context.vectors.nearest(uri, 2)[0][0] == "billing.py"
        assert one.context.vectors.nearest(uri, 300) == ()
        asked = len(one.fake.embeddings)
        found = await one.sources(uri, 2)

        assert len(one.fake.embeddings) == asked
        assert one.context.describe()["vectors"] == {"enabled": True, "stored": 3, "problem": ""}
        assert "billing.py" in found


@needs_vectors
async def test_a_saved_file_is_embedded_again_and_a_deleted_one_is_forgotten(tmp_path: Path) -> None:
    async with scene(tmp_path, FILES) as one:
        uri = one.open()
        await one.embedded(3)
        write(one.root, {"maths.py": function("parse_date_text")})
        one.context.document_saved((one.root / "maths.py").as_uri())
        await until(lambda: "parse_date_text" in one.texts())
        assert one.texts().count("def load_user_record") == 1

        (one.root / "users.py").unlink()
        one.context.files_changed([(one.root / "users.py").as_uri()])
        await one.embedded(2)
        assert "users.py" not in {path for path, _ in one.context.vectors.nearest(uri, 0)}


@needs_vectors
async def test_nothing_of_an_ignored_file_or_one_of_keys_is_sent_in_either_direction(tmp_path: Path) -> None:
    files = {
        **FILES,
        ".gitignore": "vault\n",
        "vault/plan.py": function("open_sesame_gate"),
        ".env": "TOKEN=" + "open_sesame_gate" * 4,
        "deploy.pem": "open_sesame_gate\n" * 20,
    }
    async with scene(tmp_path, files) as one:
        one.open()
        await one.embedded(3)
        for path in ("vault/plan.py", ".env"):
            await one.sources(one.open(path), 2)
        await asyncio.sleep(0.3)

        assert "open_sesame" not in one.texts()
        assert "mailInvoice" not in one.texts()


@needs_vectors
async def test_a_model_elsewhere_embeds_placeholders(tmp_path: Path) -> None:
    secret = "s3cr3tPw-9"
    text = f'def connect_shop():\n    db = connect("postgres://shop:{secret}@db/x")\n    return db\n'
    async with (
        FakeModel() as proxy,
        scene(tmp_path, {"a.py": text}, base_url="http://models.invalid/v1", proxy=proxy.url) as one,
    ):
        proxy.configure(models=["nomic-embed-text"], dialects=["openai"])
        one.open()
        await one.embedded(1)

        (request,) = proxy.embeddings
        assert "connect_shop" in str(request.body)
        assert "DRAGOMAN_SECRET_" in str(request.body)
        assert secret not in str(request.body)


@needs_vectors
async def test_a_key_ends_the_batch_and_it_is_done_later(tmp_path: Path) -> None:
    async with scene(tmp_path, FILES) as one:
        one.fake.configure(silent=True)
        uri = one.open()
        await until(lambda: len(one.fake.embeddings) == 1)
        one.context.document_changed(uri, Text(LIKE_BILLING), first_line=0, last_line=0)
        await one.fake.wait_for(lambda fake: fake.embeddings[0].hung_up)

        one.fake.configure(silent=False)
        await one.embedded(3)
        assert one.context.vectors.problem == ""


@needs_vectors
async def test_a_server_that_fails_is_left_alone_for_longer_and_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="dragoman")
    waits: list[float] = []
    sleep = asyncio.sleep
    async with scene(tmp_path, FILES, Script(models=["nomic-embed-text"], dialects=["openai"], status=500)) as one:

        async def count(seconds: float) -> None:
            waits.append(seconds)
            await sleep(min(seconds, 0.01))

        told: list[str] = []
        one.context.on_progress = lambda: told.append(one.context.vectors.problem)
        monkeypatch.setattr(embedder.asyncio, "sleep", count)
        one.context.vectors.configure(enabled=True)
        one.open()
        await until_quietly(lambda: one.context.vectors._failures >= 4, sleep)
        monkeypatch.undo()

        assert max(waits) > 0.05 * 4
        assert "scripted failure" in one.context.vectors.problem
        assert len([text for text in caplog.messages if "scripted failure" in text]) == 1
        assert told[-1] == one.context.vectors.problem
        one.fake.configure(status=None)
        await one.embedded(3)
        assert one.context.vectors.problem == ""


async def until_quietly(condition: Any, sleep: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await sleep(0.01)


@needs_vectors
async def test_without_a_model_for_it_the_status_says_so(tmp_path: Path) -> None:
    async with scene(tmp_path, FILES, Script(models=["qwen2.5-coder"], dialects=["openai"])) as one:
        one.open()
        await until(lambda: one.context.vectors.problem != "")

        assert "makes embeddings" in one.context.vectors.problem
        assert one.fake.embeddings == []


async def test_without_the_extra_everything_else_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "why_no_vectors", lambda: "Vectors need apsw. Run: pip install 'dragoman[vectors]'")
    shared = {"users.py": function("mailInvoice")}
    async with scene(tmp_path, {**FILES, **shared}) as one:
        uri = one.open()
        await one.context.settle(uri)
        assert "users.py" in await one.sources(uri, 2)
        await asyncio.sleep(0.2)

        assert "pip install 'dragoman[vectors]'" in one.context.vectors.problem
        assert one.fake.embeddings == []


async def test_they_are_off_unless_somebody_switches_them_on(tmp_path: Path) -> None:
    async with scene(tmp_path, FILES, context={"vectors": Settings().context.vectors}) as one:
        uri = one.open()
        await one.context.settle(uri)
        await one.sources(uri, 1)
        await asyncio.sleep(0.3)

        assert one.fake.requests == []
        assert list((tmp_path).rglob("*.vectors.sqlite")) == []


# -- the whole server --------------------------------------------------------------------------------------------------

CONFIG = """
[context]
vectors = true
[[providers]]
name = "near"
kind = "ollama"
base_url = "{url}"
"""


@needs_vectors
@pytest.mark.parametrize(("ability", "stored", "said"), [("embedding", 3, ""), ("insert", 0, "makes embeddings")])
async def test_the_language_server_embeds_and_says_what_is_in_the_way(
    tmp_path: Path, ability: str, stored: int, said: str
) -> None:
    root = (tmp_path / "project").resolve()
    write(root, FILES)
    script = Script(models=["some-model"], dialects=["ollama"], capabilities=[ability])
    async with FakeModel(script) as fake:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(url=fake.url), encoding="utf-8")
        env = {**os.environ, "DRAGOMAN_CACHE_DIR": str(tmp_path / "cache")}
        async with editing(command=[*DRAGOMAN, "--config", str(config)], env=env) as editor:
            editor.ignored |= {"window/showMessage"}
            await editor.initialize(workspaceFolders=[{"uri": root.as_uri(), "name": "project"}])
            editor.open((root / "new.py").as_uri(), LIKE_BILLING, language="python")
            async with asyncio.timeout(60):
                while True:
                    status = await editor.call(
                        "workspace/executeCommand", {"command": "dragoman.status", "arguments": [{}]}
                    )
                    told = (status["context"] or {}).get("vectors", {})
                    if told.get("stored") == stored and said in told["problem"] and said in status["index"]:
                        break
                    await asyncio.sleep(0.1)

        assert told["enabled"]
        assert bool(fake.embeddings) is bool(stored)


# -- texts that a model refuses ----------------------------------------------------------------------------------------


class Picky:
    """Refuses texts longer than it likes, and some words altogether."""

    info = ModelInfo("picky", "p")

    def __init__(
        self, longest: int = 1_000, refused: str = "never", error: type[Exception] = RequestRejectedError
    ) -> None:
        self.longest, self.refused, self.error = longest, refused, error

    async def embed(self, texts: list[str]) -> list[list[float]]:
        if any(len(text) > self.longest for text in texts):
            raise ContextOverflowError("too long")
        if any(self.refused in text for text in texts):
            raise self.error("no")
        return [[float(len(text))] for text in texts]


async def test_one_text_that_is_refused_does_not_hold_up_the_others() -> None:
    assert await embed_pieces(Picky(), ["one", "never", "three"]) == [[3.0], None, [5.0]]  # type: ignore[arg-type]


async def test_a_text_that_is_too_long_is_cut() -> None:
    assert await embed_pieces(Picky(longest=10), ["x" * 8, "y" * 16, "z" * 40, "w" * 80]) == [
        [8.0],
        [8.0],
        [10.0],
        None,
    ]  # type: ignore[arg-type]


async def test_a_model_that_refuses_everything_is_no_fault_of_the_texts() -> None:
    with pytest.raises(RequestRejectedError):
        await embed_pieces(Picky(refused=""), ["one", "two"])  # type: ignore[arg-type]
    with pytest.raises(ProviderFailedError):
        await embed_pieces(Picky(refused="", error=ProviderFailedError), ["one"])  # type: ignore[arg-type]
