"""The whole server as a process, an editor at one end and a scripted model server at the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.fake_editor import DRAGOMAN, FakeEditor, editing
from tests.support.fake_model import FakeModel, Script

URI = "file:///w/a.py"
CONFIG = """
[[providers]]
name = "fake"
kind = "{kind}"
base_url = "{url}"
timeouts = {{ connect = 2.0, first_token = 5.0, idle = 5.0, total = 30.0 }}
models = [{{ name = "fake-coder", roles = ["completion"], fim = "qwen" }}]

[completion]
debounce_ms = 0
show_after_ms = 50
"""


@contextlib.asynccontextmanager
async def scene(
    tmp_path: Path, script: Script | None = None, *, config: str = CONFIG, **initialize: Any
) -> AsyncIterator[tuple[FakeEditor, FakeModel]]:
    async with FakeModel(script or Script(text="sum(values)\n", models=["fake-coder"])) as model:
        path = tmp_path / "config.toml"
        path.write_text(config.format(kind="openai", url=f"{model.url}/v1"), encoding="utf-8")
        async with editing(command=[*DRAGOMAN, "--config", str(path)], env=dict(os.environ)) as editor:
            editor.ignored |= {"window/showMessage"}
            await editor.initialize(**initialize)
            yield editor, model


async def ghost(editor: FakeEditor, line: int, character: int, uri: str = URI) -> str:
    items = await editor.inline(uri, line, character)
    return items[0]["insertText"] if items else ""


async def test_ghost_text_comes_from_the_configured_server(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        editor.open(URI, "total = ")

        assert await ghost(editor, 0, 8) == "sum(values)"
        assert model.generations[0].body["model"] == "fake-coder"
        assert (await editor.status())["state"] == "ready"


async def test_typing_through_a_suggestion_asks_once(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        editor.open(URI, "total = ")
        await ghost(editor, 0, 8)
        for index, key in enumerate("sum("):
            editor.change(URI, 2 + index, (0, 8 + index, 0, 8 + index, key))
            assert await ghost(editor, 0, 9 + index) == "sum(values)"[index + 1 :]

        assert len(model.generations) == 1


async def test_a_key_that_does_not_fit_closes_the_model_s_connection(tmp_path) -> None:
    script = Script(text="sum(values) ", endless=True, token_delay=0.05, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, model):
        editor.open(URI, "total = ")
        asked = editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 8))
        await model.wait_for(lambda fake: fake.in_flight == 1)
        editor.change(URI, 2, (0, 8, 0, 8, "x"))

        await model.wait_for(lambda fake: fake.in_flight == 0)
        assert model.generations[0].hung_up
        await editor.await_reply(asked)


@pytest.mark.parametrize("how", ["close", "exit", "kill"])
async def test_the_model_s_connection_ends_with_its_document_and_its_editor(tmp_path, how) -> None:
    script = Script(text="sum(values) ", endless=True, token_delay=0.05, models=["fake-coder"])
    async with FakeModel(script) as model:
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(kind="openai", url=f"{model.url}/v1"), encoding="utf-8")
        editor = await FakeEditor.launch(command=[*DRAGOMAN, "--config", str(path)])
        await editor.initialize()
        editor.open(URI, "total = ")
        editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, 8))
        await model.wait_for(lambda fake: fake.in_flight == 1)
        if how == "close":
            editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        elif how == "exit":
            editor.hang_up()
        else:
            await editor.kill()

        await model.wait_for(lambda fake: fake.in_flight == 0)
        await editor.kill()


async def test_five_thousand_superseded_requests_get_a_reply_each_and_leave_nothing(tmp_path) -> None:
    script = Script(text="value ", token_delay=0.01, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, model):
        editor.open(URI, "")
        await ghost(editor, 0, 0)
        before = (await editor.status())["process"]
        text, asked = "", []
        for number in range(5_000):
            key = "abcdefghij"[number % 10]
            editor.change(URI, 2 + number, (0, len(text), 0, len(text), key))
            text += key
            if len(text) > 60:
                editor.change(URI, 2 + number, "")
                text = ""
            asked.append(editor.request("textDocument/inlineCompletion", editor.inline_params(URI, 0, len(text))))
            if number % 100 == 0:
                await asyncio.sleep(0)
        for request in asked:
            reply = await editor.await_reply(request, seconds=120)
            assert "result" in reply or reply["error"]["code"] in {-32800, -32801, -32802}
        editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await model.wait_for(lambda fake: fake.in_flight == 0)

        # Connections may be kept for the next call; each costs a descriptor, and there is one slot.
        status = await editor.await_status(lambda s: s["process"]["tasks"] <= before["tasks"] + 1)
        assert status["process"]["fds"] <= before["fds"] + 2
        assert status["process"]["threads"] <= before["threads"] + 1
        assert not psutil.Process(editor.process.pid).children()
        assert model.max_in_flight <= 2


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(status=500, models=["fake-coder"]), "500"),
        (Script(status=401, models=["fake-coder"]), "key"),
        (Script(status=429, retry_after="60", models=["fake-coder"]), "60"),
        (Script(text="a b c d e f", cut_after=1, models=["fake-coder"]), ""),
        (Script(text="a b c d e f", garbage_after=1, models=["fake-coder"]), ""),
        (Script(text="a b c d e f", invalid_utf8_after=1, models=["fake-coder"]), ""),
    ],
    ids=["500", "401", "429", "cut", "garbage", "invalid utf-8"],
)
async def test_a_failing_server_is_quiet_in_the_text_and_clear_in_the_status(tmp_path, script, says) -> None:
    async with scene(tmp_path, script) as (editor, _model):
        editor.open(URI, "zq")

        assert await ghost(editor, 0, 2) in {"", "a"}
        if says:
            status = await editor.status()
            assert status["state"] == "problem"
            assert says in status["sentence"]


async def test_a_silent_server_ends_in_a_reply_and_a_sentence(tmp_path) -> None:
    config = CONFIG.replace("first_token = 5.0", "first_token = 0.5")
    async with scene(tmp_path, Script(silent=True, models=["fake-coder"]), config=config) as (editor, _):
        editor.open(URI, "zq")

        assert await ghost(editor, 0, 2) == ""
        assert "first" in (await editor.status())["sentence"]


async def test_a_server_that_comes_up_later_is_found(tmp_path) -> None:
    async with FakeModel(Script(text="sum(values)\n", models=["fake-coder"])) as model:
        port = model.port
        url = f"{model.url}/v1"
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(kind="openai", url=url), encoding="utf-8")
    async with editing(command=[*DRAGOMAN, "--config", str(path)]) as editor:
        editor.ignored |= {"window/showMessage"}
        await editor.initialize()
        editor.open(URI, "total = ")
        assert await ghost(editor, 0, 8) == ""
        assert (await editor.status())["state"] == "problem"

        revived = FakeModel(Script(text="sum(values)\n", models=["fake-coder"]))
        await revived.start(port)
        try:
            deadline = time.monotonic() + 60
            while await ghost(editor, 0, 8) != "sum(values)":
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)
        finally:
            await revived.aclose()


async def test_without_any_model_one_message_says_how_to_get_one_and_identifiers_are_completed(tmp_path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[[providers]]\nname = "own"\nkind = "embedded"\n', encoding="utf-8")
    async with editing(command=[*DRAGOMAN, "--config", str(config)]) as editor:
        await editor.initialize()
        message = await editor.await_notification("window/showMessage")
        assert "model" in message["message"]
        editor.open(URI, "calculate_total = 1\nprint(calc)")

        assert await ghost(editor, 1, 10) == "ulate_total"
        assert (await editor.status())["reason"] == "no_model"


async def test_a_wrong_setting_is_named_and_the_rest_still_works(tmp_path) -> None:
    config = CONFIG + "\n[contxt]\nmax_tokens = 1\n"
    async with scene(tmp_path, config=config) as (editor, _):
        editor.ignored.discard("window/showMessage")
        message = await editor.await_notification("window/showMessage")
        assert "contxt" in message["message"]
        assert "context" in message["message"]
        editor.open(URI, "total = ")

        assert await ghost(editor, 0, 8) == "sum(values)"


async def test_settings_are_followed_while_the_server_runs(tmp_path) -> None:
    async with scene(tmp_path) as (editor, _):
        editor.open(URI, "total = ")
        assert await ghost(editor, 0, 8) == "sum(values)"
        path = tmp_path / "config.toml"
        path.write_text(path.read_text() + "enabled = false\n", encoding="utf-8")
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": path.as_uri(), "type": 2}]})
        await editor.await_status(lambda status: status["state"] == "off")

        assert await ghost(editor, 0, 8) == ""


async def test_a_ten_megabyte_line_a_binary_file_and_keys_are_left_alone(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        editor.open("file:///w/big.js", "x" * 10_000_000, language="javascript")
        for number in range(20):
            editor.change("file:///w/big.js", 2 + number, (0, 5_000_000, 0, 5_000_000, "y"))
            assert await ghost(editor, 0, 5_000_001, "file:///w/big.js") == ""
        await editor.await_status(lambda status: status["reason"] == "too_large")
        editor.open("file:///w/a.bin", "\x7fELF\0\0\0\nabc", language="python")
        assert await ghost(editor, 1, 3, "file:///w/a.bin") == ""
        await editor.await_status(lambda status: status["reason"] == "binary")

        assert not model.generations


async def test_the_popup_s_menu_gets_the_same_suggestion(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        editor.open(URI, "total = ")
        params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 8}}
        items: list[Any] = []
        deadline = time.monotonic() + 60
        while not items:
            assert time.monotonic() < deadline
            result = await editor.call("textDocument/completion", params)
            assert result["isIncomplete"] is True
            items = result["items"]

        assert "sum(values)" in (items[0].get("textEdit", {}).get("newText") or items[0].get("insertText"))
        assert len(model.generations) == 1


async def test_commands_of_later_versions_are_clean_errors(tmp_path) -> None:
    async with scene(tmp_path) as (editor, _):
        error = await editor.call_error(
            "workspace/executeCommand", {"command": "dragoman.review", "arguments": [{"uri": URI}]}
        )

        assert "review" in error["message"]
        assert "Traceback" not in str(error)


async def test_weights_with_a_wrong_hash_are_named_and_never_loaded(tmp_path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf").write_bytes(b"GGUF" + bytes(1_000))
    config = tmp_path / "config.toml"
    config.write_text('[[providers]]\nname = "own"\nkind = "embedded"\n', encoding="utf-8")
    env = {**os.environ, "DRAGOMAN_DATA_DIR": str(tmp_path)}
    async with editing(command=[*DRAGOMAN, "--config", str(config)], env=env) as editor:
        editor.ignored |= {"window/showMessage"}
        await editor.initialize()
        editor.open(URI, "calculate_total = 1\nprint(calc)")

        assert await ghost(editor, 1, 10) == "ulate_total"
        status = await editor.await_status(lambda status: status["reason"] != "loading")
        assert status["state"] == "problem"
        assert "SHA-256" in status["sentence"]
        assert "dragoman models pull" in status["advice"]
        assert not psutil.Process(editor.process.pid).children()
