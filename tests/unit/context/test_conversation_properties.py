"""What holds for the context of any conversation, whatever its messages are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.context.conversation import ConversationContext
from dragoman.context.tool_pairs import first_kept
from dragoman.context.turn import Attachment, BuiltContext, ContextLimits, Turn
from dragoman.errors import ContextOverflowError
from dragoman.models import tokenizers
from dragoman.models.base import ChatMessage, Image, ModelInfo, ToolCall
from tests.support.conversations import CharacterTokens, Shelf, cost

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
MODEL = ModelInfo("qwen2.5-coder", "p", context_window=None)
PICTURE = Image("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40")

contents = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "\r\n",
            "a\r\nb\n\rc",
            "\f\f",
            "👩‍💻🙂" * 5,
            "x" * 700,
            "word " * 300,
            "1234567890",
            "数値を計算",
            "\0\ud800",
            "<|im_end|>",
        ]
    ),
)
names = st.sampled_from(["a", "b", ""])
calls = st.lists(names, min_size=1, max_size=3)


def asking(ids: Sequence[str], content: str = "") -> ChatMessage:
    return ChatMessage("assistant", content, tool_calls=tuple(ToolCall(one, "f", '{"x": 1}') for one in ids))


def answer(name: str, content: str = "42") -> ChatMessage:
    return ChatMessage("tool", content, tool_call_id=name or None)


said = st.builds(
    ChatMessage,
    st.sampled_from(["user", "assistant", "system"]),
    contents,
    st.lists(st.just(PICTURE), max_size=1).map(tuple),
)
pairs = calls.flatmap(
    lambda ids: st.tuples(
        st.builds(asking, st.just(ids), contents),
        st.permutations(ids).flatmap(
            lambda mixed: st.tuples(*(st.builds(answer, st.just(one), contents) for one in mixed))
        ),
    )
).map(lambda pair: [pair[0], *pair[1]])
orphans = st.one_of(st.builds(answer, names, contents), st.builds(asking, calls, contents)).map(lambda one: [one])
histories = st.lists(st.one_of(said.map(lambda one: [one]), pairs, orphans), max_size=14).map(
    lambda blocks: [message for block in blocks for message in block]
)
attachments = st.lists(
    st.builds(
        Attachment,
        st.text(max_size=5),
        contents.map(lambda text: ChatMessage("user", text)),
        st.sampled_from(["asked", "offered"]),
    ),
    max_size=3,
).map(tuple)


def groups(messages: Sequence[ChatMessage]) -> list[list[int]]:
    """Say what belongs together, by another rule than the code's: calls are whole when as many answers stand behind them."""
    found = []
    for at, message in enumerate(messages):
        ids = sorted(call.id for call in message.tool_calls)
        behind = messages[at + 1 : at + 1 + len(ids)]
        whole = sorted(one.tool_call_id or "" for one in behind) == ids and all(one.role == "tool" for one in behind)
        if message.role != "tool" and (not ids or whole):
            found.append(list(range(at, at + 1 + len(ids))))
    return found


def longest_tail(parts: list[list[int]], messages: Sequence[ChatMessage], room: int) -> list[list[int]]:
    tails = [parts[at:] for at in range(len(parts) + 1)]
    return next(tail for tail in tails if sum(cost(messages[at]) for part in tail for at in part) <= room)


def expected(
    turn: Turn, history: Sequence[ChatMessage], limits: ContextLimits
) -> tuple[list[ChatMessage], list[str]] | int:
    """Return what the context must be by the rules alone and what is left out, or by how many tokens it is too long."""
    messages = [*history, turn.prompt] if turn.prompt else list(history)
    question = max(at for at, message in enumerate(messages) if message.role == "user")
    system = [ChatMessage("system", turn.system)] if turn.system else []
    room = limits.max_tokens - sum(map(cost, [*system, messages[question]]))
    if room < 0:
        return -room
    parts = groups(messages)
    after = longest_tail(behind := [part for part in parts if part[0] > question], messages, room)
    room -= sum(cost(messages[at]) for part in after for at in part)
    kept: dict[int, ChatMessage] = {}

    def attach(priority: str) -> None:
        nonlocal room
        for at, one in enumerate(turn.attachments):
            if one.priority == priority and cost(one.message) <= room:
                room -= cost(one.message)
                kept[at] = one.message

    attach("asked")
    inside = [part for part in parts if part[-1] < question and part[0] >= question - limits.history_window]
    before = longest_tail(inside, messages, room) if after == behind else []
    room -= sum(cost(messages[at]) for part in before for at in part)
    attach("offered")
    flat = [messages[at] for part in before for at in part]
    rest = [messages[at] for part in after for at in part]
    left_out = [one.name for at, one in enumerate(turn.attachments) if at not in kept]
    return [*system, *flat, *(kept[at] for at in sorted(kept)), messages[question], *rest], left_out


