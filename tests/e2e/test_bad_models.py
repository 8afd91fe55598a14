"""Models and servers that misbehave: each case ends quietly in the text and correctly on the wire."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.test_server import CONFIG, URI, ghost, scene
from tests.support.fake_model import Script

FUNCTION = "def area(width, height):\n    "


async def test_a_model_that_never_stops_is_stopped(tmp_path) -> None:
    script = Script(text="value = compute(value)\n    ", endless=True, token_delay=0.002, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, model):
        editor.open(URI, FUNCTION)

        assert "value = compute(value)" in await ghost(editor, 1, 4)

        await model.wait_for(lambda fake: fake.in_flight == 0)
        assert model.generations[0].hung_up
        assert (await editor.status())["state"] == "ready"


async def test_a_model_that_never_ends_its_line_is_cut_off(tmp_path) -> None:
    script = Script(text="abcde ", endless=True, token_delay=0.001, models=["fake-coder"])
    config = CONFIG.replace("show_after_ms = 50", "show_after_ms = 50\nmax_tokens = 16")
    async with scene(tmp_path, script, config=config) as (editor, model):
        editor.open(URI, "total = ")
        asked = editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 8))
        await model.wait_for(lambda fake: fake.in_flight == 1)
        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})

        await editor.await_reply(asked)
        await model.wait_for(lambda fake: fake.in_flight == 0)
        assert model.generations[0].body["max_tokens"] == 16


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Sure! Here is the completed function:\n\nreturn width * height\n", ""),
        ("```python\nreturn width * height\n```\nThis function returns the area.\n", "return width * height"),
        ("return width * height<|endoftext|><|fim_prefix|>x", "return width * height"),
        ("return width * height<|im_end|>\n<|im_start|>user\n", "return width * height"),
    ],
    ids=["prose", "fence", "fim tokens", "chat template"],
)
async def test_what_is_not_code_is_not_shown(tmp_path, said, shown) -> None:
    async with scene(tmp_path, Script(text=said, models=["fake-coder"])) as (editor, _):
        editor.open(URI, FUNCTION)
        text = await ghost(editor, 1, 4)
        assert text == shown or (not shown and "Sure" not in text)


async def test_characters_split_between_network_pieces_arrive_whole(tmp_path) -> None:
    script = Script(text="print('🐉 größer 値')\n", piece_bytes=1, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, _):
        editor.open(URI, FUNCTION)
        assert await ghost(editor, 1, 4) == "print('🐉 größer 値')"


async def test_retry_after_is_kept_and_then_over(tmp_path) -> None:
    script = Script(text="sum(values)\n", status=429, retry_after="1", fail_times=1, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, model):
        editor.open(URI, "total = ")
        assert await ghost(editor, 0, 8) == ""
        refused = time.monotonic()
        status = await editor.status()
        assert status["state"] == "problem"
        editor.change(URI, 2, (0, 8, 0, 8, "s"))
        await ghost(editor, 0, 9)
        paused = time.monotonic() - refused < 1.0
        assert len(model.generations) == 1 or not paused

        await asyncio.sleep(max(0.0, 1.1 - (time.monotonic() - refused)))
        editor.change(URI, 3, (0, 0, 0, 9, "answer = "))
        assert await ghost(editor, 0, 9) == "sum(values)"
        assert (await editor.status())["state"] == "ready"


async def test_a_stream_that_stalls_is_shown_as_far_as_it_came(tmp_path) -> None:
    text = "first = width\n    second = height\n    third = 3\n"
    script = Script(text=text, token_size=18, stall_after=2, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, model):
        editor.open(URI, FUNCTION)
        assert await ghost(editor, 1, 4) == "first = width\n    second = height"
        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await model.wait_for(lambda fake: fake.in_flight == 0)


async def test_a_document_renamed_in_the_middle_of_a_stream_starts_anew(tmp_path) -> None:
    script = Script(text="sum(values)", endless=True, token_delay=0.05, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, model):
        editor.open(URI, "total = ")
        asked = editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 8))
        await model.wait_for(lambda fake: fake.in_flight == 1)

        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await model.wait_for(lambda fake: fake.in_flight == 0)
        reply = await editor.await_reply(asked)
        assert "error" in reply or not reply["result"]["items"]
        model.configure(endless=False)
        editor.open("file:///w/b.py", "total = ")

        assert await ghost(editor, 0, 8, "file:///w/b.py") == "sum(values)"
