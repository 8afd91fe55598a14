"""Agents from files and settings: what each key means, what a fault says, and what a workspace cannot open."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.agents.agent_files import FOLDER, read_agent_files
from dragoman.agents.builtin import built_in_agents
from dragoman.agents.definitions import AgentDefinition, define
from dragoman.agents.permissions import key_of, read_permissions
from dragoman.agents.run import RunLimits
from dragoman.agents.toolbox import PERMISSION_OF, READING
from dragoman.agents.tools.policy import Policy, Request, Rule
from dragoman.settings import load_settings
from dragoman.settings.sections import AgentSettings

KNOWN = {agent.name: agent for agent in built_in_agents()}


def write(root: Path, name: str, text: str) -> None:
    path = root / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read(root: Path, *, trusted: bool = True) -> tuple[dict[str, AgentDefinition], dict[str, str]]:
    found = read_agent_files(root, KNOWN, trusted=trusted)
    return dict(found.agents), dict(found.problems)


YAML = """---
name: porter
description: "Moves code: from there to here"
role: edit
tools: read_file, edit_file, run_command
permissions:
  write: allow
  "write:docs/**": deny
  run:pytest *: ask
limits: {steps: 5}   # few
---
Move it.
"""

TOML = """+++
description = "Moves code: from there to here"
role = "edit"
tools = ["read_file", "edit_file", "run_command"]
permissions = { write = "allow", "write:docs/**" = "deny", "run:pytest *" = "ask" }
limits = { steps = 5 }
+++
Move it.
"""


@pytest.mark.parametrize("text", [YAML, TOML, YAML.replace("\n", "\r\n"), f"\ufeff{YAML}"])
def test_a_file_describes_an_agent(tmp_path: Path, text: str) -> None:
    write(tmp_path, "porter.md", text)
    agents, problems = read(tmp_path)
    assert problems == {}
    assert agents["porter"] == AgentDefinition(
        "porter",
        "Moves code: from there to here",
        "Move it.",
        "edit",
        None,
        ("read_file", "edit_file", "run_command"),
        (
            Rule("allow", "write"),
            Rule("deny", "write", path="docs/**"),
            Rule("ask", "run", command="pytest *"),
        ),
        RunLimits(steps=5),
        "file",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\ntols: [a]\n---\nDo.", ["unknown key 'tols'", "tools"]),
        ("---\nrole: chef\n---\nDo.", ["'role' must be", "chef"]),
        ("---\ntools: [read_fil]\n---\nDo.", ["no tool 'read_fil'"]),
        ("---\npermissions: {wirte: allow}\n---\nDo.", ["'wirte' names no permission", "'write'"]),
        ("---\npermissions: {write: perhaps}\n---\nDo.", ["permissions.write", "perhaps"]),
        ("---\npermissions: {'network:': deny}\n---\nDo.", ["has no pattern"]),
        ("---\nlimits: {steps: 0}\n---\nDo.", ["limits.steps"]),
        ("---\nname: other\n---\nDo.", ["'other'", "'bad'"]),
        ("---\nrole: chat\nrole: edit\n---\nDo.", ["line 3", "twice"]),
        ("---\n!!python/object\n---\nDo.", ["line 2"]),
        ("---\nrole: chat\n", ["has no end"]),
        ("---\nrole: chat\n---\n\n", ["no instructions"]),
        ("+++\nrole = x\n+++\nDo.", ["no TOML", "line 2"]),
        ("x" * 200_001, ["longer than"]),
    ],
)
def test_a_fault_names_the_file_and_the_key(tmp_path: Path, text: str, said: list[str]) -> None:
    write(tmp_path, "bad.md", text)
    write(tmp_path, "good.md", "Just do.")
    agents, problems = read(tmp_path)
    assert set(agents) == {"good"}
    assert agents["good"].tools == READING
    assert problems["bad"].startswith(f"{FOLDER}/bad.md: ")
    assert all(part in problems["bad"] for part in said), problems["bad"]


def test_a_link_and_what_is_no_text_are_no_agents(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.md").write_text("Secret words.")
    root = tmp_path / "project"
    write(root, "bytes.md", "")
    (root / FOLDER / "bytes.md").write_bytes(b"\xff\xfe\x00")
    (root / FOLDER / "link.md").symlink_to(tmp_path / "elsewhere.md")
    (root / FOLDER / "1st.md").write_text("Do.")
    agents, problems = read(root)
    assert agents == {}
    assert set(problems) == {"bytes", "link", "1st"}


def test_a_workspace_opens_nothing_that_runs_or_sends_even_when_it_is_trusted(tmp_path: Path) -> None:
    keys = ["run", "run:pytest *", "run_command", "network", "write_file:.github/**", "edit_file"]
    write(tmp_path, "eager.md", f"---\npermissions: {{{', '.join(f'{key!r}: allow' for key in keys)}}}\n---\nDo.")
    rules = read(tmp_path)[0]["eager"].rules
    assert [(key_of(rule), rule.verdict) for rule in rules] == [(key, "ask") for key in keys]


def test_without_trust_a_files_agent_only_reads_and_takes_nobodys_place(tmp_path: Path) -> None:
    head = "role: edit\nmodel: far-away\ntools: [read_file, write_file, run_command]\npermissions: {write: allow}\n"
    write(tmp_path, "porter.md", f"---\n{head}limits: {{steps: 9000, seconds: 1e9}}\n---\nMove it.")
    write(tmp_path, "fixer.md", "Do something else.")
    agents, problems = read(tmp_path, trusted=False)
    porter = agents["porter"]
    assert (porter.role, porter.model, porter.tools, porter.rules) == ("chat", None, ("read_file",), ())
    assert porter.limits == RunLimits()
    assert "fixer" in problems
    assert "fixer" not in agents


def test_a_trusted_files_agent_keeps_what_was_denied_to_the_one_before(tmp_path: Path) -> None:
    before, _ = define("fixer", AgentSettings(permissions={"run": "deny"}), "settings", KNOWN["fixer"])
    write(tmp_path, "fixer.md", "---\npermissions: {'run:make': ask}\n---\nDo something else.")
    found = read_agent_files(tmp_path, {"fixer": before}, trusted=True).agents["fixer"]
    policy = Policy(found.rules, trusted=True)
    assert policy.decide(Request("fixer", "run_command", "run", command=("make",))).verdict == "deny"
    assert found.prompt == "Do something else."


def test_settings_change_what_they_name_and_keep_the_rest() -> None:
    agent, problems = define(
        "fixer", AgentSettings(model="big", tools=("read_file", "frob")), "settings", KNOWN["fixer"]
    )
    assert problems == ("there is no tool 'frob'; it is left out",)
    assert (agent.model, agent.tools, agent.source) == ("big", ("read_file",), "settings")
    assert (agent.prompt, agent.role) == (KNOWN["fixer"].prompt, "edit")


def test_a_pattern_is_a_command_or_a_path_by_what_it_stands_behind() -> None:
    rules, problems = read_permissions(
        {"run_command:make *": "allow", "read:secret/": "deny", "git_commit": "ask", "write:": "allow"}, PERMISSION_OF
    )
    assert rules == (
        Rule("allow", "run", "run_command", command="make *"),
        Rule("deny", "read", path="secret/"),
        Rule("ask", "write", "git_commit"),
    )
    assert "no pattern" in problems[0]


def test_a_projects_settings_allow_no_command_and_an_editors_neither(tmp_path: Path) -> None:
    text = '[agents.fixer.permissions]\nwrite = "allow"\n"run:pytest *" = "allow"\nnetwork = "allow"\n'
    (tmp_path / "dragoman.toml").write_text(text)
    editor = {"agents": {"tester": {"permissions": {"run": "allow", "read": "allow"}}}}
    loaded = load_settings(workspace=tmp_path, trusted=True, editor=editor)
    assert loaded.settings.agents["fixer"].permissions == {"write": "allow", "run:pytest *": "ask", "network": "ask"}
    assert loaded.settings.agents["tester"].permissions == {"run": "ask", "read": "allow"}
    told = [problem for problem in loaded.problems if "only the user's own settings file" in problem.message]
    assert [(problem.key, problem.severity) for problem in told] == [
        ("agents.fixer.permissions", "warning"),
        ("agents.fixer.permissions", "warning"),
        ("agents.tester.permissions", "warning"),
    ]
    assert load_settings(workspace=tmp_path, trusted=False).settings.agents == {}


def test_a_projects_settings_open_no_file_that_others_run(tmp_path: Path) -> None:
    keys = {"write:.vscode/tasks.json": "ask", "write:sub/Dragoman.toml": "ask", "write:docs/a.md": "allow"}
    said = "".join(f'"{key}" = "allow"\n' for key in keys)
    (tmp_path / "dragoman.toml").write_text(f"[agents.fixer.permissions]\n{said}")
    assert load_settings(workspace=tmp_path, trusted=True).settings.agents["fixer"].permissions == keys


def test_a_workspaces_file_opens_no_protected_file(tmp_path: Path) -> None:
    keys = ("write:.vscode/tasks.json", "write:dragoman.toml", "write:./.github/workflows/x.yml")
    write(tmp_path, "eager.md", f"---\npermissions: {{{', '.join(f'{key!r}: allow' for key in keys)}}}\n---\nDo.")
    policy = Policy(read(tmp_path)[0]["eager"].rules, trusted=True)
    for path in (".vscode/tasks.json", "dragoman.toml", ".github/workflows/x.yml"):
        assert policy.decide(Request("eager", "create_file", "write", (path,))).verdict == "ask"


def test_every_built_in_agent_has_a_prompt_and_tools_that_exist() -> None:
    for agent in built_in_agents():
        assert len(agent.prompt) > 60, agent.name
        assert set(agent.tools) <= {*PERMISSION_OF, "mcp", "mcp:read"}, agent.name
    assert set(KNOWN["planner"].tools) == {*READING, "mcp:read"}
