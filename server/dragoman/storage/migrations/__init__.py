"""How the tables came to be: one file a step in ``versions/``, run by alembic from inside the package."""

from __future__ import annotations

from typing import Final

REVISIONS: Final = ("0001", "0002", "0003")
"""Every step in its order; the last one is this version's. Known without importing alembic, which most starts do not need."""

VERSION_TABLE: Final = "dragoman_version"
"""Where the database remembers its step: a name of our own, so that a shared PostgreSQL database can hold others' too."""
