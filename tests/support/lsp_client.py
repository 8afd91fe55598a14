"""A pytest-lsp client that is a modern editor: its bundled profiles are older than LSP 3.18."""

from __future__ import annotations

import sys
from typing import Any

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, make_test_lsp_client

CAPABILITIES = types.ClientCapabilities(
    general=types.GeneralClientCapabilities(
        position_encodings=[types.PositionEncodingKind.Utf8, types.PositionEncodingKind.Utf16]
    ),
    text_document=types.TextDocumentClientCapabilities(
        inline_completion=types.InlineCompletionClientCapabilities(dynamic_registration=True),
        synchronization=types.TextDocumentSyncClientCapabilities(did_save=True),
    ),
    window=types.WindowClientCapabilities(work_done_progress=True),
    workspace=types.WorkspaceClientCapabilities(
        apply_edit=True,
        configuration=True,
        workspace_folders=True,
        workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
    ),
)


def make_client() -> LanguageClient:
    """Return a client that hears our own notifications."""
    client = make_test_lsp_client()
    client.statuses = []  # type: ignore[attr-defined]

    @client.feature("dragoman/status")
    def _status(params: Any) -> None:
        client.statuses.append(params)  # type: ignore[attr-defined]

    return client


SCRIPTED_CONFIG = ClientServerConfig(
    server_command=[sys.executable, "-m", "tests.support.scripted_lsp", "--stdio"], client_factory=make_client
)


async def begin(client: LanguageClient) -> types.InitializeResult:
    """Initialize with our capabilities."""
    return await client.initialize_session(
        types.InitializeParams(capabilities=CAPABILITIES, process_id=None, root_uri="file:///w")
    )
