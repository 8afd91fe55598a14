"""What the engine remembers of its requests, and that it is what the model read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy, NoContext, Target
from dragoman.completion.prompt import Window, build_request
from dragoman.completion.provenance import REASONS, Sent, SentRequests, reason_of
from dragoman.context.snippets import NOTHING, Context, Snippet
from dragoman.limits import SENT_DOCUMENTS
from dragoman.models.base import ModelInfo
from dragoman.models.redacted import RedactedModel
from dragoman.security.redaction import Redactor
from dragoman.settings.sections import ContextSource
from tests.support.scripted import OneTarget, ScriptedModel, query_at

AT_ONCE = CompletionPolicy(debounce=0.0, show_after=0.0)
SECRET = "s3cr3tPw-9"
PRICES = Snippet("imports", "shop/prices.py", "class Prices\n    def of(self, name)", 12, 1.5, 3)
STORE = Snippet("similar", "other/store.py", f'url = "postgres://shop:{SECRET}@db/x"\nconnect(url)', 20, 2.5, 7)
FOUND = Context((PRICES, STORE), workspace="w", path="shop/cart.py")


class Known(NoContext):
    """Always finds the same."""

    def __init__(self, context: Context = FOUND) -> None:
        self.context = context

    async def gather(self, *_: Any, **__: Any) -> Context:
        return self.context

    def current(self, _uri: str) -> Context:
        return self.context


class Far(OneTarget):
    """A model on another machine, behind the wrapper that replaces secrets."""

    async def completion_target(self) -> Target:
        redactor = Redactor()
        model = RedactedModel(self.model, redactor)
        return Target(model, "far", is_local=False, small=False, max_concurrency=1, redactor=redactor)


@pytest.fixture
async def engines() -> AsyncIterator[list[CompletionEngine]]:
    made: list[CompletionEngine] = []
    yield made
    for engine in made:
        await engine.aclose()


def make(engines: list[CompletionEngine], targets: OneTarget, policy: CompletionPolicy = AT_ONCE) -> CompletionEngine:
    engines.append(CompletionEngine(targets, policy, context=Known()))
    return engines[-1]


async def test_nothing_is_known_before_the_first_request_and_after_the_document_is_closed(engines) -> None:
    engine = make(engines, OneTarget(ScriptedModel(["1"])))
    assert engine.sent() is None
    await engine.suggest(query_at("x = ‸"))
    assert engine.sent("file:///w/a.py") is engine.sent()
    assert engine.sent("file:///w/b.py") is None
    engine.document_closed("file:///w/a.py")
    assert engine.sent() is None


async def test_the_parts_are_the_prompt_s_in_its_order(engines) -> None:
    model = ScriptedModel(["1"])
    engine = make(engines, OneTarget(model))
    await engine.suggest(query_at("a = 0\nb = 1\nx = ‸ + b\nlast = 1\n"))
    sent = engine.sent()
    assert sent is not None
    parts = sent.parts()
    prompt, at = model.calls[0].request.prompt, 0
    for part in parts:
        at = prompt.index(part.text, at) + len(part.text)
    assert [(part.source, part.path, part.line) for part in parts] == [
        ("imports", "shop/prices.py", 3),
        ("similar", "other/store.py", 7),
        ("prefix", "shop/cart.py", 1),
        ("suffix", "shop/cart.py", 3),
    ]
    assert [part.why for part in parts[:2]] == ["imported by this file", "looks like this place"]
    assert all(part.tokens > 0 for part in parts)
    known = json.loads(json.dumps(sent.as_dict()))
    assert (known["uri"], known["line"], known["character"]) == ("file:///w/a.py", 2, 4)
    assert (known["model"], known["provider"], known["local"], known["late"]) == ("fake-coder", "fake", True, False)
    assert known["tokens"] == sum(part["tokens"] for part in known["parts"])
    assert "secrets" not in known


async def test_a_suggestion_out_of_the_cache_leaves_the_record_as_it_was(engines) -> None:
    model = ScriptedModel(["sum(values)"])
    engine = make(engines, OneTarget(model))
    await engine.suggest(query_at("x = ‸"))
    before = engine.sent()
    await engine.suggest(query_at("x = sum‸"))
    assert len(model.calls) == 1
    assert engine.sent() is before


async def test_what_is_asked_ahead_is_not_taken_for_what_the_user_asked(engines) -> None:
    model = ScriptedModel(["1\n"])
    engine = make(engines, OneTarget(model), CompletionPolicy(debounce=0.0, show_after=0.0, prefetch=True))
    await engine.suggest(query_at("x = ‸"))
    async with asyncio.timeout(10):
        while len(model.calls) < 2:
            await asyncio.sleep(0.005)
    sent = engine.sent()
    assert sent is not None
    assert sent.parts()[-2].text == "x = "


@pytest.mark.parametrize("family", ["qwen", "codellama", None])
async def test_of_a_model_elsewhere_is_shown_what_left_this_machine(engines, family: str | None) -> None:
    """With tokens for other files and without: then they are comments of the same text."""
    model = ScriptedModel(["1"])
    model.info = ModelInfo("far-coder", "far", frozenset({"completion", "fim"}), 4096, None, family)
    engine = make(engines, Far(model))
    await engine.suggest(query_at(f'password = "{SECRET}"\n\nx = ‸\ny = 2  # {SECRET}\n'))
    sent = engine.sent()
    assert sent is not None
    request = model.calls[0].request
    read = request.prompt + (request.suffix or "")
    assert SECRET not in read
    known = sent.as_dict()
    assert known["local"] is False
    assert known["secrets"] == 3 == read.count("DRAGOMAN_SECRET_")
    for part in known["parts"]:
        assert SECRET not in part["text"]
        for line in part["text"].split("\n"):
            assert line.strip() in read
    assert [part["text"].count("\n") for part in known["parts"][:2]] == [1, 1]


def sent_at(info: ModelInfo | None, language: str = "python", context: Context = FOUND) -> Sent:
    target = None
    if info is not None:
        target = Target(ScriptedModel(info=info), "fake", is_local=True, small=False, max_concurrency=1)
    return Sent("file:///w/a.b", language, 0, 1, "ab", target, Window("a", "b"), context, 0.0)


@pytest.mark.parametrize("family", ["qwen", "codellama", None])
@pytest.mark.parametrize("language", ["python", "json"])
@pytest.mark.parametrize("fim", [True, False])
def test_what_the_prompt_leaves_out_is_no_part(family: str | None, language: str, fim: bool) -> None:
    info = ModelInfo("m", "p", frozenset({"completion", *(["fim"] if fim else [])}), 4096, None, family)
    request = build_request(info, Window("a", "b"), max_tokens=9, multiline=True, context=FOUND, language=language)
    sources = {part.source for part in sent_at(info, language).parts()}
    assert ("imports" in sources) == ("class Prices" in request.prompt)
    assert ("suffix" in sources) == (request.suffix is not None or family is not None)
    assert "prefix" in sources


def test_without_a_model_it_says_what_one_would_read() -> None:
    known = sent_at(None).as_dict()
    assert (known["model"], known["local"], len(known["parts"])) == ("", True, 4)
    assert known["at"] == "1970-01-01T00:00:00+00:00"


def test_a_document_outside_of_every_workspace_is_called_by_its_name() -> None:
    assert {part.path for part in sent_at(None, context=NOTHING).parts()} == {"a.b"}


def test_every_source_has_its_reason() -> None:
    assert set(get_args(ContextSource)) <= set(REASONS)
    near = [Snippet("symbols", path, "", 1, 1.0) for path in ("shop/cart.py", "shop/x.py", "y.py")]
    assert len({reason_of(one, "shop/cart.py") for one in near}) == 3
    assert reason_of(Snippet("of_a_plugin", "a", "", 1, 1.0), "b") == "of a plugin"


@given(st.lists(st.integers(0, SENT_DOCUMENTS * 2), max_size=100))
def test_the_newest_requests_stay_and_no_more_of_them(uris: list[int]) -> None:
    requests = SentRequests()
    for uri in uris:
        requests.add(Sent(str(uri), "", 0, 0, "", None, Window("", ""), NOTHING, 0.0))
    newest = list(dict.fromkeys(map(str, reversed(uris))))
    assert [uri for uri in newest if requests.get(uri) is not None] == newest[:SENT_DOCUMENTS]
    last = requests.get()
    assert (last.uri if last else None) == (newest[0] if newest else None)
