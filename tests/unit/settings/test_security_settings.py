"""Redaction is on until the user's own file says otherwise, whatever a project, an editor or a variable says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dragoman.settings import Settings, load_settings
from dragoman.settings.export import json_schema, vscode_configuration

OFF = "[security]\nredact = false\n"


def test_redaction_is_on_and_the_users_own_file_can_switch_it_off(tmp_path: Path) -> None:
    user = tmp_path / "config.toml"
    assert Settings().security.redact is True
    user.write_text(OFF)
    loaded = load_settings(config_file=user, environ={})
    assert loaded.problems == ()
    assert loaded.settings.security.redact is False


@pytest.mark.parametrize("trusted", [True, False])
def test_a_project_cannot_even_when_it_is_trusted(tmp_path: Path, trusted: bool) -> None:
    (tmp_path / "dragoman.toml").write_text(OFF)
    loaded = load_settings(workspace=tmp_path, environ={"DRAGOMAN_CONFIG_DIR": "/nowhere"}, trusted=trusted)

    assert loaded.settings.security.redact is True
    (problem,) = loaded.problems
    assert "security" in problem.key
    assert problem.line in {1, 2}


@pytest.mark.parametrize("value", [False, "false", 0, None])
def test_nor_can_an_editor_a_variable_or_a_flag(value: object) -> None:
    nowhere = {"DRAGOMAN_CONFIG_DIR": "/nowhere"}
    for loaded in (
        load_settings(environ=nowhere, editor={"security": {"redact": value}}),
        load_settings(environ=nowhere, editor={"security.redact": value}),
        load_settings(environ={**nowhere, "DRAGOMAN_SECURITY__REDACT": str(value).lower()}),
        load_settings(environ=nowhere, flags={"security": {"redact": value}}),
    ):
        assert loaded.settings.security.redact is True
        if value is not None:
            assert [problem.key for problem in loaded.problems] == ["security.redact"]
            assert "own settings file" in loaded.problems[0].message


def test_everybody_may_ask_for_what_is_on_anyway(tmp_path: Path) -> None:
    (tmp_path / "dragoman.toml").write_text("[security]\nredact = true\n")
    loaded = load_settings(workspace=tmp_path, environ={"DRAGOMAN_CONFIG_DIR": "/nowhere"}, trusted=True)

    assert loaded.problems == ()
    assert loaded.settings.security.redact is True


@pytest.mark.parametrize(
    ("written", "said"), [("(", "unterminated"), ("[", "unterminated"), ("x*", "must not match an empty text")]
)
def test_a_pattern_that_is_none_is_named(tmp_path: Path, written: str, said: str) -> None:
    user = tmp_path / "config.toml"
    user.write_text(f"[security]\nredact_extra = ['{written}']\n")
    loaded = load_settings(config_file=user, environ={})

    (problem,) = loaded.problems
    assert problem.key == "security.redact_extra"
    assert said in problem.message
    assert loaded.settings.security.redact_extra == ()
    assert loaded.settings.security.redact is True


def test_vs_code_lets_no_untrusted_folder_set_anything() -> None:
    """Its manifest, as it is shipped: providers and commands are the user's alone, all else waits for trust."""
    manifest = json.loads((Path(__file__).parents[3] / "vscode-client" / "package.json").read_text(encoding="utf-8"))
    restricted = set(manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    scopes = {
        key: entry["scope"]
        for section in manifest["contributes"]["configuration"]
        for key, entry in section["properties"].items()
    }

    for key in (
        "providers",
        "mcp.servers",
        "agents",
        "workflows",
        "server.command",
        "server.arguments",
        "security.redact_extra",
    ):
        assert scopes[f"dragoman.{key}"] == "machine"
    open_to_all = {key for key, scope in scopes.items() if scope != "machine" and key not in restricted}
    assert open_to_all == {"dragoman.trace.server"}
    assert "dragoman.models.roles.completion" in restricted


def test_vs_code_offers_the_patterns_to_the_user_only_and_no_switch() -> None:
    properties = vscode_configuration()

    assert "dragoman.security.redact" not in properties
    assert properties["dragoman.security.redact_extra"]["scope"] == "machine"
    assert "redact" in json_schema()["$defs"]["SecuritySettings"]["properties"]
