"""``dragoman conversations``: what was said, taken out, brought in, deleted."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.output import AsJson, ConfigFile, note, out, print_json, print_text

if TYPE_CHECKING:
    from dragoman.storage.database import Database
    from dragoman.storage.repositories.conversations import Conversation
    from dragoman.storage.repositories.messages import Message

commands = typer.Typer(help="Kept conversations: look, take out, bring in, delete.", no_args_is_help=True)

Identifier = Annotated[str, typer.Argument(metavar="ID", help="The conversation, as `list` shows it.")]
Archived = Annotated[bool, typer.Option("--archived", help="With what is archived.")]


@commands.command("list")
def list_conversations(
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only those that hold TEXT.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The N last written to.")] = 50,
    archived: Archived = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List conversations, the one last written to first."""
    rows = _run(_list(config, search=search, limit=limit, archived=archived))
    if as_json:
        print_json([_as_data(row) for row in rows])
    elif rows:
        _print_table(rows)
    else:
        note("No conversation is kept." if not search else f"No conversation holds {search!r}.")


@commands.command("show")
def show_conversation(
    conversation_id: Identifier,
    archived: Archived = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what was said in a conversation."""
    conversation, messages = _run(_show(config, conversation_id, archived=archived))
    if as_json:
        from dragoman.storage.repositories.messages import as_data

        print_json({**_as_data(conversation), "history": [as_data(message) for message in messages]})
        return
    for message in messages:
        print_text(f"-- {message.seq} {message.role} {message.created_at:%Y-%m-%d %H:%M}")
        if message.content:
            print_text(message.content)
        for image in message.images:
            print_text(f"[picture, {image.media_type}]")
        for call in message.tool_calls:
            print_text(f"[calls {call.name} {call.arguments}]")
    if not archived and conversation.archived:
        note(f"{conversation.archived} older messages are archived; --archived shows them too.")


@commands.command("export")
def export_conversations(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Only these; all otherwise.")] = None,
    file: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write conversations as lines of JSON, archived messages included; `import` reads them."""
    if as_json and file is None:
        raise typer.BadParameter("the export itself is JSON already; use it with --output.", param_hint="--json")
    count = _run(_export(config, ids or None, file))
    if as_json:
        print_json({"path": str(file), "lines": count})
    elif file is not None:
        note(f"{str(file)!r} holds {count} lines.")


@commands.command("import")
def import_conversations(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export; - reads it from stdin.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring an export in, as a whole or not at all; what is kept already stays as it is."""
    from dataclasses import asdict

    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"{str(file)!r} is no file.", param_hint="FILE")
    with _kept(file) as path:
        done = _run(_import(config, path))
    if as_json:
        print_json(asdict(done))
    else:
        print_text(
            f"New: {done.conversations} conversations, {done.messages} messages. "
            f"Kept already: {done.known_conversations} and {done.known_messages}."
        )


@commands.command("delete")
def delete_conversations(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="The conversations, as `list` shows them.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete conversations for good; exit code 1 when one of them is not there."""
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked here; add --yes.", param_hint="--yes")
        typer.confirm(f"Delete {len(ids)} conversations for good?", abort=True, err=True)
    deleted = _run(_delete(config, ids))
    missing = [conversation_id for conversation_id in ids if conversation_id not in deleted]
    if as_json:
        print_json({"deleted": deleted, "missing": missing})
    else:
        print_text(f"Deleted: {len(deleted)}.")
    for conversation_id in missing:
        note(f"dragoman: there is no conversation {conversation_id!r}.")
    if missing:
        raise typer.Exit(1)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@contextlib.asynccontextmanager
async def _open(config: Path | None) -> AsyncIterator[Database]:
    from dragoman.cli.output import say_problems
    from dragoman.cli.setup import load
    from dragoman.monitoring.logs import configure_logs
    from dragoman.storage.database import Database

    configure_logs(level="error")
    loaded = load(config)
    say_problems(loaded.problems)
    async with await Database.open(loaded.settings.storage.database_url) as database:
        yield database


async def _list(config: Path | None, *, search: str, limit: int, archived: bool) -> Sequence[Conversation]:
    from dragoman.storage.repositories.conversations import Conversations

    async with _open(config) as database:
        return await Conversations(database).list(search=search, limit=limit, archived=archived)


async def _show(config: Path | None, conversation_id: str, *, archived: bool) -> tuple[Conversation, list[Message]]:
    from dragoman.storage.repositories.conversations import Conversations

    async with _open(config) as database:
        store = Conversations(database)
        conversation = await store.get(conversation_id)
        return conversation, [message async for message in store.messages(conversation_id, archived=archived)]


async def _export(config: Path | None, ids: list[str] | None, file: Path | None) -> int:
    """Write the lines and return how many; a file is whole or not there."""
    from dragoman.storage.exchange import export_lines

    async with _open(config) as database:
        lines = export_lines(database, ids)
        if file is None:
            count = 0
            async for line in lines:
                sys.stdout.write(line)
                count += 1
            return count
        from dragoman.storage.failures import explain_file

        partial = file.with_name(f".{file.name}.part")
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as output:
                count = 0
                async for line in lines:
                    output.write(line)
                    count += 1
            partial.replace(file)
        except OSError as error:
            raise explain_file(error, file) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        return count


async def _import(config: Path | None, path: Path) -> Any:
    from dragoman.storage.exchange import import_lines, lines_of

    async with _open(config) as database:
        return await import_lines(database, lines_of(path))


async def _delete(config: Path | None, ids: list[str]) -> list[str]:
    from dragoman.storage.repositories.conversations import Conversations

    async with _open(config) as database:
        store = Conversations(database)
        return [conversation_id for conversation_id in dict.fromkeys(ids) if await store.delete(conversation_id)]


@contextlib.contextmanager
def _kept(file: Path) -> Iterator[Path]:
    """Give a file that can be read twice: stdin is copied to a temporary one first."""
    if str(file) != "-":
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.jsonl"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield path


def _as_data(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "owner": conversation.owner,
        "title": conversation.title,
        "agent": conversation.agent,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "archived_at": None if conversation.archived_at is None else conversation.archived_at.isoformat(),
        "messages": conversation.messages,
        "archived_messages": conversation.archived,
    }


def _print_table(rows: Sequence[Conversation]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("id", "title", "messages", "last written to"):
        table.add_column(heading, justify="right" if heading == "messages" else "left", overflow="fold")
    for row in rows:
        count = f"{row.messages} (+{row.archived})" if row.archived else str(row.messages)
        title = row.title + (" [archived]" if row.archived_at else "")
        moment = row.updated_at.astimezone()
        table.add_row(escape(row.id), escape(title), count, f"{moment:%Y-%m-%d %H:%M}")
    out().print(table)
