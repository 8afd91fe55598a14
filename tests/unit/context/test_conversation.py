"""Contexts of conversations: what is kept, what falls out, and what is said when nothing fits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dragoman.context.budget import Budget, answer_tokens, make_budget
from dragoman.context.conversation import ConversationContext, Summarise
from dragoman.context.turn import Attachment, ContextLimits, Turn
from dragoman.errors import ContextOverflowError, RequestRejectedError
from dragoman.models import tokenizers
from dragoman.models.base import ChatMessage, ChatRequest, ModelInfo, Tool, ToolCall
from dragoman.models.tool_wording import read_offer, render
from tests.support.conversations import CharacterTokens, Shelf, cost

MODEL = ModelInfo("m", "p", context_window=1_000)
OPEN = ModelInfo("m", "p")


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def context_of(
    messages: Sequence[ChatMessage], most: int = 4000, window: int = 10, summarise: Summarise | None = None
) -> ConversationContext:
    return ConversationContext(Shelf.holding(messages), limits=ContextLimits(most, window), summarise=summarise)


@pytest.mark.parametrize(
    ("requested", "window", "answer"),
    [
        (None, None, 1024),
        (None, 32_768, 1024),
        (None, 3000, 1000),
        (None, 2048, 682),
        (None, 200, 128),
        (7, 2048, 7),
        (5000, 2048, 5000),
    ],
)
def test_the_answer_keeps_its_tokens(requested: int | None, window: int | None, answer: int) -> None:
    assert answer_tokens(requested, window) == answer


def test_the_budget_is_the_smaller_of_the_settings_and_the_window() -> None:
    assert make_budget(4000, None) == Budget(4000, 1024)
    assert make_budget(4000, 32_768) == Budget(4000, 1024, 32_768)
    assert make_budget(4000, 3000) == Budget(2000, 1000, 3000, by_window=True)
    assert make_budget(4000, 3000, margin=1.25) == Budget(1600, 1000, 3000, by_window=True)
    assert make_budget(1000, 3000, margin=1.25).prompt == 1000


async def test_the_window_of_messages_is_counted_before_the_newest() -> None:
    history = [user(str(number)) for number in range(5)]
    built = await context_of(history, window=2).build(Turn(OPEN, user("new"), "c", "S", tokens=CharacterTokens()))
    none = await context_of(history, window=0).build(Turn(OPEN, None, "c", tokens=CharacterTokens()))

    assert [message.content for message in built.messages] == ["S", "3", "4", "new"]
    assert [message.content for message in built.dropped] == ["0", "1", "2"]
    assert [message.content for message in none.messages] == ["4"]


async def test_without_a_conversation_there_is_the_question_alone() -> None:
    built = await context_of([user("old")]).build(Turn(MODEL, user("new"), tokens=CharacterTokens()))

    assert built.messages == (user("new"),)
    assert built.budget == Budget(667, 333, 1000, by_window=True)


async def test_what_alone_is_too_long_is_an_error_that_says_by_how_much() -> None:
    context = context_of([user("old")], most=100)
    with pytest.raises(ContextOverflowError) as raised:
        await context.build(Turn(OPEN, user("x" * 120), "c", "s" * 9, tokens=CharacterTokens()))
    with pytest.raises(ContextOverflowError) as windowed:
        await context_of([], most=9000).build(Turn(MODEL, user("x" * 700), max_tokens=400, tokens=CharacterTokens()))
    with pytest.raises(ContextOverflowError) as greedy:
        await context.build(Turn(MODEL, user("x"), max_tokens=1200, tokens=CharacterTokens()))

    assert raised.value.excess == 31
    assert str(raised.value) == (
        "The message is too long by 31 tokens: it has 121, what always stands around it 10, and 100 fit. "
        "Shorten it, or raise context.max_tokens."
    )
    assert windowed.value.excess == 101
    assert "has a window of 1,000 tokens, and 400 of them are for the answer" in windowed.value.hint
    assert greedy.value.excess == 202
    assert "1,200 tokens leaves no room" in greedy.value.message


async def test_a_message_that_just_fits_does() -> None:
    built = await context_of([user("old")], most=100).build(Turn(OPEN, user("x" * 99), "c", tokens=CharacterTokens()))
    assert built.tokens == 100
    assert len(built.messages) == 1


async def test_tools_cost_tokens_too() -> None:
    turn = Turn(OPEN, user("x" * 95), tools=(Tool("f", "does", {}),), tokens=CharacterTokens())
    with pytest.raises(ContextOverflowError) as raised:
        await context_of([], most=100).build(turn)
    assert raised.value.excess == 6


async def test_where_there_are_tools_answers_are_counted_as_a_model_without_reads_them() -> None:
    code = "\n".join(f'    print("line", {number})' for number in range(60))
    history = [message for _ in range(4) for message in (user("more"), ChatMessage("assistant", code))]
    tool = Tool("read_file", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}})
    turn = Turn(ModelInfo("qwen2.5-coder", "p"), user("go on"), "c", tools=(tool,))
    built = await context_of(history, 2600).build(turn)

    request = ChatRequest(built.messages, tools=(tool,))
    read = render(request, read_offer(request))
    prompt = "".join(f"§{message.role}\n{message.content}§\n" for message in read)
    assert tokenizers.count(prompt, "qwen2") <= built.tokens <= 2600
    assert len(built.messages) == 7


async def test_nobody_has_asked() -> None:
    with pytest.raises(RequestRejectedError, match="no message to answer"):
        await context_of([ChatMessage("assistant", "hello")]).build(Turn(OPEN, conversation_id="c"))


async def test_what_the_user_attached_goes_before_the_history_and_what_was_found_after_it() -> None:
    history = [user("a" * 29), user("b" * 29)]
    attached = (
        Attachment("found.py", user("f" * 29), "offered"),
        Attachment("asked.py", user("q" * 29)),
        Attachment("huge.py", user("h" * 500)),
    )

    async def named(most: int) -> tuple[str, tuple[str, ...]]:
        turn = Turn(OPEN, user("n" * 9), "c", attachments=attached, tokens=CharacterTokens())
        built = await context_of(history, most).build(turn)
        return "".join(message.content[0] for message in built.messages), built.left_out

    # Before the question in the order in which they were given: what stands before them stays the same.
    assert await named(130) == ("abfqn", ("huge.py",))
    assert await named(129) == ("abqn", ("found.py", "huge.py"))
    # What the history has no whole message for is not wasted.
    assert await named(99) == ("bqn", ("found.py", "huge.py"))
    assert await named(69) == ("qn", ("found.py", "huge.py"))
    assert await named(39) == ("n", ("found.py", "asked.py", "huge.py"))


async def test_a_run_that_goes_on_reads_its_newest_steps() -> None:
    def step(number: int) -> list[ChatMessage]:
        call = ToolCall(str(number), "f", "{}")
        return [ChatMessage("assistant", "", tool_calls=(call,)), ChatMessage("tool", "x" * 40, tool_call_id=call.id)]

    history = [user("before"), user("do it"), *step(1), *step(2), *step(3)]
    one = sum(map(cost, step(1)))
    turn = Turn(OPEN, None, "c", tokens=CharacterTokens())
    whole = await context_of(history, 6 + 7 + 3 * one).build(turn)
    less = await context_of(history, 6 + 7 + 3 * one - 1).build(turn)
    short = await context_of(history, 6 + 3 * one - 1).build(turn)

    assert list(whole.messages) == history
    assert list(less.messages) == history[1:]
    assert list(short.messages) == [user("do it"), *step(2), *step(3)]
    assert short.dropped == (user("before"), *step(1))


# -- summaries ---------------------------------------------------------------------------------------------------------


class Summariser:
    """Says how many messages it was told."""

    def __init__(self, text: str = "", error: Exception | None = None) -> None:
        self.text, self.error = text, error
        self.told: list[list[str]] = []

    async def __call__(self, messages: Sequence[ChatMessage]) -> str:
        self.told.append([message.content[:1] for message in messages])
        if self.error is not None:
            raise self.error
        return self.text or f"{len(messages)} messages"


HISTORY = [user(letter * 99) for letter in "abcdef"]
ASKED = Turn(OPEN, user("n"), "c", "S", tokens=CharacterTokens())


async def test_what_falls_out_is_summarised_once() -> None:
    summariser = Summariser()
    context = context_of(HISTORY, 404, window=5, summarise=summariser)
    built = await context.build(ASKED)
    again = await context.build(ASKED)
    await context.save_message("c", user("g" * 99))
    later = await context.build(ASKED)

    assert [message.content[:1] for message in built.messages] == ["S", "W", "d", "e", "f", "n"]
    assert built.summary.endswith("3 messages")
    assert built.tokens == sum(map(cost, built.messages)) <= 404
    assert again == built
    assert [message.content[:1] for message in later.messages] == ["S", "W", "e", "f", "g", "n"]
    assert summariser.told == [["a", "b", "c"], ["a", "b", "c", "d"]]


async def test_nothing_is_summarised_where_everything_fits() -> None:
    summariser = Summariser()
    built = await context_of(HISTORY, 4000, summarise=summariser).build(ASKED)
    assert not summariser.told
    assert len(built.messages) == 8


@pytest.mark.parametrize("error", [RuntimeError("no"), TimeoutError(), RequestRejectedError("no")])
async def test_a_summary_that_fails_is_left_out_and_leaves_its_room(error: Exception) -> None:
    failed = await context_of(HISTORY, 404, summarise=Summariser(error=error)).build(ASKED)
    none = await context_of(HISTORY, 404).build(ASKED)
    silent = await context_of(HISTORY, 404, summarise=Summariser(" \n")).build(ASKED)
    assert failed == none == silent
    assert [message.content[:1] for message in none.messages] == ["S", "c", "d", "e", "f", "n"]


async def test_a_summary_that_is_too_long_is_cut() -> None:
    built = await context_of(HISTORY, 404, summarise=Summariser("word " * 60)).build(ASKED)
    assert built.summary.startswith("What was said before, in short:\nword word")
    assert built.tokens <= 404
