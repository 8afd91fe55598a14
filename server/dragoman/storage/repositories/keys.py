"""Keys that callers show: only their SHA-256 is kept, so whoever reads the database has none of them.

A key is 256 random bits, which nobody guesses: no slow hash is needed, and a check costs microseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, or_, select, update

from dragoman.errors import NotStoredError
from dragoman.storage.database import Database
from dragoman.storage.tables import keys
from dragoman.storage.types import now, storable

KeyRole = Literal["admin", "user", "viewer"]

MARK = "drg"
_NOBODY = "0" * 64


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is known of a key: everything but the key."""

    id: str
    name: str
    role: KeyRole
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time that ``secret`` is seen."""

    key: StoredKey
    secret: str = field(repr=False)


class Keys:
    """Keeps keys in a database; every call is one transaction, and raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, role: KeyRole, *, expires_at: datetime | None = None) -> NewKey:
        """Make a key, ``drg_<id>_<secret>``, and keep its hash."""
        key_id = secrets.token_hex(8)
        secret = f"{MARK}_{key_id}_{secrets.token_urlsafe(32)}"
        values = {"id": key_id, "name": storable(name), "role": role, "digest": _digest(secret)}
        async with self._database.write() as connection:
            await connection.execute(keys.insert().values(**values, created_at=now(), expires_at=expires_at))
            return NewKey(_key((await connection.execute(_select().where(keys.c.id == key_id))).one()), secret)

    async def verify(self, secret: str) -> StoredKey | None:
        """Return the key that was shown, None for one that is unknown, revoked or expired."""
        parts = secret.split("_", 2)
        key_id = parts[1] if len(parts) == 3 and parts[0] == MARK and len(parts[1]) == 16 else ""
        async with self._database.read() as connection:
            found = (await connection.execute(select(keys).where(keys.c.id == storable(key_id)))).one_or_none()
        # The same work for an unknown key, so the time tells nobody which identifiers there are.
        matches = hmac.compare_digest(_digest(secret), _NOBODY if found is None else found.digest)
        if found is None or not matches or found.revoked_at is not None:
            return None
        if found.expires_at is not None and found.expires_at <= now():
            return None
        return _key(found)

    async def touch(self, key_id: str) -> None:
        """Remember that a key was used now."""
        async with self._database.write() as connection:
            await connection.execute(update(keys).where(keys.c.id == key_id).values(last_used_at=now()))

    async def revoke(self, key_id: str) -> bool:
        """Make a key useless for good; False when it was already.  Raises NotStoredError."""
        async with self._database.write() as connection:
            alive = (keys.c.id == key_id, keys.c.revoked_at.is_(None))
            if (await connection.execute(update(keys).where(*alive).values(revoked_at=now()))).rowcount:
                return True
            if (await connection.execute(select(keys.c.id).where(keys.c.id == key_id))).first() is None:
                raise NotStoredError(
                    f"There is no key {key_id!r:.80}.", hint="`dragoman keys list` shows those there are."
                )
            return False

    async def list(self, *, revoked: bool = False) -> Sequence[StoredKey]:
        """Return the keys, oldest first; with those that were revoked if asked."""
        now_ = now()
        wanted = _select().order_by(keys.c.created_at, keys.c.id)
        if not revoked:
            alive = or_(keys.c.expires_at.is_(None), keys.c.expires_at > now_)
            wanted = wanted.where(keys.c.revoked_at.is_(None), alive)
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(wanted)]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _select() -> Any:
    return select(*[column for column in keys.c if column.name != "digest"])


def _key(row: Row[Any]) -> StoredKey:
    values = dict(row._mapping)
    values.pop("digest", None)
    return StoredKey(**values)
