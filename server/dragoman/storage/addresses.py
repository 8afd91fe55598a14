"""Addresses of databases and caches as the settings hold them; a password in one is never shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dragoman.errors import SettingsError
from dragoman.settings.folders import data_folder

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

FILE = "dragoman.db"
KINDS = "Use `sqlite:///path/to/file.db` or `postgresql+psycopg://user@host/name`."


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is: ``url`` for the driver, ``path`` of the file for SQLite, ``shown`` for people."""

    url: URL
    path: Path | None
    shown: str


def database_address(url: str | None) -> DatabaseAddress:
    """Read ``storage.database_url``; None is the file in the user's data folder.  Raises SettingsError."""
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if url is None:
        return _file(data_folder() / FILE)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError("'storage.database_url' is no address of a database.", hint=KINDS) from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise SettingsError("'storage.database_url' must name a file: 'sqlite:///…'.", hint=KINDS)
        return _file(Path(parsed.database))
    if kind == "postgresql" and parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        if parsed.query.get("connect_timeout") is None:
            from dragoman.storage.limits import CONNECT_S

            parsed = parsed.update_query_dict({"connect_timeout": str(CONNECT_S)})
        assert isinstance(parsed, URL)
        shown = parsed.set(query={}).render_as_string(hide_password=True)
        return DatabaseAddress(parsed.set(drivername="postgresql+psycopg"), None, shown)
    raise SettingsError(f"'storage.database_url' begins with {parsed.drivername!r}, which is not known.", hint=KINDS)


def _file(path: Path) -> DatabaseAddress:
    from sqlalchemy.engine import URL

    path = path.expanduser().absolute()
    return DatabaseAddress(URL.create("sqlite+aiosqlite", database=str(path)), path, str(path))


def shown_cache_address(url: str) -> str:
    """Return a cache's address without user and password."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
