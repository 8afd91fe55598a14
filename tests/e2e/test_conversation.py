"""A conversation over restarts: the database keeps, the next process goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.app import App, build
from dragoman.context.turn import Turn
from dragoman.errors import ContextOverflowError
from dragoman.models.base import ChatMessage, ChatRequest
from dragoman.models.whole import answer_whole
from dragoman.storage.repositories.usage import UsageLedger
from tests.support.fake_model import FakeModel, Script

SETTINGS = """
[context]
max_tokens = 400
history_window = 4

[[providers]]
name = "near"
kind = "openai"
base_url = "{url}"
models = [{{ name = "small-chat", prices = {{ prompt = 1.0, completion = 2.0 }} }}]
"""


async def ask(app: App, conversation: str, question: str) -> str:
    """Do what a chat does: build, ask, keep both sides."""
    keeping = await app.keep()
    model = await app.models.for_role("chat")
    prompt = ChatMessage("user", question)
    built = await keeping.context.build(Turn(model.info, prompt, conversation, system="Be brief."))
    answer = await answer_whole(model, ChatRequest(built.messages, max_tokens=built.budget.answer))
    await keeping.context.save_message(conversation, prompt)
    await keeping.context.save_message(conversation, ChatMessage("assistant", answer.text), model=model.info.name)
    return answer.text


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


async def test_a_second_process_goes_on_where_the_first_one_ended(config: Path) -> None:
    async with FakeModel(Script(text="It is blue.", models=["small-chat"])) as fake:
        config.write_text(SETTINGS.format(url=f"{fake.url}/v1"), encoding="utf-8")
        first = build(config_file=config)
        assert await ask(first, "sky", "What colour has the sky?") == "It is blue."
        await first.aclose()

        second = build(config_file=config)
        await ask(second, "sky", "And at night?")
        keeping = await second.keep()
        await keeping.usage.flush()
        spent = await UsageLedger(keeping.database).newest()
        await second.aclose()

        sent = [one.body["messages"] for one in fake.requests if one.path.endswith("/chat/completions")]
    assert [(one["role"], one["content"]) for one in sent[-1]] == [
        ("system", "Be brief."),
        ("user", "What colour has the sky?"),
        ("assistant", "It is blue."),
        ("user", "And at night?"),
    ]
    assert [(one.provider, one.role, one.outcome) for one in spent] == [("near", "chat", "ok")] * 2
    assert all(one.cost is not None and one.cost > 0 for one in spent)


async def test_a_question_that_is_too_long_calls_no_model(config: Path) -> None:
    async with FakeModel(Script(text="Never said.", models=["small-chat"])) as fake:
        config.write_text(SETTINGS.format(url=f"{fake.url}/v1"), encoding="utf-8")
        app = build(config_file=config)
        with pytest.raises(ContextOverflowError) as caught:
            await ask(app, "long", "word " * 2_000)
        await app.aclose()

        assert not [one for one in fake.requests if one.path.endswith("/chat/completions")]
    assert caught.value.excess is not None
    assert caught.value.excess > 1_000
