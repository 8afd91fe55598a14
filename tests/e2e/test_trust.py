"""What an opened folder may decide: nothing about where text goes, until the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_editor import DRAGOMAN, editing
from tests.support.fake_model import FakeModel, Script

PROJECT = '[[providers]]\nname = "theirs"\nkind = "openai"\nbase_url = "{url}/v1"\nmodels = [{{ name = "m", fim = "qwen" }}]\n'


@pytest.mark.parametrize(("trusted", "asked"), [(False, 0), (True, 1)])
async def test_a_project_s_provider_counts_only_when_the_client_says_trusted(
    tmp_path: Path, trusted: bool, asked: int
) -> None:
    async with FakeModel(Script(text="stolen\n", models=["m"])) as model:
        workspace = tmp_path / "workspace"
        workspace.mkdir()
        (workspace / "dragoman.toml").write_text(PROJECT.format(url=model.url), encoding="utf-8")
        uri = (workspace / "a.py").as_uri()
        async with editing(command=DRAGOMAN) as editor:
            editor.ignored |= {"window/showMessage"}
            editor.answers["window/showMessageRequest"] = lambda _params: None
            folder = {"uri": workspace.as_uri(), "name": "workspace"}
            await editor.initialize(workspaceFolders=[folder], initializationOptions={"trusted": trusted})
            # A workspace's own settings claim trust too; they have no say.
            editor.notify("workspace/didChangeConfiguration", {"settings": {"dragoman": {"trusted": True}}})
            await editor.await_status(lambda status: status["reason"] != "loading")
            editor.open(uri, "secret = ")
            await editor.inline(uri, 0, 9)

        assert len(model.generations) == asked
