"""Where lines stand that are nowhere to the letter: the place most like them, and how far it is ahead of the next."""

from __future__ import annotations

import difflib
import heapq
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dragoman.agents.edit_limits import CANDIDATES, COMPARISONS, DRIFT, FUZZY_LINES, FUZZY_WORD_CHARS
from dragoman.agents.edits.lines import Lines, words_of
from dragoman.agents.limits import EDIT_COMPARED_CHARS, EDIT_NEAR_LINES

_SIGN: Final = re.compile(r"\d+|[^\w\s]")
_COMMENTS: Final = ("#", "//", "--", "/*", "*")


@dataclass(frozen=True, slots=True)
class Alike:
    """The row of each searched line, -1 where it has none; how alike each is, and all of them, from 0 to 1."""

    rows: tuple[int, ...]
    each: tuple[float, ...]
    likeness: float


class Likeness:
    """Compares lines, without the blanks around them; what was compared once is remembered.

    After so many comparisons everything new is unlike: the user's keys wait for them.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], float] = {}
        self._left = COMPARISONS

    def of(self, one: str, other: str) -> float:
        """Return how alike two lines are, from 0 to 1; less than a half is 0."""
        if one == other:
            return 1.0
        shorter, longer = sorted((len(one), len(other)))
        if shorter * 3 < longer:
            return 0.0
        key = (one, other)
        if key not in self._known:
            if self._left <= 0:
                return 0.0
            self._left -= 1
            matcher = difflib.SequenceMatcher(
                None, one[:EDIT_COMPARED_CHARS], other[:EDIT_COMPARED_CHARS], autojunk=False
            )
            quick = matcher.real_quick_ratio() >= 0.5 and matcher.quick_ratio() >= 0.5
            ratio = matcher.ratio() if quick else 0.0
            self._known[key] = ratio if ratio >= 0.5 else 0.0
        return self._known[key]


def says_the_same(one: str, other: str) -> bool:
    """Tell whether two lines of code that are alike can be the same statement, a word of it misspelt.

    Another number or another operator is another statement; which quotes there are, and a comma at the end, is not.
    """
    return _signs(one) == _signs(other)


def _signs(line: str) -> list[str]:
    code = line.strip().rstrip(",;").replace("'", '"')
    return [] if code.startswith(_COMMENTS) else _SIGN.findall(code)


def rank_rows(lines: Lines, wanted: str, first: int, last: int) -> list[int]:
    """Return the rows that share words with a line, the rarest count most, and no more than are worth comparing."""
    votes: dict[int, float] = {}
    for word in words_of(wanted):
        rows = [row for row in lines.words.get(word, ()) if first <= row < last]
        for row in rows:
            votes[row] = votes.get(row, 0.0) + len(word) / len(rows)
    return heapq.nlargest(CANDIDATES, votes, key=lambda row: (votes[row], -row))


def _says_something(line: str) -> bool:
    return sum(character.isalnum() for character in line) >= FUZZY_WORD_CHARS


def find_alike(lines: Lines, old: Sequence[str], first: int, last: int) -> tuple[Alike | None, Alike | None]:
    """Return the best and the second best place for lines within rows ``[first, last)``, which share no row."""
    wanted = [line.strip() for line in old]
    if len(wanted) > FUZZY_LINES or last <= first or not any(map(_says_something, wanted)):
        return None, None
    likeness = Likeness()
    found = [
        _align(lines, wanted, offset, first, last, likeness)
        for offset in _offsets(lines, wanted, first, last, likeness)
    ]
    found.sort(key=lambda one: one.likeness, reverse=True)
    if not found:
        return None, None
    best = {row for row in found[0].rows if row >= 0}
    return found[0], next((one for one in found[1:] if best.isdisjoint(one.rows)), None)


def _offsets(lines: Lines, wanted: list[str], first: int, last: int, likeness: Likeness) -> list[int]:
    """Return the rows at which the searched lines may begin, the most promising first."""
    keys, rows = lines.keys("bare")
    votes: Counter[int] = Counter()
    for number, line in enumerate(wanted):
        if _says_something(line):
            for row in rows.get(line, ())[: CANDIDATES * 4]:
                if first <= row < last:
                    votes[row - number] += len(line)
    # Lines that stand there to the letter show the place; without any, the one that says most has to.
    if len(votes) < 2:
        number = max(range(len(wanted)), key=lambda one: len(wanted[one]))
        for row in rank_rows(lines, wanted[number], first, last):
            votes[row - number] += round(likeness.of(wanted[number], keys[row]) * len(wanted[number]))
    return [offset for offset, _ in votes.most_common(CANDIDATES)]


def _align(lines: Lines, wanted: list[str], offset: int, first: int, last: int, likeness: Likeness) -> Alike:
    """Return the rows around an offset that are most like the lines, in their order, none far from where it should be."""
    keys, _ = lines.keys("bare")
    band, top, count = 2 * DRIFT, offset - DRIFT, len(wanted)

    def ratio(number: int, used: int) -> float:
        row = top + used
        return likeness.of(wanted[number], keys[row]) if first <= row < last else 0.0

    # sums[i][k]: the most that i lines and the first i + k rows have in common.
    sums = [[0.0] * (band + 1)]
    for number, line in enumerate(wanted):
        before, now = sums[-1], [0.0] * (band + 1)
        for k in range(band + 1):
            alone = max(before[min(k + 1, band)], now[k - 1] if k else 0.0)
            now[k] = max(alone, before[k] + ratio(number, number + k) * (len(line) + 1))
        sums.append(now)
    rows, each = [-1] * count, [0.0] * count
    number, k = count - 1, band
    while number >= 0:
        value = sums[number + 1][k]
        if k and value == sums[number + 1][k - 1]:
            k -= 1
        elif value == sums[number][min(k + 1, band)]:
            number, k = number - 1, min(k + 1, band)
        else:
            rows[number], each[number] = top + number + k, ratio(number, number + k)
            number -= 1
    used = [row for row in rows if row >= 0]
    unseen = set(range(used[0], used[-1])) - set(used) if used else set()
    # A line in the middle that was not searched for counts half: it is more often forgotten than another place.
    loss = sum((len(keys[row]) + 1) / 2 for row in unseen)
    total = sum(len(line) + 1 for line in wanted)
    return Alike(tuple(rows), tuple(each), max(0.0, (sums[-1][band] - loss) / total))


def find_nearest(lines: Lines, old: Sequence[str], first: int, last: int) -> tuple[int, str]:
    """Return the first row and the lines of the place most like the searched ones, to be shown; -1 and "" without."""
    wanted = max(old, key=lambda line: len(line.strip()))
    offset = list(old).index(wanted)
    likeness = Likeness()
    keys, _ = lines.keys("bare")
    ratios = [(likeness.of(wanted.strip(), keys[row]), -row) for row in rank_rows(lines, wanted, first, last)]
    ratio, at = max(ratios, default=(0.0, 0))
    if ratio <= 0.5:
        return -1, ""
    begin = max(first, -at - min(offset, EDIT_NEAR_LINES - 1))
    count = max(min(EDIT_NEAR_LINES, len(old)), -at - begin + 1)
    return begin, "\n".join(line[:200] for line in lines.texts[begin : min(begin + count, last)])
