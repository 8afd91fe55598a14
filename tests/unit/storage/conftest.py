"""A database of each kind, and the servers they need, one a session."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dragoman.storage.database import Database
from dragoman.storage.tables import metadata
from tests.support import postgres as postgres_server
from tests.support import tools
from tests.support.postgres import Postgres
from tests.support.redis import RedisServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    tools.require("postgres")
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    tools.require("redis")
    with RedisServer() as server:
        yield server


ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))]


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that is not there yet, or has nothing in it, on each kind of server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/dragoman.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with ExitStack() as stack:
        yield server.url(stack.enter_context(server.database()))


@pytest.fixture(scope="session")
def shared_postgres_url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An open database without a row, on each kind of server."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_file"), tmp_path / "dragoman.db")
        async with await Database.open(f"sqlite:///{tmp_path}/dragoman.db") as opened:
            yield opened
        return
    async with await Database.open(request.getfixturevalue("shared_postgres_url")) as opened:
        # One database for all: making one takes as long as a dozen tests.
        async with opened.write() as connection:
            await connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)}")
        yield opened


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database without a row, to be copied: that is quicker than making one."""
    path = tmp_path_factory.mktemp("empty") / "dragoman.db"

    async def make() -> None:
        await (await Database.open(f"sqlite:///{path}")).aclose()

    # In a thread of its own: whoever asks for it may stand in a running loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, make()).result()
    return path


@pytest.fixture
async def empty(empty_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """An open SQLite database without a row, for what does not depend on the kind of database."""
    shutil.copy(empty_file, tmp_path / "empty.db")
    async with await Database.open(f"sqlite:///{tmp_path}/empty.db") as opened:
        yield opened
