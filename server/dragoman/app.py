"""The composition root: builds every part in the order it depends on the others, starts it and stops it.

Nothing else constructs services; read it as the table of contents.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.completion.engine import CompletionEngine
from dragoman.completion.policy import CompletionPolicy, Target
from dragoman.context.limits import CONTEXT_TOKENS_SMALL
from dragoman.errors import DragomanError, ModelError
from dragoman.events import EventBus
from dragoman.models.discovery import find_sources, read_wishes
from dragoman.models.manager import ModelManager
from dragoman.security.trust import TrustStore
from dragoman.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from dragoman.agents.manager import AgentManager
    from dragoman.completion.acceptance import AcceptanceTracker
    from dragoman.context.assembler import ContextAssembler, ContextPolicy
    from dragoman.context.overview import Overview
    from dragoman.keeping import Keeping
    from dragoman.monitoring.usage_recorder import UsageRecorder
    from dragoman.settings import LoadedSettings, Settings
    from dragoman.storage.repositories.audit import AuditLog
    from dragoman.storage.repositories.runs import Runs


HEAR_OUT_SECONDS = 2.0
"""Those who listen to runs get so long to note how the last of them ended."""


class App:
    """One running Dragoman: settings, models, completion."""

    def __init__(
        self,
        loaded: LoadedSettings,
        acceptance: AcceptanceTracker | None = None,
        context: ContextAssembler | None = None,
    ) -> None:
        settings = loaded.settings
        self.loaded = loaded
        self._keeping: Keeping | None = None
        self._opening = asyncio.Lock()
        self._agents: AgentManager | None = None
        self._hiring = asyncio.Lock()
        self._run_counts: UsageRecorder | None = None
        self.models = ModelManager(
            find_sources(settings),
            read_wishes(settings),
            redact=settings.security.redact,
            redact_extra=settings.security.redact_extra,
            strategy=settings.models.strategy,
            local_only=settings.models.local_only,
        )
        self.bus = EventBus()
        """Where what happens in runs is told."""
        self.completion = CompletionEngine(
            ModelTargets(self.models, context_tokens_small(settings)),
            completion_policy(settings),
            acceptance=acceptance,
            context=context,
        )

    async def keep(self) -> Keeping:
        """Return what keeps conversations, files and the ledger of model calls: opened when it is first needed.

        Raises SettingsError and the kinds of StorageError; the next call tries again then.
        """
        async with self._opening:
            if self._keeping is None:
                # Here and not above: an editor that only completes has no use for a database.
                # In a thread, for it takes some tenths of a second in which an editor's keys must not wait.
                await asyncio.to_thread(import_module, "dragoman.keeping")
                from dragoman.keeping import Keeping

                self._keeping = await Keeping.open(self.settings, self.models.router.meter)
            return self._keeping

    async def agents(self) -> AgentManager:
        """Return what knows the agents and makes their runs: built when it is first needed, like what keeps these."""
        async with self._hiring:
            if self._agents is not None:
                return self._agents
            # Here and not above: an editor that only completes pays for no agents, and nobody's keys wait for them.
            await asyncio.to_thread(import_module, "dragoman.agents.manager")
            from dragoman.agents.auditing import RunAudit, is_audited
            from dragoman.agents.counting import FILE, RunCounter, is_counted
            from dragoman.agents.events import RunEvent
            from dragoman.agents.kept_runs import KeptRuns
            from dragoman.agents.manager import AgentManager
            from dragoman.monitoring.usage_recorder import UsageRecorder
            from dragoman.monitoring.usage_store import UsageStore

            self._run_counts = UsageRecorder(UsageStore.default(file=FILE))
            self.bus.subscribe(RunEvent, RunCounter(self._run_counts.record).hear, wanted=is_counted)
            self.bus.subscribe(RunEvent, RunAudit(self._open_audit).hear, wanted=is_audited)
            self._agents = AgentManager(self.models, self.settings, bus=self.bus, store=KeptRuns(self._open_runs))
            return self._agents

    async def runs_ended(self) -> None:
        """Return when no agent is at work."""
        if self._agents is not None:
            await asyncio.gather(*(run.wait() for run in self._agents.runs))

    async def _open_runs(self) -> Runs:
        from dragoman.storage.repositories.runs import Runs

        return Runs((await self.keep()).database)

    async def _open_audit(self) -> AuditLog:
        from dragoman.storage.repositories.audit import AuditLog

        return AuditLog((await self.keep()).database)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    async def aclose(self) -> None:
        """Stop everything, the youngest part first, whatever fails on the way."""
        async with AsyncExitStack() as rest:
            rest.push_async_callback(self._close_keeping)
            rest.push_async_callback(self.models.aclose)
            rest.push_async_callback(self._close_counts)
            rest.push_async_callback(self.bus.aclose)
            rest.push_async_callback(self._hear_out)
            rest.push_async_callback(self._close_agents)
            await self.completion.aclose()

    async def _close_agents(self) -> None:
        async with self._hiring:
            agents, self._agents = self._agents, None
        if agents is not None:
            await agents.aclose()

    async def _close_counts(self) -> None:
        if self._run_counts is not None:
            await self._run_counts.aclose()

    async def _hear_out(self) -> None:
        """Let those who listen hear the end of the runs too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAR_OUT_SECONDS):
                await self.bus.drain()

    async def _close_keeping(self) -> None:
        async with self._opening:
            keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await keeping.aclose()