def build(turn: Turn, history: Sequence[ChatMessage], limits: ContextLimits) -> BuiltContext:
    return asyncio.run(ConversationContext(Shelf.holding(history), limits=limits).build(turn))


@given(
    history=histories,
    prompt=st.none() | contents.map(lambda text: ChatMessage("user", text)),
    system=st.sampled_from(["", "Be brief.", "s" * 300]),
    attached=attachments,
    most=st.one_of(st.integers(1, 400), st.integers(400, 4000)),
    window=st.integers(0, 14),
)
@settings(PATIENT, max_examples=100)
def test_a_context_is_what_the_rules_say(
    history: list[ChatMessage],
    prompt: ChatMessage | None,
    system: str,
    attached: tuple[Attachment, ...],
    most: int,
    window: int,
) -> None:
    if prompt is None and not any(message.role == "user" for message in history):
        prompt = ChatMessage("user", "?")
    limits = ContextLimits(most, window)
    turn = Turn(MODEL, prompt, "c", system, attached, tokens=CharacterTokens())
    wanted = expected(turn, history, limits)
    if isinstance(wanted, int):
        with pytest.raises(ContextOverflowError) as raised:
            build(turn, history, limits)
        assert raised.value.excess == wanted
        assert f"{wanted:,}" in raised.value.message
        return

    built = build(turn, history, limits)

    assert (list(built.messages), list(built.left_out)) == wanted
    assert built.tokens == sum(map(cost, built.messages)) <= most


@given(history=histories, most=st.integers(100, 2500), summary=st.text(max_size=2000))
@settings(PATIENT, max_examples=50)
def test_no_context_is_longer_than_its_budget_in_front_of_the_model(
    history: list[ChatMessage], most: int, summary: str
) -> None:
    async def summarise(messages: Sequence[ChatMessage]) -> str:
        return summary

    context = ConversationContext(Shelf.holding(history), limits=ContextLimits(most, 20), summarise=summarise)
    turn = Turn(MODEL, ChatMessage("user", "And now?"), "c", "Be brief.")

    built = asyncio.run(context.build(turn))

    # ChatML, written out, with a letter for each of its marks.
    prompt = ""
    for message in built.messages:
        asked = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in message.tool_calls]
        told = "".join(f"\n§\n{json.dumps(one)}\n§" for one in asked)
        wrapped = (
            f"\n<tool_response>\n{message.content}\n</tool_response>" if message.role == "tool" else message.content
        )
        prompt += f"§{message.role}\n{wrapped}{told}§\n"
    pictures = 576 * sum(len(message.images) for message in built.messages)
    assert tokenizers.count(prompt + "§assistant\n", "qwen2") + pictures <= most
    assert built.messages[0] == ChatMessage("system", "Be brief.")
    assert built.messages[-1] == turn.prompt
    rest = iter(history)
    old = built.messages[2 if built.summary else 1 : -1]
    assert all(any(message == one for one in rest) for message in old), "order is kept"
    assert groups(built.messages)[-1][-1] == len(built.messages) - 1
    assert sum(map(len, groups(built.messages))) == len(built.messages), "no orphan"


@given(history=histories, window=st.integers(0, 8))
@settings(PATIENT, max_examples=50)
def test_what_is_archived_is_old_and_whole(history: list[ChatMessage], window: int) -> None:
    first = first_kept(history, 2 * window)

    questions = [at for at, message in enumerate(history) if message.role == "user"]
    assert not questions or first <= questions[-1]
    assert not any(part[0] < first <= part[-1] for part in groups(history)), "no pair is cut"
    turn = questions[-1] if questions else max((part[0] for part in groups(history)), default=0)
    assert len(history) - first <= 2 * window or first == turn
    # Nothing is archived before it has to be.
    newest_archived = next((part for part in groups(history) if part[0] < first <= part[-1] + 1), [first - 1])
    assert first == 0 or len(history) - newest_archived[0] > 2 * window
