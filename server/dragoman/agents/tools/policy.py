"""Whether a call may be made: pure functions from rules and a call to allow, ask or deny."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from dragoman.agents.tools.globs import command_line, literal, match_command, match_path

Permission = Literal["read", "write", "run", "network"]
"""What a tool does to the world, at worst."""

Verdict = Literal["allow", "ask", "deny"]

Remember = Literal["once", "run", "always"]
"""How long a person's answer counts."""

PERMISSIONS: Final[tuple[Permission, ...]] = ("read", "write", "run", "network")

DEFAULTS: Final[Mapping[Permission, Verdict]] = {"read": "allow", "write": "ask", "run": "ask", "network": "deny"}
"""What counts where no rule speaks: looking is free, changing asks, and nothing leaves the machine."""

_STRICTNESS: Final[Mapping[Verdict, int]] = {"allow": 0, "ask": 1, "deny": 2}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy; a field that is None says nothing, so a rule without any speaks of every call.

    ``path`` and ``command`` are patterns as in `dragoman.agents.tools.globs`.
    """

    verdict: Verdict
    permission: Permission | None = None
    tool: str | None = None
    path: str | None = None
    command: str | None = None
    agent: str | None = None

    @property
    def specificity(self) -> tuple[int, int]:
        """How closely it describes a call: by what it names first, then by the letters of its patterns that are no wildcard."""
        pattern = self.path or self.command or ""
        weight = (
            (self.permission is not None)
            + 2 * (self.agent is not None)
            + 4 * (self.tool is not None)
            + 8 * (self.path is not None or self.command is not None)
        )
        return weight, sum(character not in "*?" for character in pattern)


PROTECTED: Final = (
    Rule("ask", "write", path="dragoman.toml"),
    Rule("ask", "write", path=".dragoman/**"),
    Rule("ask", "write", path="**/.vscode/**"),
    Rule("ask", "write", path="**/.github/**"),
    Rule("ask", "write", path="**/.envrc"),
    Rule("ask", "write", path="**/.zed/**"),
    Rule("ask", "write", path="**/.helix/**"),
    Rule("ask", "write", path="**/.idea/**"),
    Rule("ask", "write", path="**/.exrc"),
    Rule("ask", "write", path="**/.nvimrc"),
    Rule("ask", "write", path="**/.nvim.lua"),
    Rule("ask", "write", path="**/.dir-locals.el"),
)
"""Files that say what may be done or what others run: only a permission that names the very file covers one of them."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call as a policy sees it: ``paths`` are what it names, from the workspace's root; ``command`` what it runs.

    ``within`` are paths below these that it touches too; each is judged, and a remembered answer is not about them.
    Of what uses the network, ``paths`` are the names of hosts.
    """

    agent: str
    tool: str
    permission: Permission
    paths: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy says of a call; ``rule`` is the one that decided, None for the defaults, ``reason`` is a sentence."""

    verdict: Verdict
    reason: str
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What an agent may do in one workspace.

    ``rules`` refine ``defaults``; their order does not matter.
    In an untrusted workspace nothing but reading is possible, whatever they say.
    """

    rules: tuple[Rule, ...] = ()
    defaults: Mapping[Permission, Verdict] = field(default_factory=lambda: DEFAULTS)
    trusted: bool = False

    def decide(self, request: Request, remembered: Iterable[Rule] = ()) -> Judgement:
        """Judge a call: a rule that denies decides, else the closest one, for each path; the strictest of these counts.

        ``remembered`` are answers of a person; they count like rules.
        """
        if not self.trusted and request.permission != "read":
            return Judgement("deny", "the workspace is not trusted, so nothing but reading is allowed in it")
        rules = [rule for rule in (*self.rules, *remembered) if _concerns(rule, request)]
        verdicts = [self._judge(request, rules, path) for path in (*request.paths, *request.within) or (None,)]
        return max(verdicts, key=lambda one: _STRICTNESS[one.verdict])

    def sight(self, request: Request, remembered: Iterable[Rule] = ()) -> Callable[[str], bool]:
        """Return what tells whether a call that may be made may also show a file of the place that it names.

        One that would be asked about is shown only where the same rule asked about the call, for then a person has answered.
        """
        rules = [rule for rule in (*self.rules, *remembered) if _concerns(rule, request)]
        asked = [self._judge(request, rules, path) for path in request.paths or (None,)]
        answered = {one.rule for one in asked if one.verdict == "ask"}

        def shows(path: str) -> bool:
            found = self._judge(request, rules, path)
            return found.verdict == "allow" or (found.verdict == "ask" and found.rule in answered)

        return shows

    def _judge(self, request: Request, rules: Sequence[Rule], path: str | None) -> Judgement:
        fitting = [rule for rule in rules if _fits(rule, request, path)]
        rule = max(
            fitting,
            key=lambda one: (one.verdict == "deny", one.specificity, _STRICTNESS[one.verdict]),
            default=None,
        )
        verdict = self.defaults.get(request.permission, "deny") if rule is None else rule.verdict
        if verdict == "allow" and request.permission == "write" and path is not None:
            floor = protection_of(path)
            if floor is not None and not any(one.verdict == "allow" and _names(one, path) for one in fitting):
                rule = floor
        if rule is None:
            return Judgement(verdict, f"the default for {request.permission} is {verdict}")
        return Judgement(rule.verdict, f"a rule says {rule.verdict}: {describe(rule)}", rule)

    def narrowed(self, rules: Iterable[Rule], defaults: Mapping[Permission, Verdict]) -> Policy:
        """Return a policy that allows no more than this one: for what comes from a workspace, which may only take away."""
        tighter = {name: stricter(self.defaults.get(name, "deny"), defaults.get(name, "allow")) for name in PERMISSIONS}
        return replace(self, rules=(*self.rules, *(rule for rule in rules if rule.verdict == "deny")), defaults=tighter)


def protection_of(path: str) -> Rule | None:
    """Return the rule of `PROTECTED` about a file, whatever the capitals; None for every other file."""
    return next((rule for rule in PROTECTED if _touches(rule, path)), None)


def _names(rule: Rule, path: str) -> bool:
    """Tell whether a rule names the very file, and not by a pattern."""
    return rule.path is not None and rule.path.removeprefix("./").removeprefix("/") == literal(path)


def stricter(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that allows less."""
    return max(one, other, key=_STRICTNESS.__getitem__)


