"""Opening a database: made once by however many, migrated with a backup, and every refusal in a sentence."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from dragoman.errors import (
    DatabaseDamagedError,
    DatabaseLockedError,
    DatabaseRefusedError,
    DatabaseTooNewError,
    DatabaseUnreachableError,
    DragomanError,
    SettingsError,
    StorageFullError,
    StorageReadOnlyError,
)
from dragoman.storage.addresses import database_address, shown_cache_address
from dragoman.storage.database import Database
from dragoman.storage.limits import BACKUPS_KEPT
from dragoman.storage.migrations import REVISIONS, VERSION_TABLE
from dragoman.storage.migrations.upgrade import HERE, bring_up_to_date
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.messages import NewMessage
from dragoman.storage.tables import metadata
from tests.support.postgres import Postgres

HELLO = NewMessage("user", "hello")


async def test_the_migrations_make_the_tables_that_the_code_knows(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import Connection

    def differences(connection: Connection) -> list[object]:
        return compare_metadata(
            MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True}),
            metadata,
        )

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


def test_every_revision_is_known_without_alembic() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [step.revision for step in reversed(steps)] == list(REVISIONS)


async def test_a_database_is_migrated_where_it_stands_and_nothing_is_lost(database_url: str) -> None:
    address = database_address(database_url)
    old = Database(address)
    if address.path is not None:
        address.path.parent.mkdir(parents=True)
    await bring_up_to_date(old, to=REVISIONS[0])
    kept = await Conversations(old).append("c", HELLO)
    async with old.read() as connection:
        assert not await connection.run_sync(lambda sync: inspect(sync).has_table("artifacts"))
    await old.aclose()

    async with await Database.open(database_url) as database:
        assert await Conversations(database).last("c", 10) == kept
        async with database.read() as connection:
            assert await connection.run_sync(lambda sync: inspect(sync).has_table("artifacts"))


async def test_a_sqlite_file_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    old = Database(database_address(f"sqlite:///{path}"))
    await bring_up_to_date(old, to=REVISIONS[0])
    await Conversations(old).append("c", HELLO)
    await old.aclose()
    for number in range(BACKUPS_KEPT):
        (tmp_path / f"a.db.2020010{number}T000000.0000.bak").touch()

    await (await Database.open(f"sqlite:///{path}")).aclose()

    backups = sorted(tmp_path.glob("*.bak"))
    assert len(backups) == BACKUPS_KEPT
    assert REVISIONS[0] in backups[-1].name
    assert backups[-1].stat().st_mode & 0o077 == 0
    async with await Database.open(f"sqlite:///{backups[-1]}") as restored:
        assert [message.content for message in await Conversations(restored).last("c", 10)] == ["hello"]


async def test_a_new_file_is_its_users_alone_and_has_no_backup(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/new/a.db") as database:
        await Conversations(database).append("c", HELLO)
        files = list((tmp_path / "new").iterdir())
        assert {path.suffix for path in files} >= {".db", ".db-wal"}
        assert [path for path in files if path.stat().st_mode & 0o077] == []
        assert not list(tmp_path.rglob("*.bak"))


async def test_many_processes_open_an_empty_database_at_the_same_time(database_url: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from dragoman.storage.database import Database\n"
        "from dragoman.storage.repositories.conversations import Conversations\n"
        "from dragoman.storage.repositories.messages import NewMessage\n"
        "async def main():\n"
        "    async with await Database.open(sys.argv[1]) as database:\n"
        "        for _ in range(5):\n"
        "            await Conversations(database).append('shared', NewMessage('user', sys.argv[2]))\n"
        "asyncio.run(main())\n"
    )
    openers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, database_url, str(number))
        for number in range(2)
    ]
    assert [await opener.wait() for opener in openers] == [0, 0]
    async with await Database.open(database_url) as database:
        messages = await Conversations(database).last("shared", 100)
    assert [message.seq for message in messages] == list(range(1, 11))


async def test_a_database_of_a_newer_version_is_refused_untouched(database_url: str) -> None:
    async with await Database.open(database_url) as database, database.write() as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))

    with pytest.raises(DatabaseTooNewError) as caught:
        await Database.open(database_url)

    assert (caught.value.found, caught.value.known) == ("9999", REVISIONS[-1])
    assert "'9999'" in caught.value.message
    assert repr(REVISIONS[-1]) in caught.value.message
    database = Database(database_address(database_url))
    async with database.read() as connection:
        assert (await connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))).scalar() == "9999"
    await database.aclose()


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    store = Conversations(database)
    with pytest.raises(ValueError, match="no role"):
        await store.append("c", HELLO, NewMessage("nobody", "x"))  # type: ignore[arg-type]
    assert await store.list() == []


async def test_a_cancelled_write_leaves_nothing_and_the_next_one_works(database: Database) -> None:
    store = Conversations(database)
    begun = asyncio.Event()

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE conversations SET title = 'never'"))
            begun.set()
            await asyncio.sleep(60)

    await store.append("c", HELLO)
    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.append("c", HELLO)
    assert (await store.get("c")).title == "hello"


# -- what can be wrong with a file -------------------------------------------------------------------------------------


async def test_a_locked_file_is_said_to_be_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with await Database.open(url, busy_s=0.05) as database:
        other = sqlite3.connect(tmp_path / "a.db")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLockedError, match=r"a\.db' is locked"):
            await Conversations(database).append("c", HELLO)
        assert await Conversations(database).list() == []
        other.close()
        assert len(await Conversations(database).append("c", HELLO)) == 1


async def test_a_full_disk_is_said_to_be_full_and_loses_nothing(tmp_path: Path) -> None:
    async with await Database.open(f"sqlite:///{tmp_path}/a.db") as database:
        store = Conversations(database)
        await store.append("c", HELLO)
        async with database.read() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        for _ in range(2):  # The same connection comes back from the pool; the limit is its own.
            async with database.read() as connection:
                await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(StorageFullError, match="full"):
            await store.append("c", NewMessage("user", "x" * 100_000))
        assert [message.content for message in await store.last("c", 10)] == ["hello"]


async def test_a_file_that_cannot_be_written_is_said_to_be_read_only(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (await_path := tmp_path / "a.db").touch()
    async with await Database.open(f"sqlite:///{await_path}") as database:
        async with database.read() as connection:
            await connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(StorageReadOnlyError, match="read-only"):
            await Conversations(database).append("c", HELLO)


async def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"This is a letter to my aunt.\n" * 100)
    with pytest.raises(DatabaseDamagedError, match="no SQLite database"):
        await Database.open(f"sqlite:///{tmp_path}/a.db")
    assert (tmp_path / "a.db").read_bytes().startswith(b"This is a letter")


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DragomanError, match=r"file/a\.db"):
        await Database.open(f"sqlite:///{tmp_path}/file/a.db")


# -- what can be wrong with a server -----------------------------------------------------------------------------------


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize(
    ("url", "error"),
    [
        (lambda server: server.url(password="hunter2"), DatabaseRefusedError),
        (lambda server: server.url("nowhere"), DatabaseRefusedError),
        (lambda server: server.url().replace(str(server.port), "1"), DatabaseUnreachableError),
    ],
    ids=["password", "name", "port"],
)
async def test_a_server_that_cannot_be_used_is_named_without_its_password(
    postgres: Postgres, url: Callable[[Postgres], str], error: type[DragomanError]
) -> None:
    with pytest.raises(error) as caught:
        await Database.open(url(postgres))
    said: BaseException | None = caught.value
    while said is not None:
        assert "hunter2" not in str(said)
        assert postgres.password not in str(said)
        said = said.__cause__
    assert "127.0.0.1" in caught.value.message


@pytest.mark.xdist_group("postgres")
async def test_connections_that_the_server_ended_are_made_anew(postgres: Postgres) -> None:
    with postgres.database() as name:
        async with await Database.open(postgres.url(name)) as database:
            await Conversations(database).append("c", HELLO)
            postgres.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
            )
            assert len(await Conversations(database).append("c", HELLO)) == 1
        ended = f"SELECT 1 / (1 - least(count(*), 1)) FROM pg_stat_activity WHERE datname = '{name}'"
        postgres.execute(ended)  # Divides by zero when a connection is left.


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://user:hunter2@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+asyncpg://u:hunter2@h/n",
    ],
)
async def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        await Database.open(url)
    assert "storage.database_url" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_addresses_shown_hold_no_password() -> None:
    assert database_address("postgresql://me:hunter2@db:5433/team?password=hunter2").shown == (
        "postgresql://me:***@db:5433/team"
    )
    assert shown_cache_address("redis://me:hunter2@cache:6380/2") == "redis://cache:6380/2"


def test_the_users_own_file_is_the_default() -> None:
    assert database_address(None).path == Path(os.environ["DRAGOMAN_DATA_DIR"]) / "dragoman.db"
