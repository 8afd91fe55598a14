"""The server with a standard client library that checks the protocol for us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest_lsp
from lsprotocol import types
from pytest_lsp import LanguageClient

from tests.support.lsp_client import SCRIPTED_CONFIG, begin

URI = "file:///w/a.py"


@pytest_lsp.fixture(config=SCRIPTED_CONFIG)
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    await begin(lsp_client)
    yield
    await lsp_client.shutdown_session()


def open_document(client: LanguageClient, text: str) -> None:
    item = types.TextDocumentItem(uri=URI, language_id="python", version=1, text=text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))


async def test_ghost_text_is_typed_by_the_standard(client: LanguageClient) -> None:
    open_document(client, "é = 1\n")
    result = await client.text_document_inline_completion_async(
        types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri=URI),
            position=types.Position(line=0, character=6),
            context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic),
        )
    )
    assert isinstance(result, types.InlineCompletionList)
    (item,) = result.items
    assert isinstance(item.insert_text, str)
    assert json.loads(item.insert_text)["character"] == 5
    assert item.range == types.Range(types.Position(0, 6), types.Position(0, 6))
    assert item.command is not None
    assert (
        await client.workspace_execute_command_async(
            types.ExecuteCommandParams(command=item.command.command, arguments=item.command.arguments)
        )
        is None
    )


async def test_progress_is_created_reported_and_ended(client: LanguageClient) -> None:
    argument = {"role": "progress", "model": "quick"}
    await client.workspace_execute_command_async(
        types.ExecuteCommandParams(command="dragoman.selectModel", arguments=[argument])
    )
    ((_, steps),) = client.progress_reports.items()
    kinds = [type(step.value if hasattr(step, "value") else step).__name__ for step in steps]
    assert kinds == ["WorkDoneProgressBegin", "WorkDoneProgressReport", "WorkDoneProgressEnd"]


async def test_nothing_pops_up(client: LanguageClient) -> None:
    open_document(client, "explode")
    await client.workspace_execute_command_async(types.ExecuteCommandParams(command="dragoman.status"))
    assert client.messages == []
