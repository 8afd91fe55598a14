"""What is read out of streams piece by piece: reasoning in marks, and calls of tools in every server's way."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import StreamBrokenError, StreamMalformedError
from dragoman.models.base import ToolCall
from dragoman.models.providers.answers import relay
from dragoman.models.providers.downloads import count_bytes
from dragoman.models.providers.http import DONE
from dragoman.models.providers.messages import arguments_of
from dragoman.models.providers.openai_wire import read_chunk
from dragoman.models.providers.thinking import ThinkSplitter
from dragoman.models.providers.tool_calls import CallPiece, CallReader, pieces_of


def split(pieces: list[str]) -> tuple[str, str]:
    """Return the reasoning and the answer of a text that comes in pieces."""
    splitter = ThinkSplitter()
    parts = [splitter.feed(piece) for piece in pieces]
    parts.append(splitter.end())
    return "".join(thinking for thinking, _ in parts), "".join(text for _, text in parts)


@pytest.mark.parametrize(
    ("said", "thinking", "answer"),
    [
        ("yes", "", "yes"),
        ("", "", ""),
        ("  \n indented", "", "  \n indented"),
        ("<think>hm</think>yes", "hm", "yes"),
        ("\n<think>\nhm\n</think>\n\nyes\n", "hm\n", "yes\n"),
        ("<think>\n\n</think>\n\nyes", "", "yes"),
        ("<thinking>a</thinking>[THINK]b[/THINK]yes", "ab", "yes"),
        ("<think>a < b </thin </think>yes", "a < b </thin ", "yes"),
        ("<think>cut off", "cut off", ""),
        ("<think>cut off</thi", "cut off</thi", ""),
        ("<thin", "", "<thin"),
        ("<thing>", "", "<thing>"),
        ("Write <think> like this: <think>x</think>", "", "Write <think> like this: <think>x</think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
    ],
)
def test_reasoning_in_marks_is_told_apart_however_it_is_cut(said: str, thinking: str, answer: str) -> None:
    assert split([said]) == (thinking, answer)
    assert split(list(said)) == (thinking, answer)
    for at in range(len(said)):
        assert split([said[:at], said[at:]]) == (thinking, answer)


@given(st.lists(st.text(alphabet="<think>/ \nx", max_size=6), max_size=12))
def test_nothing_is_lost_or_made_up_by_the_cuts(pieces: list[str]) -> None:
    whole = "".join(pieces)
    thinking, answer = split(pieces)
    assert (thinking, answer) == split([whole])
    assert len(thinking) + len(answer) <= len(whole)
    if "<think>" not in whole:
        assert (thinking, answer) == ("", whole)


def joined(*rounds: Any) -> list[tuple[str, Any]]:
    """Return names and arguments of the calls that servers' ``tool_calls`` make up."""
    reader = CallReader()
    deltas = [delta for told in rounds for delta in reader.take(pieces_of(told))] + list(reader.end())
    heads = [delta for delta in deltas if delta.name]
    assert [head.index for head in heads] == list(range(len(heads)))
    assert len({head.id for head in heads}) == len(heads)
    assert all(head.id for head in heads)
    texts = ["".join(delta.arguments for delta in deltas if delta.index == head.index) for head in heads]
    return [(head.name, json.loads(text)) for head, text in zip(heads, texts, strict=True)]


