"""What is counted about suggestions, and what the counts add up to; nothing here ever holds text of the user's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from dragoman.limits import USAGE_ROWS_PER_DAY

Fact = Literal[
    "shown",
    "whole",
    "line",
    "word",
    "typed",
    "rejected",
    "survived",
    "edited",
    "removed",
    "unknown",
    "characters",
    "calls",
    "from_model",
    "from_stream",
    "from_cache",
    "from_edit",
    "from_identifiers",
]
"""What can be counted.

``shown`` suggestions end as accepted (``whole``, or in part by ``line`` or ``word``), ``typed`` to their end, ``rejected``,
or are still open.
30 seconds after an acceptance its text has ``survived``, was ``edited`` (at least half is left), ``removed``, or it is
``unknown`` because the document was closed.
``characters`` were accepted, ``calls`` made to models, and ``from_…`` says where each answer came from.
"""

FACTS: tuple[str, ...] = get_args(Fact)
ACCEPTED = ("whole", "line", "word")
OTHER = "other"
NAME_CHARACTERS = 120

Key = tuple[str, str, str]
"""Day (``2026-01-31``, local time) and two names: of suggestions the language and the model."""


class Counted(Protocol):
    """Something that happened, to be counted under two names."""

    @property
    def fact(self) -> str:
        """What it is."""
        ...

    @property
    def row(self) -> tuple[str, str]:
        """The two names."""
        ...

    @property
    def amount(self) -> int:
        """How many times."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to suggestions ``amount`` times."""

    fact: Fact
    language: str
    model: str = ""
    amount: int = 1

    @property
    def row(self) -> tuple[str, str]:
        """The names under which it is counted."""
        return self.language, self.model


@dataclass(slots=True)
class Usage:
    """Counts by day, language and model, or two other names; adding them up in any order gives the same."""

    rows: dict[Key, Counter[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows)

    def add(self, day: str, event: Counted) -> None:
        """Count an event."""
        self._row(day, *event.row)[event.fact] += event.amount

    def merge(self, other: Usage) -> None:
        """Add the counts of ``other``."""
        for (day, language, model), counts in other.rows.items():
            self._row(day, language, model).update(counts)

    def forget_before(self, day: str) -> None:
        """Drop the days before ``day``."""
        for key in [key for key in self.rows if key[0] < day]:
            del self.rows[key]

    def _row(self, day: str, language: str, model: str) -> Counter[str]:
        key = (day, language[:NAME_CHARACTERS], model[:NAME_CHARACTERS])
        row = self.rows.get(key)
        if row is None:
            # Names come from editors and servers: however many they make up, a day stays small.
            if sum(known[0] == day for known in self.rows) >= USAGE_ROWS_PER_DAY:
                key = (day, OTHER, OTHER)
            row = self.rows.setdefault(key, Counter())
        return row

    # -- as data -------------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Return ``{day: {language: {model: {fact: n}}}}``."""
        days: dict[str, Any] = {}
        for (day, language, model), counts in sorted(self.rows.items()):
            days.setdefault(day, {}).setdefault(language, {})[model] = {
                fact: count for fact, count in sorted(counts.items()) if count
            }
        return days

    @classmethod
    def from_dict(cls, days: Any) -> Usage:
        """Read what `as_dict` wrote; raises ValueError for anything else.  Facts of a newer version are kept."""
        usage = cls()
        for day, languages in _items(days):
            for language, models in _items(languages):
                for model, counts in _items(models):
                    if not all(type(count) is int for _, count in _items(counts)):
                        raise ValueError("a count is not a number")
                    usage.rows[day, language, model] = Counter(counts)
        return usage

    # -- sums ----------------------------------------------------------------------------------------------------------

    def only(self, *, since: str = "", language: str | None = None) -> Usage:
        """Return the counts from ``since`` on, of one language if it is named."""
        return Usage(
            {key: row for key, row in self.rows.items() if key[0] >= since and language in {None, key[1]}},
        )

    def total(self) -> Counter[str]:
        """Return the sum of everything."""
        return _sum(self.rows.values())

    def by(self, part: Literal["day", "language", "model"]) -> dict[str, Counter[str]]:
        """Return the sums by day (in order), or by language or model (most shown first)."""
        position = ("day", "language", "model").index(part)
        sums: dict[str, Counter[str]] = {}
        for key, row in sorted(self.rows.items()):
            sums.setdefault(key[position], Counter()).update(row)
        if part == "day":
            return sums
        return dict(sorted(sums.items(), key=lambda item: (-item[1]["shown"], item[0])))


def accepted(counts: Mapping[str, int]) -> int:
    """Return how many suggestions were accepted in any way."""
    return sum(counts.get(kind, 0) for kind in ACCEPTED)


def ratio(part: int, whole: int) -> float | None:
    """Return ``part / whole``, None for nothing at all."""
    return part / whole if whole else None


def summarise(counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the counts with their shares (0..1, None when there is nothing to divide by)."""
    shown, taken = counts.get("shown", 0), accepted(counts)
    reused = counts.get("from_cache", 0) + counts.get("from_stream", 0)
    answers = reused + sum(counts.get(fact, 0) for fact in ("from_model", "from_edit", "from_identifiers"))
    judged = sum(counts.get(fact, 0) for fact in ("survived", "edited", "removed"))
    calls = ratio(100 * counts.get("calls", 0), shown)
    return {
        **{fact: counts.get(fact, 0) for fact in FACTS},
        "accepted": taken,
        "open": max(0, shown - taken - counts.get("typed", 0) - counts.get("rejected", 0)),
        "acceptance": _rounded(ratio(taken, shown)),
        "survival": _rounded(ratio(counts.get("survived", 0), judged)),
        "reuse": _rounded(ratio(reused, answers)),
        "calls_per_100_shown": None if calls is None else round(calls, 1),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _sum(rows: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row)
    return total


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("not a table")  # noqa: TRY004 - what is in a file, not what was passed
    return iter(value.items())
