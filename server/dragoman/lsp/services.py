"""The seam between the editor's door and the domain: what the door calls and what it offers.

Everything here is plain values; nothing knows pygls or the wire.
The composition root passes a `ServicesFactory` to `dragoman.lsp.server`; tests pass a scripted one.
Lines and characters count from 0; characters are Unicode code points.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dragoman.completion.next_edit import NextEdit
from dragoman.completion.provenance import Sent
from dragoman.completion.query import CompletionQuery, Outcome, TextView
from dragoman.context.diagnostics import Reported
from dragoman.models.base import ChatRequest, Chunk

MessageKind = Literal["error", "warning", "info", "log"]
AcceptKind = Literal["whole", "word", "line"]
FileChange = Literal["created", "changed", "deleted"]


@dataclass(frozen=True, slots=True)
class Folder:
    """A workspace folder as the editor names it."""

    uri: str
    name: str


@dataclass(frozen=True, slots=True)
class EditorOptions:
    """What the editor told about itself and its wishes in ``initialize``."""

    client_name: str = ""
    client_version: str = ""
    folders: tuple[Folder, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """``initializationOptions``: the editor's layer of the settings until `Services.settings_changed` brings a newer one."""
    locale: str = ""
    watches_files: bool = False
    """Whether the editor reports files that change on disk."""
    excludes: tuple[str, ...] = ()
    """Glob patterns of what the editor itself hides."""


@dataclass(frozen=True, slots=True)
class EditorEdit:
    """Text to put in place of a range of a document."""

    start_line: int
    start_character: int
    end_line: int
    end_character: int
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a document, from the start to before the end."""

    start: tuple[int, int]
    end: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A review's finding as an editor shows it; ``fix`` is what its own repair changes, if it has one."""

    fingerprint: str
    span: Span
    severity: Literal["error", "warning", "information", "hint"]
    code: str
    message: str
    fix: tuple[EditorEdit, ...] = ()
    related: tuple[tuple[Span, str], ...] = ()
    """Other places of the document, and what is said of each."""
    link: str | None = None
    """Where this kind of finding is explained."""


class Progress(Protocol):
    """A running work-done progress; silent when the client does not show any."""

    def report(self, message: str = "", percentage: int | None = None) -> None:
        """Show how far the work is; ``percentage`` is 0–100."""
        ...

    def end(self, message: str = "") -> None:
        """Take the progress down; later calls do nothing."""
        ...


class ClientPort(Protocol):
    """What the domain may ask of the editor; usable from `Services.start` on, from the event loop's thread only.

    The calls without ``async`` never wait and never raise; after the connection ended they do nothing.
    """

    def notify_status(self, status: Mapping[str, Any]) -> None:
        """Send ``dragoman/status`` (``state``, ``sentence``, ``model``, …); an unchanged status is not sent again."""
        ...

    def show_message(self, kind: MessageKind, text: str) -> None:
        """Show a sentence to the user."""
        ...

    def log_message(self, kind: MessageKind, text: str) -> None:
        """Write a line to the editor's output channel."""
        ...

    async def ask(self, kind: MessageKind, text: str, actions: Sequence[str]) -> str | None:
        """Show a sentence with buttons and return the chosen one, None when dismissed or when the client has no buttons."""
        ...

    async def begin_progress(
        self,
        title: str,
        *,
        message: str = "",
        percentage: int | None = None,
        on_cancel: Callable[[], None] | None = None,
    ) -> Progress:
        """Start a work-done progress; returns a silent one when the client does not support it or does not answer in time.

        ``on_cancel`` makes it cancellable and is called when the user cancels it.
        """
        ...

    async def apply_edits(
        self, uri: str, edits: Sequence[EditorEdit], *, version: int | None = None, label: str = ""
    ) -> bool:
        """Ask the editor to change one document; False when it refused, has no such ability, or ``version`` is not current.

        One that cannot be told the version is never asked to replace anything, only to insert: it may hold what was typed since.
        """
        ...

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification of our own (``dragoman/…``)."""
        ...

    @property
    def shows_runs(self) -> bool:
        """Whether the client shows what happens in runs by itself (``experimental.dragoman.runEvents``)."""
        ...

    @property
    def makes_edits(self) -> bool:
        """Whether the client makes edits, and can be told which version of a document they are for."""
        ...

    @property
    def admits_refusals(self) -> bool:
        """Whether the client says so when it has not made an edit; Neovim does not."""
        ...

    @property
    def finds_usages(self) -> bool:
        """Whether the client asks its other servers for us (``experimental.dragoman.references``)."""
        ...

    async def find_usages(self, uri: str, line: int, name: str) -> tuple[tuple[str, int], ...]:
        """Return the URIs and lines where a name is used that stands in a line, from 0; empty when nobody knows."""
        ...

    @property
    def finds_symbols(self) -> bool:
        """Whether the client asks its other servers for us (``experimental.dragoman.symbols``)."""
        ...

    async def find_symbols(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return the URIs and lines, from 0, where something of exactly this name is defined; empty when nobody knows."""
        ...

    def show_run_event(self, event: Mapping[str, Any]) -> None:
        """Send ``dragoman/runEvent``; where it has ``uri`` and ``hunk``, the hunk's range goes out in the client's units."""
        ...

    def publish_findings(self, uri: str, findings: Sequence[ShownFinding], version: int | None) -> None:
        """Show the findings of a document in place of those before, or have a client that pulls ask for them."""
        ...

    async def show_document(self, uri: str, *, take_focus: bool = False) -> bool:
        """Ask the editor to open a document; False when it did not, or cannot."""
        ...

    async def apply_untold(
        self, uri: str, text: str, edits: Sequence[EditorEdit], *, version: int | None, label: str = ""
    ) -> bool:
        """Ask the editor to change a document that is ``text`` by now though it has not told so; False as for `apply_edits`.

        ``version`` is the one that it has when nobody has typed since, None where that is not known.
        """
        ...


