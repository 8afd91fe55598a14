"""What reaches the model of a workspace's other files: the whole server, its index's process, and a scripted model."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from dragoman.models import tokenizers
from tests.support.fake_editor import DRAGOMAN, FakeEditor, editing
from tests.support.fake_model import FakeModel, Script

CONFIG = """
[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
models = [{{ name = "fake-coder", roles = ["completion"], fim = "{fim}" }}]

[completion]
debounce_ms = 0
show_after_ms = 50
{more}
"""
PATIENCE_S = 30.0

SHELF = '''\
class Shelf:
    """Holds books."""

    def lend_volume(self, reader: str, weeks: int = 3) -> bool:
        """Lend one to a reader."""
        return bool(reader) and weeks > 0
'''
DESK = "from library.shelf import Shelf\n\n\ndef serve(shelf: Shelf) -> None:\n    "


class Scene:
    """An editor in a workspace, and the model behind it."""

    def __init__(self, editor: FakeEditor, model: FakeModel, root: Path) -> None:
        self.editor = editor
        self.model = model
        self.root = root
        self._asked = 0

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    def open(self, path: str, text: str) -> None:
        self.editor.open(self.uri(path), text, language="python")

    async def indexed(self) -> dict[str, Any]:
        """Wait until the index is complete and return what it says of itself."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status = await self.status()
                found = (status["context"] or {}).get("indexes")
                if found and found[0]["state"] == "ready":
                    return dict(found[0])
                await asyncio.sleep(0.05)

    async def status(self) -> dict[str, Any]:
        arguments = {"command": "dragoman.status", "arguments": [{}]}
        return dict(await self.editor.call("workspace/executeCommand", arguments))

    async def prompt(self, path: str, line: int, character: int) -> str:
        """Ask by key where nothing was asked before, and return what the model read."""
        before = len(self.model.generations)
        await self.editor.inline(self.uri(path), line, character)
        assert len(self.model.generations) == before + 1
        return str(self.model.generations[-1].body["prompt"])

    async def prompt_with(self, path: str, line: int, text: str, wanted: Callable[[str], bool]) -> str:
        """Type one new line after the other until the prompt is as wanted: the index hears of changes in its own time."""
        async with asyncio.timeout(PATIENCE_S):
            version = 100
            while True:
                version += 1
                self._asked += 1
                new = f"{text}v{self._asked} = "
                change = FakeEditor.change_message(self.uri(path), version, (line, 0, line, 999, new))
                self.editor.send(change)
                prompt = await self.prompt(path, line, len(new))
                if wanted(prompt):
                    return prompt
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def scene(
    tmp_path: Path, files: dict[str, str], *, fim: str = "qwen", more: str = "", **initialize: Any
) -> AsyncIterator[Scene]:
    root = (tmp_path / "project").resolve()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    async with FakeModel(Script(text="zzz_never(1)\n", models=["fake-coder"])) as model:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(url=model.url, fim=fim, more=more), encoding="utf-8")
        env = {**os.environ, "DRAGOMAN_CACHE_DIR": str(tmp_path / "cache")}
        async with editing(command=[*DRAGOMAN, "--config", str(config)], env=env) as editor:
            editor.ignored |= {"window/showMessage"}
            folders = [{"uri": root.as_uri(), "name": "project"}]
            await editor.initialize(workspaceFolders=folders, **initialize)
            yield Scene(editor, model, root)


def index_processes(editor: FakeEditor) -> list[psutil.Process]:
    """Return the index's processes below a server."""
    found = []
    for process in psutil.Process(editor.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("dragoman-index" in part for part in process.cmdline()):
                found.append(process)
    return found


FILES = {"library/__init__.py": "", "library/shelf.py": SHELF, "library/desk.py": DESK, "pyproject.toml": ""}


async def test_members_of_an_imported_class_stand_before_the_file_in_the_familys_own_frame(tmp_path) -> None:
    async with scene(tmp_path, FILES) as one:
        one.open("library/desk.py", DESK)
        prompt = await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "lend_volume" in prompt)

        assert prompt.startswith("<|repo_name|>project\n<|file_sep|>library/shelf.py\n")
        assert "    def lend_volume(self, reader: str, weeks: int = 3) -> bool" in prompt
        assert f"<|file_sep|>library/desk.py\n<|fim_prefix|>{DESK}" in prompt


async def test_a_family_without_frames_gets_comments(tmp_path) -> None:
    async with scene(tmp_path, FILES, fim="deepseek") as one:
        one.open("library/desk.py", DESK)
        prompt = await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "lend_volume" in prompt)

        assert "# Path: library/shelf.py\n# class Shelf" in prompt
        assert "#     def lend_volume(self, reader: str, weeks: int = 3) -> bool" in prompt


async def test_an_unsaved_document_counts_before_its_file(tmp_path) -> None:
    async with scene(tmp_path, FILES) as one:
        one.open("library/desk.py", DESK)
        one.open("library/shelf.py", SHELF)
        await one.indexed()
        line = SHELF.split("\n").index("    def lend_volume(self, reader: str, weeks: int = 3) -> bool:")
        change = (line, 0, line, 999, "    def lend_atlas(self, pages: int) -> bool:")
        one.editor.send(FakeEditor.change_message(one.uri("library/shelf.py"), 2, change))

        def only_new(prompt: str) -> bool:
            return "lend_atlas" in prompt and "lend_volume" not in prompt

        prompt = await one.prompt_with("library/desk.py", 4, "    ", only_new)

        assert "lend_atlas(self, pages: int) -> bool" in prompt
        assert "lend_volume(self" in (one.root / "library/shelf.py").read_text(encoding="utf-8")


