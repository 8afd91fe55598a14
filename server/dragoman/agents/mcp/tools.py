"""Foreign tools among our own: under their server's name, asked about one by one, their words bounded and without rights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict

from dragoman.agents.limits import RESULT_CHARS
from dragoman.agents.mcp.announced import Announced, Answer
from dragoman.agents.mcp.limits import DEFINITION_CHARS, DEFINITION_CHARS_PER_TOKEN, ERROR_CHARS
from dragoman.agents.mcp.names import is_wanted, offered_name
from dragoman.agents.mcp.servers import McpServer
from dragoman.agents.tools.base import Arguments, Subjects, Tool, ToolContext, ToolResult, bounded, refuse_after_keys
from dragoman.agents.tools.policy import Permission
from dragoman.errors import ToolError
from dragoman.models.base import Tool as Definition
from dragoman.models.redacted_json import JsonText

if TYPE_CHECKING:
    from dragoman.security.redaction import Redactor


class ForeignArguments(Arguments):
    """Whatever the server's schema names; it looks at them itself."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class ForeignTool(Tool[ForeignArguments]):
    """A tool of a server; each is a class of its own, made by `foreign_tools`."""

    arguments = ForeignArguments

    def __init__(self, server: McpServer, announced: Announced) -> None:
        self.server = server.name
        self.is_reading = announced.is_reading
        """Whether the server says that it only looks."""
        self._server = server
        self._announced = announced

    def definition(self) -> Definition:
        """Return what a model is told of it: the server's words, marked as such."""
        return Definition(self.name, self.description, dict(self._announced.schema))

    def subjects(self, arguments: ForeignArguments, context: ToolContext) -> Subjects:  # noqa: ARG002
        """Name the tool, its server, and where that is; raises SecretFileError once the run has read keys and it is elsewhere."""
        if self._server.is_remote:
            refuse_after_keys(context, f"the tool server {self.server!r}")
        where = f", which is at {self._server.state().where}" if self._server.settings.url is not None else ""
        return Subjects(f"Call {self._announced.name!r} of the tool server {self.server!r}{where}")

    async def call(self, arguments: ForeignArguments, context: ToolContext, call_id: str) -> ToolResult:  # noqa: ARG002
        """Make the call, its secrets hidden from a server elsewhere; raises ToolServerError, and ToolError for the server's own."""
        given = dict(arguments.model_extra or {})
        redactor = await asyncio.to_thread(lambda: self._server.redactor)
        if redactor is not None:
            given = await asyncio.to_thread(hide_secrets, given, redactor)
        answer = await self._server.call(self._announced.name, given)
        return self._read(answer, redactor)

    def _read(self, answer: Answer, redactor: Redactor | None) -> ToolResult:
        text = answer.text if redactor is None else redactor.restore(answer.text)
        if answer.failed:
            raise ToolError(f"{self.name!r} failed: {bounded(text, ERROR_CHARS) or 'its server does not say why'}")
        details = {"server": self.server, "characters": len(text)}
        return ToolResult(bounded(text, RESULT_CHARS) or "[it answered with nothing]", details)


def foreign_tools(
    servers: Iterable[McpServer], configured: Collection[str], taken: Collection[str]
) -> tuple[ForeignTool, ...]:
    """Return the tools of servers that have listed them; ``configured`` are all servers' names, ``taken`` our own tools'."""
    made: dict[str, ForeignTool] = {}
    for server in servers:
        for one in server.listing.tools:
            name = offered_name(server.name, one.name, configured, taken)
            # A digest that two share is possible, and then the first is it.
            made.setdefault(name, _make(server, one, name))
    return tuple(made.values())


def _make(server: McpServer, one: Announced, offered: str) -> ForeignTool:
    class Made(ForeignTool):
        name: ClassVar[str] = offered
        description: ClassVar[str] = f"[Tool server {server.name}] {one.description}".strip()
        permission: ClassVar[Permission] = _permission(server, one)

    return Made(server, one)


def _permission(server: McpServer, one: Announced) -> Permission:
    """Return what a call does at worst; what a server says of itself counts where the user believes it."""
    if one.is_reading and server.is_trusted:
        return "read"
    return "network" if server.settings.url is not None else "run"


def choose(tools: Iterable[ForeignTool], wanted: Collection[str], window: int | None) -> tuple[ForeignTool, ...]:
    """Return those of an agent that lists ``wanted``, as many as a model with that window can be told of."""
    room = DEFINITION_CHARS if window is None else min(DEFINITION_CHARS, int(window * DEFINITION_CHARS_PER_TOKEN))
    chosen = []
    for tool in tools:
        if not is_wanted(tool.name, tool.server, reading=tool.is_reading, wanted=wanted):
            continue
        definition = tool.definition()
        room -= len(definition.name) + len(definition.description) + len(json.dumps(definition.parameters))
        if room < 0:
            break
        chosen.append(tool)
    return tuple(chosen)


def hide_secrets(arguments: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Return a call's arguments with a placeholder for every secret, also for those that only their key gives away."""
    document = JsonText.of(arguments)
    named = document.find_named(redactor)
    parts = redactor.redact_together(document.parts, {secret for _, secret in named})
    for number, secret in named:
        parts[number] = parts[number].replace(secret, redactor.hide(secret))
    hidden: dict[str, Any] = json.loads(document.write(parts))
    return hidden
