"""A database of each kind, and the servers they need, one a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dragoman.storage.database import Database
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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, on each kind of server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/dragoman.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with ExitStack() as stack:
        yield server.url(stack.enter_context(server.database()))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as opened:
        yield opened
