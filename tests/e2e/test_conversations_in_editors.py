"""Conversations and answers through the language server: who may ask when, what ends, and what stays on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.assistance.attachments import STAYS
from tests.support.agent_scene import CART
from tests.support.desk import desk
from tests.support.fake_model import FakeModel, Script

FAR = """
[[providers]]
name = "far"
kind = "openai"
base_url = "http://models.invalid/v1"
proxy = "URL"
models = [{ name = "far-chat", roles = ["chat"], tools = true, context_window = 16384 }]
"""


@pytest.mark.parametrize("name", ["explain", "runAgent", "chat"])
async def test_a_request_that_is_cancelled_while_its_document_is_opened_leaves_no_run(
    tmp_path: Path, name: str
) -> None:
    script = Script(text="word ", endless=True, token_delay=0.01, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False) as (at, model, root):
        uri = (root / "cart.py").as_uri()
        at.open(uri, CART)
        show = at.editor.answers.pop("window/showDocument")
        argument = {"uri": uri, "agent": "assistant", "task": "Look.", "text": "Look."}
        asked = at.editor.request("workspace/executeCommand", at.editor.command_params(f"dragoman.{name}", argument))
        await at.editor.await_request("window/showDocument")
        await model.wait_for(lambda _: len(model.generations) == 1)
        at.editor.notify("$/cancelRequest", {"id": asked})
        assert "error" in await at.editor.await_reply(asked)
        await model.wait_for(lambda _: model.generations[0].hung_up)
        if name == "chat":
            # The conversation goes on.
            at.editor.answers["window/showDocument"] = show
            model.script.text, model.script.endless = "Here.", False
            (kept,) = (await at.command("conversations"))["conversations"]
            run = (await at.command("chat", text="And now?", conversationId=kept["id"]))["runId"]
            assert (await at.ended(run))[-1]["output"] == "Here."
        at.editor.ignored |= {"dragoman/runEvent"}


async def test_of_two_questions_at_once_in_one_conversation_one_is_answered(tmp_path: Path) -> None:
    async with desk(tmp_path, Script(text="Fine.", token_delay=0.05, models=["fake-chat"])) as (at, model, root):
        uri = (root / "talk.chat.md").as_uri()
        at.open(uri, "How are you?\n", language="markdown")
        first = await at.command("chat", text="Hello.")
        await at.ended(first["runId"])
        chat = {"text": "How are you?", "conversationId": first["conversationId"]}
        for name, argument in (("chat", chat), ("ask", {"uri": uri})):
            params = at.editor.command_params(f"dragoman.{name}", argument)
            asked = [at.editor.request("workspace/executeCommand", params) for _ in range(2)]
            answered, refused = [await at.editor.await_reply(one) for one in asked]
            assert "still being answered" in refused["error"]["message"]
            assert (await at.ended(answered["result"]["runId"]))[-1]["output"] == "Fine."
        assert len(model.generations) == 3
        kept = await at.command("conversations", id=first["conversationId"])
        assert [one["role"] for one in kept["messages"]] == ["user", "assistant"] * 2
        await at.settles(
            lambda: at.texts[uri].endswith("## Dragoman\n\nFine.\n\n## You\n\n"), "the document is answered"
        )


async def test_what_a_model_here_was_shown_is_not_read_by_one_elsewhere(tmp_path: Path) -> None:
    here = Script(text="It says bluewhale.", models=["fake-chat"])
    async with (
        FakeModel(Script(text="Fine.", models=["far-chat"])) as far,
        desk(tmp_path, here, settings=FAR.replace("URL", far.url)) as (at, near, root),
    ):
        (root / ".env").write_text("GREETING=bluewhale\n")
        first = await at.command("chat", text="What is in @.env and @cart.py ?", model="fake-chat")
        await at.ended(first["runId"])
        for name, model in (("far-chat", far), ("fake-chat", near)):
            chat = {"text": "And how are you?", "conversationId": first["conversationId"], "model": name}
            await at.ended((await at.command("chat", **chat))["runId"])
            read = str(model.generations[-1].body)
            assert ("bluewhale" in read) is (model is near)
            assert "def total(items)" in read
        assert len(far.generations) == 1


async def test_an_answer_from_a_file_that_a_tool_has_read_here_is_not_read_elsewhere(tmp_path: Path) -> None:
    here = Script(text="It says bluewhale.", models=["fake-chat"])
    async with (
        FakeModel(Script(text="Fine.", models=["far-chat"])) as far,
        desk(tmp_path, here, settings=FAR.replace("URL", far.url)) as (at, near, root),
    ):
        (root / ".env").write_text("GREETING=bluewhale\n")
        (root / ".gitignore").write_text("notes/\n")
        (root / "notes").mkdir()
        (root / "notes/mine.md").write_text("bluewhale\n")
        for path in (".env", "notes/mine.md"):
            near.script.tool_calls = [{"name": "read_file", "arguments": {"path": path}}]
            first = await at.command("chat", text="What is the greeting?", model="fake-chat")
            events = await at.ended(first["runId"])
            assert "bluewhale" in str([one["result"] for one in events if one["type"] == "tool_result"])
            near.script.tool_calls = []
            before = len(far.generations)
            # The second one has what the first was told in its own conversation.
            for name, model in (("fake-chat", near), ("far-chat", far)):
                chat = {"text": "Say it again.", "conversationId": first["conversationId"], "model": name}
                await at.ended((await at.command("chat", **chat))["runId"])
                assert ("bluewhale" in str(model.generations[-1].body)) is (model is near)
            assert len(far.generations) == before + 1
            kept = await at.command("conversations", id=first["conversationId"])
            answers = [one["content"] for one in kept["messages"] if one["role"] == "assistant"]
            assert [STAYS in one for one in answers] == [True, True, False]


async def test_a_chat_document_says_which_answer_stays_here_before_anything_of_it(tmp_path: Path) -> None:
    answer = "One.\n\n## Dragoman\n\nBluewhale.\n\n## You\n\nBluewhale.\n"
    here = Script(text=answer, models=["fake-chat"])
    near, both = '[agents.assistant]\nmodel = "fake-chat"\n', FAR
    async with (
        FakeModel(Script(text="Fine.", models=["far-chat"])) as far,
        desk(tmp_path, here, rich=False, settings=near + both.replace("URL", far.url)) as (at, model, root),
    ):
        at.editor.ignored |= {"dragoman/runEvent"}
        (root / ".env").write_text("GREETING=bluewhale\n")
        model.script.tool_calls = [{"name": "read_file", "arguments": {"path": ".env"}}]
        uri = (root / "talk.chat.md").as_uri()
        at.open(uri, "What is the greeting?\n", language="markdown")
        await at.ended((await at.command("ask", uri=uri))["runId"])
        said = f"{STAYS}\n\nOne.\n\n### Dragoman\n\nBluewhale.\n\n### You\n\nBluewhale.\n\n## You\n\n"
        await at.settles(lambda: at.texts[uri].endswith(said), "the answer has its note, and its headings are its own")
        # The chat's document, for editors without a view, is one too.
        first = await at.command("chat", text="What is the greeting?", model="fake-chat")
        await at.ended(first["runId"])
        await at.settles(lambda: "### You" in at.texts[at.shown[0]], "it is answered in a document")
        texts = [at.texts[uri], at.texts[at.shown[0]] + "\n## You\n\n"]
        config = tmp_path / "config.toml"
        config.write_text(config.read_text().replace('"fake-chat"\n', '"far-chat"\n', 1))
        at.editor.notify("workspace/didChangeConfiguration", {"settings": {}})
        for number, text in enumerate(texts):
            document = (root / f"far{number}.chat.md").as_uri()
            at.open(document, f"{text}Say it again.\n", language="markdown")
            await at.ended((await at.command("ask", uri=document))["runId"])
            read = far.generations[-1].body["messages"]
            assert "luewhale" not in str(read).replace("GREETING", "")
            assert read[-1]["content"] == "Say it again."
        document = (root / "lost.chat.md").as_uri()
        at.open(document, texts[0].replace("## Dragoman\n", "", 1).removesuffix("## You\n\n"), language="markdown")
        params = at.editor.command_params("dragoman.ask", {"uri": document})
        refused = await at.editor.await_reply(at.editor.request("workspace/executeCommand", params))
        assert "stays on this machine" in refused["error"]["message"]


async def test_an_answer_that_is_broken_off_says_that_it_stays_here(tmp_path: Path) -> None:
    calls = [{"name": "read_file", "arguments": {"path": ".env"}}]
    script = Script(text="Bluewhale.\n", endless=True, token_delay=0.01, tool_calls=calls, models=["fake-chat"])
    async with desk(tmp_path, script, rich=False) as (at, _, root):
        at.editor.ignored |= {"dragoman/runEvent"}
        (root / ".env").write_text("GREETING=bluewhale\n")
        uri = (root / "talk.chat.md").as_uri()
        at.open(uri, "What is the greeting?\n", language="markdown")
        await at.command("ask", uri=uri)
        await at.settles(lambda: "Bluewhale" in at.texts[uri], "it is being answered")
        assert STAYS in at.texts[uri].partition("Bluewhale")[0]


async def test_what_is_reported_of_key_files_is_told_to_models_here_only(tmp_path: Path) -> None:
    here = Script(text="It is unknown.", models=["fake-chat"])
    async with (
        FakeModel(Script(text="Fine.", models=["far-chat"])) as far,
        desk(tmp_path, here, settings=FAR.replace("URL", far.url)) as (at, near, root),
    ):
        key = "GREETING=bluewhale\n"
        for path, text in ((root / ".env", key), (root / "cart.py", CART), (tmp_path / ".netrc", key)):
            path.write_text(text)
            at.open(path.as_uri(), text)
            said = {"line": 0, "message": f"unknown word in {text[:20]}", "severity": 3}
            at.editor.notify("dragoman/diagnostics", {"uri": path.as_uri(), "diagnostics": [said]})
        chat = {"text": "What of @diagnostics ?", "model": "far-chat"}
        await at.ended((await at.command("chat", **chat))["runId"])
        far.script.tool_calls = [{"name": "diagnostics", "arguments": {}}]
        await at.ended((await at.command("chat", **chat | {"text": "What is wrong?"}))["runId"])
        first = await at.command("chat", **chat | {"model": "fake-chat"})
        await at.ended(first["runId"])
        assert "bluewhale" in str(near.generations[-1].body)
        far.script.tool_calls = []
        again = {"text": "Say it again.", "model": "far-chat", "conversationId": first["conversationId"]}
        await at.ended((await at.command("chat", **again))["runId"])
        read = str([one.body for one in far.generations])
        assert "bluewhale" not in read
        assert "unknown word in def total" in read
        assert "It is unknown." not in read


async def test_a_selection_is_judged_by_the_folder_that_it_is_in(tmp_path: Path) -> None:
    """The second folder, which comes at the very start, ignores a file; the first has an innocent one of that name."""
    here = Script(text="Fine.", models=["fake-chat"])
    async with (
        FakeModel(Script(text="Fine.", models=["far-chat"])) as far,
        desk(tmp_path, here, settings=FAR.replace("URL", far.url)) as (at, near, root),
    ):
        other = tmp_path / "other"
        other.mkdir()
        (other / ".gitignore").write_text("notes.txt\n")
        for folder, text in ((root, "plain\n"), (other, "bluewhale\n")):
            (folder / "notes.txt").write_text(text)
        added = [{"uri": other.as_uri(), "name": "other"}]
        at.editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": added, "removed": []}})
        uri = (other / "notes.txt").as_uri()
        at.open(uri, "bluewhale\n", language="text")
        place = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 9}}
        chat = {"text": "What is it?", "uri": uri, "range": place}
        params = at.editor.command_params("dragoman.chat", chat | {"model": "far-chat"})
        refused = await at.editor.await_reply(at.editor.request("workspace/executeCommand", params))
        assert "is ignored in this project" in refused["error"]["message"]
        first = await at.command("chat", **chat, model="fake-chat")
        await at.ended(first["runId"])
        assert "bluewhale" in str(near.generations[-1].body)
        again = {"text": "Again.", "conversationId": first["conversationId"], "model": "far-chat"}
        await at.ended((await at.command("chat", **again))["runId"])
        assert "bluewhale" not in str(far.generations[-1].body)
