"""Every setting is described, and the exported schemas are valid and agree with the checks."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema
import pytest

from dragoman.settings import Settings, load_settings
from dragoman.settings.export import json_schema, vscode_configuration
from dragoman.settings.known import resolve

EXAMPLE = """
[models]
strategy = "adaptive"
[models.roles]
completion = ["qwen2.5-coder*"]
chat = []
[[providers]]
name = "local-ollama"
kind = "ollama"
base_url = "http://localhost:11434"
api_key = { env = "NAME" }
max_concurrency = 4
weight = 1
default_model = "m"
retry = { attempts = 3 }
proxy = "http://proxy:3128"
ca_file = "/etc/ca.pem"
headers = { "X-Team" = "a" }
timeouts = { connect = 2.0, first_token = 30.0, idle = 20.0, total = 120.0 }
models = [ { name = "m", roles = ["completion"], fim = "qwen", context_window = 32768, tools = true } ]
[completion]
enabled = true
debounce_ms = "adaptive"
languages = { exclude = ["plaintext"] }
[context]
history_window = 10
[review]
on_save = false
[agents.NAME]
description = "d"
tools = []
[workflows.NAME]
output = "{{ steps.a.output }}"
[[workflows.NAME.steps]]
name = "a"
agent = "NAME"
task = "t"
[mcp.servers.NAME]
command = "x"
[storage]
database_url = "sqlite:///x"
cache_url = "memory://"
[gateway]
auth = "keys"
[gateway.limits]
requests_per_minute = 60
[security]
[monitoring]
"""


def described(node: dict[str, Any], where: str) -> list[str]:
    missing = []
    for key, child in node.get("properties", {}).items():
        said = child.get("description") or resolve(child).get("description", "")
        if len(said) < 5:
            missing.append(f"{where}.{key}")
        missing += described(child, f"{where}.{key}")
    return missing


def test_every_setting_is_documented() -> None:
    schema = json_schema()
    missing = described(schema, "settings")
    for name, definition in schema["$defs"].items():
        missing += described(definition, name)
    assert missing == []


def test_every_optional_setting_states_its_default() -> None:
    schema = json_schema()
    sections = {name for name in schema["properties"] if "$ref" in schema["properties"][name]}
    for name, definition in schema["$defs"].items():
        for key, child in definition.get("properties", {}).items():
            required = key in definition.get("required", [])
            assert required or "default" in child or "$ref" in child, f"{name}.{key}"
    assert sections


def test_the_documented_example_is_valid_by_schema_and_by_the_loader(tmp_path: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(tomllib.loads(EXAMPLE), json_schema())
    file = tmp_path / "config.toml"
    file.write_text(EXAMPLE)
    loaded = load_settings(config_file=file, environ={})
    assert loaded.problems == ()
    assert loaded.settings.workflows["NAME"].steps[0]["agent"] == "NAME"


@pytest.mark.parametrize("wrong", ["x = 1", "[completion]\nmax_tokns = 1", "[completion]\ntrigger = 'x'"])
def test_the_schema_refuses_what_the_loader_refuses(wrong: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(wrong), json_schema())


def test_vs_code_gets_every_key_with_its_default_and_no_reference() -> None:
    properties = vscode_configuration()
    assert "$ref" not in json.dumps(properties)
    sent: dict[str, Any] = {}
    for key, entry in properties.items():
        assert entry["description"]
        assert entry["markdownDescription"]
        assert entry["scope"] in {"resource", "machine"}
        assert "type" in entry or "anyOf" in entry
        jsonschema.validate(entry["default"], {k: v for k, v in entry.items() if k != "scope"})
        sent[key.removeprefix("dragoman.")] = entry["default"]
    loaded = load_settings(environ={"DRAGOMAN_CONFIG_DIR": "/nowhere"}, editor=sent)
    assert loaded.problems == ()
    assert loaded.settings == Settings()


def test_vs_codes_settings_page_has_a_box_for_a_number_that_may_be_a_word_or_nothing() -> None:
    properties = vscode_configuration()
    debounce = properties["dragoman.completion.debounce_ms"]
    assert debounce["type"] == ["number", "null"]
    assert debounce["minimum"] == 0
    assert "`adaptive`" in debounce["markdownDescription"]
    assert properties["dragoman.gateway.limits.requests_per_minute"]["type"] == ["integer", "null"]
    assert not any("anyOf" in entry for entry in properties.values())
    orders = [entry["order"] for entry in properties.values()]
    assert orders == sorted(set(orders))


def test_a_workspace_of_vs_code_cannot_set_what_runs_or_sends() -> None:
    properties = vscode_configuration()
    for key in ("providers", "agents", "workflows", "mcp.servers", "storage.cache_url", "gateway.auth"):
        assert properties[f"dragoman.{key}"]["scope"] == "machine"
    assert properties["dragoman.completion.max_tokens"]["scope"] == "resource"