def _concerns(rule: Rule, request: Request) -> bool:
    """Tell whether a rule can be about a call, whatever its path and its command are."""
    return (
        rule.agent in {None, request.agent}
        and rule.permission in {None, request.permission}
        and rule.tool in {None, request.tool}
    )


def _fits(rule: Rule, request: Request, path: str | None) -> bool:
    if not _concerns(rule, request):
        return False
    if rule.path is not None and (path is None or not _touches(rule, path)):
        return False
    return rule.command is None or (bool(request.command) and match_command(rule.command, request.command))


def _touches(rule: Rule, path: str) -> bool:
    """Match the rule's path; what restricts does so whatever the capitals, for many disks do not tell them apart."""
    assert rule.path is not None
    return match_path(rule.path, path) or (
        rule.verdict != "allow" and match_path(rule.path.casefold(), path.casefold())
    )


def rules_of_answer(request: Request, decision: Literal["allow", "deny"]) -> tuple[Rule, ...]:
    """Return what an answer that is to be remembered says of later calls.

    A command is remembered to the letter, for the folder that it runs in, and so is a host.
    A yes to writing is for the same tool in the whole workspace, except what is `PROTECTED`; a no is for these files.
    """
    rule = Rule(decision, request.permission, request.tool, agent=request.agent)
    if request.command:
        rule = replace(rule, command=literal(command_line(request.command)))
    is_close = bool(request.command) or decision == "deny" or request.permission == "network"
    if request.paths and (is_close or any(map(protection_of, request.paths))):
        return tuple(replace(rule, path=f"/{literal(path)}") for path in request.paths)
    return (rule,)


def describe(rule: Rule) -> str:
    """Return what a rule is about, in words: ``run_command `pytest *` for 'fixer'``."""
    words = [rule.tool or (f"every {rule.permission} tool" if rule.permission else "every tool")]
    if rule.command is not None:
        words.append(f"`{rule.command}`")
    if rule.path is not None:
        place = rule.path.removeprefix("/")
        within = "in the workspace's top folder" if place == "." else f"in {place!r}"
        words.append(f"on {place!r}" if rule.command is None else within)
    if rule.agent is not None:
        words.append(f"for {rule.agent!r}")
    return " ".join(words)
