"""What one connected editor is and has open: the door's only mutable state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dragoman.cancellation import TaskSet
from dragoman.completion.query import CompletionQuery, SelectedItem, Trigger
from dragoman.lsp.capabilities import choose_encoding
from dragoman.lsp.documents import DocumentStore
from dragoman.lsp.positions import Encoding, content_length, to_code_points
from dragoman.lsp.services import EditorOptions, Folder, Services

if TYPE_CHECKING:
    from dragoman.lsp.client import EditorClient
    from dragoman.lsp.features.completion import MenuSearch

INVOKED_OR_AUTOMATIC = 1


class ClientCapabilities:
    """The client's capabilities as questions; what is missing or malformed counts as no."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def _node(self, *path: str) -> Any:
        node: Any = self._raw
        for name in path:
            if not isinstance(node, Mapping):
                return None
            node = node.get(name)
        return node

    def _has(self, *path: str) -> bool:
        return self._node(*path) is True

    @property
    def shows_progress(self) -> bool:
        """Whether ``window/workDoneProgress/create`` may be sent."""
        return self._has("window", "workDoneProgress")

    @property
    def answers_configuration(self) -> bool:
        """Whether ``workspace/configuration`` may be sent."""
        return self._has("workspace", "configuration")

    @property
    def registers_configuration(self) -> bool:
        """Whether ``workspace/didChangeConfiguration`` can be asked for."""
        return self._has("workspace", "didChangeConfiguration", "dynamicRegistration")

    @property
    def registers_watched_files(self) -> bool:
        """Whether the client watches files for us."""
        return self._has("workspace", "didChangeWatchedFiles", "dynamicRegistration")

    @property
    def applies_edits(self) -> bool:
        """Whether ``workspace/applyEdit`` may be sent."""
        return self._has("workspace", "applyEdit")

    @property
    def shows_documents(self) -> bool:
        """Whether ``window/showDocument`` may be sent, to move the cursor."""
        return self._has("window", "showDocument", "support")

    @property
    def takes_action_literals(self) -> bool:
        """Whether a code action may carry its edit; older clients take commands only."""
        return self._node("textDocument", "codeAction", "codeActionLiteralSupport") is not None

    @property
    def versions_edits(self) -> bool:
        """Whether edits may carry the document version they were made for.

        Neovim does not say so; but whoever moves files by an edit takes that kind of edit, there is no other for it.
        """
        operations = self._node("workspace", "workspaceEdit", "resourceOperations")
        return self._has("workspace", "workspaceEdit", "documentChanges") or bool(operations)

    @property
    def shows_runs(self) -> bool:
        """Whether the client shows run events by itself: it needs no documents and no questions for them."""
        return self._has("experimental", "dragoman", "runEvents")

    @property
    def finds_usages(self) -> bool:
        """Whether the client asks its other servers where a name is used."""
        return self._has("experimental", "dragoman", "references")

    @property
    def finds_symbols(self) -> bool:
        """Whether the client asks its other servers where a name is defined."""
        return self._has("experimental", "dragoman", "symbols")

    @property
    def annotates_edits(self) -> bool:
        """Whether the client shows what an edit is for."""
        return self._node("workspace", "workspaceEdit", "changeAnnotationSupport") is not None

    @property
    def diagnostic_extras(self) -> frozenset[str]:
        """What a diagnostic may carry beside its message: ``relatedInformation``, ``codeDescription``."""
        abilities = {"relatedInformation": "relatedInformation", "codeDescription": "codeDescriptionSupport"}
        ways = ("publishDiagnostics", "diagnostic")
        return frozenset(
            extra for extra, told in abilities.items() if any(self._has("textDocument", way, told) for way in ways)
        )

    @property
    def refreshes_diagnostics(self) -> bool:
        """Whether the client can be told to ask for diagnostics again."""
        return self._has("workspace", "diagnostics", "refreshSupport")

    @property
    def resolves_action_edits(self) -> bool:
        """Whether a code action's edit may come when it is chosen."""
        wanted = self._node("textDocument", "codeAction", "resolveSupport", "properties")
        return isinstance(wanted, list) and "edit" in wanted


class TriggerCount:
    """Learns from what a client sends how it numbers the trigger kinds: Invoked and Automatic as 0/1 or as 1/2."""

    def __init__(self) -> None:
        self._counts_from_zero: bool | None = None

    def read(self, kind: int) -> Trigger:
        """Return what ``kind`` means; before a 0 or a 2 was seen, 1 means Invoked."""
        if kind == 0:
            self._counts_from_zero = True
        elif kind == 2:
            self._counts_from_zero = False
        if kind == INVOKED_OR_AUTOMATIC:
            return "automatic" if self._counts_from_zero else "invoked"
        return "invoked" if kind == 0 else "automatic"


