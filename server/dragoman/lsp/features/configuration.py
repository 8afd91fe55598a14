"""Settings, workspace folders and watched files, as the editor knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsprotocol import types

from dragoman.lsp.client import call_safely
from dragoman.lsp.services import FileChange, Folder
from dragoman.lsp.session import Session

WATCHED = "**/*"
"""The index of the workspace follows every file; what is ignored is left out there."""

_CHANGES: dict[types.FileChangeType, FileChange] = {
    types.FileChangeType.Created: "created",
    types.FileChangeType.Changed: "changed",
    types.FileChangeType.Deleted: "deleted",
}


async def announce(session: Session) -> None:
    """Ask the client to tell of changes, and read its settings for the first time."""
    registrations = []
    if session.capabilities.registers_configuration:
        registrations.append(
            types.Registration(
                id="dragoman-configuration",
                method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                register_options={"section": "dragoman"},
            )
        )
    if session.capabilities.registers_watched_files:
        registrations.append(
            types.Registration(
                id="dragoman-watched-files",
                method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                register_options={"watchers": [{"globPattern": WATCHED}]},
            )
        )
    await session.client.register(registrations)
    await _follow_settings(session, None)


def did_change_configuration(session: Session, params: types.DidChangeConfigurationParams) -> None:
    """Read the settings anew where the client answers, else take those it sent along."""
    session.tasks.start(_follow_settings(session, params.settings), name="settings changed")


async def _follow_settings(session: Session, sent: Any) -> None:
    # One at a time, in order of arrival: an answer that is late must not undo a newer one.
    async with session.settings_turn:
        settings = await session.client.read_settings()
        if settings is None and isinstance(sent, Mapping):
            section = sent.get("dragoman", sent)
            settings = section if isinstance(section, Mapping) else None
        if settings is not None:
            await session.services.settings_changed(settings)


def did_change_workspace_folders(session: Session, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Keep the list of folders and pass it on."""
    removed = {folder.uri for folder in params.event.removed}
    added = tuple(Folder(folder.uri, folder.name) for folder in params.event.added)
    known = {folder.uri for folder in added}
    kept = tuple(folder for folder in session.folders if folder.uri not in removed | known)
    session.folders = kept + added
    call_safely("folders_changed", session.services.folders_changed, session.folders)


def did_change_watched_files(session: Session, params: types.DidChangeWatchedFilesParams) -> None:
    """Pass on what changed on disk."""
    changes = [(event.uri, _CHANGES[event.type]) for event in params.changes]
    call_safely("files_changed", session.services.files_changed, changes)