class CompletionService(Protocol):
    """The ghost-text engine as the door sees it."""

    async def suggest(self, query: CompletionQuery) -> Outcome:
        """Find suggestions.

        The door cancels this call when the client cancels or a newer request supersedes it; what happens to a running
        generation then is the engine's decision.  Raises `dragoman.errors.DragomanError` only.
        """
        ...

    def document_changed(self, uri: str, text: TextView, version: int, *, first_line: int, last_line: int) -> None:
        """Hear that a document was opened or changed; ``first_line..last_line`` (inclusive) of ``text`` are new."""
        ...

    def document_closed(self, uri: str) -> None:
        """Hear that a document was closed: end what runs for it at once, forget what is kept for it."""
        ...

    def replied(self, query: CompletionQuery, outcome: Outcome) -> None:
        """Hear that ``outcome`` went out to the client as the reply to ``query``; what only was found may never be seen."""
        ...

    def accepted(self, suggestion_id: str, kind: str) -> None:
        """Hear that the user took a suggestion (``kind`` is an `AcceptKind`, unknown ids are ignored)."""
        ...

    def cancel(self) -> int:
        """End every running generation at once and return how many there were."""
        ...


class NextEditService(Protocol):
    """Where the change that the user made is due next; it hears of documents through `CompletionService`."""

    def all_edits(self, uri: str, line: int, character: int, version: int | None = None) -> tuple[NextEdit, ...]:
        """Return every change that is due, the one to go to from this cursor first; none for another ``version``."""
        ...

    def dismissed(self, series: str = "") -> None:
        """Hear that the user wants no more of this series of changes, or of the one that is offered now."""
        ...


