"""``dragoman complete FILE:LINE:COL``: one suggestion, for scripts and benchmarks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.context import parts_of, show_sent
from dragoman.cli.output import AsJson, ConfigFile, note, print_json, print_text
from dragoman.errors import DragomanError

if TYPE_CHECKING:
    from dragoman.completion.provenance import Sent
    from dragoman.completion.query import CompletionQuery, Outcome
    from dragoman.context.assembler import ContextAssembler
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
    result, sent = asyncio.run(_complete(path, line, column, config))
    if as_json:
        if show_context:
            result["context"] = parts_of(sent, path)
        print_json(result)
    else:
        if show_context:
            show_sent(sent)
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


async def _complete(path: Path, line: int, column: int, config: Path | None) -> tuple[dict[str, Any], Sent | None]:
    """Return what the command prints, and what the model read for it."""
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
        sent = app.completion.sent(query.uri)
        if sent is None and outcome.reason == "no_model":
            sent = await _would_be_sent(query, knowledge)
    finally:
        await app.aclose()
        await knowledge.aclose()
    return _as_dict(query, outcome, total), sent


async def _would_be_sent(query: CompletionQuery, knowledge: ContextAssembler) -> Sent:
    """Return what a model on this machine would read, for who has none yet."""
    from dragoman.completion.prompt import window_for
    from dragoman.completion.provenance import Sent

    context = await knowledge.gather(query, patient=True)
    line, text, window = query.line, query.text.line(query.line), window_for(query, small=True)
    return Sent(query.uri, query.language, line, query.character, text, None, window, context, time.time())


def _as_dict(query: CompletionQuery, outcome: Outcome, total: float) -> dict[str, Any]:
    best = outcome.suggestions[0] if outcome.suggestions else None
    return {
        "completion": best.text if best else "",
        # Closers behind the cursor that the completion brings along.
        "replaces": query.text.line(query.line)[query.character : best.end_character] if best else "",
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