class Door(Protocol):
    """What handlers may ask of the server around them."""

    @property
    def is_shut_down(self) -> bool:
        """Whether ``shutdown`` was processed."""
        ...

    def initialized(self) -> None:
        """Let requests in."""
        ...

    def begin_shutdown(self) -> None:
        """Answer what is open and refuse what still comes."""
        ...

    def stop(self, exit_code: int, reason: str) -> None:
        """End the server."""
        ...


class Session:
    """One editor from ``initialize`` to ``exit``."""

    def __init__(self, services: Services, client: EditorClient, door: Door) -> None:
        self.services = services
        self.client = client
        self.door = door
        self.documents = DocumentStore()
        self.capabilities = ClientCapabilities({})
        self.encoding: Encoding = "utf-16"
        self.editor = EditorOptions()
        self.folders: tuple[Folder, ...] = ()
        self.triggers = TriggerCount()
        self.tasks = TaskSet()
        self.process_id: int | None = None
        self.started = False
        self.pulls_diagnostics = False
        """Whether the client has asked for diagnostics, and is not to be sent them a second time."""
        self.menus: dict[str, MenuSearch] = {}
        self.settings_turn = asyncio.Lock()

    @property
    def annotates_edits(self) -> bool:
        """Whether the client shows what an edit is for, and does not make its user press a key for it as Neovim 0.12 does."""
        return self.capabilities.annotates_edits and self.editor.client_name != "Neovim"

    def initialize(self, params: Mapping[str, Any]) -> None:
        """Take in the raw params of ``initialize``; what is malformed counts as absent."""
        capabilities = params.get("capabilities")
        raw = capabilities if isinstance(capabilities, Mapping) else {}
        self.capabilities = ClientCapabilities(raw)
        self.encoding = _encoding(choose_encoding(dict(raw)))
        client = params.get("clientInfo")
        client = client if isinstance(client, Mapping) else {}
        options = params.get("initializationOptions")
        process_id = params.get("processId")
        self.process_id = process_id if isinstance(process_id, int) and process_id > 0 else None
        self.folders = _folders(params)
        self.editor = EditorOptions(
            client_name=str(client.get("name") or ""),
            client_version=str(client.get("version") or ""),
            folders=self.folders,
            settings=options if isinstance(options, Mapping) else {},
            locale=str(params.get("locale") or ""),
            watches_files=self.capabilities.registers_watched_files,
            excludes=_texts(options.get("excludes") if isinstance(options, Mapping) else None),
        )

    def query(
        self, uri: str, line: int, units: int, *, trigger: Trigger, selected: tuple[int, int, str] | None = None
    ) -> CompletionQuery | None:
        """Freeze the document and the cursor into a query; None when the document is not open or its text is not known.

        ``units`` and the range of ``selected`` (start, end, text) are in the client's encoding.
        Called before the first await of a request, so that the text is the one the client had when it asked.
        """
        document = self.documents.get(uri)
        if document is None or not document.in_sync:
            return None
        snapshot = document.snapshot()
        lines = snapshot.lines
        if line >= lines.line_count:
            line = lines.line_count - 1
            character = content_length(lines.line(line))
        else:
            character = to_code_points(lines.line(line), units, self.encoding)
        item = None
        if selected is not None:
            start, end, text = selected
            here = lines.line(line)
            item = SelectedItem(
                to_code_points(here, start, self.encoding), to_code_points(here, end, self.encoding), text
            )
        return CompletionQuery(
            uri=uri,
            language=snapshot.language_id,
            version=snapshot.version,
            text=lines,
            line=line,
            character=character,
            trigger=trigger,
            selected=item,
        )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _encoding(name: str) -> Encoding:
    return "utf-32" if name == "utf-32" else "utf-8" if name == "utf-8" else "utf-16"


def _folders(params: Mapping[str, Any]) -> tuple[Folder, ...]:
    listed = params.get("workspaceFolders")
    folders = tuple(
        Folder(folder["uri"], str(folder.get("name") or ""))
        for folder in (listed if isinstance(listed, list) else ())
        if isinstance(folder, Mapping) and isinstance(folder.get("uri"), str)
    )
    if folders:
        return folders
    root = params.get("rootUri")
    if not isinstance(root, str) and isinstance(path := params.get("rootPath"), str) and path:
        from pygls.uris import from_fs_path

        root = from_fs_path(path)
    return (Folder(root, root.rstrip("/").rpartition("/")[2]),) if isinstance(root, str) and root else ()
