"""A wrong key or value is named with its file, its line and what was probably meant; the rest still applies."""

# ruff: noqa: E501 - a sentence for a person stands on one line here, as it does on the screen.

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dragoman.settings import Settings, load_settings
from dragoman.settings.toml_lines import find_line


def first_problem(tmp_path: Path, text: str) -> str:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load_settings(config_file=file, environ={})
    assert len(loaded.problems) == 1, loaded.problems
    return str(loaded.problems[0]).removeprefix(f"{file}:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[completion]\nmax_token = 1", "2: unknown key 'completion.max_token'. Did you mean 'completion.max_tokens'?"),
        ("[compltion]\n", "1: unknown key 'compltion'. Did you mean 'completion'?"),
        ("[completion]\nhistory_window = 1", "2: unknown key 'completion.history_window'. Did you mean 'context.history_window'?"),
        ("completion.maxTokens = 1", "1: unknown key 'completion.maxTokens'. Did you mean 'completion.max_tokens'?"),
        ("[review]\nzzz = 1", "2: unknown key 'review.zzz'. Known here: on_save."),
        ("[completion]\n\ntrigger = 'automatc'", "3: 'completion.trigger' must be 'automatic' or 'invoked', not \"automatc\". Did you mean 'automatic'?"),
        ("[completion]\ndebounce_ms = 'fast'", "2: 'completion.debounce_ms' must be 'adaptive' or a number, not \"fast\"."),
        (
            "[completion]\nshow_threshold = 1.5",
            "2: 'completion.show_threshold' must be at most 1, not 1.5.",
        ),
        ("[completion]\nshow_after_ms = -1", "2: 'completion.show_after_ms' must be at least 0, not -1."),
        ("[completion]\nmax_tokens = '128'", "2: 'completion.max_tokens' must be a whole number, not \"128\"."),
        ("[completion]\nenabled = 1", "2: 'completion.enabled' must be true or false, not 1."),
        ("completion = 3", "1: 'completion' must be a table, not 3."),
        ("[models.roles]\nchat = 'x'", "2: 'models.roles.chat' must be a list, not \"x\"."),
        ("[context]\nsources = ['imports', 'symbol']", "2: each entry of 'context.sources' must be 'open_files', 'recent_edits', 'imports', 'symbols', 'similar', 'diagnostics' or 'git_diff', not \"symbol\". Did you mean 'symbols'?"),
        ("[completion.languages]\nexclude = ['a', 3]", "2: each entry of 'completion.languages.exclude' must be text, not 3."),
        ("[providers.x]\nkind = 'ollama'", "1: 'providers' must be a list of tables. Write [[providers]] with two brackets"),
        ("[[providers]]\nname = 'x'", "1: 'providers.x' has no 'kind'. Add kind = 'ollama' or 'localai' or 'openai'"),
        ("[[providers]]\nkind = 'olama'", "2: 'providers.olama.kind' must be 'ollama', 'localai', 'openai', 'llamacpp' or 'embedded', not \"olama\". Did you mean 'ollama'?"),
        ("[[providers]]\nkind = 'ollama'\napi_key = { environment = 'X' }", "3: 'providers.ollama.api_key' must be { env = \"NAME\" } or { keyring"),
        ("[[providers]]\nkind = 'ollama'\ntimeouts = { frist_token = 1 }", "3: unknown key 'providers.ollama.timeouts.frist_token'. Did you mean 'providers.ollama.timeouts.first_token'?"),
        ("[agents.x]\ndescripion = 'd'", "2: unknown key 'agents.x.descripion'. Did you mean 'agents.x.description'?"),
        ("[[providers]]\nkind = 'ollama'\n[[providers.models]]\nroles = ['completion']", "has no 'name'"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in first_problem(tmp_path, text)


@pytest.mark.parametrize(
    ("kind", "base_url", "right"),
    [
        ("openai", "http://localhost:1234", "http://localhost:1234/v1"),
        ("openai", "http://localhost:1234/", "http://localhost:1234/v1"),
        ("openai", "https://host/openai", "https://host/openai/v1"),
        ("openai", "http://localhost:1234/v1/chat/completions", "http://localhost:1234/v1"),
        ("localai", "http://localhost:8080", "http://localhost:8080/v1"),
        ("ollama", "http://localhost:11434/v1", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/api/generate", "http://localhost:11434"),
        ("ollama", "https://host/ollama/v1", "https://host/ollama"),
        ("llamacpp", "http://localhost:8080/v1", "http://localhost:8080"),
    ],
)
def test_the_right_address_is_said(tmp_path: Path, kind: str, base_url: str, right: str) -> None:
    said = first_problem(tmp_path, f"[[providers]]\nkind = '{kind}'\nbase_url = '{base_url}'\n")
    assert f"write {right!r} instead of {base_url!r}" in said
    fixed = tmp_path / "fixed.toml"
    fixed.write_text(f"[[providers]]\nkind = '{kind}'\nbase_url = '{right}'\n")
    loaded = load_settings(config_file=fixed, environ={})
    assert loaded.problems == ()
    assert loaded.settings.providers[0].address == right


@pytest.mark.parametrize("base_url", ["localhost:11434", "ftp://x", "http://", "nonsense", "http://[::1"])
def test_what_is_no_address_is_refused(tmp_path: Path, base_url: str) -> None:
    said = first_problem(tmp_path, f"[[providers]]\nkind = 'ollama'\nbase_url = '{base_url}'\n")
    assert "'providers.ollama.base_url' must be an address such as 'http://" in said


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = first_problem(tmp_path, "[[providers]]\nkind = 'ollama'\nbase_url = 'http://me:hunter2@box:11434'\n")
    assert "must not hold a password" in said
    assert "hunter2" not in said


def test_everything_wrong_is_said_at_once_and_the_rest_applies(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        "[completion]\nmax_token = 1\ntrigger = 'x'\nprefetch = true\n"
        "[[providers]]\nkind = 'openai'\nbase_url = 'http://a'\n"
        "[[providers]]\nname = 'good'\nkind = 'openai'\nbase_url = 'http://b/v1'\n"
        "[[providers]]\nname = 'typo'\nkind = 'ollama'\nmax_concurency = 2\n"
        "[reviw]\n"
    )
    loaded = load_settings(config_file=file, environ={})
    assert [problem.line for problem in loaded.problems] == [2, 3, 5, 15, 16]
    assert loaded.settings.completion.prefetch is True
    assert [provider.name for provider in loaded.settings.providers] == ["good", "typo"]


def test_a_provider_with_a_wrong_address_is_left_out_instead_of_asked_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[[providers]]\nkind = 'ollama'\nbase_url = 3\n[[providers]]\nkind = 'llamacpp'\nproxy = 'x y'\n")
    loaded = load_settings(config_file=file, environ={})
    assert len(loaded.problems) == 2
    assert loaded.settings.providers == ()


def test_another_layer_may_complete_a_provider(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[[providers]]\nname = 'half'\nkind = 'openai'\n")
    alone = load_settings(config_file=file, environ={})
    assert "needs base_url" in str(alone.problems[0])
    assert alone.settings.providers == ()
    whole = load_settings(config_file=file, environ={"DRAGOMAN_PROVIDERS__HALF__BASE_URL": "http://h/v1"})
    assert whole.problems == ()
    assert whole.settings.providers[0].address == "http://h/v1"


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    environ = {"DRAGOMAN_CONFIG_DIR": str(tmp_path), "DRAGOMAN_COMPLETION__MAX_TOKEN": "5"}
    (problem,) = load_settings(environ=environ).problems
    assert str(problem).startswith("environment variable DRAGOMAN_COMPLETION__MAX_TOKEN: unknown key")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "kind", "base_url", "x", "models", "api_key"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "other"]), json_values, max_size=4))
def test_no_editor_options_break_the_loading(options: dict[str, object]) -> None:
    loaded = load_settings(environ={"DRAGOMAN_CONFIG_DIR": "/nowhere"}, editor=options)
    assert isinstance(loaded.settings, Settings)
    assert all(problem.message and problem.source == "editor settings" for problem in loaded.problems)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("t",), 2),
        (("t", "quoted.key"), 3),
        (("t", "inline", "deep"), 4),
        (("l", 0, "x"), 6),
        (("l", 1), 7),
        (("l", 1, "sub", "y"), 10),
        (("d", "e", "f"), 12),
        (("nowhere",), None),
    ],
)
def test_lines_are_found(path: tuple[str | int, ...], line: int | None) -> None:
    text = (
        "a = 1\n[t] # comment\n'quoted.key' = 1\ninline = { deep = 1 }\n[[l]]\nx = 1\n[[l]]\nx = 2\n"
        "[l.sub]\ny = 3\n[d]\ne.f = 1\n"
    )
    assert find_line(text, path) == line
