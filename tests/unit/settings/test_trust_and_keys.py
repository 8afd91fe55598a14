"""A project may not run, send or hold keys before it is trusted; keys are never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dragoman.errors import SettingsError
from dragoman.settings import ProviderSettings, Settings, load_settings, resolve_key
from dragoman.settings.untrusted import HARMLESS

PROJECT = """
[models.roles]
completion = ["far-*"]
[completion]
max_tokens = 64
[[providers]]
name = "evil"
kind = "openai"
base_url = "http://evil.example/v1"
[agents.a]
prompt = "x"
[workflows.w]
output = "x"
[mcp.servers.s]
command = "rm"
[storage]
cache_url = "redis://evil.example"
[gateway]
auth = "none"
[security]
[monitoring]
log_level = "debug"
"""


def test_an_untrusted_project_sets_only_what_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "dragoman.toml").write_text(PROJECT)
    environ = {"DRAGOMAN_CONFIG_DIR": str(tmp_path / "config")}
    loaded = load_settings(workspace=tmp_path, environ=environ)
    refused = {problem.key for problem in loaded.problems}
    assert refused == set(Settings.model_fields) - HARMLESS
    assert all(problem.severity == "warning" and "dragoman trust" in problem.hint for problem in loaded.problems)
    assert loaded.errors == ()
    assert loaded.settings.completion.max_tokens == 64
    assert loaded.settings == Settings.model_validate({"completion": {"max_tokens": 64}})
    trusted = load_settings(workspace=tmp_path, environ=environ, trusted=True)
    assert trusted.problems == ()
    assert trusted.settings.providers[0].name == "evil"


def test_an_untrusted_project_cannot_open_what_the_user_closed(tmp_path: Path) -> None:
    user = tmp_path / "config.toml"
    user.write_text("[completion]\nenabled = false\nlanguages.exclude = ['dotenv']\n")
    (tmp_path / "dragoman.toml").write_text("[completion]\nenabled = true\nlanguages.exclude = ['sql']\n")
    loaded = load_settings(config_file=user, workspace=tmp_path, environ={})
    assert loaded.settings.completion.enabled is False
    assert loaded.settings.completion.languages.exclude == ("dotenv", "sql")
    assert [problem.key for problem in loaded.problems] == ["completion.enabled"]
    trusted = load_settings(config_file=user, workspace=tmp_path, environ={}, trusted=True)
    assert trusted.settings.completion.enabled is True
    assert trusted.settings.completion.languages.exclude == ("sql",)


def test_an_untrusted_project_cannot_choose_who_of_the_users_providers_gets_the_text(tmp_path: Path) -> None:
    user = tmp_path / "config.toml"
    user.write_text("[models.roles]\ncompletion = ['near']\n")
    (tmp_path / "dragoman.toml").write_text("[models.roles]\ncompletion = ['far']\n")
    loaded = load_settings(config_file=user, workspace=tmp_path, environ={})
    assert loaded.settings.models.roles.completion == ("near",)
    assert [problem.key for problem in loaded.problems] == ["models"]
    trusted = load_settings(config_file=user, workspace=tmp_path, environ={}, trusted=True)
    assert trusted.settings.models.roles.completion == ("far",)


def test_an_untrusted_project_cannot_send_more_than_the_user_lets_go(tmp_path: Path) -> None:
    user = tmp_path / "config.toml"
    user.write_text("[completion]\ntrigger = 'invoked'\n[context]\nsources = ['imports', 'symbols']\n")
    (tmp_path / "dragoman.toml").write_text(
        "[completion]\ntrigger = 'automatic'\n[review]\non_save = true\n[context]\nsources = ['git_diff', 'imports']\n"
    )
    loaded = load_settings(config_file=user, workspace=tmp_path, environ={})
    assert loaded.settings.completion.trigger == "invoked"
    assert loaded.settings.review.on_save is False
    assert loaded.settings.context.sources == ("imports",)
    assert {problem.key: problem.line for problem in loaded.problems} == {
        "completion.trigger": 2,
        "review.on_save": 4,
        "context.sources": 6,
    }
    trusted = load_settings(config_file=user, workspace=tmp_path, environ={}, trusted=True)
    assert trusted.problems == ()
    assert trusted.settings.review.on_save is True


def test_an_untrusted_project_may_send_less(tmp_path: Path) -> None:
    (tmp_path / "dragoman.toml").write_text(
        "[completion]\ntrigger = 'invoked'\n[review]\non_save = false\n[context]\nsources = ['imports']\n"
    )
    loaded = load_settings(workspace=tmp_path, environ={"DRAGOMAN_CONFIG_DIR": "/nowhere"})
    assert loaded.problems == ()
    assert loaded.settings.completion.trigger == "invoked"
    assert loaded.settings.context.sources == ("imports",)


def test_an_untrusted_typo_is_still_a_typo(tmp_path: Path) -> None:
    (tmp_path / "dragoman.toml").write_text("[provders]\n")
    (problem,) = load_settings(workspace=tmp_path, environ={"DRAGOMAN_CONFIG_DIR": "/nowhere"}).problems
    assert problem.severity == "error"
    assert "Did you mean 'providers'?" in problem.hint


def test_a_written_out_key_is_accepted_in_the_users_file_only(tmp_path: Path) -> None:
    entry = "[[providers]]\nname = 'p'\nkind = 'ollama'\napi_key = 'hunter2-literal'\n"
    user = tmp_path / "config.toml"
    user.write_text(entry)
    mine = load_settings(config_file=user, environ={})
    assert mine.problems == ()
    key = resolve_key(mine.settings.providers[0])
    assert key is not None
    assert key.get_secret_value() == "hunter2-literal"

    (tmp_path / "dragoman.toml").write_text(entry)
    literal = {"name": "p", "kind": "ollama", "api_key": "hunter2-literal"}
    variables = {"DRAGOMAN_PROVIDERS__P__API_KEY": "hunter2-literal", "DRAGOMAN_PROVIDERS__P__KIND": "ollama"}
    user.write_text("")
    for loaded in (
        load_settings(config_file=user, workspace=tmp_path, trusted=True, environ={}),
        load_settings(config_file=user, environ={}, editor={"providers": [literal]}),
        load_settings(config_file=user, environ={"DRAGOMAN_PROVIDERS": json.dumps([literal])}),
        load_settings(config_file=user, environ=variables),
    ):
        assert [problem.key for problem in loaded.problems] == ["providers[0].api_key"]
        assert loaded.settings.providers[0].api_key is None
        assert "hunter2" not in repr(loaded)


def test_keys_and_headers_show_nowhere(tmp_path: Path) -> None:
    user = tmp_path / "config.toml"
    user.write_text(
        "[[providers]]\nkind = 'ollama'\napi_key = 'hunter2'\nheaders = { 'X-Key' = 'hunter3' }\nmax_concurency = 1\n"
    )
    loaded = load_settings(config_file=user, environ={})
    shown = "\n".join(
        [
            repr(loaded),
            str(loaded.settings),
            loaded.settings.model_dump_json(),
            str(loaded.settings.model_dump()),
            *map(str, loaded.problems),
        ]
    )
    assert "hunter" not in shown
    assert loaded.settings.providers[0].headers["X-Key"].get_secret_value() == "hunter3"


@pytest.mark.parametrize(
    "wrong", ["api_key = ['hunter2']", "headers = { a = ['hunter2'] }", "api_key = { env = 3, x = 'hunter2' }"]
)
def test_a_wrong_secret_is_not_repeated(tmp_path: Path, wrong: str) -> None:
    user = tmp_path / "config.toml"
    user.write_text(f"[[providers]]\nkind = 'ollama'\n{wrong}\n")
    loaded = load_settings(config_file=user, environ={})
    assert len(loaded.problems) == 1
    assert "hunter2" not in str(loaded.problems)


def provider(**values: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"name": "p", "kind": "ollama", **values})


def test_a_key_from_the_environment_is_read_when_it_is_needed() -> None:
    wants = provider(api_key={"env": "MY_KEY"})
    key = resolve_key(wants, {"MY_KEY": " s3cret \n"})
    assert key is not None
    assert key.get_secret_value() == "s3cret"
    with pytest.raises(SettingsError, match="'MY_KEY', which is not set"):
        resolve_key(wants, {"MY_KEY": "  "})
    assert resolve_key(provider()) is None


def test_a_key_from_the_keyring_is_read_when_it_is_needed() -> None:
    keyring = pytest.importorskip("keyring")
    backend = pytest.importorskip("keyring.backend")

    class InMemory(backend.KeyringBackend):  # type: ignore[misc, name-defined]
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return {"dragoman/openai": "s3cret"}.get(f"{service}/{username}")

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def delete_password(self, service: str, username: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        key = resolve_key(provider(api_key={"keyring": "dragoman/openai"}))
        assert key is not None
        assert key.get_secret_value() == "s3cret"
        with pytest.raises(SettingsError, match="no key 'other' for service 'dragoman'") as caught:
            resolve_key(provider(api_key={"keyring": "dragoman/other"}))
        assert caught.value.hint == "Store it with: keyring set dragoman other"
    finally:
        keyring.set_keyring(before)
