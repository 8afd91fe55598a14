"""The same rewrite of a line at two places: it is due at every other line where it applies exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from dragoman.completion.next_edit.history import Edit
from dragoman.completion.next_edit.patterns import NextEditReason, Place
from dragoman.completion.next_edit.source import Source
from dragoman.completion.next_edit.tokens import compare, is_word, narrow, split
from dragoman.limits import LONG_LINE_CHARS, NEXT_EDIT_PLACES

CONTEXT_TOKENS: Final = 4
"""Tokens beside a replaced piece that must be alike where both examples have them in common."""

MOST_SLOTS: Final = 4
LONGEST_TEMPLATE: Final = 120
_OPENING: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSING: Final = frozenset(_OPENING.values())
_SEPARATORS: Final = frozenset({","})
_COMMENT_MARKS: Final = ("#", "//", "*", "--", "/*", ";", "%")

Piece = str | int
"""A token that must stand there, or the number of a slot that takes what stands there."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Tokens in place of others, between tokens that both examples had there."""

    left: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    right: tuple[str, ...]

    def apply(self, tokens: Sequence[str]) -> list[tuple[int, int, str]]:
        """Return what is to be replaced in a line, as (first token, behind the last one, new text)."""
        found = []
        wanted = (*self.left, *self.old, *self.right)
        for index in range(len(tokens) - len(wanted) + 1):
            if tuple(tokens[index : index + len(wanted)]) == wanted:
                at = index + len(self.left)
                if self.old or not self._is_there(tokens, at):
                    found.append((at, at + len(self.old), "".join(self.new)))
        return found

    def _is_there(self, tokens: Sequence[str], at: int) -> bool:
        """Tell whether what would be inserted stands there already, or the place is the middle of something else."""
        before, after = tuple(tokens[max(0, at - len(self.new)) : at]), tuple(tokens[at : at + len(self.new)])
        if self.new in (before, after):
            return True
        return bool(self.new[-1] == "." and at and tokens[at - 1] == ".")


