"""One suite for every way to a model, second half: chats, with reasoning, tools, pictures and schemas.

A small model cannot be counted on to call a tool or to reason, and none here sees pictures. So these are tested at the wire of
every dialect; against the real engines it is tested that what is asked for is understood, and that an answer comes.
"""
# ruff: noqa: F811 - fixtures are arguments

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from dragoman.errors import ContextOverflowError, RequestRejectedError, ToolsUnsupportedError
from dragoman.models.base import ChatMessage, ChatRequest, Chunk, Image, Tool, ToolCall
from tests.support.model_places import (  # noqa: F401 - fixtures among them
    FAKES,
    Place,
    among,
    collect,
    embedded,
    engine,
    engine_url,
    place,
    place_name,
    text_of,
)

WEATHER = Tool(
    "get_weather",
    "The weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = Tool("get_time", "The time now.", {"type": "object", "properties": {}})
QUESTION = ChatMessage("user", "What is the weather in Kraków?")
CALLS = [{"name": "get_weather", "arguments": {"city": "Kraków"}}, {"name": "get_time", "arguments": {}}]
PIXEL = Image("image/png", b"\x89PNG\r\n\x1a\n not really")
SCHEMA = {
    "type": "object",
    "properties": {"word": {"enum": ["yes", "no"]}},
    "required": ["word"],
    "additionalProperties": False,
}


def chat(*messages: ChatMessage, **more: Any) -> ChatRequest:
    return ChatRequest(messages or (QUESTION,), **{"max_tokens": 8, "temperature": 0.0, **more})


def thought_in(chunks: list[Chunk]) -> str:
    return "".join(chunk.thinking for chunk in chunks)


def calls_in(chunks: list[Chunk]) -> list[ToolCall]:
    """Put the pieces of the calls together, as `ToolCallDelta` says that it can be done."""
    calls: dict[int, ToolCall] = {}
    for delta in (delta for chunk in chunks for delta in chunk.tool_calls):
        if delta.index not in calls:
            assert delta.id
            assert delta.name
            calls[delta.index] = ToolCall(delta.id, delta.name, delta.arguments)
        else:
            assert not delta.id
            known = calls[delta.index]
            calls[delta.index] = ToolCall(known.id, known.name, known.arguments + delta.arguments)
    assert list(calls) == list(range(len(calls)))
    return list(calls.values())


def sent_to(place: Place) -> dict[str, Any]:
    assert place.fake is not None
    body = place.fake.generations[-1].body
    assert isinstance(body, dict)
    return body


async def test_a_chat_answers(place: Place) -> None:
    messages = (ChatMessage("system", "Answer with one word."), ChatMessage("user", "What is 1+1?"))
    chunks = await collect(await place.model(), chat(*messages))
    assert text_of(chunks)
    assert [chunk.finish for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish in ("stop", "length")
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens > 0
    assert chunks[-1].usage.completion_tokens > 0
    if place.fake is not None:
        assert [one["role"] for one in sent_to(place)["messages"]] == ["system", "user"]


async def test_a_chat_keeps_to_a_schema(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(text='{"word": "yes"}')
    request = chat(ChatMessage("user", "Is water wet?"), max_tokens=24, json_schema=SCHEMA)
    assert json.loads(text_of(await collect(await place.model(), request)))["word"] in ("yes", "no")
    if place.fake is not None:
        body = sent_to(place)
        sent = body["format"] if place.provider.kind == "ollama" else body["response_format"]["json_schema"]["schema"]
        assert sent == SCHEMA


@among(*FAKES, "real-llamacpp", "embedded")
async def test_a_chat_ends_at_a_stop_text_and_at_its_limit(place: Place) -> None:
    question = ChatMessage("user", "Count from 1 to 9, with commas.")
    if place.fake is not None:
        place.fake.configure(text="1, 2, 3, 4, 5, 6, 7, 8, 9")
    model = await place.model()
    stopped = await collect(model, chat(question, max_tokens=24, stop=("3",)))
    assert stopped[-1].finish == "stop"
    assert "3" not in text_of(stopped)
    limited = await collect(model, chat(question, max_tokens=3))
    assert limited[-1].finish == "length"
    assert limited[-1].usage is not None
    assert limited[-1].usage.completion_tokens == 3


async def test_whoever_leaves_a_chat_stops_the_server(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(endless=True, token_delay=0.01)
    stream = (await place.model()).chat(chat(ChatMessage("user", "Count to a thousand."), max_tokens=1500))
    await anext(stream)
    await stream.aclose()
    await place.wait_until_idle()
    if place.fake is not None:
        assert place.fake.generations[-1].hung_up


# The shim of Ollama answers such a chat in a stream, with an error in it.
@among("openai", "ollama", "real-openai", "real-llamacpp", "real-ollama-shim", "real-localai-shim", "embedded")
async def test_a_conversation_that_is_too_long_is_told_with_its_excess(place: Place) -> None:
    if place.fake is not None:
        place.fake.configure(status=400, error_code="context")
    with pytest.raises(ContextOverflowError) as caught:
        await collect(await place.model(), chat(ChatMessage("user", "a b c d " * 3000)))
    # Ollama says nothing of numbers; its shim passes the engine's on.
    assert (caught.value.excess or 0) > 500 or place.fake is not None
    if place.fake is not None and place.provider.kind == "ollama":
        # Else it would cut the conversation without a word.
        assert sent_to(place)["truncate"] is False


# -- reasoning ---------------------------------------------------------------------------------------------------------


@among(*FAKES)
@pytest.mark.parametrize("tags", [False, True])
@pytest.mark.parametrize("size", [1, 3, None])
async def test_reasoning_is_told_apart_from_the_answer(place: Place, tags: bool, size: int | None) -> None:
    assert place.fake is not None
    place.fake.configure(thinking="Is it? It is.", think_tags=tags, text="yes <think>", token_size=size, piece_bytes=7)
    chunks = await collect(await place.model_with("thinking"), chat(thinking=True, max_tokens=99))
    assert thought_in(chunks).strip() == "Is it? It is."
    assert text_of(chunks) == "yes <think>"
    assert chunks[-1].finish == "stop"


@among("openai", "llamacpp", "ollama")
async def test_a_model_that_can_think_is_told_whether_to(place: Place) -> None:
    said = {}
    for thinking in (True, False):
        await collect(await place.model_with("thinking"), chat(thinking=thinking))
        body = sent_to(place)
        said[thinking] = body.get("think", body.get("chat_template_kwargs", {}).get("enable_thinking"))
    # Of a server of which nothing is known, nothing is asked that it may refuse.
    assert said == ({True: None, False: None} if place.provider.kind == "openai" else {True: True, False: False})
    await collect(await place.model(), chat(thinking=True))
    assert not {"think", "chat_template_kwargs"} & sent_to(place).keys()


# -- tools -------------------------------------------------------------------------------------------------------------


@among(*FAKES)
@pytest.mark.parametrize("objects", [False, True])
async def test_tools_go_round(place: Place, objects: bool) -> None:
    assert place.fake is not None
    place.fake.configure(tool_calls=CALLS, object_arguments=objects, text="sunny")
    model = await place.model_with("tools")
    chunks = await collect(model, chat(tools=(WEATHER, CLOCK)))
    assert chunks[-1].finish == "tool_calls"
    calls = calls_in(chunks)
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("get_weather", {"city": "Kraków"}),
        ("get_time", {}),
    ]
    assert len({call.id for call in calls}) == 2
    names = [tool["function"]["name"] for tool in sent_to(place)["tools"]]
    assert names == ["get_weather", "get_time"]
    assert sent_to(place)["tools"][0]["function"]["parameters"] == WEATHER.parameters

    asked = ChatMessage("assistant", "", tool_calls=tuple(calls))
    results = [ChatMessage("tool", f"result {at}", tool_call_id=call.id) for at, call in enumerate(calls)]
    chunks = await collect(model, chat(QUESTION, asked, *results, tools=(WEATHER, CLOCK)))
    assert (text_of(chunks), chunks[-1].finish) == ("sunny", "stop")
    _, said, first, second = sent_to(place)["messages"]
    arguments = [call["function"]["arguments"] for call in said["tool_calls"]]
    if place.provider.kind == "ollama":
        assert arguments == [{"city": "Kraków"}, {}]
        assert (first["tool_name"], second["tool_name"]) == ("get_weather", "get_time")
    else:
        assert [json.loads(one) for one in arguments] == [{"city": "Kraków"}, {}]
        assert [call["id"] for call in said["tool_calls"]] == [call.id for call in calls]
        # An empty text beside calls is refused by some.
        assert said["content"] is None
    assert [first["tool_call_id"], second["tool_call_id"]] == [call.id for call in calls]
    assert (first["content"], second["content"]) == ("result 0", "result 1")


@among("openai", "llamacpp", "localai")
async def test_which_tool_is_to_be_called_is_passed_on(place: Place) -> None:
    model = await place.model_with("tools")
    expected = {
        "auto": None,
        "none": "none",
        "required": "required",
        "get_time": {"type": "function", "function": {"name": "get_time"}},
    }
    for choice, sent in expected.items():
        await collect(model, chat(tools=(WEATHER, CLOCK), tool_choice=choice))
        assert sent_to(place).get("tool_choice") == sent


@among("ollama")
async def test_what_ollama_cannot_be_told_of_tools_is_refused_unasked(place: Place) -> None:
    assert place.fake is not None
    model = await place.model_with("tools")
    for choice in ("required", "get_time"):
        with pytest.raises(ToolsUnsupportedError):
            await collect(model, chat(tools=(WEATHER, CLOCK), tool_choice=choice))
    assert not place.fake.generations
    assert "tools" in model.info.capabilities
    await collect(model, chat(tools=(WEATHER,), tool_choice="none"))
    assert "tools" not in sent_to(place)


@among(*FAKES)
async def test_a_refusal_of_tools_is_told_and_learnt(place: Place) -> None:
    assert place.fake is not None
    place.fake.configure(refuses=["tools"])
    model = await place.model_with("tools")
    for _ in range(2):
        with pytest.raises(ToolsUnsupportedError) as caught:
            await collect(model, chat(tools=(WEATHER,)))
        assert caught.value.hint
        assert "tools" not in model.info.capabilities
    # The second time nobody was asked, and whoever asks for the model anew knows it too.
    assert len(place.fake.generations) == 1
    assert not any("tools" in info.capabilities for info in await place.provider.models())
    assert text_of(await collect(model, chat()))


# A small model writes its call as text where it likes: that an answer comes is what can be counted on.
@among("real-llamacpp", "real-ollama-shim", "real-localai-shim")
async def test_a_real_server_understands_tools_and_their_results(place: Place) -> None:
    call = ToolCall("call_1", "get_weather", '{"city": "Kraków"}')
    asked = ChatMessage("assistant", "", tool_calls=(call,))
    result = ChatMessage("tool", "Sunny, 31 degrees", tool_call_id="call_1")
    chunks = await collect(await place.model_with("tools"), chat(QUESTION, asked, result, tools=(WEATHER,)))
    assert text_of(chunks) or calls_in(chunks)
    assert chunks[-1].finish in ("stop", "length", "tool_calls")


@among("embedded")
async def test_the_embedded_engine_has_no_tools_and_reads_their_results(place: Place) -> None:
    model = await place.model()
    assert "tools" not in model.info.capabilities
    with pytest.raises(ToolsUnsupportedError):
        await collect(model, chat(tools=(WEATHER,)))
    call = ToolCall("call_1", "get_weather", '{"city": "Kraków"}')
    asked = ChatMessage("assistant", "", tool_calls=(call,))
    result = ChatMessage("tool", "Sunny", tool_call_id="call_1")
    assert text_of(await collect(model, chat(QUESTION, asked, result, tools=(WEATHER,), tool_choice="none")))


# -- pictures ----------------------------------------------------------------------------------------------------------


@among(*FAKES)
async def test_pictures_are_sent_as_they_are(place: Place) -> None:
    model = await place.model_with("vision")
    await collect(model, chat(ChatMessage("user", "What is this?", images=(PIXEL, PIXEL))))
    (message,) = sent_to(place)["messages"]
    if place.provider.kind == "ollama":
        assert message["content"] == "What is this?"
        assert [b64decode(image) for image in message["images"]] == [PIXEL.data] * 2
    else:
        text, *pictures = message["content"]
        assert text == {"type": "text", "text": "What is this?"}
        head, _, data = pictures[1]["image_url"]["url"].partition(",")
        assert (head, b64decode(data)) == ("data:image/png;base64", PIXEL.data)


@among("llamacpp", "ollama", "real-openai", "real-llamacpp", "real-ollama-shim", "real-localai-shim", "embedded")
async def test_a_model_that_sees_nothing_refuses_pictures(place: Place) -> None:
    with pytest.raises(RequestRejectedError, match="picture") as caught:
        await collect(await place.model(), chat(ChatMessage("user", "What is this?", images=(PIXEL,))))
    assert caught.value.hint
