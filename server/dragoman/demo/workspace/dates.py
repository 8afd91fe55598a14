"""Differences of dates."""

from datetime import datetime


def days_between(a: str, b: str) -> int:
    """Return the number of days between two ISO dates."""
    first = datetime.fromisoformat(a)

    return abs((second - first).days)
