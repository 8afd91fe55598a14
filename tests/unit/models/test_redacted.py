"""A model on another machine reads no secret, whichever way one comes to it, and what it answers has them back."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import dragoman
from dragoman.app import App, ModelTargets
from dragoman.errors import ModelError, StreamBrokenError, ToolCallError
from dragoman.models.base import ChatMessage, ChatRequest, Chunk, CompletionRequest, ModelInfo, Token, Tool
from dragoman.models.profiles import FAMILIES, format_fim
from dragoman.models.redacted import RedactedModel
from dragoman.security.redaction import Redactor
from dragoman.settings import LoadedSettings, Settings
from tests.support.fake_model import FakeModel, Script
from tests.support.scripted import ScriptedModel, query_at

SECRET = "s3cr3tPw-9"
LINE = f'db = connect("postgres://shop:{SECRET}@db/x")\n'


@dataclass
class Speaker:
    """Repeats what it read, in pieces; counts who hung up."""

    family: str | None = None
    size: int = 3
    tokens: bool = False
    breaks: bool = False
    spoil: str = ""
    read: list[str] = field(default_factory=list)
    closed: int = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("m", "far", frozenset({"completion", "chat"}), fim_family=self.family)

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        self.read += [request.prompt, request.suffix or ""]
        async with aclosing(self._say(self.spoil or request.prompt)) as stream:
            async for chunk in stream:
                yield chunk

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.read += [message.content for message in request.messages]
        text = request.messages[-1].content
        yield Chunk(thinking=text[: len(text) // 2])
        yield Chunk(thinking=text[len(text) // 2 :])
        async for chunk in self._say(text):
            yield chunk

    async def _say(self, text: str) -> AsyncGenerator[Chunk, None]:
        try:
            for start in range(0, len(text), self.size):
                piece = text[start : start + self.size]
                yield Chunk(piece, tokens=(Token(piece, -0.1),) if self.tokens else ())
            if self.breaks:
                raise StreamBrokenError("It broke.")
            yield Chunk(finish="stop")
        finally:
            self.closed += 1


async def read(stream: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    return [chunk async for chunk in stream]


def said(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_completion_goes_without_secrets_and_comes_back_with_them(size: int) -> None:
    speaker = Speaker(size=size)
    chunks = await read(
        RedactedModel(speaker, Redactor()).complete(CompletionRequest(LINE, f"# {SECRET} is the word\n"))
    )

    assert not any(SECRET in text for text in speaker.read)
    assert all("DRAGOMAN_SECRET_" in text for text in speaker.read)
    assert said(chunks) == LINE
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
    assert speaker.closed == 1


async def test_a_conversation_and_its_thinking_too() -> None:
    speaker = Speaker()
    messages = (ChatMessage("system", f"PASSWORD={SECRET}"), ChatMessage("user", LINE))
    chunks = await read(RedactedModel(speaker, Redactor()).chat(ChatRequest(messages)))

    assert not any(SECRET in text for text in speaker.read)
    assert said(chunks) == LINE
    assert "".join(chunk.thinking for chunk in chunks) == LINE


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("cut", range(0, len(SECRET) + 1, 2))
async def test_a_secret_under_the_cursor_is_hidden_on_both_sides_in_every_familys_template(
    family: str, cut: int
) -> None:
    place = LINE.index(SECRET) + cut
    speaker = Speaker(family=family, spoil="x")
    prompt = format_fim(family, "a = 1\n" + LINE[:place], LINE[place:] + "b = 2\n")
    await read(RedactedModel(speaker, Redactor()).complete(CompletionRequest(prompt)))

    shape = FAMILIES[family]
    for half in (SECRET[:cut], SECRET[cut:]):
        assert len(half) < 4 or half not in speaker.read[0]
    for mark in (shape.before_prefix, shape.before_suffix, shape.before_middle, "a = 1\n", "b = 2\n"):
        assert mark in speaker.read[0]
    # The template itself is whole: the same with the secret's halves in the place of what stands for them.
    assert Redactor().restore(speaker.read[0]) == speaker.read[0]


@pytest.mark.parametrize("family", sorted(FAMILIES))
async def test_a_template_without_secrets_and_one_with_other_files_before_it_stay_as_they_are(family: str) -> None:
    speaker = Speaker(family=family, spoil="x")
    model = RedactedModel(speaker, Redactor())
    prompt = format_fim(family, "def f():\n    ", "\n")
    await read(model.complete(CompletionRequest(prompt)))
    await read(model.complete(CompletionRequest(f"# other.py\n{LINE}{prompt}")))

    assert speaker.read[0] == prompt
    assert speaker.read[2].endswith(prompt)
    assert SECRET not in speaker.read[2]


async def test_an_untouched_request_has_an_untouched_stream() -> None:
    speaker = Speaker(tokens=True, spoil="DRAGOMAN_SECRET_ is a word like any other")
    chunks = await read(RedactedModel(speaker, Redactor()).complete(CompletionRequest("x = ")))

    assert said(chunks) == speaker.spoil
    assert [token.text for chunk in chunks for token in chunk.tokens] == [chunk.text for chunk in chunks if chunk.text]


async def test_tokens_are_the_answer_s_beginning_and_end_where_a_secret_was_put_back() -> None:
    speaker = Speaker(tokens=True, size=5)
    chunks = await read(RedactedModel(speaker, Redactor()).complete(CompletionRequest(LINE)))

    told = "".join(token.text for chunk in chunks for token in chunk.tokens)
    assert LINE.startswith(told)
    assert told == LINE[: LINE.index(SECRET) // 5 * 5]


async def test_tokens_of_an_answer_that_only_looks_like_a_placeholder_are_all_there() -> None:
    speaker = Speaker(tokens=True, size=2, spoil="DRAGOMAN is a name, D")
    chunks = await read(RedactedModel(speaker, Redactor()).complete(CompletionRequest(LINE)))

    assert said(chunks) == speaker.spoil == "".join(token.text for chunk in chunks for token in chunk.tokens)


async def test_a_completion_ends_before_a_placeholder_that_was_made_up() -> None:
    speaker = Speaker(spoil="a = 1\nb = DRAGOMAN_SECRET_0000 + 1\nc = 2\n", size=4)
    chunks = await read(RedactedModel(speaker, Redactor()).complete(CompletionRequest(LINE)))

    assert said(chunks) == "a = 1\nb = "
    assert chunks[-1].finish == "stop"
    assert speaker.closed == 1


async def test_what_was_held_back_of_a_stream_that_breaks_is_said() -> None:
    speaker = Speaker(spoil="x = 1\nDRAGOMAN_SEC", breaks=True)
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in RedactedModel(speaker, Redactor()).complete(CompletionRequest(LINE)):
            heard.append(chunk.text)

    with pytest.raises(ModelError, match="broke"):
        await listen()

    assert "".join(heard) == "x = 1\nDRAGOMAN_SEC"


@pytest.mark.parametrize("prompt", ["x = 1", LINE])
async def test_closing_the_answer_closes_the_models_at_once(prompt: str) -> None:
    model = ScriptedModel(["a"], endless=True)
    stream = RedactedModel(model, Redactor()).complete(CompletionRequest(prompt))
    assert (await anext(stream)).text == "a"
    assert model.running == 1
    await stream.aclose()
    assert model.running == 0

    async def consume() -> None:
        async for _ in RedactedModel(model, Redactor()).complete(CompletionRequest(prompt)):
            pass

    task = asyncio.ensure_future(consume())
    while model.running == 0:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert model.running == 0


# -- nobody goes round it ----------------------------------------------------------------------------------------------


def settings_for(url: str, proxy: str, *, tools: bool = True, **security: object) -> LoadedSettings:
    """Return settings with one provider elsewhere, which a proxy that is the fake answers for."""
    provider = {
        "name": "far",
        "kind": "openai",
        "base_url": url,
        "proxy": proxy,
        "models": [
            {"name": "far-coder", "fim": "qwen", "tools": tools, "roles": ["completion", "chat", "edit", "review"]}
        ],
    }
    return LoadedSettings(Settings.model_validate({"providers": [provider], "security": security}))


@pytest.mark.parametrize("redacts", [True, False])
async def test_every_way_to_a_model_elsewhere_leads_through_the_wrapper(redacts: bool) -> None:
    async with FakeModel(Script(text="1\n", models=["far-coder"])) as fake:
        app = App(settings_for("http://models.invalid/v1", fake.url, redact=redacts))
        await app.models.refresh()
        source, info = await app.models.source_for("completion")
        ways = [
            app.models.model(source, info),
            await app.models.for_role("completion"),
            await app.models.for_role("chat"),
            await app.models.for_role("review"),
            await app.models.named("far-coder"),
            (await ModelTargets(app.models).completion_target()).model,
        ]
        for model in ways:
            await read(model.complete(CompletionRequest(LINE)))
            await read(model.chat(ChatRequest((ChatMessage("user", LINE),))))
        outcome = await app.completion.suggest(query_at(f"{LINE}x = ‸\n# {LINE}"))
        bodies = [str(request.body) for request in fake.requests if request.method == "POST"]
        await app.aclose()

    assert not source.provider.is_local
    assert outcome.suggestions
    assert len(bodies) == 2 * len(ways) + 1
    assert all((SECRET in body) is not redacts for body in bodies)
    assert all(("DRAGOMAN_SECRET_" in body) is redacts for body in bodies)


async def test_a_model_on_this_machine_reads_what_is_there() -> None:
    async with FakeModel(Script(text="1\n", models=["far-coder"])) as fake:
        loaded = settings_for(f"{fake.url}/v1", fake.url)
        app = App(loaded)
        await app.models.refresh()
        await read((await app.models.for_role("completion")).complete(CompletionRequest(LINE)))
        bodies = [str(request.body) for request in fake.requests if request.method == "POST"]
        await app.aclose()

    assert len(bodies) == 1
    assert SECRET in bodies[0]


async def test_the_users_own_patterns_reach_the_wrapper() -> None:
    async with FakeModel(Script(text="1\n", models=["far-coder"])) as fake:
        app = App(settings_for("http://models.invalid/v1", fake.url, redact_extra=["Project \\w+"]))
        await app.models.refresh()
        await read((await app.models.for_role("completion")).complete(CompletionRequest("# Project Nightingale\n")))
        bodies = [str(request.body) for request in fake.requests if request.method == "POST"]
        await app.aclose()

    assert len(bodies) == 1
    assert "Nightingale" not in bodies[0]


async def test_calls_that_a_model_without_tools_writes_are_looked_through_as_calls() -> None:
    made_up = '{"tool": "deploy", "arguments": {"key": "DRAGOMAN_SECRET_0123456789"}}'
    async with FakeModel(Script(text=made_up, models=["far-coder"])) as fake:
        app = App(settings_for("http://models.invalid/v1", fake.url, tools=False))
        await app.models.refresh()
        request = ChatRequest((ChatMessage("user", LINE),), tools=(Tool("deploy", "Deploy.", {"type": "object"}),))
        with pytest.raises(ToolCallError, match="placeholder"):
            await read((await app.models.for_role("chat")).chat(request))
        bodies = [str(one.body) for one in fake.requests if one.method == "POST"]
        await app.aclose()

    assert len(bodies) == 1
    assert SECRET not in bodies[0]
    assert "deploy" in bodies[0]


def test_whoever_asks_a_provider_for_its_model_protects_it_at_once() -> None:
    """Whoever called `Provider.model` without would have a model that sends everything."""
    package = Path(dragoman.__file__).parent
    callers = set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        protected = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._protect"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "model":
                owner = ast.unparse(node.func.value)
                if "provider" in owner.lower():
                    callers.add((str(path.relative_to(package)), id(node) in protected))

    assert callers == {("models/routing.py", True)}


def test_the_tables_are_not_loaded_before_they_are_needed() -> None:
    import subprocess
    import sys

    code = (
        "import sys, dragoman.app, dragoman.editor, dragoman.lsp.server\n"
        "print([name for name in sys.modules if name.startswith(('dragoman.security.redaction', 'dragoman.models.redacted'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


async def test_the_tables_are_there_before_the_first_key_where_they_will_be_needed() -> None:
    async with FakeModel(Script(text="1\n", models=["far-coder"])) as fake:
        for url, loaded in (("http://models.invalid/v1", True), (f"{fake.url}/v1", False)):
            app = App(settings_for(url, fake.url))
            await app.models.refresh()
            assert (app.models._redactor is not None) is loaded
            await app.aclose()
