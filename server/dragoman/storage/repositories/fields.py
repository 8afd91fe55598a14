"""Checks of objects that come from a file: each returns a value of its kind or raises ValueError that names the key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

LARGEST: int = 2**31 - 1
"""The largest whole number that a column of both databases takes."""


def only(data: Mapping[str, Any], keys: Collection[str]) -> None:
    """Refuse keys that are not known."""
    if unknown := sorted(data.keys() - set(keys)):
        raise ValueError(f"unknown key {unknown[0]!r:.80}")


def text(data: Mapping[str, Any], key: str) -> str:
    """Return a text."""
    value = data.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key!r} must be text")  # noqa: TRY004 - what is in a file, not what was passed
    return value


def text_or_none(data: Mapping[str, Any], key: str) -> str | None:
    """Return a text, or None where there is none."""
    return None if data.get(key) is None else text(data, key)


def whole(data: Mapping[str, Any], key: str, *, least: int, needed: bool = True) -> int | None:
    """Return a whole number from ``least`` on; None where it is not there and not ``needed``."""
    value = data.get(key)
    if value is None and not needed:
        return None
    if type(value) is not int or not least <= value <= LARGEST:
        raise ValueError(f"{key!r} must be a whole number from {least} on")
    return value


def moment(data: Mapping[str, Any], key: str) -> datetime:
    """Return a moment with its time zone, from ISO 8601."""
    value = text(data, key)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{key!r} must be a moment such as '2026-01-31T12:00:00+00:00'") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{key!r} must have a time zone")
    return parsed


def moment_or_none(data: Mapping[str, Any], key: str) -> datetime | None:
    """Return a moment, or None where there is none."""
    return None if data.get(key) is None else moment(data, key)


def objects(data: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects, empty where there is none."""
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{key!r} must be a list of objects")
    return value