async def test_a_file_changed_on_disk_is_read_again(tmp_path) -> None:
    async with scene(tmp_path, FILES) as one:
        one.open("library/desk.py", DESK)
        await one.indexed()
        (one.root / "library/shelf.py").write_text(SHELF.replace("lend_volume", "lend_globe"), encoding="utf-8")
        changes = {"changes": [{"uri": one.uri("library/shelf.py"), "type": 2}]}
        one.editor.notify("workspace/didChangeWatchedFiles", changes)

        await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "def lend_globe(" in prompt)


@pytest.mark.parametrize("ignore", [".gitignore", ".dragomanignore"])
async def test_an_ignored_file_is_never_read(tmp_path, ignore) -> None:
    secret = "class Vault:\n    def open_sesame(self) -> str: ...\n"
    files = {**FILES, "library/vault.py": secret, ignore: "vault.py\n", ".git/HEAD": "ref: refs/heads/main\n"}
    text = "from library.vault import Vault\nfrom library.shelf import Shelf\n\nshelf, vault = Shelf(), Vault()\n"
    async with scene(tmp_path, {**files, "library/desk.py": text}) as one:
        one.open("library/desk.py", text)
        await one.indexed()

        prompt = await one.prompt_with("library/desk.py", 4, "", lambda prompt: "lend_volume" in prompt)

        assert "open_sesame" not in prompt


@pytest.mark.parametrize("more", ["[context]\ncompletion_tokens = 0", "[context]\nsources = []"])
async def test_without_context_there_is_no_index(tmp_path, more) -> None:
    async with scene(tmp_path, FILES, more=more) as one:
        one.open("library/desk.py", DESK)

        prompt = await one.prompt("library/desk.py", 4, 4)

        assert prompt.startswith("<|fim_prefix|>")
        assert not index_processes(one.editor)


async def test_the_budget_bounds_all_other_files_together(tmp_path) -> None:
    methods = "".join(f"    def shelve_number_{n}(self, reader: str, weeks: int) -> bool: ...\n" for n in range(200))
    files = {**FILES, "library/shelf.py": f"class Shelf:\n{methods}"}
    async with scene(tmp_path, files, more="[context]\ncompletion_tokens = 200") as one:
        one.open("library/desk.py", DESK)
        await one.indexed()

        prompt = await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "shelve_number_" in prompt)

        text = re.sub(r"<\|\w+\|>[^\n]*\n", "", prompt.partition("<|fim_prefix|>")[0])
        assert 100 < tokenizers.count(text) <= 200


async def test_the_index_ends_with_its_server(tmp_path) -> None:
    async with scene(tmp_path, FILES) as one:
        one.open("library/desk.py", DESK)
        await one.indexed()
        processes = index_processes(one.editor)
        assert processes

        one.editor.process.kill()

        _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=PATIENCE_S)
        assert not alive


async def test_a_killed_index_is_started_again_and_knows_what_is_open(tmp_path) -> None:
    async with scene(tmp_path, FILES) as one:
        one.open("library/desk.py", DESK)
        one.open("library/shelf.py", SHELF)
        await one.indexed()
        change = (5, 0, 5, 0, "        return True\n\n    def lend_atlas(self, pages: int) -> bool:\n")
        one.editor.send(FakeEditor.change_message(one.uri("library/shelf.py"), 2, change))
        await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "lend_atlas" in prompt)
        for process in index_processes(one.editor):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

        await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "lend_atlas" in prompt)


async def test_a_workspace_that_cannot_be_read_leaves_completion_as_it_is(tmp_path) -> None:
    async with scene(tmp_path, {"pyproject.toml": ""}) as one:
        (one.root / "pyproject.toml").unlink()
        one.root.rmdir()
        one.open("desk.py", "total = ")

        assert (await one.prompt("desk.py", 0, 8)).endswith("<|fim_prefix|>total = <|fim_suffix|><|fim_middle|>")


async def test_the_same_line_keeps_its_context_to_the_byte(tmp_path) -> None:
    """A server that caches by prefix reads the context once a line."""
    async with scene(tmp_path, FILES) as one:
        one.open("library/desk.py", DESK)
        first = await one.prompt_with("library/desk.py", 4, "    ", lambda prompt: "lend_volume" in prompt)
        heads = {first.partition("<|fim_prefix|>")[0]}
        at = len(first.partition("<|fim_suffix|>")[0].rpartition("\n")[2])
        for version, key in enumerate("quvw", 1_000):
            one.editor.send(FakeEditor.change_message(one.uri("library/desk.py"), version, (4, at, 4, 999, key)))
            at += 1
            prompt = await one.prompt("library/desk.py", 4, at)
            heads.add(prompt.partition("<|fim_prefix|>")[0])

        assert len(heads) == 1
