"""Each layer is read, later ones win, and what is wrong is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dragoman.errors import SettingsError
from dragoman.settings import LoadedSettings, Settings, changed_files, load_settings


def load(tmp_path: Path, user: str = "", project: str | None = None, **more: Any) -> LoadedSettings:
    user_file = tmp_path / "config.toml"
    user_file.write_text(user, encoding="utf-8")
    workspace = None
    if project is not None:
        workspace = tmp_path / "project"
        workspace.mkdir(exist_ok=True)
        (workspace / "dragoman.toml").write_text(project, encoding="utf-8")
    more.setdefault("environ", {})
    return load_settings(config_file=user_file, workspace=workspace, **more)


def sentences(loaded: LoadedSettings) -> list[str]:
    return [str(problem) for problem in loaded.problems]


def test_nothing_configured_gives_the_documented_defaults(tmp_path: Path) -> None:
    loaded = load_settings(environ={"DRAGOMAN_CONFIG_DIR": str(tmp_path)})
    assert loaded.problems == ()
    assert loaded.settings == Settings()
    settings = loaded.settings
    assert settings.models.strategy == "adaptive"
    assert settings.models.roles.completion == ("qwen2.5-coder*",)
    assert settings.completion.debounce_ms == "adaptive"
    assert (settings.completion.max_tokens, settings.completion.show_after_ms) == (128, 300)
    assert settings.completion.languages.exclude == ("plaintext",)
    assert (settings.context.max_tokens, settings.context.completion_tokens) == (4000, 1024)
    assert settings.storage.cache_url == "memory://"
    assert loaded.origin("models.roles.completion") is None


def test_later_layers_win_key_by_key(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "[completion]\nmax_tokens = 1\nshow_after_ms = 1\nmultiline = 'never'\ntrigger = 'automatic'\nprefetch = true\n",
        "[completion]\nmax_tokens = 2\nshow_after_ms = 2\nmultiline = 'always'\ntrigger = 'invoked'\n",
        environ={
            "DRAGOMAN_COMPLETION__MAX_TOKENS": "3",
            "DRAGOMAN_COMPLETION__SHOW_AFTER_MS": "3",
            "DRAGOMAN_COMPLETION__MULTILINE": "auto",
        },
        editor={"completion": {"max_tokens": 4, "show_after_ms": 4}},
        flags={"completion.max_tokens": 5},
    )
    assert loaded.problems == ()
    completion = loaded.settings.completion
    assert completion.max_tokens == 5
    assert completion.show_after_ms == 4
    assert completion.multiline == "auto"
    assert completion.trigger == "invoked"
    assert completion.prefetch is True
    assert loaded.origin("completion.max_tokens") == "command line"
    assert loaded.origin("completion.multiline") == "environment variable DRAGOMAN_COMPLETION__MULTILINE"
    assert loaded.origin("completion.prefetch") == str(tmp_path / "config.toml")


def test_lists_are_replaced_and_providers_merged_by_name(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """
        [context]
        sources = ["imports", "symbols"]
        [[providers]]
        name = "box"
        kind = "ollama"
        base_url = "http://box:11434"
        timeouts = { connect = 1.5 }
        """,
        """
        [context]
        sources = ["git_diff"]
        [[providers]]
        name = "box"
        max_concurrency = 1
        timeouts = { idle = 5 }
        [[providers]]
        name = "second"
        kind = "llamacpp"
        """,
        trusted=True,
    )
    assert loaded.problems == ()
    assert loaded.settings.context.sources == ("git_diff",)
    box, second = loaded.settings.providers
    assert (box.name, box.kind, box.base_url, box.max_concurrency) == ("box", "ollama", "http://box:11434", 1)
    assert (box.timeouts.connect, box.timeouts.idle, box.timeouts.total) == (1.5, 5.0, 120.0)
    assert second.address == "http://localhost:8080"


def test_environment_reaches_a_provider_by_name_and_takes_json_or_plain_text(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "[[providers]]\nname = 'my-box'\nkind = 'ollama'\n",
        environ={
            "DRAGOMAN_PROVIDERS__MY_BOX__BASE_URL": "http://10.0.0.2:11434",
            "DRAGOMAN_PROVIDERS__MY_BOX__DEFAULT_MODEL": "123",
            "DRAGOMAN_PROVIDERS__MY_BOX__TIMEOUTS": '{"connect": 9}',
            "DRAGOMAN_MODELS__ROLES__COMPLETION": "a*, b",
            "DRAGOMAN_MODELS__ROLES__CHAT": '["c"]',
            "DRAGOMAN_COMPLETION__ENABLED": "off",
            "DRAGOMAN_LOG": "debug",
            "DRAGOMAN_CONFIG_DIR": "/nowhere",
        },
    )
    assert loaded.problems == ()
    (box,) = loaded.settings.providers
    assert (box.base_url, box.default_model, box.timeouts.connect) == ("http://10.0.0.2:11434", "123", 9.0)
    assert loaded.settings.models.roles.completion == ("a*", "b")
    assert loaded.settings.models.roles.chat == ("c",)
    assert loaded.settings.completion.enabled is False


def test_the_editor_may_use_dotted_keys_nulls_and_a_section_of_its_own_name(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "[completion]\nprefetch = true\n",
        editor={
            "dragoman": {"completion.max_tokens": 7, "completion": {"prefetch": None}},
            "server": {"path": "x"},
            "trace": {"server": "off"},
        },
    )
    assert loaded.problems == ()
    assert loaded.settings.completion.max_tokens == 7
    assert loaded.settings.completion.prefetch is True


def test_an_editor_that_sends_every_default_does_not_undo_the_users_file(tmp_path: Path) -> None:
    everything = Settings().model_dump(mode="json")
    everything["completion"]["max_tokens"] = 99
    user = "[completion]\nprefetch = true\n[completion.languages]\nexclude = ['latex']\n"
    loaded = load(tmp_path, user, editor=everything, editor_sends_defaults=True)
    assert loaded.problems == ()
    assert loaded.settings.completion.prefetch is True
    assert loaded.settings.completion.languages.exclude == ("latex",)
    assert loaded.settings.completion.max_tokens == 99


@pytest.mark.parametrize("options", [["x"], "x", 3])
def test_an_editor_that_sends_no_object_is_told_so(tmp_path: Path, options: object) -> None:
    loaded = load(tmp_path, editor=options)
    assert "must be an object" in sentences(loaded)[0]
    assert loaded.settings == Settings()


def test_a_missing_config_file_is_an_error_only_when_it_was_named(tmp_path: Path) -> None:
    named = load_settings(config_file=tmp_path / "no.toml", environ={})
    assert sentences(named) == [f"{tmp_path / 'no.toml'}: does not exist. Check the path, or leave --config out."]
    assert load_settings(environ={"DRAGOMAN_CONFIG_DIR": str(tmp_path / "no")}).problems == ()


def test_a_config_file_that_is_the_projects_own_has_the_users_rights(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.toml"
    file.write_text("[[providers]]\nkind = 'ollama'\napi_key = 'literal'\n")
    loaded = load_settings(config_file=file, workspace=tmp_path, environ={})
    assert loaded.problems == ()
    assert loaded.settings.providers[0].name == "ollama"


def test_broken_toml_is_named_with_line_and_column_and_the_rest_applies(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[completion]\nmax_tokens = = 3\n", "[context]\nmax_tokens = 9\n")
    (problem,) = loaded.problems
    assert (problem.line, problem.column) == (2, 14)
    assert "is not valid TOML" in problem.message
    assert loaded.settings.context.max_tokens == 9


def test_unterminated_toml_has_a_place_too(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, "[completion]\nx = [1,\n").problems
    assert problem.line == 2


def test_a_file_that_is_not_text_or_not_readable_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b"# caf\xe9\n")
    assert "is not UTF-8 text (byte 5)" in sentences(load_settings(config_file=file, environ={}))[0]
    assert "cannot be read" in sentences(load_settings(config_file=tmp_path, environ={}))[0]


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "bom.toml"
    file.write_bytes(b"\xef\xbb\xbf[completion]\nmax_tokens = 5\n")
    loaded = load_settings(config_file=file, environ={})
    assert loaded.problems == ()
    assert loaded.settings.completion.max_tokens == 5


def test_the_last_good_values_stay_while_a_file_is_broken(tmp_path: Path) -> None:
    first = load(tmp_path, "[completion]\nmax_tokens = 50\nprefetch = true\n")
    broken = load(tmp_path, "[completion\n", previous=first)
    assert broken.settings.completion.max_tokens == 50
    assert "last good settings" in sentences(broken)[0]
    one_bad = load(tmp_path, "[completion]\nmax_tokens = 'x'\nprefetch = false\n", previous=broken)
    assert one_bad.settings.completion.max_tokens == 50
    assert one_bad.settings.completion.prefetch is False
    assert len(one_bad.problems) == 1
    gone = load(tmp_path, "", previous=one_bad)
    assert gone.settings == Settings()


def test_changed_files_sees_writing_making_and_removing(tmp_path: Path) -> None:
    loaded = load(tmp_path, "", "")
    user, project = tmp_path / "config.toml", tmp_path / "project" / "dragoman.toml"
    assert changed_files(loaded) == ()
    project.unlink()
    assert changed_files(loaded) == (project,)
    user.write_text("[completion]\n")
    os.utime(user, (1, 1))
    assert changed_files(loaded) == (user, project)


def test_all_errors_become_one_exception(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[completion]\nmax_tokns = 1\ntrigger = 'invokd'\n")
    with pytest.raises(SettingsError) as caught:
        loaded.raise_for_errors()
    assert "completion.max_tokns" in str(caught.value)
    assert "completion.trigger" in str(caught.value)
    load(tmp_path, "").raise_for_errors()
