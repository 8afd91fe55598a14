"""The tables as they are after the last migration; `migrations/` holds how they came to be, and a test compares the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from dragoman.storage.types import CanonicalJson, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _count(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default="0")


agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", CanonicalJson, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("agent", Text),
    _count("last_seq"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("archived_at", Moment),
    Index(None, "owner", "updated_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("conversation_id", ForeignKey(conversations.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("images", CanonicalJson, nullable=False),
    Column("tool_calls", CanonicalJson, nullable=False),
    Column("tool_call_id", Text),
    Column("tokens", Integer),
    Column("model", Text),
    Column("created_at", Moment, nullable=False),
    Column("archived_at", Moment),
    Index(None, "conversation_id", "archived_at", "seq"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("conversation_id", Text),
    Column("task", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("output", Text),
    Column("error", Text),
    _count("prompt_tokens"),
    _count("completion_tokens"),
    _count("last_seq"),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("state", CanonicalJson),
    Index(None, "created_at"),
    Index(None, "agent", "created_at"),
)

events = Table(
    "events",
    metadata,
    Column("run_id", ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("data", CanonicalJson, nullable=False),
    Column("created_at", Moment, nullable=False),
)

usage = Table(
    "usage",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("role", Text, nullable=False, server_default=""),
    Column("operation", Text, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("outcome", Text, nullable=False),
    _count("prompt_tokens"),
    _count("completion_tokens"),
    _count("cached_tokens"),
    Column("estimated", Boolean, nullable=False, server_default=false()),
    Column("first_token_s", Float),
    Column("duration_s", Float, nullable=False),
    Column("cost", Float),
    Column("request_id", Text, nullable=False, server_default=""),
    Index(None, "at"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
    UniqueConstraint("digest"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False, server_default=""),
    Column("outcome", Text, nullable=False),
    Column("details", CanonicalJson, nullable=False),
    Column("request_id", Text, nullable=False, server_default=""),
    Index(None, "at"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("run_id", Text),
    Column("owner", Text, nullable=False, server_default=""),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False),
    Index(None, "digest"),
    Index(None, "run_id"),
    Index(None, "created_at"),
)
