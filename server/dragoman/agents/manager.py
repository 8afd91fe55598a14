"""All agents by name, from wherever they are described, and the runs that they make."""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.agents.agent_files import read_agent_files
from dragoman.agents.attachments import keys_in
from dragoman.agents.builtin import built_in_agents
from dragoman.agents.definitions import AgentDefinition, define
from dragoman.agents.events import RunEvent
from dragoman.agents.instances import Instance, Instances
from dragoman.agents.instructions import instruct
from dragoman.agents.mcp.names import rules_for, slug, wanted_servers
from dragoman.agents.mcp.servers import McpServers, ServerState
from dragoman.agents.mcp.tools import ForeignTool, choose, foreign_tools
from dragoman.agents.process_marks import is_elsewhere
from dragoman.agents.run import UNFINISHED, Run, RunLimits, RunState, RunStore
from dragoman.agents.runtime import AgentRuntime, Reader, RunRequest, needs_of
from dragoman.agents.runtime_limits import ANSWER_TOKENS, BRANCH_BASES, FINISHED_RUNS, WINDOW_SMALL
from dragoman.agents.toolbox import CHANGING, ESSENTIAL, PERMISSION_OF, build_registry, is_open
from dragoman.agents.tools.approval import Approver
from dragoman.agents.tools.base import Output, ToolContext
from dragoman.agents.tools.diagnostics import Reports
from dragoman.agents.tools.documents import Editor
from dragoman.agents.tools.navigation import Navigation
from dragoman.agents.tools.policy import Policy
from dragoman.agents.tools.project import Index
from dragoman.agents.tools.registry import ToolRegistry
from dragoman.agents.tools.remembered import Memory, RememberedRules
from dragoman.errors import CommandError, NoModelError, RunError, UnknownAgentError
from dragoman.events import EventBus
from dragoman.models.base import ChatMessage, Image
from dragoman.models.manager import ModelManager
from dragoman.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a door says of where a run works.

    ``roots`` are the workspace's folders, ``editor`` holds their texts, ``approver`` asks the user.
    ``is_watched`` says that the door asks a person about each change or refuses it: then changing and running are possible without
    trust too, each time with a question, while what the workspace's own files say stays confined.
    Without a ``memory`` the answers that count for good are kept for the first folder.
    ``emit`` is called with what commands print while they run.
    """

    roots: tuple[Path, ...]
    editor: Editor
    approver: Approver
    trusted: bool
    index: Index | None = None
    reports: Reports | None = None
    navigation: Navigation | None = None
    memory: Memory | None = None
    emit: Callable[[Output], None] = field(default=lambda _output: None)
    is_watched: bool = False

    @property
    def may_change(self) -> bool:
        """Whether anything but reading is possible."""
        return self.trusted or self.is_watched


@dataclass(frozen=True, slots=True)
class _Route:
    """The models that may answer a run: whether any is on another machine, the smallest window, and whether all know tools."""

    is_remote: bool
    window: int | None
    has_tools: bool


class AgentManager:
    """Knows every agent and every run; closing it ends the runs. For one event loop."""

    def __init__(
        self, models: ModelManager, settings: Settings, *, bus: EventBus | None = None, store: RunStore | None = None
    ) -> None:
        self._models = models
        self._settings = settings
        self._bus = bus
        self._store = store
        self._mcp = McpServers(settings.mcp, settings.security)
        self._runtime = AgentRuntime(models, publish=self._publish, store=store)
        self._runs: dict[str, Run] = {}
        self.instances = Instances(lambda: self._runs.values())
        """What each agent is doing."""

    def _publish(self, event: RunEvent) -> None:
        if self._store is not None:
            self._store.note(event)
        if self._bus is not None:
            self._bus.publish(event)

    # -- agents --------------------------------------------------------------------------------------------------------

    def agents(self, place_roots: Sequence[Path] = (), trusted: bool = False) -> tuple[AgentDefinition, ...]:
        """Return every agent: the built-in ones, the settings', then those of the folders' files.  Reads files."""
        return tuple(self._known(place_roots, trusted)[0].values())

    def problems(self, roots: Sequence[Path] = (), trusted: bool = False) -> tuple[str, ...]:
        """Return a sentence for each thing that is wrong in an agent's description, or with a tool server.  Reads files."""
        found = self._known(roots, trusted)[1].values()
        return (*found, *(state.problem for state in self._mcp.states() if state.problem))

    def tool_servers(self) -> tuple[ServerState, ...]:
        """Return what is known of each foreign tool server; starts none."""
        return self._mcp.states()

    def get(self, name: str, roots: Sequence[Path] = (), trusted: bool = False) -> AgentDefinition:
        """Return an agent; raises UnknownAgentError with the nearest name, or with what is wrong in its file."""
        known, problems = self._known(roots, trusted)
        if name in known:
            return known[name]
        if name in problems:
            raise UnknownAgentError(f"The agent {name!r} cannot be used.", hint=problems[name])
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
        raise UnknownAgentError(f"There is no agent {name!r}.", hint=hint)

    def _known(self, roots: Sequence[Path], trusted: bool) -> tuple[dict[str, AgentDefinition], dict[str, str]]:
        known = {agent.name: agent for agent in built_in_agents()}
        problems: dict[str, str] = {}
        for name, section in self._settings.agents.items():
            known[name], faults = define(name, section, "settings", known.get(name), servers=self._mcp.names)
            if faults:
                problems[name] = f"agents.{name}: {'; '.join(faults)}"
            if not known[name].prompt:
                del known[name]
                problems[name] = f"agents.{name}: has no 'prompt'"
        for root in roots:
            found = read_agent_files(root, known, trusted=trusted, servers=self._mcp.names)
            known |= found.agents
            problems |= found.problems
        return known, problems

    # -- runs ----------------------------------------------------------------------------------------------------------

    async def start(
        self,
        agent: str,
        task: str,
        place: Workplace,
        *,
        history: tuple[ChatMessage, ...] = (),
        images: tuple[Image, ...] = (),
        reader: Reader | None = None,
        system_extra: str = "",
        tools: bool = True,
        schema: Mapping[str, Any] | None = None,
        limits: RunLimits | None = None,
        model: str | None = None,
        operation: str = "run",
        parts: tuple[str, ...] = (),
        answer_tokens: int = ANSWER_TOKENS,
        private: bool = False,
    ) -> Run:
        """Start a run of an agent and return at once; ``model`` is an exact name in the place of the agent's own.

        The others are as in `RunRequest`.

        Raises UnknownAgentError, AgentStoppedError, and ModelError where no model can do it.
        """
        definition = await self._take(agent, place)
        request = RunRequest(
            definition.name,
            task,
            "",
            definition.role,
            model or definition.model,
            limits or definition.limits,
            history,
            images,
            reader,
            schema,
            operation=operation,
            parts=parts,
            answer_tokens=answer_tokens,
            private=private,
        )
        request, registry, context = await self._prepare(definition, request, place, system_extra, tools=tools)
        return self._watch(self._runtime.start(request, registry, context))

    async def resume(self, run_id: str, place: Workplace) -> Run:
        """Go on with a run that another process did not end, from its last whole step.

        Raises RunError for one that is not kept or has ended, and as `start`.
        """
        state = await self._store.load(run_id) if self._store is not None and run_id not in self._runs else None
        if state is None or state.status not in UNFINISHED:
            raise RunError(f"There is no run {run_id!r} to go on with.", hint="Start a new one.")
        if is_elsewhere(state.process):
            raise RunError(f"The run {run_id!r} still goes on in another program.", hint="Stop it there first.")
        definition = await self._take(state.agent, place)
        request = RunRequest(
            definition.name,
            state.task,
            "",
            definition.role,
            state.model or definition.model,
            definition.limits,
            local_only=state.local_only,
        )
        request, registry, context = await self._prepare(definition, request, place, "", tools=True)
        context.keys_read |= {Path(one) for one in state.keys_read}
        return self._watch(self._runtime.resume(state, request, registry, context))

    async def interrupted(self) -> tuple[RunState, ...]:
        """Return the runs that no process goes on with and that had not ended, the newest first; raises StorageError."""
        kept = await self._store.unfinished() if self._store is not None else ()
        return tuple(one for one in kept if one.run_id not in self._runs and not is_elsewhere(one.process))

    async def _take(self, agent: str, place: Workplace) -> AgentDefinition:
        definition = await asyncio.to_thread(self.get, agent, place.roots, place.trusted)
        self.instances.check(definition.name)
        return definition

    async def _prepare(
        self, definition: AgentDefinition, request: RunRequest, place: Workplace, extra: str, *, tools: bool
    ) -> tuple[RunRequest, ToolRegistry, ToolContext]:
        route = await self._route(request, has_tools=tools and bool(definition.tools))
        remote, window = route.is_remote, route.window
        if remote and request.private:
            raise RunError(
                "What was said before stays on this machine, and the model is now on another one.", hint="Ask again."
            )
        foreign, silent = await self._reach(definition, place, window) if tools else ((), ())
        if silent:
            extra += f"\n\nThese tool servers do not answer now, so their tools are missing: {', '.join(silent)}."
        context = self._context(definition, place, remote=remote, foreign=foreign)
        context.keys_read |= keys_in((request.task, *(one.content for one in request.history)))
        registry = self._tools(definition, place, window, context.policy, foreign) if tools else ToolRegistry()
        system = await instruct(
            definition.prompt,
            place.roots,
            place.editor,
            window=window,
            remote=remote,
            extra=extra,
            note=context.note_shown,
        )
        expected: frozenset[str] = frozenset()
        if not route.has_tools and definition.role == "edit":
            # Small models give up early; those that were made for tools need no reminder.
            expected = frozenset(registry.names) & {*CHANGING, "run_command"}
        request = replace(
            request,
            system=system,
            local_only=not remote,
            private=not remote and (request.private or context.private or bool(context.keys_read)),
            answers_at_last=not route.has_tools,
            expected=expected,
        )
        return request, registry, context

    async def _route(self, request: RunRequest, *, has_tools: bool) -> _Route:
        """Return what is common to all models that may answer."""
        needs = needs_of(request, has_tools=has_tools)
        try:
            choice = await self._models.decide(request.role, needs)
        except NoModelError:
            if request.model is not None:
                # It knows the nearest name.
                await self._models.named(request.model)
            raise
        windows = [one.info.context_window for one in choice.able if one.info.context_window is not None]
        return _Route(
            not all(one.source.provider.is_local for one in choice.able),
            min(windows, default=None),
            all("tools" in one.info.capabilities for one in choice.able),
        )

    async def _reach(
        self, definition: AgentDefinition, place: Workplace, window: int | None
    ) -> tuple[tuple[ForeignTool, ...], tuple[str, ...]]:
        """Return the foreign tools that the agent has here, and the servers that do not answer; starts those that do not run."""
        names = wanted_servers(self._mcp.names, definition.tools)
        if not names or not place.may_change or (window is not None and window < WINDOW_SMALL):
            return (), ()
        reached = await self._mcp.reach(names)
        offered = foreign_tools(reached, self._mcp.names, PERMISSION_OF)
        silent = tuple(slug(name) for name in names if name not in {one.name for one in reached})
        return choose(offered, definition.tools, window), silent

    @staticmethod
    def _tools(
        definition: AgentDefinition,
        place: Workplace,
        window: int | None,
        policy: Policy,
        foreign: Sequence[ForeignTool],
    ) -> ToolRegistry:
        registry = build_registry(place.index, place.reports, place.navigation)
        wanted = [
            name for name in definition.tools if name in registry.names and is_open(name, policy, definition.name)
        ]
        # What would be refused is not even offered; git is run only where the user trusts.
        if not place.may_change:
            wanted = [name for name in wanted if PERMISSION_OF[name] == "read"]
        if not place.trusted:
            wanted = [name for name in wanted if not name.startswith("git_")]
        if window is not None and window < WINDOW_SMALL:
            wanted = [name for name in wanted if name in ESSENTIAL]
        return ToolRegistry((*registry.only(wanted).all, *foreign))

    @staticmethod
    def _context(
        definition: AgentDefinition, place: Workplace, *, remote: bool, foreign: Sequence[ForeignTool] = ()
    ) -> ToolContext:
        rules = definition.rules
        for tool in foreign:
            if tool.permission != "read":
                rules += rules_for(tool.name, tool.server, definition.rules)
        if not place.trusted:
            # Even a command that the user allows everywhere runs what a stranger's project says.
            rules = tuple(replace(rule, verdict="ask") if rule.verdict == "allow" else rule for rule in rules)
        memory = place.memory
        if memory is None:
            memory = Memory(RememberedRules(place.roots[0]) if place.roots else None)
        memory.is_trusted = place.trusted
        return ToolContext(
            place.roots,
            place.editor,
            Policy(rules, trusted=place.may_change),
            agent=definition.name,
            approver=place.approver,
            memory=memory,
            remote=remote,
            emit=place.emit,
        )

    async def may_leave(self, definition: AgentDefinition, *, model: str | None = None) -> bool:
        """Tell whether what the agent's model reads may go to another machine; raises as `start`."""
        request = RunRequest(definition.name, "", "", definition.role, model or definition.model)
        return (await self._route(request, has_tools=False)).is_remote

    async def window(self, definition: AgentDefinition) -> int | None:
        """Return the smallest window of the models that may answer, in tokens, None where nobody knows; raises as `start`."""
        request = RunRequest(definition.name, "", "", definition.role, definition.model)
        return (await self._route(request, has_tools=False)).window

    async def read_changes(self, agent: str, place: Workplace, *, model: str | None = None) -> str:
        """Return the diff of what is staged, else of all that differs from the last commit; empty without changes.

        What the agent's model may not read is left out.  Raises ToolError, and as `start`.
        """
        definition = await self._take(agent, place)
        context = self._context(definition, place, remote=await self.may_leave(definition, model=model))
        registry = build_registry()
        for arguments in ('{"staged": true}', "{}"):
            result = await registry.call("git_diff", arguments, context)
            if result.details.get("characters"):
                return result.text
        return ""

    async def read_branch(self, agent: str, place: Workplace) -> str:
        """Return the commits and the diff of the branch against the one it left; empty where it has none of its own.

        What the agent's model may not read is left out.  Raises ToolError, and as `start`.
        """
        definition = await self._take(agent, place)
        context = self._context(definition, place, remote=await self.may_leave(definition))
        registry = build_registry()
        await registry.call("git_status", "{}", context)
        for base in BRANCH_BASES:
            try:
                log = await registry.call("git_log", json.dumps({"revision": f"{base}..HEAD"}), context)
            except CommandError:
                # There is no such branch.
                continue
            if log.details["commits"]:
                diff = await registry.call("git_diff", json.dumps({"revision": f"{base}...HEAD"}), context)
                return f"Commits since {base!r}:\n{log.text}\n\n{diff.text}"
        return ""

    def _watch(self, run: Run) -> Run:
        ended = [known.id for known in self._runs.values() if known.has_ended]
        for run_id in ended[: max(0, len(ended) - FINISHED_RUNS + 1)]:
            del self._runs[run_id]
        self._runs[run.id] = run
        return run

    def run(self, run_id: str) -> Run | None:
        """Return a run that goes on or ended lately, None for another."""
        return self._runs.get(run_id)

    async def cancel(self, run_id: str) -> bool:
        """End a run, its tools and its model's connection; False when there is none that goes on."""
        run = self._runs.get(run_id)
        if run is None or run.has_ended:
            return False
        await run.cancel()
        return True

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that go on, and those that ended lately; the oldest first."""
        return tuple(self._runs.values())

    @property
    def active(self) -> int:
        """How many runs go on."""
        return sum(not run.has_ended for run in self._runs.values())

    # -- instances -----------------------------------------------------------------------------------------------------

    def instance(self, name: str) -> Instance:
        """Return what an agent is doing."""
        return self.instances.get(name)

    def start_agent(self, name: str) -> bool:
        """Let an agent that was stopped work again; False when it was not."""
        return self.instances.start(name)

    async def stop(self, name: str) -> int:
        """End an agent's runs and take no more tasks for it until `start_agent`; returns how many runs that ended."""
        return await self.instances.stop(name)

    async def aclose(self) -> None:
        """End every run, and have its end kept."""
        await self._runtime.aclose()
        await self._mcp.aclose()
        if self._store is not None:
            await self._store.aclose()
