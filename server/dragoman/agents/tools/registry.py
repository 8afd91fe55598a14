"""All tools that there are, by name, and the one way to call them: arguments checked, permission asked, result bounded."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from dragoman.agents.limits import ARGUMENT_CHARS, ARGUMENT_FAULTS
from dragoman.agents.tools.approval import Decision, Question
from dragoman.agents.tools.base import Arguments, Subjects, Tool, ToolContext, ToolResult, bounded
from dragoman.agents.tools.policy import Request, Rule, describe, rules_of_answer
from dragoman.errors import StorageError, ToolArgumentsError, ToolDeniedError, ToolError, UnknownToolError
from dragoman.models.base import Tool as Definition
from dragoman.models.json_text import load_json

logger = logging.getLogger(__name__)


class ToolRegistry:
    """A set of tools; names are unique."""

    def __init__(self, tools: Iterable[Tool[Any]] = ()) -> None:
        self._tools: dict[str, Tool[Any]] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool[Any]) -> None:
        """Add a tool; raises ValueError when the name is taken."""
        if tool.name in self._tools:
            raise ValueError(f"there is a tool {tool.name!r} already")
        self._tools[tool.name] = tool

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' names in the order they were added."""
        return tuple(self._tools)

    @property
    def all(self) -> tuple[Tool[Any], ...]:
        """The tools in the order they were added."""
        return tuple(self._tools.values())

    def get(self, name: str) -> Tool[Any]:
        """Return a tool; raises UnknownToolError with the nearest name."""
        tool = self._tools.get(name)
        if tool is None:
            near = difflib.get_close_matches(name, self._tools, 1, 0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(self._tools) or 'none'}."
            raise UnknownToolError(f"There is no tool {name!r}.", hint=hint)
        return tool

    def only(self, names: Iterable[str]) -> ToolRegistry:
        """Return those of the names; raises UnknownToolError."""
        return ToolRegistry(self.get(name) for name in dict.fromkeys(names))

    def definitions(self) -> tuple[Definition, ...]:
        """Return what a model is told of the tools."""
        return tuple(tool.definition() for tool in self._tools.values())

    async def call(self, name: str, arguments: str, context: ToolContext, *, call_id: str = "") -> ToolResult:
        """Make a call as a model wrote it; ``arguments`` is JSON.

        Raises ToolError: for an unknown name, wrong arguments, a no of the policy or of a person, and what the tool cannot do.
        """
        tool = self.get(name)
        parsed = parse_arguments(tool, arguments)
        try:
            await self._permit(tool, parsed, context, call_id)
            result = await tool.call(parsed, context, call_id)
        except (OSError, UnicodeError) as error:
            # Disks and texts have more ways to be wrong than any tool looks for.
            said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            raise ToolError(
                f"{name!r} failed: {said}.", hint="Try it with other arguments, or go on without it."
            ) from error
        return ToolResult(bounded(result.text, context.result_chars), result.details)

    async def _permit(self, tool: Tool[Any], arguments: Arguments, context: ToolContext, call_id: str) -> None:
        """Return when the call may be made; raises ToolDeniedError otherwise."""
        allowed: Request | None = None
        while True:
            subjects, rules = await asyncio.to_thread(_look, tool, arguments, context)
            request = tool.request(subjects, context)
            if request == allowed:
                return
            judgement = context.policy.decide(request, rules)
            if judgement.verdict == "allow":
                return
            if judgement.verdict == "deny":
                raise ToolDeniedError(
                    f"{tool.name!r} may not do this: {judgement.reason}.",
                    by="policy",
                    hint="Do not try it again, nor by other means; go on without it or tell the user what you need.",
                )
            decision = await context.approver.ask(_question(tool, arguments, subjects, request, context, call_id))
            await _remember(request, decision, context)
            if not decision.is_allowed:
                raise ToolDeniedError(
                    f"The user does not allow {tool.name!r} here.",
                    by="user",
                    hint="Do not ask for the same again; find another way or tell the user what you need.",
                )
            # What a link leads to may have changed while the person read the question.
            allowed = request


def _look(tool: Tool[Any], arguments: Arguments, context: ToolContext) -> tuple[Subjects, tuple[Rule, ...]]:
    """Return what a call is about and what is remembered; looks at the disk, in one thread's turn for both."""
    return tool.subjects(arguments, context), context.memory.rules()


def parse_arguments(tool: Tool[Any], arguments: str) -> Arguments:
    """Return a call's arguments; raises ToolArgumentsError that tells each fault with its place and what is expected."""
    if len(arguments) > ARGUMENT_CHARS:
        raise ToolArgumentsError(
            f"The arguments of {tool.name!r} are {len(arguments):,} characters long.",
            hint=f"At most {ARGUMENT_CHARS:,} are read; do it in several calls.",
        )
    try:
        value = load_json(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ToolArgumentsError(
            f"The arguments of {tool.name!r} are no JSON: {error}.", hint=f"Give one object with {_expected(tool)}."
        ) from None
    try:
        parsed = tool.arguments.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        told = "; ".join(f"{_place(one['loc'])}: {one['msg']}" for one in faults[:ARGUMENT_FAULTS])
        raise ToolArgumentsError(
            f"The arguments of {tool.name!r} are wrong: {told}.", hint=f"It takes {_expected(tool)}."
        ) from None
    assert isinstance(parsed, Arguments)
    return parsed


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the object"


def _expected(tool: Tool[Any]) -> str:
    fields = tool.arguments.model_fields
    return "{" + ", ".join(name if field.is_required() else f"{name}?" for name, field in fields.items()) + "}"


def _question(
    tool: Tool[Any], arguments: Arguments, subjects: Subjects, request: Request, context: ToolContext, call_id: str
) -> Question:
    return Question(
        run_id=context.run_id,
        call_id=call_id,
        agent=context.agent,
        tool=tool.name,
        permission=tool.permission,
        arguments=arguments.model_dump(exclude_unset=True),
        summary=subjects.summary,
        covers="; ".join(map(describe, rules_of_answer(request, "allow"))),
    )


async def _remember(request: Request, decision: Decision, context: ToolContext) -> None:
    rules = rules_of_answer(request, decision.decision)
    try:
        await asyncio.to_thread(context.memory.add, rules, decision.remember)
    except StorageError as error:
        # The answer itself stands; only the next run will ask again.
        logger.warning("%s", error)
