"""What a model read, for a terminal: a line about each part, its text, and the sum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from dragoman.completion.provenance import Part, Sent


def parts_of(sent: Sent | None, path: Path) -> list[dict[str, Any]]:
    """Return the parts of a prompt for ``--json``; ``path`` names the file itself as the user did. None has no parts."""
    return [
        {
            "source": part.source,
            "path": str(path) if part.source in {"prefix", "suffix"} else part.path,
            "text": part.text,
            "tokens": part.tokens,
            "score": part.score,
        }
        for part in (sent.parts() if sent is not None else ())
    ]


def show_sent(sent: Sent | None) -> None:
    """Print what a model read to stderr, for stdout is the completion's; says so when it read nothing."""
    from dragoman.cli.output import beside

    console = beside()
    if sent is None:
        console.print("No model read anything.", style="dim")
        return
    known = sent.as_dict()
    parts = sent.parts()
    for part in parts:
        _show_part(console, part)
    where = f"{known['model']} ({known['provider']}) read" if sent.target else "A model would read"
    others = sum(part.tokens for part in parts if part.source not in {"prefix", "suffix"})
    console.print(f"{where} about {known['tokens']} tokens, {others} of them from other places.", style="bold")
    if known["late"]:
        console.print("The index of the workspace was late: there may be more to read next time.", style="yellow")
    if "secrets" in known:
        said = f"{known['secrets']} secrets were" if known["secrets"] != 1 else "1 secret was"
        console.print(f"{said} replaced before the text left this machine.", style="yellow")
    console.print()


def _show_part(console: Console, part: Part) -> None:
    from rich.syntax import Syntax
    from rich.text import Text

    head = Text.assemble(
        (f"{part.source:<12} ", "bold cyan"),
        (f"{part.path}:{part.line}" if part.line else part.path, "bold"),
        (f"  {part.tokens} tokens", "green"),
        (f"  {part.why}", "dim"),
    )
    console.print(head, soft_wrap=True)
    if console.is_terminal:
        lexer = Syntax.guess_lexer(part.path)
        console.print(Syntax(part.text, lexer, background_color="default", word_wrap=True, padding=(0, 2)))
    else:
        console.print(Text("\n".join(f"  {line}".rstrip() for line in part.text.split("\n"))), soft_wrap=True)
    console.print()