@dataclass(frozen=True, slots=True)
class Template:
    """A line with slots, and what becomes of it."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    def apply(self, tokens: Sequence[str]) -> list[tuple[int, int, str]]:
        """Return what is to be replaced in a line without its indentation; nothing where the line does not fit."""
        anchored = not (is_constant_word(self.before[0]) and isinstance(self.before[-1], str))
        starts = [0] if anchored else [n for n, token in enumerate(tokens) if token == self.before[0]]
        for start in starts:
            if start and tokens[start - 1] in {".", "@", "$"}:
                continue
            slots: dict[int, tuple[str, ...]] = {}
            end = _match(self.before, tokens, start, slots, to_end=anchored)
            if end is not None and _match(self.after, tokens, start, {}, to_end=anchored) is None:
                made = [piece if isinstance(piece, str) else "".join(slots[piece]) for piece in self.after]
                return [(start, end, "".join(made))]
        return []


def _match(
    pieces: Sequence[Piece],
    tokens: Sequence[str],
    at: int,
    slots: dict[int, tuple[str, ...]],
    *,
    to_end: bool,
) -> int | None:
    """Return where the pieces end that begin at token ``at``, with what the slots took; None when they do not fit."""
    count = 0
    while count < len(pieces) and isinstance(pieces[count], str):
        if at >= len(tokens) or tokens[at] != pieces[count]:
            return None
        at, count = at + 1, count + 1
    if count == len(pieces):
        return at if not to_end or at == len(tokens) else None
    slot = pieces[count]
    assert isinstance(slot, int), "the loop above stops at slots"
    waiting: list[str] = []
    for end in range(at, len(tokens)):
        token = tokens[end]
        if token in _OPENING:
            waiting.append(_OPENING[token])
        elif token in _CLOSING and (not waiting or waiting.pop() != token):
            return None
        if token in _SEPARATORS and not waiting:
            # One slot is one argument: else a line that has one more already would fit.
            return None
        if not waiting:
            taken = tuple(tokens[at : end + 1])
            if slots.setdefault(slot, taken) != taken:
                return None
            found = _match(pieces[count + 1 :], tokens, end + 1, slots, to_end=to_end)
            if found is not None:
                return found
            del slots[slot]
    return None


@dataclass(frozen=True, slots=True)
class Repeat:
    """A rewrite that was made at two places."""

    origin: str
    rule: Replacement | Template
    in_comments: bool
    needle: str
    """A word that every line has to which it applies."""
    reason: NextEditReason = "repeat"

    @property
    def key(self) -> str:
        """What the change is."""
        return f"repeat {self.rule!r} {self.origin}"

    @property
    def rename(self) -> None:
        """None: it is a rewrite of lines."""
        return

    def may_touch(self, line: str) -> bool:
        """Tell whether a line has the word that it takes."""
        return self.needle in line

    def absorbs(self, edit: Edit) -> bool:
        """Tell whether an edit does the same, and nothing else."""
        pairs = _changed_lines(edit)
        return bool(pairs) and all(self._rewrite(before) == after for before, after in pairs)

    def places(self, source: Source) -> list[Place]:
        """Return where it applies."""
        found: list[Place] = []
        for index, line in enumerate(source.lines):
            if self.needle not in line or len(line) > LONG_LINE_CHARS:
                continue
            content = line.rstrip("\r\n")
            tokens = split(content)
            skipped = _indentation(tokens)
            offset = source.start_of(index)
            for first, last, new in self.rule.apply(tokens[skipped:]):
                begin = offset + sum(map(len, tokens[: skipped + first]))
                old = "".join(tokens[skipped + first : skipped + last])
                start, end, text = narrow(old, new, begin)
                if self._fits_zone(source, start, end) and (start != end or text):
                    found.append(Place(start, end, text, _label(source.text[start:end], text)))
            if len(found) >= NEXT_EDIT_PLACES:
                break
        return found

    def _fits_zone(self, source: Source, start: int, end: int) -> bool:
        if self.in_comments:
            return True
        return source.zone(start) != "comment" and source.zone(max(start, end - 1)) != "comment"

    def _rewrite(self, line: str) -> str:
        tokens = split(line)
        for first, last, new in reversed(self.rule.apply(tokens)):
            tokens[first:last] = [new]
        return "".join(tokens)


def find_repeat(edits: Sequence[Edit]) -> Repeat | None:
    """Return the rewrite that the newest edit and the one before it have in common, or two lines of the newest."""
    pairs = _changed_lines(edits[0])
    if not pairs or len(pairs) > 4:
        return None
    if len(pairs) == 1:
        pairs += _changed_lines(edits[1])[-1:] if len(edits) > 1 else []
    if len(pairs) < 2:
        return None
    one, other = pairs[0], pairs[1]
    if max(map(len, (*one, *other))) > LONG_LINE_CHARS or one == other:
        # The very same line twice says nothing about what may differ, so only the very same line is meant.
        return _same_line(edits[0].uri, *one) if one == other else None
    rule = _replacement(one, other) or _template(one, other)
    if rule is None:
        return None
    return _repeat(edits[0].uri, rule, one[0])


def _same_line(uri: str, before: str, after: str) -> Repeat | None:
    if len(before) > LONG_LINE_CHARS or not any(is_word(token) and len(token) > 2 for token in split(before)):
        return None
    rule = Template(tuple(split(before)), tuple(split(after)))
    return _repeat(uri, rule, before) if len(rule.before) <= LONGEST_TEMPLATE else None


def _repeat(uri: str, rule: Replacement | Template, before: str) -> Repeat | None:
    tokens = (*rule.left, *rule.old, *rule.right) if isinstance(rule, Replacement) else rule.before
    words = [token for token in tokens if isinstance(token, str) and is_word(token) and len(token) > 1]
    if not words:
        return None
    in_comments = before.lstrip().startswith(_COMMENT_MARKS)
    return Repeat(uri, rule, in_comments, max(words, key=len))


def _label(old: str, new: str) -> str:
    old, new = old.strip(), new.strip()
    return f"replace `{old}` by `{new}`" if old and new else f"insert `{new}`" if new else f"remove `{old}`"


def is_constant_word(piece: Piece) -> bool:
    """Tell whether a piece is a word that must stand there."""
    return isinstance(piece, str) and is_word(piece)


def _changed_lines(edit: Edit) -> list[tuple[str, str]]:
    """Return the lines that changed, before and after, without indentation; nothing when lines came or went."""
    before, after = edit.before.splitlines(), edit.after.splitlines()
    if len(before) != len(after):
        return []
    pairs = []
    for old, new in zip(before, after, strict=True):
        if old != new:
            if not old.strip() or not new.strip() or _blanks(old) != _blanks(new):
                return []
            pairs.append((old.strip(), new.strip()))
    return pairs


def _blanks(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _indentation(tokens: Sequence[str]) -> int:
    return next((index for index, token in enumerate(tokens) if not token.isspace()), len(tokens))


def _replacement(one: tuple[str, str], other: tuple[str, str]) -> Replacement | None:
    """Return the one piece that was replaced in both lines, with what both have beside it."""
    hunks = [compare(*pair) for pair in (one, other)]
    if any(found is None or len(found) != 1 for found in hunks):
        return None
    first, second = (found[0] for found in hunks if found)
    if (first.old, first.new) != (second.old, second.new):
        return None
    sides = []
    for pair, hunk in ((one, first), (other, second)):
        head, tail = split(pair[0][: hunk.old_at]), split(pair[0][hunk.old_at + len("".join(hunk.old)) :])
        sides.append((head, tail))
    left = _common(list(reversed(sides[0][0])), list(reversed(sides[1][0])))[::-1]
    right = _common(sides[0][1], sides[1][1])
    words = [token for token in first.old if is_word(token)]
    beside = [token for token in (left[-1:] + right[:1]) if is_word(token) and len(token) > 1]
    if not words and not beside:
        return None
    return Replacement(tuple(left), first.old, first.new, tuple(right))


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    count = 0
    while count < min(len(one), len(other), CONTEXT_TOKENS) and one[count] == other[count]:
        count += 1
    return list(one[:count])


def _template(one: tuple[str, str], other: tuple[str, str]) -> Template | None:
    """Return the line with slots that both examples are, None when what became of them is not the same."""
    olds, others = split(one[0]), split(other[0])
    if max(len(olds), len(others)) > LONGEST_TEMPLATE:
        return None
    slots: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    before = _unify(olds, others, slots, grow=True)
    after = _unify(split(one[1]), split(other[1]), slots, grow=False)
    if before is None or after is None or not 1 <= len(slots) <= MOST_SLOTS:
        return None
    if before == after or {piece for piece in after if isinstance(piece, int)} - {
        piece for piece in before if isinstance(piece, int)
    }:
        return None
    if any(isinstance(a, int) and isinstance(b, int) for a, b in pairwise(before)):
        return None
    telling = [piece for piece in before if isinstance(piece, str) and is_word(piece) and len(piece) > 2]
    made = Template(tuple(before), tuple(after)) if telling else None
    # A template that does not make its own examples says something else than what was done.
    fits = made is not None and all(
        [new for _, _, new in made.apply(split(pair[0]))] == [pair[1]] for pair in (one, other)
    )
    return made if fits else None


def _unify(
    one: Sequence[str],
    other: Sequence[str],
    slots: list[tuple[tuple[str, ...], tuple[str, ...]]],
    *,
    grow: bool,
) -> list[Piece] | None:
    """Return the pieces that two token lists have in common, with numbers for what differs; fills or uses ``slots``."""
    left, right = _group(one), _group(other)
    if left is None or right is None:
        return None
    pieces: list[Piece] = []
    for kind, first, last, second, end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.extend(token for group in left[first:last] for token in group)
            continue
        inner = None
        if last - first == end - second == 1:
            inner = _unify_brackets(left[first], right[second], slots, grow=grow)
        if inner is not None:
            pieces.extend(inner)
            continue
        values = (
            tuple(token for group in left[first:last] for token in group),
            tuple(token for group in right[second:end] for token in group),
        )
        if not all(values) or (",",) in (*left[first:last], *right[second:end]):
            return None
        if values not in slots:
            if not grow:
                return None
            slots.append(values)
        pieces.append(slots.index(values))
    return pieces


def _unify_brackets(
    one: tuple[str, ...], other: tuple[str, ...], slots: list[tuple[tuple[str, ...], tuple[str, ...]]], *, grow: bool
) -> list[Piece] | None:
    """Unify two bracketed lists part by part; None when they have not the same number of parts."""
    if len(one) < 2 or len(other) < 2 or one[0] != other[0] or one[0] not in _OPENING:
        return None
    parts, others = _parts(one[1:-1]), _parts(other[1:-1])
    if parts is None or others is None or len(parts) != len(others):
        return None
    pieces: list[Piece] = [one[0]]
    for index, (part, match) in enumerate(zip(parts, others, strict=True)):
        inner = _unify(part, match, slots, grow=grow)
        if inner is None:
            return None
        pieces += [",", *inner] if index else inner
    return [*pieces, one[-1]]


def _group(tokens: Sequence[str]) -> list[tuple[str, ...]] | None:
    """Return tokens with each bracketed run as one; None when the brackets do not match."""
    groups: list[tuple[str, ...]] = []
    waiting: list[str] = []
    run: list[str] = []
    for token in tokens:
        run.append(token)
        if token in _OPENING:
            waiting.append(_OPENING[token])
        elif token in _CLOSING and (not waiting or waiting.pop() != token):
            return None
        if not waiting:
            groups.append(tuple(run))
            run = []
    return None if waiting else groups


def _parts(tokens: Sequence[str]) -> list[list[str]] | None:
    groups = _group(tokens)
    if groups is None:
        return None
    parts: list[list[str]] = [[]]
    for group in groups:
        if group == (",",):
            parts.append([])
        else:
            parts[-1].extend(group)
    return parts
