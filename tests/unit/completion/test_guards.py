"""What never goes to a model on another machine: files of keys and what the project ignores, by whatever name it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.guards import refuse_for_target
from dragoman.completion.policy import CompletionPolicy
from tests.support.scripted import OneTarget, ScriptedModel, query_at


def refusal(uri: str, ignored: str = "/nothing/"):
    return refuse_for_target(query_at("x‸", uri=uri), remote=True, is_ignored=lambda uri: ignored in uri)


def test_what_the_project_ignores_is_refused_and_says_why() -> None:
    outcome = refusal("file:///w/build/out.py", ignored="/build/")

    assert outcome is not None
    assert outcome.reason == "ignored_file"
    assert "'out.py' is ignored" in outcome.detail
    assert refusal("file:///w/src/out.py", ignored="/build/") is None


@pytest.mark.parametrize(
    "uri", ["file:///w/.ENV", "file:///w/a%20b/.env.local", "untitled:.npmrc", "file:///home/u/.ssh/config"]
)
def test_a_file_of_keys_is_refused_under_every_address(uri: str) -> None:
    outcome = refusal(uri)

    assert outcome is not None
    assert "file of keys" in outcome.detail


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "ignored").mkdir()
    (tmp_path / "ignored" / "data.py").write_text("")
    (tmp_path / ".env").write_text("")
    for name, target in (("a.py", "ignored/data.py"), ("b.py", ".env")):
        (tmp_path / name).symlink_to(tmp_path / target)

    by_link = refusal((tmp_path / "a.py").as_uri(), ignored="/ignored/")
    assert by_link is not None
    assert "ignored in this project" in by_link.detail
    keys = refusal((tmp_path / "b.py").as_uri())
    assert keys is not None
    assert "file of keys" in keys.detail


async def test_a_local_model_reads_what_is_ignored_and_a_remote_one_is_never_asked() -> None:
    model = ScriptedModel(["x"])
    for is_local, calls in ((False, 0), (True, 1)):
        engine = CompletionEngine(OneTarget(model, is_local=is_local), CompletionPolicy(debounce=0.0))
        engine.is_ignored = lambda uri: uri.endswith("/a.py")
        outcome = await engine.suggest(query_at("value = ‸"))
        await engine.aclose()
        assert len(model.calls) == calls
        assert (outcome.reason == "ignored_file") is not is_local
