"""The commands around agents: each answers at once, what happens then comes as run events, documents and diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from lsprotocol import types

from dragoman.lsp.convert import range_span
from dragoman.lsp.failures import INVALID_PARAMS, REQUEST_FAILED, RequestError
from dragoman.lsp.services import Span
from dragoman.lsp.session import Session

Arguments = Mapping[str, Any]
Command = Callable[[Session, Arguments], Coroutine[Any, Any, Any]]

ACTIONS = ("explain", "edit", "fix", "document", "test", "simplify", "review", "reviewChanges")
"""What is done with a document or a part of it: `dragoman.NAME {uri, range?, instruction?}`."""


def read_text(arguments: Arguments, name: str, command: str) -> str:
    """Return an argument that is a text; raises RequestError."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise RequestError(INVALID_PARAMS, f"{command!r} needs {name!r}, a text.")
    return value


def read_optional(arguments: Arguments, name: str, command: str) -> str | None:
    """Return an argument that is a text or missing; raises RequestError."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise RequestError(INVALID_PARAMS, f"{command!r} needs {name!r} to be a text, or none at all.")
    return value or None


def _span(session: Session, uri: str, arguments: Arguments, command: str) -> Span | None:
    """Return the range of an open document in code points, None without one."""
    where, document = arguments.get("range"), session.documents.get(uri)
    if where is None:
        return None
    try:
        found = types.Range(
            start=types.Position(line=int(where["start"]["line"]), character=int(where["start"]["character"])),
            end=types.Position(line=int(where["end"]["line"]), character=int(where["end"]["character"])),
        )
    except (TypeError, KeyError, ValueError):
        raise RequestError(INVALID_PARAMS, f"{command!r} needs 'range' to be a range of the protocol.") from None
    if document is None:
        raise RequestError(REQUEST_FAILED, f"{command!r} needs the 'uri' of an open document.")
    return range_span(found, document.lines, session.encoding)


def _act(action: str) -> Command:
    command = f"dragoman.{action}"

    async def act(session: Session, arguments: Arguments) -> dict[str, Any]:
        uri = read_text(arguments, "uri", command)
        document = session.documents.get(uri)
        if document is None or not document.in_sync:
            raise RequestError(REQUEST_FAILED, f"{command!r} needs the 'uri' of an open document.")
        instruction = read_optional(arguments, "instruction", command) or ""
        if action == "edit" and not instruction.strip():
            raise RequestError(INVALID_PARAMS, f"{command!r} needs 'instruction': what is to be changed.")
        assistance = await session.services.assistance()
        # Only now: the range and the text that it is a range of are read together.
        return await assistance.act(action, uri, _span(session, uri, arguments, command), instruction)

    return act


async def _chat(session: Session, arguments: Arguments) -> dict[str, Any]:
    name = "dragoman.chat"
    text, uri = read_text(arguments, "text", name), read_optional(arguments, "uri", name)
    conversation, agent, model = (read_optional(arguments, key, name) for key in ("conversationId", "agent", "model"))
    assistance = await session.services.assistance()
    span = _span(session, uri, arguments, name) if uri is not None else None
    return await assistance.chat(text, conversation=conversation, agent=agent, uri=uri, span=span, model=model)


async def _ask(session: Session, arguments: Arguments) -> dict[str, Any]:
    uri = read_text(arguments, "uri", "dragoman.ask")
    assistance = await session.services.assistance()
    return await assistance.ask_document(uri)


async def _run_agent(session: Session, arguments: Arguments) -> dict[str, Any]:
    name = "dragoman.runAgent"
    agent, task = read_text(arguments, "agent", name), read_text(arguments, "task", name)
    assistance = await session.services.assistance()
    return await assistance.run_agent(agent, task)


async def _commit_message(session: Session, _arguments: Arguments) -> dict[str, Any]:
    assistance = await session.services.assistance()
    return await assistance.commit_message()


async def _pull_request(session: Session, _arguments: Arguments) -> dict[str, Any]:
    assistance = await session.services.assistance()
    return await assistance.pull_request()


async def _approve(session: Session, arguments: Arguments) -> dict[str, bool]:
    name = "dragoman.approve"
    decision, remember = arguments.get("decision"), arguments.get("remember", "once")
    if decision not in {"allow", "deny"} or remember not in {"once", "run", "always"}:
        raise RequestError(
            INVALID_PARAMS, f"{name!r} needs 'decision', allow or deny, and 'remember', once, run or always."
        )
    run_id, call_id = read_text(arguments, "runId", name), read_text(arguments, "callId", name)
    assistance = await session.services.assistance()
    return {"answered": assistance.approve(run_id, call_id, allow=decision == "allow", remember=str(remember))}


async def cancel(session: Session, arguments: Arguments) -> dict[str, int]:
    """End one run, or with none named every running suggestion."""
    run_id = read_optional(arguments, "runId", "dragoman.cancel")
    if run_id is None:
        return {"cancelled": session.services.completion.cancel()}
    assistance = await session.services.assistance()
    return {"cancelled": int(await assistance.cancel_run(run_id))}


def _decide(*, accept: bool) -> Command:
    command = "dragoman.acceptEdit" if accept else "dragoman.rejectEdit"

    async def decide(session: Session, arguments: Arguments) -> dict[str, Any]:
        hunks = arguments.get("hunks")
        if hunks is not None and not (isinstance(hunks, (list, tuple)) and all(isinstance(one, str) for one in hunks)):
            raise RequestError(INVALID_PARAMS, f"{command!r} needs 'hunks' to be a list of texts, or none at all.")
        run_id = read_text(arguments, "runId", command)
        assistance = await session.services.assistance()
        return await assistance.decide_edit(run_id, hunks, accept=accept)

    return decide


async def _dismiss(session: Session, arguments: Arguments) -> dict[str, bool]:
    name = "dragoman.dismissFinding"
    uri, fingerprint = read_text(arguments, "uri", name), read_text(arguments, "fingerprint", name)
    assistance = await session.services.assistance()
    return {"dismissed": await assistance.dismiss_finding(uri, fingerprint)}


async def _agents(session: Session, _arguments: Arguments) -> dict[str, Any]:
    assistance = await session.services.assistance()
    return {"agents": list(await assistance.agents())}


async def _conversations(session: Session, arguments: Arguments) -> dict[str, Any]:
    conversation = read_optional(arguments, "id", "dragoman.conversations")
    assistance = await session.services.assistance()
    return await assistance.conversations(conversation)


COMMANDS: dict[str, Command] = {
    **{f"dragoman.{action}": _act(action) for action in ACTIONS},
    "dragoman.chat": _chat,
    "dragoman.ask": _ask,
    "dragoman.runAgent": _run_agent,
    "dragoman.commitMessage": _commit_message,
    "dragoman.pullRequest": _pull_request,
    "dragoman.approve": _approve,
    "dragoman.acceptEdit": _decide(accept=True),
    "dragoman.rejectEdit": _decide(accept=False),
    "dragoman.dismissFinding": _dismiss,
    "dragoman.agents": _agents,
    "dragoman.conversations": _conversations,
}
