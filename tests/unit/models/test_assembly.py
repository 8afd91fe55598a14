"""Answers put together from their pieces, and JSON as models write it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import StreamBrokenError, StreamMalformedError, ToolCallError
from dragoman.models.assembly import Answer, Assembly, gather_answer, parse_arguments
from dragoman.models.base import Chunk, ToolCall, ToolCallDelta, Usage
from dragoman.models.json_text import StringDecoder, find_json, load_json, quote_json
from tests.support.scripted_chat import ScriptedChat, split


def assemble(*chunks: Chunk) -> Answer:
    assembly = Assembly()
    for chunk in chunks:
        assembly.feed(chunk)
    return assembly.answer()


def test_text_thinking_usage_and_the_end_are_told() -> None:
    answer = assemble(
        Chunk(thinking="a "), Chunk("b "), Chunk("d", thinking="c"), Chunk(finish="length"), Chunk(usage=Usage(1, 2))
    )
    assert answer == Answer("b d", "a c", (), Usage(1, 2), "length")


_calls = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=12)), max_size=4)


@given(calls=_calls, places=st.lists(st.integers(0, 12), max_size=4), order=st.randoms(use_true_random=False))
def test_calls_are_joined_by_their_index_however_their_pieces_are_interleaved(
    calls: list[tuple[str, str]], places: list[int], order: Any
) -> None:
    waiting = {
        index: [ToolCallDelta(index, f"id{index}", name), *(ToolCallDelta(index, arguments=p) for p in pieces)]
        for index, (name, arguments) in enumerate(calls)
        for pieces in [split(arguments, places)]
    }
    assembly = Assembly()
    while any(waiting.values()):
        assembly.feed(Chunk(tool_calls=(waiting[order.choice([i for i, left in waiting.items() if left])].pop(0),)))
    assembly.feed(Chunk(finish="tool_calls"))

    assert assembly.answer().tool_calls == tuple(
        ToolCall(f"id{index}", name, arguments) for index, (name, arguments) in enumerate(calls)
    )


def test_an_id_that_is_missing_is_made_and_one_that_is_repeated_counts_once() -> None:
    first, second = ToolCallDelta(0, "", "f", "{"), ToolCallDelta(0, "", "f", "}")
    again = [ToolCallDelta(7, "x", "g"), ToolCallDelta(7, "x", "g", "{}")]
    answer = assemble(Chunk(tool_calls=(first, second, *again)), Chunk(finish="stop"))
    assert answer.tool_calls == (ToolCall("call_0", "f", "{}"), ToolCall("x", "g", "{}"))


def test_half_an_answer_and_a_nameless_call_are_errors() -> None:
    with pytest.raises(StreamBrokenError):
        assemble(Chunk("half"))
    with pytest.raises(StreamMalformedError, match="call 3 "):
        assemble(Chunk(tool_calls=(ToolCallDelta(3, "id", "", "{}"),)), Chunk(finish="stop"))


async def test_a_cancel_closes_the_stream() -> None:
    model = ScriptedChat([])
    task = asyncio.ensure_future(gather_answer(model.chat(None)))  # type: ignore[arg-type]
    while not model.running:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert model.running == 0


@pytest.mark.parametrize(
    ("arguments", "value"), [("", {}), ("  \n", {}), ("{}", {}), ('\n{"a": [1, null, "ü"]} ', {"a": [1, None, "ü"]})]
)
def test_arguments_are_an_object(arguments: str, value: dict[str, Any]) -> None:
    assert parse_arguments(ToolCall("1", "f", arguments)) == value


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("[1]", "not a JSON object"),
        ('"{}"', "not a JSON object"),
        ('{"a": 1,}', "line 1 column"),
        ('{"a": 1} {"b": 2}', "more after the value"),
        ('{"a": "b', "line 1 column 7"),
        ('{"a": NaN}', "NaN"),
        ('{"a": "\\ud83d"}', "surrogate"),
        ("[" * 100_000, "nested too deeply"),
        (f'{{"a": {"9" * 5_000}}}', "a number has 5000 digits"),
    ],
)
def test_arguments_that_are_none_say_of_which_tool_and_why(arguments: str, reason: str) -> None:
    with pytest.raises(ToolCallError, match="'write_file'") as caught:
        parse_arguments(ToolCall("1", "write_file", arguments))
    assert reason in caught.value.reason
    assert caught.value.tool == "write_file"
    assert len(str(caught.value)) < 300


# -- JSON in a model's answer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (" 42\n", 42),
        ('"x"', "x"),
        ("null", None),
        ('Sure! Here: {"a": [1, 2]} I hope it helps {"b": 1}', {"a": [1, 2]}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here it is:\n\n```\n["a"]\n```\nDone.', ["a"]),
        ("```json\n42\n```", 42),
        ('see [sic] and {name}: {"a": {}}', {"a": {}}),
        ("[true, false]", [True, False]),
        ('```python\nprint("no")\n```\n\n```json\n{"b": 2}\n```', {"b": 2}),
        ('Text: {"code": "```py\\nx = {}\\n```"}', {"code": "```py\nx = {}\n```"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
    ],
)
def test_the_first_value_of_an_answer_is_found(text: str, value: Any) -> None:
    assert find_json(text) == value


def test_brackets_of_prose_do_not_count_where_an_object_is_wanted() -> None:
    assert find_json('As in [1] it is {"a": 1}.', "{") == {"a": 1}
    assert find_json("As in {} it is [1].", "[") == [1]


@pytest.mark.parametrize(
    "text",
    ["", "No.", '{"a": 1,}', '{"a": {"b": 1},}', "{'a': [1]}", '```json\n{"a": 1,}\n```', '{"a": [1, 2}', "Infinity"],
)
def test_what_is_no_json_is_not_made_into_some(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|no JSON"):
        find_json(text)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(value=st.dictionaries(st.text(), _values), indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_any_object_is_found_whatever_stands_around_it(
    value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    written = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    for text in (written, f"It is: {written}, I think [1].", f"Here.\n```json\n{written}\n```\nDone."):
        assert find_json(text) == value
    assert load_json(written) == value


@given(text=st.text(), ascii_only=st.booleans(), places=st.lists(st.integers(min_value=0), max_size=12), tail=st.text())
def test_a_string_is_decoded_however_it_is_cut(text: str, ascii_only: bool, places: list[int], tail: str) -> None:
    decoder, said, behind = StringDecoder(), "", ""
    for piece in split(json.dumps(text, ensure_ascii=ascii_only)[1:] + tail, places):
        if decoder.closed:
            behind += piece
            continue
        decoded, rest = decoder.feed(piece)
        said, behind = said + decoded, behind + rest
    assert (said, behind) == (text, tail)
    assert json.loads(f'"{quote_json(text)}"') == text


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("a\nb", "a\nb"),
        ("\\q\\u12x", "\\q\\u12x"),
        ("\\ud83d", "�"),
        ("\\ud83dx", "�x"),
        ("\\ude00", "�"),
        ("\\ud83d\\ud83d\\ude00", "�😀"),
        ("\\ud83d\\n", "�\n"),
    ],
)
def test_a_careless_string_is_read_as_far_as_it_makes_sense(inside: str, text: str) -> None:
    for size in (1, 2, 100):
        decoder = StringDecoder()
        said = "".join(decoder.feed(inside[at : at + size])[0] for at in range(0, len(inside), size))
        assert said + decoder.end() == text
