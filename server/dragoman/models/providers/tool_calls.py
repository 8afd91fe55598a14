"""Calls of tools as servers stream them, brought into one form: each has its place, its id and its name from its first piece on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.errors import StreamMalformedError
from dragoman.models.base import ToolCallDelta


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a call as a server sent it: any of the four may be missing."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""


def pieces_of(told: Any) -> tuple[CallPiece, ...]:
    """Read the ``tool_calls`` of a message or a delta, OpenAI's or Ollama's; raises StreamMalformedError for what is none."""
    if told is None:
        return ()
    if not isinstance(told, Sequence) or isinstance(told, str):
        raise StreamMalformedError("tool_calls is not a list")
    return tuple(_piece(one) for one in told)


def _piece(told: Any) -> CallPiece:
    function = told.get("function") if isinstance(told, Mapping) else None
    if not isinstance(function, Mapping):
        raise StreamMalformedError("a tool call has no function")
    # OpenAI numbers the call, Ollama the function.
    index = told.get("index", function.get("index"))
    return CallPiece(
        index=index if isinstance(index, int) else None,
        id=str(told.get("id") or ""),
        name=str(function.get("name") or ""),
        arguments=_text_of(function.get("arguments")),
    )


def piece_of_function(told: Any) -> tuple[CallPiece, ...]:
    """Read the older ``function_call``, of which an answer has one at most."""
    if not isinstance(told, Mapping):
        return ()
    return (CallPiece(0, "", str(told.get("name") or ""), _text_of(told.get("arguments"))),)


def _text_of(arguments: Any) -> str:
    if arguments is None:
        return ""
    # Some servers send the object itself instead of its text.
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


@dataclass(slots=True)
class _Call:
    index: int
    id: str = ""
    name: str = ""
    announced: bool = False
    said: bool = False
    held: str = ""


class CallReader:
    """Turns a stream's pieces into `ToolCallDelta`s: dense indices, an id for every call, the name in the first piece.

    Servers leave out numbers, give several calls the same, repeat names, send no ids.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._numbered: dict[int, _Call] = {}
        self._prefix = secrets.token_hex(6)

    def __bool__(self) -> bool:
        """Whether there is any call."""
        return bool(self._calls)

    def take(self, pieces: Sequence[CallPiece]) -> tuple[ToolCallDelta, ...]:
        """Take in a server's pieces; return what can be passed on."""
        return tuple(delta for piece in pieces if (delta := self._take(piece)) is not None)

    def end(self) -> tuple[ToolCallDelta, ...]:
        """Return what completes the calls: ``{}`` for one without arguments. Raises StreamMalformedError for a nameless one."""
        if any(not call.announced for call in self._calls):
            raise StreamMalformedError("a tool call has no name")
        return tuple(ToolCallDelta(call.index, arguments="{}") for call in self._calls if not call.said)

    def _take(self, piece: CallPiece) -> ToolCallDelta | None:
        call = self._find(piece)
        call.id = call.id or piece.id
        if not call.announced:
            call.name = call.name or piece.name
            call.held += piece.arguments
            if not call.name:
                return None
            call.announced, call.said = True, bool(call.held)
            call.id = call.id or f"call_{self._prefix}_{call.index}"
            return ToolCallDelta(call.index, call.id, call.name, call.held)
        if not piece.arguments:
            return None
        call.said = True
        return ToolCallDelta(call.index, arguments=piece.arguments)

    def _find(self, piece: CallPiece) -> _Call:
        """Return the call a piece belongs to, which may be a new one."""
        if piece.index is not None:
            known = self._numbered.get(piece.index)
            # The same number with another id is another call.
            if known is not None and not (piece.id and known.id and piece.id != known.id and piece.name):
                return known
        elif piece.id:
            known = next((call for call in self._calls if call.id == piece.id), None)
            if known is not None:
                return known
        elif not piece.name and self._calls:
            return self._calls[-1]
        call = _Call(len(self._calls))
        self._calls.append(call)
        if piece.index is not None:
            self._numbered[piece.index] = call
        return call
