"""No field of a conversation carries a secret to another machine, and calls of tools come back with it, as JSON, or not at all."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import ToolCallError
from dragoman.models.assembly import Answer, gather_answer, parse_arguments
from dragoman.models.base import (
    ChatMessage,
    ChatRequest,
    Chunk,
    CompletionRequest,
    Image,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from dragoman.models.redacted import RedactedModel
from dragoman.models.structured import ask_structured
from dragoman.models.tool_calls import ToolCallingModel
from dragoman.security.redaction import Redactor
from tests.support.scripted_chat import ScriptedChat, split
from tests.support.secret_corpus import Case, read_corpus

SECRET = 'S3cr"t\\Pw-9é'
"""Every character that JSON writes in another way, and none that ends a password in a file."""
NAMED = {"host": "db", "password": SECRET}
PNG = Image("image/png", b"password = hunter2xyz")
CASES = [case for case in read_corpus(seed=2) if case.secrets]


def called(arguments: str, *results: str) -> tuple[ChatMessage, ...]:
    """Return a conversation with a call, and what came of it."""
    return (
        ChatMessage("user", "Deploy it.", images=(PNG,)),
        ChatMessage("assistant", "", tool_calls=(ToolCall("call_a8f3k2j4h5k6x7c8", "deploy", arguments),)),
        *(ChatMessage("tool", result, tool_call_id="call_a8f3k2j4h5k6x7c8") for result in results),
    )


async def send(request: ChatRequest) -> ChatRequest:
    """Return the request as it leaves this machine."""
    model = ScriptedChat(["done"])
    await gather_answer(RedactedModel(model, Redactor()).chat(request))
    return model.requests[0]


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a value, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield from strings(key)
                yield from strings(inner)
        case list() | tuple():
            for inner in value:
                yield from strings(inner)


def texts_of(request: ChatRequest) -> list[str]:
    """Return every text of a request, JSON as it stands and as it reads."""
    texts = [*request.stop, *strings(request.json_schema)]
    for message in request.messages:
        texts.append(message.content)
        for call in message.tool_calls:
            texts += [call.arguments, *strings(json.loads(call.arguments))]
    for tool in request.tools:
        texts += [tool.name, tool.description, *strings(tool.parameters)]
    return texts


def everywhere(text: str) -> ChatRequest:
    """Return a request that has ``text`` in each of its fields."""
    schema = {"type": "object", "description": text, "properties": {"mode": {"enum": [text, "other"]}}}
    return ChatRequest(
        (
            ChatMessage("system", text),
            *called(json.dumps({"file": {"content": text, "lines": [1, text]}, text: None}), text),
            ChatMessage("user", text),
        ),
        stop=(text,),
        tools=(Tool("deploy", text, schema),),
        json_schema=schema,
    )


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_no_secret_of_the_corpus_leaves_in_any_field(case: Case) -> None:
    sent = await send(everywhere(case.text))
    secrets = {case.text[start:end] for start, end in case.secrets}
    leaked = [(secret, text) for text in texts_of(sent) for secret in secrets if secret in text]
    assert not leaked
    assert sent.messages[1].images == (PNG,)
    assert [call.name for message in sent.messages for call in message.tool_calls] == ["deploy"]


@given(
    case=st.sampled_from(CASES),
    other=st.sampled_from(CASES),
    fields=st.lists(st.sampled_from(["system", "arguments", "result", "description", "stop"]), min_size=2, max_size=2),
)
@settings(max_examples=50, deadline=None)
def test_what_one_field_gives_away_is_hidden_in_the_others(case: Case, other: Case, fields: list[str]) -> None:
    """The secret stands alone in another field, where nothing speaks for it."""
    secrets = [case.text[start:end] for start, end in case.secrets]
    telling = [one for one in secrets if len(one) >= 7 and not one.isalpha() and "\n" not in one]
    texts = dict.fromkeys(["system", "arguments", "result", "description", "stop"], other.text)
    texts[fields[0]] = case.text
    if fields[0] != fields[1]:
        texts[fields[1]] = " and ".join(telling)
    request = ChatRequest(
        (ChatMessage("system", texts["system"]), *called(json.dumps({"a": texts["arguments"]}), texts["result"])),
        stop=(texts["stop"],),
        tools=(Tool("deploy", texts["description"], {}),),
    )
    chat = RedactedModel(model := ScriptedChat(["done"]), Redactor()).chat(request)
    _run(gather_answer(chat))
    sent = texts_of(model.requests[0])
    assert not [(secret, text) for secret in telling[:60] for text in sent if secret in text]


def _run(coroutine: Any) -> Any:
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


async def test_a_field_s_name_gives_its_value_away_and_the_json_stays_json() -> None:
    arguments = json.dumps({**NAMED, "argv": ["curl", "--password", "hunter2xyz"], "port": 5432, "deep": [{"x": True}]})
    sent = await send(ChatRequest((*called(arguments, f"done with {SECRET}, hunter2xyz"), ChatMessage("user", "ok"))))
    value = json.loads(sent.messages[1].tool_calls[0].arguments)
    assert value["password"].startswith("DRAGOMAN_SECRET_")
    assert value["argv"][:2] == ["curl", "--password"]
    assert (value["host"], value["port"], value["deep"]) == ("db", 5432, [{"x": True}])
    assert sent.messages[2].content == f"done with {value['password']}, {value['argv'][2]}"


async def test_what_holds_no_secret_stays_to_the_letter() -> None:
    arguments = '{"path":  "a.py", "n": 1e3, "password": "", "b": "\\u00e9"}'
    schema = {
        "type": "object",
        "properties": {"password": {"type": "string"}, "token": {"type": "string", "default": None}},
    }
    request = ChatRequest(called(arguments, "ok"), tools=(Tool("deploy", "Deploy.", schema),), json_schema=schema)
    assert await send(request) == request
    beside = replace(request, messages=(*request.messages, ChatMessage("user", 'password = "hunter2xyz"')))
    sent = await send(beside)
    assert (sent.tools, sent.json_schema, sent.messages[:-1]) == (
        beside.tools,
        beside.json_schema,
        beside.messages[:-1],
    )


async def test_arguments_that_are_no_json_are_redacted_as_the_text_that_they_are() -> None:
    sent = await send(ChatRequest(called('{"password": "hunter2xyz", oops', "failed")))
    assert sent.messages[1].tool_calls[0].arguments.startswith('{"password": "DRAGOMAN_SECRET_')


async def test_the_users_own_pattern_finds_numbers_too() -> None:
    model = ScriptedChat(["done"])
    redacted = RedactedModel(model, Redactor([re.compile(r"4711\d{4}")]))
    await gather_answer(redacted.chat(ChatRequest(called('{"account": 47110815, "n": 2}', "ok"))))
    value = json.loads(model.requests[0].messages[1].tool_calls[0].arguments)
    assert value["account"].startswith("DRAGOMAN_SECRET_")
    assert value["n"] == 2


async def test_stop_texts_of_a_completion_are_redacted_too() -> None:
    model = ScriptedChat([])
    asked: list[CompletionRequest] = []

    async def complete(request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        asked.append(request)
        yield Chunk(finish="stop")

    model.complete = complete  # type: ignore[method-assign]
    request = CompletionRequest("x = ", stop=('password = "hunter2xyz"', "\n"))
    assert [chunk.finish async for chunk in RedactedModel(model, Redactor()).complete(request)] == ["stop"]
    assert "hunter2xyz" not in asked[0].stop[0]
    assert asked[0].stop[1] == "\n"


# -- what comes back ---------------------------------------------------------------------------------------------------

QUESTION = ChatRequest(called(json.dumps(NAMED), "ok"), tools=(Tool("deploy", "Deploy.", {"type": "object"}),))
REDACTOR = Redactor()


def placeholder() -> str:
    """Return what stands for the secret in `QUESTION`."""
    return REDACTOR.hide(SECRET)


async def answer(*chunks: Chunk, request: ChatRequest = QUESTION) -> Answer:
    return await gather_answer(RedactedModel(ScriptedChat([chunks]), REDACTOR).chat(request))


def call_in(pieces: list[str], index: int = 0) -> list[Chunk]:
    first = Chunk(tool_calls=(ToolCallDelta(index, f"id{index}", "deploy"),))
    return [first, *(Chunk(tool_calls=(ToolCallDelta(index, arguments=piece),)) for piece in pieces)]


@given(places=st.lists(st.integers(min_value=0), max_size=12), order=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_arguments_have_their_secrets_back_however_they_are_cut(places: list[int], order: Any) -> None:
    value = {"url": f"db://u:{placeholder()}@h", placeholder(): [placeholder() * 2, "D", "DRAGOMAN"]}
    calls = [call_in(split(json.dumps(value), places), index) for index in (0, 1)]
    chunks = []
    while any(calls):
        chunks.append(order.choice([left for left in calls if left]).pop(0))
    whole = _run(answer(*chunks, Chunk(thinking=f"I use {placeholder()}"), Chunk(finish="tool_calls")))
    expected = {"url": f"db://u:{SECRET}@h", SECRET: [SECRET * 2, "D", "DRAGOMAN"]}
    assert [parse_arguments(call) for call in whole.tool_calls] == [expected, expected]
    assert [call.id for call in whole.tool_calls] == ["id0", "id1"]
    assert whole.thinking == f"I use {SECRET}"


def test_what_was_held_back_comes_with_the_end() -> None:
    cut = '{"a": "DRAGOMAN'
    whole = _run(answer(*call_in([cut]), Chunk(finish="length")))
    assert whole.tool_calls[0].arguments == cut


GARBLED = {
    "another case": lambda name: name.lower(),
    "a digit less": lambda name: name[:-1],
    "a digit more": lambda name: f"{name}0",
    "other digits": lambda name: f"{name[:16]}0123456789",
    "the digits alone": lambda name: name[16:],
    "an escape": lambda name: f"\\u0044{name[1:]}",
    "glued to a word": lambda name: f"{name}_x",
}


@pytest.mark.parametrize(
    ("how", "broken"), [*((how, False) for how in GARBLED), *((how, True) for how in GARBLED if how != "an escape")]
)
async def test_a_call_that_garbles_a_placeholder_never_ends_as_one_that_can_be_made(how: str, broken: bool) -> None:
    arguments = f'{{"a": ["{GARBLED[how](placeholder())}"]{"," if broken else ""}}}'
    model = ScriptedChat([(*call_in([arguments]), Chunk(finish="tool_calls"))])
    seen: list[Chunk] = []

    async def listen() -> None:
        async for chunk in RedactedModel(model, REDACTOR).chat(QUESTION):
            seen.append(chunk)

    with pytest.raises(ToolCallError, match=r"'deploy'.*placeholder") as caught:
        await listen()
    assert not any(chunk.finish for chunk in seen)
    assert SECRET not in str(caught.value)
    assert model.running == 0


SCHEMA = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}


@pytest.mark.parametrize("size", [1, 5, 100])
async def test_an_answer_by_schema_is_json_with_its_secret(size: int) -> None:
    model = ScriptedChat([json.dumps({"note": f"it is {placeholder()}"})], frozenset({"chat", "json_schema"}), size)
    value = await ask_structured(RedactedModel(model, REDACTOR), ChatRequest(QUESTION.messages), SCHEMA)
    assert value == {"note": f"it is {SECRET}"}


async def test_a_model_without_tools_inside_is_looked_through_like_one_that_has_them() -> None:
    """The order that `RedactedModel` asks for: a call is then checked as a call, not as the text that it was written in."""
    for able in (frozenset({"chat", "json_schema"}), frozenset({"chat"})):
        good = json.dumps({"tool": "deploy", "arguments": {"key": placeholder()}})
        inner = ScriptedChat([good, good.replace("DRAGOMAN", "DRAGON")], able)  # type: ignore[arg-type]
        model = RedactedModel(ToolCallingModel(inner), REDACTOR)
        whole = await gather_answer(model.chat(QUESTION))
        assert parse_arguments(whole.tool_calls[0]) == {"key": SECRET}
        with pytest.raises(ToolCallError, match="placeholder"):
            await gather_answer(model.chat(QUESTION))
        told = "".join(message.content for request in inner.requests for message in request.messages)
        assert placeholder() in told
        assert SECRET not in told
        assert json.dumps(SECRET, ensure_ascii=False)[1:-1] not in told


async def test_a_hidden_choice_is_the_same_one_in_the_schema_and_the_answer() -> None:
    secret = "Ab3dE5fG7hI9jK1lM3nO5p"
    schema = {"type": "object", "properties": {"api_key": {"enum": [secret]}}}
    request = ChatRequest((ChatMessage("user", f"api_key = {secret}"),), tools=(Tool("deploy", "", schema),))
    model = ScriptedChat([(*call_in([]), Chunk(finish="tool_calls"))])
    await gather_answer(RedactedModel(model, REDACTOR).chat(request))
    (hidden,) = model.requests[0].tools[0].parameters["properties"]["api_key"]["enum"]
    assert hidden in model.requests[0].messages[0].content
    chunks = call_in([json.dumps({"api_key": hidden})])
    whole = await answer(*chunks, Chunk(finish="tool_calls"), request=request)
    jsonschema.validate(parse_arguments(whole.tool_calls[0]), schema)
