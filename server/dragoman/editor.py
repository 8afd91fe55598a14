"""One editor's Dragoman: what the language server's door calls, over the parts that `dragoman.app` builds.

It follows the settings while they change, tells the editor what state completion is in, and gets the model that is missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import unquote, urlsplit

from dragoman import app as root
from dragoman.assistance.lent_models import answer_lent, list_lent
from dragoman.cancellation import TaskSet, cancel_and_wait
from dragoman.completion.acceptance import AcceptanceTracker
from dragoman.completion.next_edit import NextEdits
from dragoman.completion.provenance import Sent
from dragoman.completion.query import CompletionQuery, Outcome, TextView
from dragoman.errors import DragomanError, SettingsError
from dragoman.lsp.handshake import Handshake
from dragoman.lsp.options import LspOptions
from dragoman.lsp.server import serve_stdio, serve_tcp
from dragoman.lsp.services import ClientPort, EditorOptions, FileChange, Folder, MessageKind, Progress, ShownFinding
from dragoman.models.base import ChatRequest, Chunk, Role
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, find_entry, pull
from dragoman.monitoring import logs
from dragoman.monitoring.usage_recorder import UsageRecorder
from dragoman.monitoring.usage_store import UsageStore
from dragoman.security.trust import TrustStore
from dragoman.settings import changed_files
from dragoman.status import Status, describe, describe_index, describe_process

if TYPE_CHECKING:
    from dragoman.app import App
    from dragoman.assistance.service import Assistance
    from dragoman.context.assembler import ContextAssembler
    from dragoman.context.diagnostics import Reported
    from dragoman.context.overview import Overview

logger = logging.getLogger(__name__)

SETTINGS_POLL_S = 2.0
"""The settings files are looked at this often: one ``stat`` each, for clients that watch no files."""

ASKS_IN_THE_WAY = ("neovim", "vim", "emacs", "eglot", "kakoune", "helix")
"""Clients that answer a question with the keyboard that the user is typing on: they get a short line instead."""

NO_SETTINGS = frozenset({"trusted", "excludes"})
"""What a client's ``initializationOptions`` say beside the settings."""

DOWNLOAD = "Download"
NOT_NOW = "Not now"


