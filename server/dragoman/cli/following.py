"""What happens in a run, for a terminal: the answer on stdout as it comes, tools and trouble beside it; or a line of JSON each."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dragoman.cli.output import beside, note, print_json_line
from dragoman.cli.terminal import harmless

if TYPE_CHECKING:
    from dragoman.agents.events import RunEvent
    from dragoman.agents.run import Run

CALL_CHARS: Final = 100
"""So much of a call's arguments is shown: a line of a terminal."""


class RunPrinter:
    """Prints the events of one run after another."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._is_terminal = sys.stdout.isatty()
        self._at_line_start = True

    async def follow(self, run: Run) -> bool:
        """Print a run until it has ended, and return whether it succeeded; cancelling this ends the run."""
        try:
            async for event in run.events():
                self._show(event)
        except BaseException:
            await run.cancel()
            if self._as_json and (last := [event async for event in run.events(run.state.seq - 1)]):
                print_json_line(last[-1].as_json())
            self._end_line()
            raise
        return run.status == "succeeded"

    def _show(self, event: RunEvent) -> None:
        if self._as_json:
            print_json_line(event.as_json())
            return
        data = event.data
        match event.type:
            case "text":
                self._write(data["text"])
            case "tool_call":
                self._end_line()
                self._aside(f"→ {data['tool']} {describe(data['arguments'])}".rstrip())
            case "tool_result" if data["failed"]:
                self._aside(f"  ✗ {first_line(data['result'])}")
            case "finished":
                self._end_line()
            case "failed":
                self._end_line()
                note(f"dragoman: {harmless(data['error'])}")
            case _:
                pass

    def _write(self, text: str) -> None:
        shown = harmless(text) if self._is_terminal else text
        if shown:
            sys.stdout.write(shown)
            sys.stdout.flush()
            self._at_line_start = shown.endswith("\n")

    def _end_line(self) -> None:
        if not self._at_line_start:
            self._write("\n")

    def _aside(self, text: str) -> None:
        from rich.text import Text

        beside().print(Text(text, style="dim"), soft_wrap=True)


def describe(arguments: Any) -> str:
    """Return a call's arguments on one line: its path or command where it has one, else what was written."""
    if isinstance(arguments, Mapping):
        if isinstance(argv := arguments.get("argv"), list):
            return first_line(" ".join(map(str, argv)))
        if isinstance(path := arguments.get("path"), str):
            rest = {key: value for key, value in arguments.items() if key in {"pattern", "glob", "first_line"}}
            return first_line(f"{path} {json.dumps(rest, ensure_ascii=False) if rest else ''}".rstrip())
    return "" if arguments in ({}, "") else first_line(json.dumps(arguments, ensure_ascii=False))


def first_line(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = harmless(str(text)).strip().split("\n")[0]
    return line if len(line) <= CALL_CHARS else f"{line[: CALL_CHARS - 1]}…"