def build(
    *,
    workspace: Path | None = None,
    config_file: Path | None = None,
    editor: Mapping[str, Any] | None = None,
    trusted: bool | None = None,
    previous: LoadedSettings | None = None,
    acceptance: AcceptanceTracker | None = None,
    context: ContextAssembler | None = None,
) -> App:
    """Read the settings and build the app; raises `dragoman.errors.SettingsError` only for a key that is missing.

    ``trusted`` is the editor's own word on the workspace; None asks our list of trusted folders.
    ``acceptance`` follows what becomes of suggestions, ``context`` knows the workspace; both outlive the app, their owner
    closes them.
    """
    if trusted is None:
        trusted = workspace is not None and TrustStore.default().is_trusted(workspace)
    loaded = load_settings(
        workspace=workspace, config_file=config_file, editor=editor, trusted=trusted, previous=previous
    )
    return App(loaded, acceptance, context)


def completion_policy(settings: Settings) -> CompletionPolicy:
    """Translate ``[completion]`` for the engine."""
    section = settings.completion
    return CompletionPolicy(
        enabled=section.enabled,
        debounce=section.debounce_ms if section.debounce_ms == "adaptive" else section.debounce_ms / 1000,
        max_tokens=section.max_tokens,
        multiline=section.multiline,
        prefetch=section.prefetch,
        show_threshold=section.show_threshold,
        show_after=section.show_after_ms / 1000,
        automatic=section.trigger == "automatic",
        excluded_languages=frozenset(section.languages.exclude),
    )


def build_context(
    folders: Sequence[Path],
    settings: Settings,
    *,
    excludes: Sequence[str] = (),
    watch: bool = True,
    trusted: bool | None = None,
) -> ContextAssembler:
    """Build what knows the workspace; its indexes start when they are first needed. The caller closes it.

    ``excludes`` are the editor's own patterns; ``watch`` says that the editor does not report changed files.
    ``trusted`` is the editor's own word on all of its folders; None asks our list of trusted folders.
    """
    from dragoman.context.assembler import ContextAssembler
    from dragoman.context.workspaces import Workspaces, is_indexable

    trust = TrustStore.default().is_trusted
    workspaces = Workspaces(
        [folder for folder in folders if is_indexable(folder)],
        excludes=excludes,
        watch=watch,
        trusted=trust if trusted is None else lambda _folder: trusted,
    )
    return ContextAssembler(workspaces, context_policy(settings))


def build_overview(folder: Path) -> Overview:
    """Build what tells of a whole project, with an index of its own; the caller closes it.

    Raises `dragoman.errors.DragomanError` for a folder that is somebody's whole home or disk.
    """
    from dragoman.context.overview import Overview
    from dragoman.context.workspace.client import IndexClient
    from dragoman.context.workspaces import is_indexable

    if not is_indexable(folder):
        raise DragomanError(
            f"{str(folder)!r} is no project.", hint="Go to a folder with a project, or name a file in it."
        )
    return Overview(folder, IndexClient(folder))


def context_policy(settings: Settings) -> ContextPolicy:
    """Translate ``[context]`` for suggestions."""
    from dragoman.context.assembler import ContextPolicy

    section = settings.context
    return ContextPolicy(section.completion_tokens, tuple(section.sources), section.vectors)


def context_tokens_small(settings: Settings) -> int | None:
    """Return how much context a model on this machine's processor gets: little, unless the user wrote how much."""
    return None if "completion_tokens" in settings.context.model_fields_set else CONTEXT_TOKENS_SMALL


class ModelTargets:
    """The model manager as the completion engine sees it.

    ``context_tokens_small`` is the most context for a model on this machine's processor.
    """

    def __init__(self, models: ModelManager, context_tokens_small: int | None = None) -> None:
        self._models = models
        self._context_tokens_small = context_tokens_small

    async def completion_target(self) -> Target:
        """Return the model for the next suggestion."""
        choice = await self._models.decide("completion")
        source = choice.able[0].source
        provider = source.provider
        return Target(
            self._models.routed(choice),
            provider=provider.name,
            is_local=provider.is_local,
            small=provider.kind == "embedded",
            max_concurrency=provider.max_concurrency,
            context_tokens=self._context_tokens_small if provider.kind == "embedded" else None,
            redactor=self._models.redactor_for(source),
        )

    def report_failure(self, provider: str, error: ModelError) -> None:
        """Pass a failed call on to the manager."""
        self._models.report_failure(provider, error)
