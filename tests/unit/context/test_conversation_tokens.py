"""Messages are counted as a model's server counts them, never lower; pictures by their size."""

from __future__ import annotations

import asyncio
import json
import struct
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from dragoman.context.conversation_tokens import tokens_of
from dragoman.context.limits import MESSAGE_TOKENS, SMALL_VOCABULARY, TEMPLATE_TOKENS, UNKNOWN_VOCABULARY
from dragoman.context.pictures import picture_size, picture_tokens
from dragoman.errors import ProviderUnreachableError
from dragoman.models import tokenizers
from dragoman.models.base import ChatMessage, Image, Tool, ToolCall
from tests.support.llamacpp_server import running
from tests.support.virtual_time import run_virtual
from tests.support.weights import find_weights


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("qwen2.5-coder:1.5b-base", "qwen2"),
        ("Qwen/Qwen3-8B-GGUF", "qwen2"),
        ("codeqwen1.5", None),
        ("gpt-4o-mini", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("Meta-Llama-3.1-8B", "cl100k_base"),
        ("starcoder2:3b", None),
        ("mistral", None),
    ],
)
def test_the_vocabulary_is_known_by_the_models_name(name: str, encoding: str | None) -> None:
    assert tokenizers.encoding_of(name) == encoding


async def test_where_the_vocabulary_is_another_the_window_is_taken_to_be_smaller() -> None:
    assert tokens_of("qwen2.5-coder").margin == 1
    assert tokens_of("starcoder2").margin == UNKNOWN_VOCABULARY
    assert tokens_of("codellama:7b").margin == SMALL_VOCABULARY
    text = "def load_user(name: str) -> User:"
    (counted,) = await tokens_of("starcoder2").count([user(text)])
    assert counted == tokenizers.count(text) + MESSAGE_TOKENS


async def test_a_models_own_tokenizer_counts_where_its_vocabulary_is_not_known() -> None:
    async def own(text: str) -> int:
        return 7 * len(text.split())

    assert await tokens_of("starcoder2", own).count([user("a b"), user("")]) == [14 + MESSAGE_TOKENS, MESSAGE_TOKENS]
    assert tokens_of("starcoder2", own).margin == 1


def test_a_tokenizer_that_fails_or_is_slow_is_not_waited_for() -> None:
    async def away(_text: str) -> int:
        raise ProviderUnreachableError("nobody answers")

    async def slow(_text: str) -> int:
        asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(60)
        return 0

    async def count() -> list[int]:
        counters = [tokens_of("starcoder2", own) for own in (away, slow)]
        return [one for counter in [*counters, *counters] for one in await counter.count([user("one two three")])]

    asked: list[float] = []
    asyncio.run(tokens_of("starcoder2").count([user("its vocabulary is loaded in real time")]))
    assert run_virtual(count()) == [int(3 * UNKNOWN_VOCABULARY) + 1 + MESSAGE_TOKENS] * 4
    assert len(asked) == 1


# -- pictures ----------------------------------------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    comment = b"\xff\xfe" + struct.pack(">H", 1002) + b"c" * 1000
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, height, width) + b"\x03" + b"\0" * 9
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\0" * 9 + comment + b"\xff" + frame


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(body)) + body + b"\0" * 20


@pytest.mark.parametrize(
    "data",
    [
        png(640, 480),
        jpeg(640, 480),
        b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0" * 4,
        webp(b"VP8X", b"\0" * 4 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
        webp(b"VP8L", b"\x2f" + (639 | 479 << 14).to_bytes(4, "little")),
        webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480)),
    ],
    ids=["png", "jpeg", "gif", "webp", "webp lossless", "webp lossy"],
)
def test_a_pictures_size_is_read_from_its_head(data: bytes) -> None:
    assert picture_size(data) == (640, 480)
    for length in range(len(data)):
        assert picture_size(data[:length]) in {None, (640, 480)}


def test_a_picture_costs_by_its_size_between_two_bounds() -> None:
    assert picture_tokens(png(16, 16)) == 576
    assert picture_tokens(png(1000, 800)) == 36 * 29
    assert picture_tokens(png(3840, 2160)) == 1600
    assert picture_tokens(b"<svg/>") == 1600


