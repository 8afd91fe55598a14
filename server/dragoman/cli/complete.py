"""``dragoman complete FILE:LINE:COL``: one suggestion, for scripts and benchmarks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.output import AsJson, ConfigFile, note, print_json, print_text
from dragoman.errors import DragomanError

if TYPE_CHECKING:
    from dragoman.app import App
    from dragoman.completion.query import CompletionQuery, Outcome
    from dragoman.lsp.lines import Lines

FAILED = frozenset({"no_model", "model_error"})


def run_complete(
    place: Annotated[str, typer.Argument(metavar="FILE:LINE:COL", help="Where the cursor is, counted from 1.")],
    show_context: Annotated[
        bool, typer.Option("--show-context", help="Print what the model read, with where it came from and its tokens.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print one completion; the file is read, never changed."""
    path, line, column = parse_place(place)
    result = asyncio.run(_complete(path, line, column, config, show_context=show_context))
    if as_json:
        print_json(result)
    else:
        if show_context:
            for part in result["context"]:
                note(f"--- {part['source']} {part['path']} ({part['tokens']} tokens)")
                note(part["text"])
        if result["completion"]:
            print_text(result["completion"])
        if result["replaces"]:
            note(f"dragoman: it takes the place of {result['replaces']!r} behind the cursor.")
    if not result["completion"] or result["reason"] in FAILED:
        from dragoman.models.diagnosis import explain_reason

        said, advice = explain_reason(result["reason"])
        note(f"dragoman: {result['detail'] or said}")
        # The detail of a failure says itself what to do.
        if advice and not (result["detail"] and result["reason"] in FAILED):
            note(f"  {advice}")
    if result["reason"] in FAILED:
        raise typer.Exit(1)


def parse_place(place: str) -> tuple[Path, int, int]:
    """Split ``FILE:LINE:COL``; raises a usage error when it is not that."""
    file, _, rest = place.rpartition(":")
    file, _, line = file.rpartition(":")
    if not file or not (line.isascii() and line.isdigit()) or not (rest.isascii() and rest.isdigit()):
        raise typer.BadParameter(f"{place!r} is not FILE:LINE:COL, such as app.py:12:5.", param_hint="FILE:LINE:COL")
    if int(line) < 1 or int(rest) < 1:
        raise typer.BadParameter("lines and columns count from 1.", param_hint="FILE:LINE:COL")
    return Path(file), int(line), int(rest)


async def _complete(path: Path, line: int, column: int, config: Path | None, *, show_context: bool) -> dict[str, Any]:
    from dragoman.app import build_context
    from dragoman.cli.setup import open_app, workspace_of

    query = query_at(path, line, column)
    app = open_app(config, path)
    knowledge = build_context([workspace_of(path)], app.settings, watch=False)
    app.completion.context, app.completion.is_ignored = knowledge, knowledge.is_ignored
    try:
        # A command asks once: it waits for what an editor would have had long ago.
        await knowledge.settle(query.uri)
        started = time.perf_counter()
        outcome = await app.completion.suggest(query)
        total = time.perf_counter() - started
        context = await _context(app, query, path) if show_context else None
    finally:
        await app.aclose()
        await knowledge.aclose()
    return _as_dict(query, outcome, total, context)


def _as_dict(
    query: CompletionQuery, outcome: Outcome, total: float, context: list[dict[str, Any]] | None
) -> dict[str, Any]:
    best = outcome.suggestions[0] if outcome.suggestions else None
    return {
        "completion": best.text if best else "",
        # Closers behind the cursor that the completion brings along.
        "replaces": query.text.line(query.line)[query.character : best.end_character] if best else "",
        **({"context": context} if context is not None else {}),
        "model": outcome.model,
        "source": outcome.source,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "timings": {"total_ms": round(total * 1000, 1)},
    }


def query_at(path: Path, line: int, column: int) -> CompletionQuery:
    """Return the question at a place of a file, counted from 1; raises DragomanError for one that is not there."""
    from dragoman.completion.query import CompletionQuery
    from dragoman.syntax.file_types import language_of

    text = read_lines(path)
    if line > text.line_count:
        raise DragomanError(f"{str(path)!r} has {text.line_count} lines, and {line} was asked for.")
    length = len(text.line(line - 1).rstrip("\r\n"))
    if column > length + 1:
        raise DragomanError(f"Line {line} of {str(path)!r} has {length} characters: the last column is {length + 1}.")
    language = language_of(path.name) or path.suffix.removeprefix(".").lower() or "unknown"
    return CompletionQuery(path.resolve().as_uri(), language, 0, text, line - 1, column - 1, "invoked")


def read_lines(path: Path) -> Lines:
    """Read a file; raises DragomanError."""
    from dragoman.lsp.lines import Lines

    try:
        return Lines.of(path.read_bytes().decode("utf-8", "replace"))
    except OSError as error:
        raise DragomanError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from None


async def _context(app: App, query: CompletionQuery, path: Path) -> list[dict[str, Any]]:
    """Return the parts of the prompt: what came from other files, and the file's own around the cursor."""
    from dragoman.completion.prompt import window_for

    small = True
    if (choice := await app.models.choose("completion")).source is not None:
        small = choice.source.provider.kind == "embedded"
    window = window_for(query, small=small)
    others = [
        {"source": one.source, "path": one.path, "text": one.text, "tokens": one.tokens, "score": one.score}
        for one in app.completion.context.current(query.uri).snippets
    ]
    own = [
        {"source": source, "path": str(path), "text": text, "tokens": -(-len(text) // 3), "score": 1.0}
        for source, text in (("prefix", window.prefix), ("suffix", window.suffix))
    ]
    return [*others, *own]