def call(name: str = "", arguments: Any = "", **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


@pytest.mark.parametrize(
    ("rounds", "calls"),
    [
        # OpenAI: numbered pieces, the name once.
        (
            [[call("f", "", index=0, id="a")], [call("", '{"x"', index=0)], [call("", ": 1}", index=0)]],
            [("f", {"x": 1})],
        ),
        # Two calls whose pieces alternate.
        (
            [
                [call("f", "{", index=0, id="a"), call("g", "{", index=1, id="b")],
                [call("", "}", index=1)],
                [call("", '"x": 2}', index=0)],
            ],
            [("f", {"x": 2}), ("g", {})],
        ),
        # Name and id again with every piece.
        ([[call("f", "{", index=0, id="a")], [call("f", "}", index=0, id="a")]], [("f", {})]),
        # All calls with the same number.
        ([[call("f", "{}", index=0, id="a")], [call("g", "{}", index=0, id="b")]], [("f", {}), ("g", {})]),
        # No numbers, no ids, objects for arguments; the same call twice.
        ([[call("f", {"x": 1}), call("f", {"x": 1})]], [("f", {"x": 1}), ("f", {"x": 1})]),
        # No numbers: further pieces by their id, or of the last call.
        ([[call("f", "{", id="a")], [call("", "}", id="a")]], [("f", {})]),
        ([[call("f", "{")], [call("", '"y": null}')]], [("f", {"y": None})]),
        # Numbers that begin anywhere, null where nothing is said, no arguments at all.
        ([[{"index": 3, "id": None, "function": {"name": "f", "arguments": None}}]], [("f", {})]),
        # The arguments before the name.
        ([[call("", "{", index=0)], [call("f", "}", index=0)]], [("f", {})]),
        # Ollama: the function is numbered.
        ([[{"id": "x", "function": {"index": 0, "name": "f", "arguments": {"ü": "ß"}}}]], [("f", {"ü": "ß"})]),
        ([None, []], []),
    ],
)
def test_calls_are_joined_whatever_a_server_leaves_out(rounds: Any, calls: Any) -> None:
    assert joined(*rounds) == calls


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3), max_size=4), st.integers(1, 7))
def test_calls_survive_any_cut_of_their_arguments(arguments: list[dict[str, str]], size: int) -> None:
    rounds = []
    for at, one in enumerate(arguments):
        text = json.dumps(one)
        rounds.append([call(f"f{at}", "", index=at, id=f"id{at}")])
        rounds += [[call("", text[i : i + size], index=at)] for i in range(0, len(text), size)]
    assert joined(*rounds) == [(f"f{at}", one) for at, one in enumerate(arguments)]


@pytest.mark.parametrize("told", [{"a": 1}, "text", [7], [{"index": 0}], [{"function": "f"}]])
def test_what_is_no_call_is_told(told: Any) -> None:
    with pytest.raises(StreamMalformedError):
        pieces_of(told)


@pytest.mark.parametrize(
    ("said", "finish", "arguments"),
    [("length", "length", ""), ("stop", "tool_calls", "{}"), (None, "tool_calls", "{}")],
)
async def test_a_call_that_the_limit_cut_off_is_not_made_whole(said: Any, finish: str, arguments: str) -> None:
    async def objects() -> AsyncGenerator[dict[str, Any], None]:
        yield {"choices": [{"delta": {"tool_calls": [call("f", "", index=0, id="a")]}}]}
        yield {"choices": [{"delta": {}, "finish_reason": said}]}
        if said is None:
            yield DONE

    chunks = [chunk async for chunk in relay(objects(), read_chunk, chat=True)]
    assert chunks[-1].finish == finish
    assert "".join(delta.arguments for chunk in chunks for delta in chunk.tool_calls) == arguments


def test_a_call_that_never_gets_a_name_is_told() -> None:
    reader = CallReader()
    assert not reader.take((CallPiece(0, "a", "", "{}"),))
    with pytest.raises(StreamMalformedError, match="no name"):
        reader.end()


def test_older_and_odd_shapes_of_chunks_are_read() -> None:
    step = read_chunk({"choices": [{"delta": {"function_call": {"name": "f", "arguments": "{}"}}}]})
    assert step.calls == (CallPiece(0, "", "f", "{}"),)
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "yes"},
    ]
    step = read_chunk({"choices": [{"delta": {"content": parts}, "finish_reason": "model_length"}]})
    assert (step.thinking, step.text, step.finish) == ("hm", "yes", "length")
    step = read_chunk({"choices": [], "usage": {"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}})
    assert step.usage is not None
    assert step.usage.cached_tokens == 3


def test_an_answer_that_ends_with_an_error_is_none() -> None:
    with pytest.raises(StreamBrokenError):
        read_chunk({"choices": [{"delta": {"content": "half"}, "finish_reason": "error"}]})


def test_garbled_arguments_are_kept() -> None:
    assert arguments_of(ToolCall("1", "f", '{"x": 1}')) == {"x": 1}
    assert arguments_of(ToolCall("1", "f", "")) == {}
    for garbled in ("[1]", "{x"):
        assert arguments_of(ToolCall("1", "f", garbled)) == {"arguments": garbled}


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ("4.1 GiB", int(4.1 * 1024**3)),
        ("812.5MB", 812_500_000),
        ("1 kB", 1000),
        ("7 B", 7),
        (12, 12),
        ("", None),
        ("soon", None),
        (None, None),
    ],
)
def test_sizes_as_people_write_them(said: Any, counted: int | None) -> None:
    assert count_bytes(said) == counted
