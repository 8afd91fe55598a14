"""What may be done: rules, their order of precedence, and that no sequence of them lets a denied call through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dragoman.agents.permissions import narrow
from dragoman.agents.tools.globs import command_line, literal, match_command, match_path
from dragoman.agents.tools.policy import DEFAULTS, PERMISSIONS, Policy, Request, Rule, rules_of_answer, stricter
from dragoman.agents.tools.remembered import Memory, RememberedRules

VERDICTS = some.sampled_from(["allow", "ask", "deny"])
TOOLS = some.sampled_from(["read_file", "edit_file", "run_command"])
PATHS = some.sampled_from(["a.py", "src/a.py", "src/deep/b.py", "dragoman.toml", ".dragoman/agents/x.md"])
PATTERNS = some.sampled_from([None, "*.py", "src/**", "**", "src/", "/a.py", "dragoman.toml", "**/deep/*"])
COMMANDS = some.sampled_from([(), ("pytest",), ("pytest", "-q"), ("rm", "-rf", "/"), ("sh", "-c", "pytest; rm x")])
COMMAND_PATTERNS = some.sampled_from([None, "pytest *", "*", "rm *", "pytest"])
AGENTS = some.sampled_from(["fixer", "tester"])
RULES = some.builds(
    Rule,
    VERDICTS,
    some.sampled_from([None, *PERMISSIONS]),
    some.none() | TOOLS,
    PATTERNS,
    COMMAND_PATTERNS,
    some.none() | AGENTS,
)
REQUESTS = some.builds(
    Request, AGENTS, TOOLS, some.sampled_from(PERMISSIONS), some.lists(PATHS, max_size=2).map(tuple), COMMANDS
)
POLICIES = some.builds(
    Policy,
    some.lists(RULES, max_size=6).map(tuple),
    some.fixed_dictionaries(dict.fromkeys(PERMISSIONS, VERDICTS)),
    some.booleans(),
)
ORDER = ["allow", "ask", "deny"]


@some.composite
def fitting(draw: some.DrawFn, request: Request) -> Rule:
    """Draw a rule that speaks of the request, more or less closely."""
    path = draw(some.sampled_from([None, "**", *(literal(one) for one in request.paths)])) if request.paths else None
    command = draw(some.sampled_from([None, "*", literal(command_line(request.command))])) if request.command else None
    return Rule(
        draw(VERDICTS),
        draw(some.sampled_from([None, request.permission])),
        draw(some.sampled_from([None, request.tool])),
        path,
        command,
        draw(some.sampled_from([None, request.agent])),
    )


@settings(max_examples=60)
@given(POLICIES, REQUESTS, some.data())
def test_a_rule_that_denies_beats_all_others(policy: Policy, request: Request, data: some.DataObject) -> None:
    """Whatever else is said before, after or by a person, and however closely: what one rule denies stays denied."""
    denying = replace(data.draw(fitting(request)), verdict="deny")
    others = data.draw(some.lists(fitting(request), max_size=4))
    rules = data.draw(some.permutations([*policy.rules, *others, denying]))
    remembered = data.draw(some.lists(fitting(request), max_size=3))
    assert replace(policy, rules=tuple(rules), trusted=True).decide(request, remembered).verdict == "deny"
    assert replace(policy, trusted=True).decide(request, [*remembered, denying]).verdict == "deny"


@settings(max_examples=60)
@given(POLICIES, REQUESTS, some.lists(RULES, max_size=5))
def test_without_trust_only_reading_is_possible(policy: Policy, request: Request, remembered: list[Rule]) -> None:
    verdict = replace(policy, trusted=False).decide(request, remembered).verdict
    assert request.permission == "read" or verdict == "deny"


@settings(max_examples=60)
@given(POLICIES, REQUESTS, some.data())
def test_the_order_of_rules_makes_no_difference(policy: Policy, request: Request, data: some.DataObject) -> None:
    mixed = tuple(data.draw(some.permutations(policy.rules)))
    assert replace(policy, rules=mixed).decide(request).verdict == policy.decide(request).verdict


@settings(max_examples=60)
@given(POLICIES, some.lists(RULES, max_size=4), some.dictionaries(some.sampled_from(PERMISSIONS), VERDICTS), REQUESTS)
def test_a_workspace_can_only_take_away(policy: Policy, rules: list[Rule], defaults: dict, request: Request) -> None:
    before, after = policy.decide(request).verdict, policy.narrowed(rules, defaults).decide(request).verdict
    assert ORDER.index(after) >= ORDER.index(before)
    assert stricter(before, after) == after


@settings(max_examples=60)
@given(POLICIES, REQUESTS, REQUESTS, VERDICTS.filter(lambda one: one != "ask"))
def test_an_answer_counts_for_its_call_and_never_for_another_tool(
    policy: Policy, request: Request, other: Request, decision: str
) -> None:
    rules = rules_of_answer(request, decision)
    plain = Policy(trusted=True)
    if plain.decide(request).verdict == "ask":
        assert plain.decide(request, rules).verdict == decision
    if (other.tool, other.agent, other.permission) != (request.tool, request.agent, request.permission):
        assert policy.decide(other, rules) == policy.decide(other)
    if request.command and other.command != request.command:
        assert policy.decide(other, rules) == policy.decide(other)


@pytest.mark.parametrize(
    ("request_", "verdict"),
    [
        (Request("a", "read_file", "read", ("x.py",)), "allow"),
        (Request("a", "edit_file", "write", ("x.py",)), "ask"),
        (Request("a", "run_command", "run", (".",), ("ls",)), "ask"),
        (Request("a", "fetch", "network"), "deny"),
    ],
)
def test_defaults(request_: Request, verdict: str) -> None:
    assert Policy(trusted=True).decide(request_).verdict == verdict


def test_the_closest_rule_wins_and_each_path_is_judged() -> None:
    rules = (Rule("allow", "write"), Rule("ask", tool="move_file", path="src/**"), Rule("allow", path="src/free/**"))
    policy = Policy(rules, trusted=True)

    def verdict(*paths: str, tool: str = "move_file") -> str:
        return policy.decide(Request("a", tool, "write", paths)).verdict

    assert verdict("docs/a.md") == "allow"
    assert verdict("docs/a.md", "src/b.py") == "ask"
    assert verdict("src/free/x.py", tool="edit_file") == "allow"
    assert verdict("src/x.py", tool="edit_file") == "allow"


def test_a_wide_yes_does_not_cover_what_says_what_may_be_done() -> None:
    policy = Policy(trusted=True)
    wide = rules_of_answer(Request("a", "edit_file", "write", ("x.py",)), "allow")
    assert policy.decide(Request("a", "edit_file", "write", ("y.py",)), wide).verdict == "allow"
    for path in (
        "dragoman.toml",
        "DRAGOMAN.toml",
        "sub/dragoman.toml",
        ".dragoman/agents/a.md",
        "x/.vscode/tasks.json",
    ):
        assert policy.decide(Request("a", "edit_file", "write", (path,)), wide).verdict == "ask"


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", True),
        ("/*.py", "src/a.py", False),
        ("src/*", "src/a/b", False),
        ("src/**", "src/a/b", True),
        ("src/", "src/a/b", True),
        ("src/", "lib/src/a", False),
        ("**/test_*", "test_a", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("*a" * 30 + "b", "a" * 200, False),
        ("/".join(["**", "a"] * 30), "/".join(["a"] * 100) + "/b", False),
    ],
)
def test_path_patterns(pattern: str, path: str, fits: bool) -> None:
    assert match_path(pattern, path) is fits


def test_command_patterns_see_the_words_as_they_are() -> None:
    assert match_command("pytest *", ["pytest"])
    assert match_command("pytest *", ["pytest", "-q"])
    assert not match_command("pytest *", ["./pytest", "-q"])
    assert not match_command("pytest -q", ["pytest -q"])
    assert not match_command("git log", ["git", "log; rm"])


@given(some.lists(some.text(max_size=8), min_size=1, max_size=3), some.text(max_size=12))
def test_a_literal_fits_only_itself(argv: list[str], other: str) -> None:
    pattern = literal(command_line(argv))
    assert match_command(pattern, argv)
    assert match_command(pattern, [other]) == (argv == [other])


def test_what_is_remembered_for_good_is_in_the_user_s_folder(tmp_path: Path) -> None:
    request = Request("fixer", "run_command", "run", (), ("pytest", "-q"))
    policy = Policy(trusted=True)
    once, run, always = (Memory(RememberedRules(tmp_path / "project", tmp_path / "kept")) for _ in range(3))
    once.add(rules_of_answer(request, "allow"), "once")
    run.add(rules_of_answer(request, "allow"), "run")
    assert policy.decide(request, once.rules()).verdict == "ask"
    assert policy.decide(request, run.rules()).verdict == "allow"
    assert RememberedRules(tmp_path / "project", tmp_path / "kept").rules() == ()
    always.add(rules_of_answer(request, "deny"), "always")
    always.add(rules_of_answer(request, "allow"), "always")
    kept = RememberedRules(tmp_path / "project", tmp_path / "kept")
    assert policy.decide(request, kept.rules()).verdict == "allow"
    assert RememberedRules(tmp_path / "other", tmp_path / "kept").rules() == ()
    assert policy.decide(request, once.rules()).verdict == "allow"
    for damage in ("{", '{"rules": [{"verdict": "allow"}]}', '{"rules": [{"verdict": "yes", "tool": "x"}]}', "[]"):
        kept.path.write_text(damage)
        assert kept.rules() == ()
    kept.forget()
    assert kept.rules() == ()


@pytest.mark.parametrize(
    "path", [".vscode/tasks.json", "dragoman.toml", "sub/.nvim.lua", ".idea/workspace.xml", ".EXRC"]
)
def test_what_is_protected_is_asked_about_unless_a_rule_names_the_very_file(path: str) -> None:
    request = Request("a", "write_file", "write", (path,))

    def verdict(*rules: Rule, **defaults: str) -> str:
        return Policy(rules, {**DEFAULTS, **defaults}, trusted=True).decide(request).verdict

    assert verdict(write="allow") == "ask"
    for wide in ("**", "*", f"{path[:-1]}?", f"{path.rpartition('/')[0]}/**"):
        assert verdict(Rule("allow", "write", "write_file", path=wide, agent="a")) == "ask"
    named = Rule("allow", "write", path=path)
    assert verdict(named) == verdict(named, Rule("allow", "write", "write_file", path="**")) == "allow"
    assert verdict(named, Rule("deny", "write", path="**")) == "deny"
    assert Policy(trusted=True).decide(request, rules_of_answer(request, "allow")).verdict == "allow"
    assert Policy(narrow((named,)), trusted=True).decide(request).verdict == "ask"
