"""``workspace/executeCommand``: each command takes one JSON object, may take its time, and can be cancelled."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import unquote

from lsprotocol import types

from dragoman.lsp.failures import INVALID_PARAMS, REQUEST_FAILED, RequestError
from dragoman.lsp.features import agent_commands, next_edit
from dragoman.lsp.features.agent_commands import read_optional, read_text
from dragoman.lsp.positions import to_units
from dragoman.lsp.session import Session

Arguments = Mapping[str, Any]
Command = Callable[[Session, Arguments], Coroutine[Any, Any, Any]]

LATER = ("dragoman.runWorkflow",)
"""Names that are reserved and whose work is not part of this version."""


def execute_command(session: Session, params: types.ExecuteCommandParams) -> Coroutine[Any, Any, Any]:
    """Find the command and check its argument; the command itself runs as the request's own task."""
    command = COMMANDS.get(params.command)
    if command is None:
        raise RequestError(REQUEST_FAILED, _refusal(params.command))
    given = list(params.arguments or ())
    argument = given[0] if given else {}
    if len(given) > 1 or not isinstance(argument, Mapping):
        raise RequestError(INVALID_PARAMS, f"{params.command!r} takes one JSON object as its only argument.")
    return command(session, argument)


def _refusal(name: str) -> str:
    if name in LATER:
        return f"`{name}` is not part of this version."
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    return f"There is no command {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")


async def _status(session: Session, _arguments: Arguments) -> dict[str, Any]:
    return {**session.services.status(), "process": _process(session)}


def _process(session: Session) -> dict[str, Any]:
    """Count what this process holds, so that a leak can be seen from outside."""
    return {
        "pid": os.getpid(),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "fds": len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else None,  # noqa: PTH208 - names are all it needs
        "documents": len(session.documents),
    }


async def _accept_completion(session: Session, arguments: Arguments) -> None:
    name = "dragoman.acceptCompletion"
    session.services.completion.accepted(read_text(arguments, "id", name), str(arguments.get("kind") or "whole"))


async def _select_model(session: Session, arguments: Arguments) -> dict[str, Any]:
    name = "dragoman.selectModel"
    return await session.services.select_model(read_text(arguments, "role", name), read_text(arguments, "model", name))


async def _pull_model(session: Session, arguments: Arguments) -> dict[str, Any]:
    return await session.services.pull_model(read_optional(arguments, "name", "dragoman.pullModel"))


async def _show_context(session: Session, arguments: Arguments) -> dict[str, Any]:
    uri = read_optional(arguments, "uri", "dragoman.showContext")
    sent = session.services.sent(uri)
    if sent is None:
        where = f"for {unquote(uri).rpartition('/')[2]!r} " if uri else ""
        raise RequestError(
            REQUEST_FAILED, f"No model was asked {where}yet. Type something or ask for a suggestion first."
        )
    return {**sent.as_dict(), "character": to_units(sent.line_text, sent.character, session.encoding)}


COMMANDS: dict[str, Command] = {
    "dragoman.status": _status,
    "dragoman.acceptCompletion": _accept_completion,
    "dragoman.cancel": agent_commands.cancel,
    "dragoman.selectModel": _select_model,
    "dragoman.pullModel": _pull_model,
    "dragoman.showNextEdit": next_edit.show,
    "dragoman.showContext": _show_context,
    **agent_commands.COMMANDS,
}
