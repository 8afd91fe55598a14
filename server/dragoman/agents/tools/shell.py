"""A tool that runs a program, without a shell, within bounds."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from dragoman.agents.limits import (
    COMMAND_ARGUMENTS,
    COMMAND_CHARS,
    COMMAND_SECONDS,
    COMMAND_SECONDS_MOST,
    COMMAND_STREAMED_BYTES,
)
from dragoman.agents.tools.base import Arguments, Output, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.globs import command_line
from dragoman.agents.tools.places import Place, find_place
from dragoman.agents.tools.policy import Permission
from dragoman.agents.tools.processes import filtered_environment, run_process
from dragoman.errors import CommandError, ToolError
from dragoman.security.paths import is_secret_path


class CommandArguments(Arguments):
    """What `RunCommand` takes."""

    argv: tuple[str, ...] = Field(
        min_length=1, max_length=COMMAND_ARGUMENTS, description='The program and its arguments: ["pytest", "-q"].'
    )
    cwd: str = Field(".", min_length=1, description="The folder to run it in, relative to the workspace.")
    timeout: float = Field(
        COMMAND_SECONDS, gt=0, le=COMMAND_SECONDS_MOST, description="Seconds after which it is ended."
    )

    @field_validator("argv")
    @classmethod
    def _is_runnable(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0].strip():
            raise ValueError("the program's name is empty")
        if any("\0" in one for one in argv):
            raise ValueError("an argument has a NUL character")
        if sum(map(len, argv)) > COMMAND_CHARS:
            raise ValueError(f"the arguments have more than {COMMAND_CHARS:,} characters")
        return argv


class RunCommand(Tool[CommandArguments]):
    """Runs a program and answers with its exit code and output."""

    name = "run_command"
    description = (
        "Run a program in the workspace and read its output. There is no shell: no pipes, no wildcards, no input."
    )
    permission: ClassVar[Permission] = "run"
    arguments = CommandArguments

    def subjects(self, arguments: CommandArguments, context: ToolContext) -> Subjects:
        """Name the command and its folder."""
        place = _folder(arguments, context)
        where = "" if place.shown == "." else f" in {place.shown}"
        return Subjects(f"Run `{command_line(arguments.argv)}`{where}", (place.shown,), arguments.argv)

    async def call(self, arguments: CommandArguments, context: ToolContext, call_id: str) -> ToolResult:
        """Run it; its end is waited for, and cancelling ends it and all that it started."""
        place = _folder(arguments, context)
        await asyncio.to_thread(_note_keys, arguments.argv[1:], place, context)
        listener = _Listener(context, call_id)
        try:
            ended = await run_process(
                arguments.argv,
                cwd=place.path,
                environment=filtered_environment(os.environ),
                timeout=arguments.timeout,
                emit=listener.take,
            )
        except (OSError, ValueError) as error:
            raise _not_started(arguments.argv[0], place.path, error) from None
        how = (
            f"ended after its {arguments.timeout:g} s were over"
            if ended.timed_out
            else f"exit code {ended.code}"
            if ended.code >= 0
            else f"killed by signal {-ended.code}"
        )
        # Without its duration: the same command with the same end is then the same result, by which a loop is noticed.
        text = f"[{how}]\n{ended.output or '[no output]'}"
        details = {
            "argv": list(arguments.argv),
            "cwd": place.shown,
            "exit_code": None if ended.timed_out else ended.code,
            "timed_out": ended.timed_out,
            "seconds": round(ended.seconds, 3),
            "bytes": ended.bytes,
        }
        return ToolResult(text, details)


class _Listener:
    """Passes a command's output on as text, as much as anybody reads."""

    def __init__(self, context: ToolContext, call_id: str) -> None:
        self._context = context
        self._call_id = call_id
        self._left = COMMAND_STREAMED_BYTES
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, data: bytes) -> None:
        if self._left <= 0:
            return
        text = self._decoder.decode(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            text += "\n[… the output goes on …]\n"
        if text:
            self._context.emit(Output(self._call_id, RunCommand.name, text))


def _note_keys(arguments: Sequence[str], place: Place, context: ToolContext) -> None:
    """Note files of keys that a command is given by their names: what it prints may be of them."""
    for argument in arguments:
        try:
            named = find_place(context.roots, str(place.path / argument))
        except ToolError:
            continue
        if is_secret_path(named.path) and named.path.is_file():
            context.note_shown(named.path)


def _folder(arguments: CommandArguments, context: ToolContext) -> Place:
    place = find_place(context.roots, arguments.cwd)
    if not place.path.is_dir():
        raise CommandError(f"{place.shown!r} is no folder, so nothing can be run in it.")
    return place


def _not_started(program: str, cwd: Path, error: OSError | ValueError) -> CommandError:
    if isinstance(error, FileNotFoundError):
        shown = "There is no shell: give the program and each argument by itself." if " " in program else ""
        return CommandError(f"There is no program {program!r}.", hint=shown or "Use another one, or ask the user.")
    if isinstance(error, PermissionError):
        return CommandError(
            f"{program!r} may not be run.", hint=f"Is it a program? It was looked for from {cwd.name!r}."
        )
    return CommandError(f"{program!r} cannot be started: {getattr(error, 'strerror', None) or error}.")


SHELL_TOOLS: tuple[type[Tool[Any]], ...] = (RunCommand,)
"""All of them."""
