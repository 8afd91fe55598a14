"""Asking for permission in a terminal: what is to be done, its difference, and one letter for an answer."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dragoman.agents.edits.blocks import Block
from dragoman.agents.tools.approval import DENIED, Decision, Question
from dragoman.agents.tools.documents import DiskEditor, apply_edits
from dragoman.agents.tools.globs import command_line
from dragoman.agents.tools.places import find_place
from dragoman.agents.tools.policy import Permission
from dragoman.agents.tools.replacing import Replacement, place_edits, read_blocks
from dragoman.cli.output import beside, note
from dragoman.cli.terminal import InputLines, harmless
from dragoman.errors import ToolError

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_LINES: Final = 60
"""Lines of a difference that are shown: what fits on two screens."""

ANSWERS: Final[Mapping[str, Decision]] = {
    "y": Decision("allow"),
    "r": Decision("allow", "run"),
    "a": Decision("allow", "always"),
    "n": DENIED,
}
"""What each letter means; everything else is a no."""


class TerminalApprover:
    """Asks at the terminal; without one says no, and once why."""

    def __init__(self, roots: Sequence[Path], lines: InputLines | None) -> None:
        self._roots = tuple(roots)
        self._lines = lines
        self._told: set[Permission] = set()

    async def ask(self, question: Question) -> Decision:
        """Show what is to be done and wait for an answer."""
        if self._lines is None:
            self._say_no(question)
            return DENIED
        console = beside()
        await self._show(console, question)
        console.print("[bold]Allow?[/] \\[y] once  \\[r] for this run  \\[a] always here  \\[n] no ", end="")
        sys.stderr.flush()
        line = await self._lines.read()
        return ANSWERS.get((line or "").strip().lower()[:1], DENIED)

    def _say_no(self, question: Question) -> None:
        if question.permission in self._told:
            return
        self._told.add(question.permission)
        note(f"dragoman: {harmless(question.summary)}: nobody can be asked here, so it is denied.")
        if question.permission in {"write", "run"}:
            note(f"  --allow {question.permission} lets the agent do this without a question.")

    async def _show(self, console: Console, question: Question) -> None:
        from rich.text import Text

        console.print()
        summary = harmless(question.summary).replace("\n", " ")
        console.print(Text.assemble((f"{question.agent} wants to: ", "bold yellow"), (summary, "bold")), soft_wrap=True)
        lines = (await preview(question, self._roots)).splitlines()
        for line in lines[:SHOWN_LINES]:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            console.print(Text(f"  {harmless(line)}", style=style), soft_wrap=True)
        if len(lines) > SHOWN_LINES:
            console.print(Text(f"  … {len(lines) - SHOWN_LINES} more lines", style="dim"))
        if question.covers:
            console.print(
                Text(f"  r and a allow from then on: {harmless(question.covers)}", style="dim"), soft_wrap=True
            )


async def preview(question: Question, roots: Sequence[Path]) -> str:
    """Return what a call would do: the difference it makes to a file, or the command; empty where the summary says it all."""
    arguments = question.arguments
    if question.tool == "run_command":
        return "$ " + command_line([str(one) for one in arguments.get("argv", ())])
    if question.tool not in {"write_file", "create_file", "edit_file"}:
        return ""
    path = str(arguments.get("path", ""))
    try:
        place = find_place(roots, path)
        if question.tool == "create_file" or not place.path.exists():
            before, after = "", str(arguments.get("content", arguments.get("new", "")))
        else:
            document = await DiskEditor().read(place.path)
            before = document.text
            if question.tool == "write_file":
                after = str(arguments["content"])
            else:
                after = apply_edits(before, place_edits(document, place.shown, _replacements(arguments)))
    except ToolError as error:
        return f"[{error}]"
    changes = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="")
    return "\n".join(list(changes)[2:])


def _replacements(arguments: Mapping[str, Any]) -> Sequence[Replacement | Block]:
    if arguments.get("blocks") is not None:
        return read_blocks(str(arguments["blocks"]))
    return (Replacement(str(arguments.get("old", "")), str(arguments.get("new", ""))),)