class EditorServices:
    """Implements `dragoman.lsp.services.Services` for one client."""

    def __init__(self, client: ClientPort, config_file: Path | None = None, log_file: Path | None = None) -> None:
        self._client = client
        self._config_file = config_file
        self._log_file = log_file
        self._options = EditorOptions()
        self._settings: Mapping[str, Any] = {}
        self._documents: dict[str, TextView] = {}
        self._versions: dict[str, int] = {}
        self._early_reports: list[tuple[str, tuple[Reported, ...], tuple[int, int] | None]] = []
        self._tasks = TaskSet()
        self._pulling: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._asked_for_model = False
        self._told: set[str] = set()
        self._usage = UsageRecorder(UsageStore.default())
        self._acceptance = AcceptanceTracker(self._usage.record)
        self.next_edits = NextEdits()
        """Outlives the settings: what was edited before they changed is still what was edited."""
        self._context: ContextAssembler | None = None
        """Outlives the settings too; made when the workspace is known, for its imports are none of the start's."""
        self._app = root.build(config_file=config_file, acceptance=self._acceptance)
        self._assistance: Assistance | None = None
        self._moved: tuple[Folder, ...] | None = None
        """The workspace's folders, once they have changed."""
        self._watch_app()
        self._reload = asyncio.Lock()

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self, editor: EditorOptions) -> None:
        """Read the settings for this workspace, ask the model servers, and say what was found."""
        # Folders may come and go before this begins.
        self._options = editor if self._moved is None else replace(editor, folders=self._moved)
        self._settings = editor.settings
        await self._rebuild()
        self._open_context()
        self._tasks.start(self._watch_settings(), name="settings-watch")
        self._acceptance.recall(await self._usage.history())
        await self._app.models.refresh()
        await self._offer_model()

    async def aclose(self) -> None:
        """Stop everything; the embedded engine goes by itself when its last client has left."""
        if self._assistance is not None:
            await self._assistance.aclose()
        await self._tasks.aclose()
        await self._app.aclose()
        if self._context is not None:
            await self._context.aclose()
        await self._acceptance.aclose()
        await self._usage.aclose()

    # -- settings ------------------------------------------------------------------------------------------------------

    async def settings_changed(self, settings: Mapping[str, Any]) -> None:
        """Follow the editor's section ``dragoman``."""
        self._settings = settings
        await self._rebuild()

    def folders_changed(self, folders: tuple[Folder, ...]) -> None:
        """Follow the workspace: the first folder's ``dragoman.toml`` counts."""
        before = self._workspace()
        self._moved = folders
        self._options = replace(self._options, folders=folders)
        if self._context is not None:
            self._open_context()
        if self._workspace() != before:
            self._tasks.start(self._rebuild(), name="settings-reload")

    def files_changed(self, changes: Sequence[tuple[str, FileChange]]) -> None:
        """Follow a settings file that the editor saw change."""
        if self._context is not None:
            self._context.files_changed(uri for uri, _ in changes)
        if any(uri.endswith((".toml",)) for uri, _ in changes):
            self._tasks.start(self._rebuild_if_changed(), name="settings-reload")

    def document_saved(self, uri: str) -> None:
        """Tell the index, and follow a settings file that was edited here."""
        if self._context is not None:
            self._context.document_saved(uri)
        if self._app.settings.review.on_save:
            self._tasks.start(self._review_saved(uri), name="review on save")
        if uri.endswith(".toml"):
            self._tasks.start(self._rebuild_if_changed(), name="settings-reload")

    def diagnostics_seen(self, uri: str, reported: Iterable[Reported], lines: tuple[int, int] | None) -> None:
        """Tell what knows the workspace."""
        if self._context is not None:
            self._context.diagnostics_seen(uri, reported, lines)
        else:
            # A client may tell before the workspace is known, and tells nothing twice.
            self._early_reports.append((uri, tuple(reported), lines))

    def yanked(self, text: str, uri: str) -> None:
        """Tell what knows the workspace."""
        if self._context is not None:
            self._context.yanked(text, uri)

    async def _watch_settings(self) -> None:
        while True:
            await asyncio.sleep(SETTINGS_POLL_S)
            await self._rebuild_if_changed()

    async def _rebuild_if_changed(self) -> None:
        if changed_files(self._app.loaded):
            await self._rebuild()

    async def _rebuild(self) -> None:
        async with self._reload:
            settings = {key: value for key, value in self._settings.items() if key not in NO_SETTINGS}
            fresh = root.build(
                workspace=self._workspace(),
                config_file=self._config_file,
                editor=settings,
                trusted=self._trusted(),
                previous=self._app.loaded,
                acceptance=self._acceptance,
            )
            if fresh.settings == self._app.settings:
                self._app.loaded = fresh.loaded
                await fresh.aclose()
            else:
                old, self._app = self._app, fresh
                self._watch_app()
                await cancel_and_wait(self._warming)
                await old.completion.aclose()
                self._tasks.start(_retire(old), name="retire")
                if self._warming is not None:
                    self._warming = self._tasks.start(self._warm_up(), name="warm-up")
                self._tasks.start(self._app.models.refresh(), name="catalogue")
        monitoring = self._app.settings.monitoring
        level = monitoring.log_level if "log_level" in monitoring.model_fields_set else None
        logs.configure_logs(level=level, file=self._log_file, style=monitoring.log_format)
        if self._context is not None:
            self._context.configure(root.context_policy(self._app.settings))
        self._tell_problems()
        self._show_status()

    def _trusted(self) -> bool | None:
        """Return the client's word on its workspace; what it said at the start, for a workspace's settings can say anything."""
        trusted = self._options.settings.get("trusted")
        return trusted if isinstance(trusted, bool) else None

    def _tell_problems(self) -> None:
        """Show each new problem of the settings once: a typo must not be found by reading logs."""
        now = {str(problem) for problem in self._app.loaded.problems}
        for problem in sorted(now - self._told):
            self._client.show_message("warning", f"Dragoman settings: {problem}")
        self._told = now

    def _workspace(self) -> Path | None:
        return next(iter(self._folders()), None)

    def _folders(self) -> list[Path]:
        parts = (urlsplit(folder.uri) for folder in self._options.folders)
        return [Path(unquote(one.path)) for one in parts if one.scheme == "file"]

    def _open_context(self) -> None:
        """Begin to know the workspace, anew when its folders changed; the documents that are open are said again."""
        old = self._context
        self._context = root.build_context(
            self._folders(),
            self._app.settings,
            excludes=self._options.excludes,
            watch=not self._options.watches_files,
            trusted=self._trusted(),
        )
        for uri, text in self._documents.items():
            self._context.document_changed(uri, text, first_line=0, last_line=0)
        while self._early_reports:
            self._context.diagnostics_seen(*self._early_reports.pop(0))
        self._watch_app()
        if old is not None:
            self._tasks.start(old.aclose(), name="context-close")

    # -- agents --------------------------------------------------------------------------------------------------------

    async def assistance(self) -> Assistance:
        """Return chat, edits, reviews and runs; an editor that only completes needs none of it."""
        if self._assistance is None:
            # Some tenths of a second, in which keys must not wait.
            await asyncio.to_thread(import_module, "dragoman.assistance.service")
        if self._assistance is None:
            from dragoman.assistance.ground import Surroundings
            from dragoman.assistance.service import Assistance

            around = Surroundings(
                lambda: self._app,
                self._folders,
                self._is_trusted,
                self._is_ignored,
                diagnostics=self._reported,
                index=self._overview,
            )
            self._assistance = Assistance(self._client, around)
            for uri, text in self._documents.items():
                self._assistance.document_changed(uri, text, self._versions[uri])
        return self._assistance

    async def _review_saved(self, uri: str) -> None:
        (await self.assistance()).document_saved(uri)

    def findings(self, uri: str) -> tuple[ShownFinding, ...]:
        """Return what reviews found in a document; nothing as long as nobody asked for one."""
        return self._assistance.findings(uri) if self._assistance is not None else ()

    def _is_trusted(self) -> bool:
        said = self._trusted()
        if said is not None:
            return said
        folders = self._folders()
        return bool(folders) and all(TrustStore.default().is_trusted(one) for one in folders)

    def _is_ignored(self, uri: str) -> bool:
        return self._context is not None and self._context.is_ignored(uri)

    def _overview(self, folder: Path) -> Overview | None:
        return self._context.overview(folder) if self._context is not None else None

    def _reported(self, uri: str | None) -> str:
        return self._context.reported(uri) if self._context is not None else ""

    # -- completion ----------------------------------------------------------------------------------------------------

    @property
    def completion(self) -> EditorServices:
        """The ghost-text engine: this object passes calls on to the engine of the settings in force."""
        return self

    async def suggest(self, query: CompletionQuery) -> Outcome:
        """Find suggestions."""
        return await self._app.completion.suggest(query)

    def document_changed(self, uri: str, text: TextView, version: int, *, first_line: int, last_line: int) -> None:
        """Tell the engine; the first document of all starts the embedded model, so that it is warm when it is needed."""
        self._documents[uri] = text
        self.next_edits.document_changed(uri, text, version, first_line=first_line, last_line=last_line)
        if self._context is not None:
            self._context.document_changed(uri, text, first_line=first_line, last_line=last_line)
        self._app.completion.document_changed(uri, text, version, first_line=first_line, last_line=last_line)
        self._versions[uri] = version
        if self._assistance is not None:
            self._assistance.document_changed(uri, text, version)
        if self._warming is None:
            self._warming = self._tasks.start(self._warm_up(), name="warm-up")

    def document_closed(self, uri: str) -> None:
        """Tell the engine."""
        self._documents.pop(uri, None)
        self._versions.pop(uri, None)
        if self._assistance is not None:
            self._assistance.document_closed(uri)
        self.next_edits.document_closed(uri)
        if self._context is not None:
            self._context.document_closed(uri)
        self._app.completion.document_closed(uri)

    def replied(self, query: CompletionQuery, outcome: Outcome) -> None:
        """Begin to follow what becomes of a suggestion."""
        self._acceptance.answered(query, outcome)

    def accepted(self, suggestion_id: str, kind: str) -> None:
        """Tell the engine."""
        self._app.completion.accepted(suggestion_id, kind)

    def cancel(self) -> int:
        """End every running generation at once and return how many there were."""
        return self._app.completion.cancel()

    def sent(self, uri: str | None) -> Sent | None:
        """Return what a model read last for a document, or for any."""
        return self._app.completion.sent(uri)

    async def _warm_up(self) -> None:
        if not self._app.settings.completion.enabled:
            return
        choice = await self._app.models.choose("completion")
        self._app.models.warmer.start()
        if choice.source is not None and isinstance(choice.source.provider, EmbeddedProvider):
            try:
                await choice.source.provider.warm_up()
            except DragomanError as error:
                logger.warning("the embedded model cannot be started: %s", error)
            asyncio.get_running_loop().call_soon(self._show_status)

    # -- status --------------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return what the status bar shows, with what was counted since the settings last changed."""
        return {
            **self._describe().as_dict(),
            "completion": dict(self._app.completion.counts),
            "context": self._context.describe() if self._context is not None else None,
            "process": describe_process(),
        }

    def _describe(self) -> Status:
        indexes = self._context.states() if self._context is not None else ()
        pulling = self._pulling is not None and not self._pulling.done()
        warming = self._warming is not None and not self._warming.done()
        status = describe(self._app, pulling=pulling, warming=warming)
        vectors = self._context.vectors.problem if self._context is not None else ""
        return replace(status, index=" ".join(filter(None, (describe_index(indexes), vectors))))

    def _watch_app(self) -> None:
        self._app.models.on_change = self._show_status
        self._app.completion.on_outcome = lambda _outcome: self._show_status()
        self._app.completion.next_edit = self.next_edits.at_cursor
        if self._context is not None:
            self._app.completion.context = self._context
            self._app.completion.is_ignored = self._context.is_ignored
            self._context.on_progress = self._show_status
            self._context.vectors.use(partial(self._app.models.for_role, "embedding"))
        self.next_edits.enabled = self._app.settings.completion.enabled

    def _show_status(self) -> None:
        self._client.notify_status(self._describe().as_dict())

    # -- models --------------------------------------------------------------------------------------------------------

    async def select_model(self, role: str, model: str) -> dict[str, Any]:
        """Use ``model`` for ``role`` until the server ends."""
        if role not in get_args(Role):
            raise SettingsError(f"There is no role {role!r}.", hint=f"Roles are {', '.join(get_args(Role))}.")
        await self._app.models.named(model)
        self._app.models.pin(role, model)  # type: ignore[arg-type]
        self._show_status()
        return {"role": role, "model": model}

    async def models(self) -> tuple[dict[str, Any], ...]:
        """Return the models that can chat."""
        return await list_lent(self._app.models)

    def answer(self, request: ChatRequest, model: str | None) -> AsyncGenerator[Chunk, None]:
        """Have a model answer a conversation as it is, without an agent."""
        return answer_lent(self._app.models, request, model)

    async def pull_model(self, name: str | None) -> dict[str, Any]:
        """Start getting an embedded model; its progress is shown as work-done progress."""
        entry = find_entry(name or DEFAULT_MODEL)
        if self._pulling is None or self._pulling.done():
            self._pulling = self._tasks.start(self._pull(entry.name), name="pull")
        self._show_status()
        return {"model": entry.name, "bytes": entry.bytes}

    async def _offer_model(self) -> None:
        """Say once that there is no model, with a button that gets one."""
        choice = self._app.models.current("completion")
        if choice.info is not None or self._asked_for_model or not self._app.settings.completion.enabled:
            return
        if any(source.origin == "configured" for source in (offer.source for offer in self._app.models.offers)):
            # The user has a model server of their own: the status says what is wrong with it.
            self._client.show_message("warning", f"Dragoman: {choice.problem}")
            return
        self._asked_for_model = True
        name = self._options.client_name.lower()
        if name.startswith(ASKS_IN_THE_WAY):
            # Neovim 0.11 ends every kind of message but an error with a line break, which makes it ask for Enter.
            kind: MessageKind = "error" if name.startswith("neovim") else "info"
            self._client.show_message(kind, "Dragoman has no model: run `dragoman models pull` once.")
            return
        size = find_entry(DEFAULT_MODEL).bytes / 1e6
        text = (
            "Dragoman has no model yet, so it completes identifiers only. "
            f"Download Qwen2.5-Coder 0.5B ({size:.0f} MB, once)? It then works without a network. "
            "In a terminal the same is `dragoman models pull`."
        )
        if await self._client.ask("info", text, [DOWNLOAD, NOT_NOW]) == DOWNLOAD:
            await self.pull_model(None)

    def _stop_pulling(self) -> None:
        if self._pulling is not None:
            self._pulling.cancel()

    async def _pull(self, name: str) -> None:
        progress = await self._client.begin_progress(f"Getting {name}", percentage=0, on_cancel=self._stop_pulling)
        try:
            await pull(WeightsStore(), name, _reporter(progress))
        except DragomanError as error:
            progress.end("failed")
            self._client.show_message("error", f"Dragoman: {error}")
            return
        except asyncio.CancelledError:
            progress.end("cancelled")
            raise
        finally:
            self._pulling = None
        progress.end("ready")
        self._app.models.invalidate()
        await self._app.models.refresh()
        await self._warm_up()
        self._client.show_message("info", f"Dragoman: {name} is ready.")


async def run_language_server(options: LspOptions, handshake: Handshake | None) -> int:
    """Serve one editor until it leaves; returns the process's exit code."""
    config_file = Path(options.config) if options.config else None
    log_file = Path(options.log_file) if options.log_file else None
    logs.configure_logs(file=log_file)

    def services(client: ClientPort) -> EditorServices:
        return EditorServices(client, config_file, log_file)

    if options.tcp is not None:
        return await serve_tcp(services, *options.tcp)
    assert handshake is not None, "stdio begins with a handshake"
    return await serve_stdio(services, handshake)


async def _retire(app: App) -> None:
    """Close an app whose settings are no longer in force, when its last run has ended or the editor leaves."""
    try:
        await app.runs_ended()
    finally:
        await app.aclose()


def _reporter(progress: Progress) -> Any:
    def report(done: int, total: int, what: str) -> None:
        percentage = int(100 * done / total) if total else None
        progress.report(f"{what}: {done / 1e6:.0f} of {total / 1e6:.0f} MB", percentage)

    return report
