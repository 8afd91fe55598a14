"""Who may switch vectors on: every piece of a workspace goes to a model then."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dragoman import extras
from dragoman.models.diagnosis import check_vectors, diagnose
from dragoman.models.discovery import find_sources
from dragoman.models.manager import ModelManager
from dragoman.settings import load_settings
from tests.support.fake_model import FakeModel, Script


@pytest.mark.parametrize(
    ("user", "project", "trusted", "on"),
    [
        ("", "", False, False),
        ("vectors = true", "", False, True),
        ("", "vectors = true", False, False),
        ("vectors = false", "vectors = true", False, False),
        ("", "vectors = true", True, True),
        ("vectors = true", "vectors = false", False, False),
        ("vectors = true", "vectors = true", False, True),
    ],
)
def test_an_untrusted_project_cannot_switch_them_on(
    tmp_path: Path, user: str, project: str, trusted: bool, on: bool
) -> None:
    (tmp_path / "config.toml").write_text(f"[context]\n{user}\n")
    (tmp_path / "dragoman.toml").write_text(f"[context]\n{project}\n")
    loaded = load_settings(config_file=tmp_path / "config.toml", workspace=tmp_path, environ={}, trusted=trusted)

    assert loaded.settings.context.vectors is on
    refused = [problem.key for problem in loaded.problems]
    assert refused == (["context.vectors"] if "true" in project and not on else [])


@pytest.mark.parametrize(
    ("wanted", "lack"), [(True, "Vectors need apsw. Run: pip"), (True, ""), (False, "Vectors need x. R")]
)
def test_the_doctor_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool, lack: str
) -> None:
    monkeypatch.setattr("dragoman.models.diagnosis.configuration.why_no_vectors", lambda: lack)
    config = tmp_path / "config.toml"
    config.write_text(f"[context]\nvectors = {str(wanted).lower()}\n")
    findings = list(check_vectors(load_settings(config_file=config, environ={})))

    assert [finding.code for finding in findings] == (["no_vectors"] if wanted and lack else [])
    for finding in findings:
        assert finding.sentence == "Vectors need apsw, so nothing is found by its meaning."
        assert finding.advice == "Run: pip"


@pytest.mark.parametrize(("ability", "code"), [("embedding", "role_filled"), ("insert", "no_model")])
async def test_the_doctor_says_who_embeds(tmp_path: Path, ability: str, code: str) -> None:
    script = Script(
        text="x", models=["qwen2.5-coder", "m"], dialects=["ollama"], capabilities=["completion", "insert", ability]
    )
    for wanted in (True, False):
        async with FakeModel(script) as fake:
            config = tmp_path / "config.toml"
            config.write_text(
                f"[context]\nvectors = {str(wanted).lower()}\n[[providers]]\nname = 'o'\nkind = 'ollama'\nbase_url = '{fake.url}'\n"
            )
            loaded = load_settings(config_file=config, environ={})
            manager = ModelManager(find_sources(loaded.settings), {})
            findings = [one async for one in diagnose(loaded, manager, generate=False)]
            await manager.aclose()
        about = [one for one in findings if one.sentence.startswith("embedding:")]

        assert [(one.severity, one.code) for one in about] == (
            [("ok" if code == "role_filled" else "warning", code)] if wanted else []
        )


def test_both_packages_are_named_when_both_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    assert (
        extras.why_no_vectors()
        == f"Vectors need apsw and sqlite-vec. Run: {sys.executable} -m pip install 'dragoman[vectors]'"
    )
