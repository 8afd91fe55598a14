"""``dragoman conversations``: list, show, export, import and delete as a user runs them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from pathlib import Path

import pytest

from dragoman.cli import main
from dragoman.storage.database import Database
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.messages import NewMessage, StoredImage, StoredToolCall
from dragoman.storage.tables import metadata
from tests.support.postgres import Postgres


class Terminal:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run a command that must end with `code`, and return what it printed."""
        ended = main(["conversations", *arguments])
        said = self._capsys.readouterr()
        assert ended == code, said.err
        assert "Traceback" not in said.err
        return said.out, said.err

    def data(self, *arguments: str) -> object:
        return json.loads(self.run(*arguments, "--json")[0])


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys)


def fill() -> None:
    async def talk() -> None:
        async with await Database.open() as database:
            store = Conversations(database)
            await store.append("sky", NewMessage("user", "Why is the sky [blue]?"), NewMessage("assistant", "Air."))
            await store.archive_before("sky", 2)
            call = StoredToolCall("1", "look", '{"at": 1}')
            picture = StoredImage("image/png", b"x")
            await store.append("sea", NewMessage("assistant", "", images=(picture,), tool_calls=(call,)))

    asyncio.run(talk())


def test_the_first_look_finds_nothing(terminal: Terminal) -> None:
    assert terminal.data("list") == []
    assert "No conversation is kept" in terminal.run("list")[1]
    assert "'sky'" in terminal.run("show", "sky", code=1)[1]


def test_conversations_are_listed_searched_and_shown(terminal: Terminal) -> None:
    fill()
    listed = terminal.data("list")
    assert isinstance(listed, list)
    assert [(row["id"], row["messages"], row["archived_messages"]) for row in listed] == [("sea", 1, 0), ("sky", 1, 1)]
    assert [row["id"] for row in terminal.data("list", "--search", "AIR")] == ["sky"]  # type: ignore[attr-defined]
    assert "[blue]" in terminal.run("list")[0]
    shown = terminal.data("show", "sky", "--archived")
    assert isinstance(shown, dict)
    assert [(one["seq"], one["role"]) for one in shown["history"]] == [(1, "user"), (2, "assistant")]
    text, beside = terminal.run("show", "sky")
    assert "Air." in text
    assert "[blue]" not in text
    assert "1 older messages are archived" in beside
    assert '[calls look {"at": 1}]' in terminal.run("show", "sea")[0]


def test_an_export_goes_to_a_file_or_on_and_comes_back(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    lines = terminal.run("export")[0]
    assert terminal.data("export", "sky", "-o", "sky.jsonl") == {"path": "sky.jsonl", "lines": 5}
    assert [path.name for path in tmp_path.iterdir()] == ["sky.jsonl"]
    terminal.run("export", "--json", code=2)
    terminal.run("export", "nobody", "-o", "no.jsonl", code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["sky.jsonl"]
    assert "cannot be used" in terminal.run("export", "-o", "no/such/folder", code=1)[1]

    monkeypatch.setenv("DRAGOMAN_DATA_DIR", str(tmp_path / "other"))
    assert terminal.data("import", "sky.jsonl") == {
        "conversations": 1,
        "messages": 2,
        "known_conversations": 0,
        "known_messages": 0,
    }
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert "New: 1 conversations, 1 messages. Kept already: 1 and 2." in terminal.run("import", "-")[0]
    assert terminal.run("export")[0] == lines

    Path("sky.jsonl").write_text("{}\n", encoding="utf-8")
    said = terminal.run("import", "sky.jsonl", code=1)[1]
    assert "nothing was imported: line 1: it does not begin as an export" in said
    terminal.run("import", "missing.jsonl", code=2)


def test_a_deletion_is_meant_or_does_not_happen(terminal: Terminal) -> None:
    fill()
    assert "--yes" in terminal.run("delete", "sky", code=2)[1]
    assert "no conversation 'nobody'" in terminal.run("delete", "sky", "nobody", "--yes", code=1)[1]
    assert terminal.data("delete", "sea", "--yes") == {"deleted": ["sea"], "missing": []}
    assert terminal.data("list") == []


@pytest.mark.xdist_group("postgres")
def test_a_teams_database_is_used_and_its_password_never_shown(
    terminal: Terminal, postgres: Postgres, shared_postgres_url: str
) -> None:
    async def clear() -> None:
        async with await Database.open(shared_postgres_url) as database, database.write() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)}")

    asyncio.run(clear())
    config = Path(os.environ["DRAGOMAN_CONFIG_DIR"]) / "config.toml"
    config.write_text(f'[storage]\ndatabase_url = "{shared_postgres_url}"\n', encoding="utf-8")
    assert terminal.data("list") == []
    config.write_text(f'[storage]\ndatabase_url = "{postgres.url(password="hunter2")}"\n', encoding="utf-8")
    said = terminal.run("list", code=1)[1]
    assert "refused us" in said
    assert "hunter2" not in said