class AssistanceService(Protocol):
    """Agents as the door sees them: every call answers at once, what happens then comes as run events.

    What cannot be done raises `dragoman.errors.DragomanError`.
    """

    async def act(self, action: str, uri: str, span: Span | None, instruction: str = "") -> dict[str, Any]:
        """Start one of `dragoman.lsp.features.agent_commands.ACTIONS` on a document: ``{runId}``."""
        ...

    async def chat(
        self,
        text: str,
        *,
        conversation: str | None,
        agent: str | None,
        uri: str | None,
        span: Span | None,
        model: str | None = None,
    ) -> dict[str, Any]:
        """Say something in a conversation, a new one for None: ``{runId, conversationId}``; ``model`` is an exact name."""
        ...

    async def ask_document(self, uri: str) -> dict[str, Any]:
        """Answer the last question of a chat document, below it: ``{runId}``."""
        ...

    async def run_agent(self, agent: str, task: str) -> dict[str, Any]:
        """Give an agent a task: ``{runId}``."""
        ...

    async def commit_message(self) -> dict[str, Any]:
        """Write a message for what is changed: ``{runId}``."""
        ...

    async def pull_request(self) -> dict[str, Any]:
        """Describe what a branch changes: ``{runId}``."""
        ...

    def approve(self, run_id: str, call_id: str, *, allow: bool, remember: str) -> bool:
        """Answer a question for permission; False when it is not open (any more)."""
        ...

    async def cancel_run(self, run_id: str) -> bool:
        """End a run; False when there is none that goes on."""
        ...

    async def decide_edit(self, run_id: str, hunks: Sequence[str] | None, *, accept: bool) -> dict[str, Any]:
        """Make or drop hunks of an edit, all that are open for None: ``{applied, open}``."""
        ...

    async def dismiss_finding(self, uri: str, fingerprint: str) -> bool:
        """Never show a finding again; False for an unknown one."""
        ...

    async def agents(self) -> tuple[dict[str, str], ...]:
        """Return name and description of every agent."""
        ...

    async def conversations(self, conversation: str | None) -> dict[str, Any]:
        """Return the newest conversations, or one with its messages."""
        ...


class Services(Protocol):
    """Everything behind the door, built by the composition root for one client."""

    @property
    def completion(self) -> CompletionService:
        """The ghost-text engine; must answer (with a reason) before `start` has ended too."""
        ...

    @property
    def next_edits(self) -> NextEditService:
        """What the user's last change makes due elsewhere."""
        ...

    async def assistance(self) -> AssistanceService:
        """Return chat, edits, reviews and runs; made when they are first asked for, while keys go on being answered."""
        ...

    def findings(self, uri: str) -> tuple[ShownFinding, ...]:
        """Return what reviews found in a document and still stands; asked with every menu of actions."""
        ...

    async def start(self, editor: EditorOptions) -> None:
        """Start what needs starting; runs as a task after ``initialized``, requests may arrive meanwhile."""
        ...

    async def settings_changed(self, settings: Mapping[str, Any]) -> None:
        """Hear the editor's section ``dragoman`` (the whole section, replacing ``EditorOptions.settings``)."""
        ...

    def folders_changed(self, folders: tuple[Folder, ...]) -> None:
        """Hear the workspace folders as they are now."""
        ...

    def files_changed(self, changes: Sequence[tuple[str, FileChange]]) -> None:
        """Hear of files the editor saw change on disk, as (uri, change)."""
        ...

    def document_saved(self, uri: str) -> None:
        """Hear that the editor wrote a document to disk."""
        ...

    def diagnostics_seen(self, uri: str, reported: Iterable[Reported], lines: tuple[int, int] | None) -> None:
        """Hear what other servers report of a document: all of it, or what is about ``lines`` (first and last, from 0)."""
        ...

    def yanked(self, text: str, uri: str) -> None:
        """Hear that the user has copied text from a document, or from no file for ""."""
        ...

    def status(self) -> dict[str, Any]:
        """Return what the status bar and ``dragoman.status`` show; JSON-able, no waiting."""
        ...

    def sent(self, uri: str | None) -> Sent | None:
        """Return what a model read last for a document (the newest of all for None), None when none was asked yet."""
        ...

    async def select_model(self, role: str, model: str) -> dict[str, Any]:
        """Use ``model`` for ``role`` from now on; raises `DragomanError` for an unknown role or model."""
        ...

    async def models(self) -> tuple[dict[str, Any], ...]:
        """Return what `dragoman.lsp.features.language_models` says of every model that can chat."""
        ...

    def answer(self, request: ChatRequest, model: str | None) -> AsyncGenerator[Chunk, None]:
        """Have a model answer a conversation as it is, the one for chats for None; closing this ends the connection to it."""
        ...

    async def pull_model(self, name: str | None) -> dict[str, Any]:
        """Start getting an embedded model (the default one for None); raises `DragomanError` when it cannot."""
        ...

    async def aclose(self) -> None:
        """End every task, connection and child; called once, also when `start` failed or never ran."""
        ...


ServicesFactory = Callable[[ClientPort], Services]
"""Builds the services for one client; no I/O, no waiting (that is `Services.start`)."""