async def test_a_messages_picture_is_counted() -> None:
    message = ChatMessage("user", "", images=(Image("image/png", png(1000, 800)),))
    assert await tokens_of("qwen2.5").count([message]) == [36 * 29 + MESSAGE_TOKENS]


# -- a real server -----------------------------------------------------------------------------------------------------

TOOL = Tool(
    "read_file",
    "Reads a file of the workspace.",
    {"type": "object", "properties": {"path": {"type": "string", "description": "Relative."}}, "required": ["path"]},
)
SOURCE = Path(__file__).read_text(encoding="utf-8")
TEXTS = [
    "hi",
    "",
    "\n\n  x\r\n\f\t",
    "1234567890 " * 20,
    "👩‍💻🙂 数値を計算する関数 русский العربية",
    SOURCE[:6000],
    "\\\"' {} [] <tool_call>",
    "<|im_start|>user",
]


def talk(texts: list[str], arguments: str) -> list[ChatMessage]:
    messages = [user(texts[0])]
    for at, text in enumerate(texts):
        call = ToolCall(f"call_{at}", "read_file", arguments)
        messages += [
            ChatMessage("assistant", text),
            user(text),
            ChatMessage("assistant", text, tool_calls=(call, call)),
            ChatMessage("tool", text, tool_call_id=call.id),
            ChatMessage("tool", text, tool_call_id=call.id),
        ]
    return messages


ODD = {"path": "🙂\n\"'\\ 数\t" * 20, "n": [1, 2, {"a": None}, [[[]]]], "": {}}
CASES = {
    "a word": [user("hi")],
    "nothing": [user("")],
    "tool calls": talk(TEXTS, '{"path": "a/b.py"}'),
    "odd arguments": talk(TEXTS[:2], json.dumps(ODD, ensure_ascii=False, separators=(",", ":"))),
    "escaped arguments": talk(TEXTS[:2], json.dumps(ODD, separators=(",", ":"))),
    "a file as an argument": talk(TEXTS[:1], json.dumps({"path": "a.py", "content": SOURCE[:4000]})),
    "many short messages": [ChatMessage(("user", "assistant")[at % 2], "y") for at in range(200)],
    **{f"text {at}": [ChatMessage("system", text), user(text)] for at, text in enumerate(TEXTS)},
}


@pytest.mark.model
def test_a_real_server_never_counts_more_and_exactly_so_much_of_code() -> None:
    (weights,) = find_weights().rglob("*0.5b*.gguf")
    with running(weights) as url:
        for name, messages in CASES.items():
            for tools in ((), (TOOL,) * 3):
                real = count_really(url, messages, tools)
                counted = asyncio.run(count_here(messages, tools))
                assert real <= counted, f"{name} with {len(tools)} tools"
                escaped = 2 if name == "escaped arguments" else 1
                assert counted <= 1.2 * escaped * real + TEMPLATE_TOKENS + 16 * len(messages) + 300 * bool(tools), name
        alone = len(ask(url, "/tokenize", {"content": SOURCE})["tokens"])
    assert tokenizers.count(SOURCE, "qwen2") == pytest.approx(alone, rel=0.01)


async def count_here(messages: list[ChatMessage], tools: tuple[Tool, ...]) -> int:
    ours = tokens_of("qwen2.5-coder-0.5b-instruct")
    return await ours.count_frame(tools) + sum(await ours.count(messages))


def count_really(url: str, messages: list[ChatMessage], tools: tuple[Tool, ...]) -> int:
    body: dict[str, Any] = {"messages": [spell(message) for message in messages]}
    if tools:
        described = [{"name": one.name, "description": one.description, "parameters": one.parameters} for one in tools]
        body["tools"] = [{"type": "function", "function": function} for function in described]
    prompt = ask(url, "/apply-template", body)["prompt"]
    asked = {"content": prompt, "add_special": True, "parse_special": True}
    return len(ask(url, "/tokenize", asked)["tokens"])


def spell(message: ChatMessage) -> dict[str, Any]:
    spelled: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        spelled["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        spelled["tool_call_id"] = message.tool_call_id
    return spelled


def ask(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer: dict[str, Any] = json.loads(reply.read())
    return answer
