"""What the server asks of the editor: messages, buttons, progress, edits; implements `ClientPort` over pygls."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from dragoman.lsp.convert import diagnostic, plain_range, span_range, text_edit, versioned_edit
from dragoman.lsp.lines import Lines
from dragoman.lsp.protocol import Protocol
from dragoman.lsp.services import EditorEdit, MessageKind, Progress, ShownFinding, Span
from dragoman.lsp.session import Session
from dragoman.monitoring import bug

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 2.0
"""How long a client may take to agree to a progress; some never answer, and the work must not wait for them."""

ANSWER_SECONDS = 10.0
"""How long a client may take to answer what needs no human: settings, edits, registrations."""

_KINDS = {
    "error": types.MessageType.Error,
    "warning": types.MessageType.Warning,
    "info": types.MessageType.Info,
    "log": types.MessageType.Log,
}


def _read_place(value: Any) -> tuple[str, int] | None:
    """Return a place that a client found, None for what is none."""
    if not isinstance(value, Mapping):
        return None
    uri, line = value.get("uri"), value.get("line")
    return (uri, line) if isinstance(uri, str) and isinstance(line, int) and line >= 0 else None


class SilentProgress:
    """The progress of a client that shows none."""

    def report(self, message: str = "", percentage: int | None = None) -> None:
        """Show nothing."""

    def end(self, message: str = "") -> None:
        """Take nothing down."""


class _ShownProgress:
    def __init__(self, client: EditorClient, token: str) -> None:
        self._client = client
        self._token: str | None = token

    def report(self, message: str = "", percentage: int | None = None) -> None:
        if self._token is not None:
            self._client.send_progress(
                self._token, types.WorkDoneProgressReport(message=message or None, percentage=percentage)
            )

    def end(self, message: str = "") -> None:
        if self._token is not None:
            token, self._token = self._token, None
            self._client.send_progress(token, types.WorkDoneProgressEnd(message=message or None))
            self._client.forget_progress(token)


class EditorClient:
    """The editor as the domain sees it."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._session: Session | None = None
        self._status: dict[str, Any] | None = None
        self._tokens = itertools.count(1)
        self._cancels: dict[str, Callable[[], None] | None] = {}

    def attach(self, session: Session) -> None:
        """Learn which editor this is."""
        self._session = session

    @property
    def session(self) -> Session:
        """The session; raises RuntimeError before there is one."""
        if self._session is None:
            raise RuntimeError("the client was used before the session began")
        return self._session

    # -- without waiting -----------------------------------------------------------------------------------------------

    def notify_status(self, status: Mapping[str, Any]) -> None:
        """Send ``dragoman/status`` when it differs from what was sent last."""
        fresh = dict(status)
        if fresh != self._status:
            self._status = fresh
            self.notify("dragoman/status", fresh)

    def show_message(self, kind: MessageKind, text: str) -> None:
        """Show a sentence to the user."""
        self._protocol.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(type=_KINDS[kind], message=text))

    def log_message(self, kind: MessageKind, text: str) -> None:
        """Write a line to the editor's output channel."""
        self._protocol.notify(types.WINDOW_LOG_MESSAGE, types.LogMessageParams(type=_KINDS[kind], message=text))

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification of our own."""
        self._protocol.send_notification(method, dict(params))

    # -- runs and reviews ----------------------------------------------------------------------------------------------

    @property
    def shows_runs(self) -> bool:
        """Whether the client shows what happens in runs by itself."""
        return self.session.capabilities.shows_runs

    def show_run_event(self, event: Mapping[str, Any]) -> None:
        """Send ``dragoman/runEvent``, ranges in the client's units."""
        hunk, document = event.get("hunk"), self.session.documents.get(str(event.get("uri")))
        if isinstance(hunk, Mapping) and document is not None:
            start, end = hunk["range"]["start"], hunk["range"]["end"]
            span = Span((start["line"], start["character"]), (end["line"], end["character"]))
            found = plain_range(span_range(span, document.lines, self.session.encoding))
            event = {**event, "hunk": {**hunk, "range": found}, "version": document.version}
        self.notify("dragoman/runEvent", event)

    def publish_findings(self, uri: str, findings: Sequence[ShownFinding], version: int | None) -> None:
        """Push diagnostics, or tell a client that pulls them to ask again."""
        if self.session.pulls_diagnostics:
            if self.session.capabilities.refreshes_diagnostics:
                self.session.tasks.start(self._refresh(), name="diagnostics refresh")
            return
        document = self.session.documents.get(uri)
        extras = self.session.capabilities.diagnostic_extras
        shown = (
            []
            if document is None
            else [diagnostic(one, uri, document.lines, self.session.encoding, extras) for one in findings]
        )
        self._protocol.notify(
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS,
            types.PublishDiagnosticsParams(uri=uri, diagnostics=shown, version=version),
        )

    async def _refresh(self) -> None:
        try:
            await self._protocol.ask(types.WORKSPACE_DIAGNOSTIC_REFRESH, None, seconds=ANSWER_SECONDS)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client did not ask for diagnostics again: %r", error)

    # -- with an answer ------------------------------------------------------------------------------------------------

    async def ask(self, kind: MessageKind, text: str, actions: Sequence[str]) -> str | None:
        """Show a sentence with buttons and return the chosen one; waits for the human as long as the human takes."""
        params = types.ShowMessageRequestParams(
            type=_KINDS[kind], message=text, actions=[types.MessageActionItem(title=title) for title in actions]
        )
        try:
            chosen = await self._protocol.ask(types.WINDOW_SHOW_MESSAGE_REQUEST, params, seconds=None)
        except JsonRpcException as error:
            logger.info("the client has no buttons: %s", error)
            self.show_message(kind, text)
            return None
        title = getattr(chosen, "title", None)
        return title if title in actions else None

    async def begin_progress(
        self,
        title: str,
        *,
        message: str = "",
        percentage: int | None = None,
        on_cancel: Callable[[], None] | None = None,
    ) -> Progress:
        """Start a work-done progress, or a silent one when the client cannot show it or does not answer in time."""
        if not self.session.capabilities.shows_progress:
            return SilentProgress()
        token = f"dragoman-progress-{next(self._tokens)}"
        try:
            await self._protocol.ask(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE,
                types.WorkDoneProgressCreateParams(token=token),
                seconds=PROGRESS_SECONDS,
            )
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client does not show a progress: %r", error)
            return SilentProgress()
        self._cancels[token] = on_cancel
        self.send_progress(
            token,
            types.WorkDoneProgressBegin(
                title=title, message=message or None, percentage=percentage, cancellable=on_cancel is not None
            ),
        )
        return _ShownProgress(self, token)

    def send_progress(
        self,
        token: str,
        value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd,
    ) -> None:
        """Send one step of a progress."""
        self._protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))

    def forget_progress(self, token: str) -> None:
        """Drop the token of a progress that ended."""
        self._cancels.pop(token, None)

    def progress_cancelled(self, token: int | str) -> None:
        """Tell the work behind a token that the user cancelled it; unknown tokens are left out."""
        on_cancel = self._cancels.get(str(token))
        if on_cancel is not None:
            on_cancel()

    async def apply_edits(
        self, uri: str, edits: Sequence[EditorEdit], *, version: int | None = None, label: str = ""
    ) -> bool:
        """Ask the editor to change one document; False when it did not."""
        document = self.session.documents.get(uri)
        if document is None or not document.in_sync or not self.session.capabilities.applies_edits:
            return False
        if version is not None and version != document.version:
            return False
        return await self._apply(uri, document.lines, edits, document.version, label)

    async def apply_untold(
        self, uri: str, text: str, edits: Sequence[EditorEdit], *, version: int | None, label: str = ""
    ) -> bool:
        """Ask the editor to change a document that is ``text`` by now though it has not told so."""
        if not self.session.capabilities.applies_edits:
            return False
        return await self._apply(uri, Lines.of(text), edits, version, label)

    async def _apply(
        self, uri: str, lines: Lines, edits: Sequence[EditorEdit], version: int | None, label: str
    ) -> bool:
        changes = [text_edit(edit, lines, self.session.encoding) for edit in edits]
        if version is not None and self.session.capabilities.versions_edits:
            edit = versioned_edit({uri: (version, changes)}, label if self.session.annotates_edits else "")
        elif all(one.range.start == one.range.end for one in changes):
            edit = types.WorkspaceEdit(changes={uri: changes})
        else:
            # What is typed at this very moment would be replaced too.
            return False
        params = types.ApplyWorkspaceEditParams(edit=edit, label=label or None)
        try:
            result = await self._protocol.ask(types.WORKSPACE_APPLY_EDIT, params, seconds=ANSWER_SECONDS)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client did not apply an edit: %r", error)
            return False
        return bool(result.applied)

    @property
    def makes_edits(self) -> bool:
        """Whether the client makes edits, and can be told which version of a document they are for."""
        return self.session.capabilities.applies_edits and self.session.capabilities.versions_edits

    @property
    def admits_refusals(self) -> bool:
        """Whether the client says so when it has not made an edit."""
        return self.session.editor.client_name != "Neovim"

    @property
    def finds_usages(self) -> bool:
        """Whether the client asks its other servers where a name is used."""
        return self.session.capabilities.finds_usages

    async def find_usages(self, uri: str, line: int, name: str) -> tuple[tuple[str, int], ...]:
        """Send ``dragoman/references`` and return the places; empty when there are none or the client does not answer."""
        if not self.finds_usages:
            return ()
        return await self._places("dragoman/references", {"uri": uri, "line": line, "name": name})

    @property
    def finds_symbols(self) -> bool:
        """Whether the client asks its other servers where a name is defined."""
        return self.session.capabilities.finds_symbols

    async def find_symbols(self, name: str) -> tuple[tuple[str, int], ...]:
        """Send ``dragoman/symbols`` and return the places; empty when there are none or the client does not answer."""
        if not self.finds_symbols:
            return ()
        return await self._places("dragoman/symbols", {"name": name})

    async def _places(self, method: str, params: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
        try:
            found = await self._protocol.ask(method, dict(params), seconds=ANSWER_SECONDS)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client did not answer %s for %r: %r", method, params["name"], error)
            return ()
        if not isinstance(found, (list, tuple)):
            return ()
        return tuple(place for one in found if (place := _read_place(one)) is not None)

    async def show_document(self, uri: str, *, take_focus: bool = False) -> bool:
        """Ask the editor to open a document; False when it did not, or cannot."""
        if not self.session.capabilities.shows_documents:
            return False
        return await self._show(types.ShowDocumentParams(uri=uri, take_focus=take_focus))

    async def show_place(self, uri: str, selection: types.Range) -> bool:
        """Ask the editor to put the cursor there; False when it did not, or cannot."""
        if not self.session.capabilities.shows_documents:
            return False
        return await self._show(types.ShowDocumentParams(uri=uri, take_focus=True, selection=selection))

    async def _show(self, params: types.ShowDocumentParams) -> bool:
        try:
            result = await self._protocol.ask(types.WINDOW_SHOW_DOCUMENT, params, seconds=ANSWER_SECONDS)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client did not show %r: %r", params.uri, error)
            return False
        return bool(result.success)

    # -- settings ------------------------------------------------------------------------------------------------------

    async def read_settings(self) -> Mapping[str, Any] | None:
        """Ask for the editor's section ``dragoman``; None when the client does not answer such questions."""
        if not self.session.capabilities.answers_configuration:
            return None
        params = types.ConfigurationParams(items=[types.ConfigurationItem(section="dragoman")])
        try:
            answer = await self._protocol.ask(types.WORKSPACE_CONFIGURATION, params, seconds=ANSWER_SECONDS)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client did not tell its settings: %r", error)
            return None
        section = answer[0] if isinstance(answer, (list, tuple)) and answer else None
        return section if isinstance(section, Mapping) else None

    async def register(self, registrations: Sequence[types.Registration]) -> None:
        """Ask the client to send what it only sends on request."""
        if not registrations:
            return
        params = types.RegistrationParams(registrations=list(registrations))
        try:
            await self._protocol.ask(types.CLIENT_REGISTER_CAPABILITY, params, seconds=ANSWER_SECONDS)
        except (JsonRpcException, TimeoutError) as error:
            logger.info("the client did not register: %r", error)


def call_safely(what: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call the domain from a notification; what it raises is its bug and not the editor's concern."""
    try:
        return function(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001 - reported, and the session goes on
        bug.report("the domain failed on a notification", what=what, error=error)
        return None
