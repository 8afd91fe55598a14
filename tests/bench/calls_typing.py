"""Reconstructed typing: how a person might have typed the difference between two versions of a file.

Not a recording: nobody publishes those. The hunks of the diff are typed in their order, key by key, with what an editor
does on its own (closing brackets and quotes, typing over them, indenting), with typos that are noticed and taken back,
and now and then a line that is cut and pasted one higher, and back. The end is exactly the new version.

Every choice is drawn from the place (file, hunk, position, what for), never from a running generator: whatever a policy
shows and the person accepts, the same places get the same typos and pauses.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

TYPO_SHARE = 0.05
MOVE_SHARE = 0.03
WANDER_SHARE = 0.04
"""Of the ends of lines: the line changes places with the one above and back; the cursor goes elsewhere and comes back."""

PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
CLOSERS = frozenset(PAIRS.values())
_AUTO_CLOSE_BEFORE = frozenset(";:.,=}])> \n\t")
_NEIGHBOURS = {
    a: b
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
    for a, b in zip(row, row[1:] + row[0], strict=True)
}


def draw(*place: object) -> float:
    """Return a number in [0, 1) that depends on ``place`` alone."""
    digest = hashlib.blake2b("\x1f".join(map(str, place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def log_normal(median: float, sigma: float, *place: object) -> float:
    """Draw from a log-normal distribution by ``place``."""
    return median * math.exp(sigma * random.Random(str(place)).gauss(0.0, 1.0))


@dataclass(frozen=True)
class Change:
    """One hunk in the coordinates of the file as it is when its turn comes: delete, then type ``text`` at the cursor."""

    row: int
    column: int
    delete: tuple[int, int] | int
    """Rows to delete, as [first, last), or characters before the cursor."""
    text: str
    opens_line: bool = False
    """Whether an empty line is made at the cursor first, and left for it: above the file's first line."""


def changes(old: str, new: str) -> list[Change]:
    """Return the hunks from ``old`` to ``new``, first to last."""
    a, b = old.split("\n"), new.split("\n")
    found: list[Change] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if tag == "replace" and i2 - i1 == j2 - j1 <= 3 and all(map(_alike, a[i1:i2], b[j1:j2])):
            found += [_within(j1 + index, a[i1 + index], b[j1 + index]) for index in range(i2 - i1)]
            continue
        lines = b[j1:j2]
        rows_left = len(b[:j1]) + len(a[i2:])
        if not lines:
            found.append(Change(max(j1 - 1, 0), -1 if j1 else 0, (j1, j1 + i2 - i1), ""))
        elif not rows_left:
            found.append(Change(0, 0, (0, i2 - i1), "\n".join(lines)))
        elif j1:
            found.append(Change(j1 - 1, len(b[j1 - 1]), (j1, j1 + i2 - i1), "\n" + "\n".join(lines)))
        else:
            found.append(Change(0, 0, (0, i2 - i1), "\n".join(lines), opens_line=True))
    return found


def _alike(old: str, new: str) -> bool:
    return bool(old.strip() and new.strip()) and difflib.SequenceMatcher(None, old, new).ratio() > 0.5


def _within(row: int, old: str, new: str) -> Change:
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    return Change(row, len(old) - tail, len(old) - tail - head, new[head : len(new) - tail])


@dataclass
class Buffer:
    """The editor's text and cursor."""

    lines: list[str]
    row: int = 0
    column: int = 0
    version: int = 1

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def before(self) -> str:
        """The whole text before the cursor."""
        return "\n".join([*self.lines[: self.row], self.lines[self.row][: self.column]])

    @property
    def after(self) -> str:
        """The whole text after the cursor."""
        return "\n".join([self.lines[self.row][self.column :], *self.lines[self.row + 1 :]])

    def insert(self, text: str, *, after: str = "") -> None:
        """Put ``text`` before the cursor and ``after`` behind it."""
        line = self.lines[self.row]
        parts = (line[: self.column] + text).split("\n")
        column = len(parts[-1])
        row = self.row + len(parts) - 1
        whole = ("\n".join(parts) + after + line[self.column :]).split("\n")
        self.lines[self.row : self.row + 1] = whole
        self.row, self.column = row, column
        self.version += 1

    def delete(self, before: int, after: int = 0) -> None:
        """Delete characters on the cursor's line; ``after`` may reach into the next ones."""
        line = self.lines[self.row]
        rest = line[self.column :]
        while len(rest) < after:
            rest += "\n" + self.lines.pop(self.row + 1)
        self.lines[self.row] = line[: self.column - before] + rest[after:]
        self.column -= before
        self.version += 1

    def delete_rows(self, first: int, last: int) -> None:
        self.lines[first:last] = [] if len(self.lines) > last - first else [""]
        self.version += 1


@dataclass(frozen=True)
class Key:
    """What a key did: ``typed`` is what came before the cursor, ``erased`` how much went there."""

    kind: str
    typed: str = ""
    erased: int = 0
    edits: bool = True
    touched: tuple[int, int] = (0, 0)


@dataclass
class Typist:
    """Types one hunk into a buffer, one key at a time."""

    buffer: Buffer
    change: Change
    place: str
    """Names file and hunk; every draw depends on it."""
    unit: str = "    "
    at: int = 0
    """How much of the text is typed."""
    tail: str = ""
    """What the editor put behind the cursor by itself: closers, each of which will be typed over."""
    surplus: int = 0
    """Spaces of automatic indentation before the cursor that the text does not have."""
    _queue: deque[tuple[str, str]] = field(default_factory=deque)
    _deviates: int = 0
    _done_once: set[tuple[str, int]] = field(default_factory=set)
    _moved: tuple[str, ...] = ()

    def begin(self) -> Key | None:
        """Go to the hunk and delete what it replaces; None when nothing is deleted."""
        change, buffer = self.change, self.buffer
        key = None
        if isinstance(change.delete, tuple) and change.delete[0] < change.delete[1]:
            buffer.delete_rows(*change.delete)
            key = Key("delete", touched=(change.delete[0], change.delete[0]))
        buffer.row = change.row
        buffer.column = len(buffer.lines[change.row]) if change.column < 0 else change.column
        if change.opens_line:
            buffer.lines.insert(0, "")
            buffer.version += 1
            key = Key("delete", touched=(0, 1))
        if isinstance(change.delete, int) and change.delete:
            buffer.delete(change.delete)
            key = Key("delete", touched=(buffer.row, buffer.row))
        self.base = buffer.before
        return key

    @property
    def text(self) -> str:
        return self.change.text

    @property
    def finished(self) -> bool:
        return self.at == len(self.text) and not (self.tail or self.surplus or self._queue)

    # -- what is true at the cursor ------------------------------------------------------------------------------------

    def truth(self) -> str | None:
        """Return what remains to be put in at the cursor, up to the first closer that stands there already.

        None while the text is not what it will be: a typo, an indentation too deep, a line in another place.
        """
        if self._deviates or self.surplus or self._moved:
            return None
        return self.text[self.at : self.at + self._free(self.at)]

    def truth_behind(self, before: str) -> tuple[int, str] | None:
        """Return where in the text ``before`` ends, and what is true there; None when it is no beginning of it."""
        if self._moved:
            return None
        tail = before[-160:]
        whole = self.base[-200:] + self.text
        start = len(whole) - len(self.text)
        end = self.at + self._free(self.at)
        found = whole.find(tail)
        while found >= 0:
            position = found + len(tail) - start
            if position >= 0 and (self.base[-2000:] + self.text[:position]).endswith(before[-1500:]):
                return position, self.text[position : max(end, position)]
            found = whole.find(tail, found + 1)
        return None

    def _free(self, at: int) -> int:
        """Return how much can be typed until the first closer of the tail is typed over."""
        if not self.tail:
            return len(self.text) - at
        head = self.buffer.lines[self.buffer.row][: self.buffer.column]
        stack: list[str] = []
        for index in range(at, len(self.text)):
            char = self.text[index]
            if stack and stack[-1] == char:
                stack.pop()
            elif not stack and (self.text.startswith(self.tail[: _first(self.tail)], index)):
                return index - at
            else:
                following = stack[-1] if stack else self.tail[0]
                if char in PAIRS and self._closes(char, head, following):
                    stack.append(PAIRS[char])
                head = "" if char == "\n" else head + char
        return len(self.text) - at

    @staticmethod
    def _closes(char: str, head: str, following: str) -> bool:
        """Tell whether the editor closes ``char`` by itself."""
        if following and following not in _AUTO_CLOSE_BEFORE and following not in CLOSERS - {'"', "'"}:
            return False
        if char in "\"'":
            return not (re.search(r"[\w\"']\Z", head) or "#" in head or head.count(char) % 2)
        return True

    # -- keys ----------------------------------------------------------------------------------------------------------

    def accept(self, text: str) -> Key:
        """Take ``text``, which must be true at the cursor."""
        truth = self.truth()
        assert truth is not None
        assert truth.startswith(text)
        row = self.buffer.row
        self.buffer.insert(text)
        self.at += len(text)
        return Key("accept", text, touched=(row, self.buffer.row))

    def press(self) -> Key:
        """Do the next key."""
        row = self.buffer.row
        kind, typed, erased = self._press()
        edits = kind not in {"move", "wander"}
        return Key(kind, typed, erased, edits, (min(row, self.buffer.row), max(row, self.buffer.row)))

    def _press(self) -> tuple[str, str, int]:
        if not self._queue:
            self._plan()
        if self._queue:
            return self._follow(*self._queue.popleft())
        buffer = self.buffer
        char = self.text[self.at : self.at + 1]
        if self.surplus and char != "\n":
            return self._unindent()
        if not char:
            # The closers that were not typed over are not in the new text.
            buffer.delete(0, _first(self.tail))
            self.tail = self.tail[_first(self.tail) :]
            return "erase", "", 0
        if self.tail and self.text.startswith(self.tail[: _first(self.tail)], self.at):
            return self._type_over()
        if char == "\n":
            return self._enter()
        head = buffer.lines[buffer.row][: buffer.column]
        if char in " \t" and not head.strip() and (width := self._tab_width(head)) > 1:
            buffer.insert(self.text[self.at : self.at + width])
            self.at += width
            return "tab", " " * width, 0
        following = buffer.lines[buffer.row][buffer.column : buffer.column + 1]
        closer = PAIRS[char] if char in PAIRS and self._closes(char, head, following) else ""
        buffer.insert(char, after=closer)
        self.tail = closer + self.tail
        self.at += 1
        return "type", char, 0

    def _tab_width(self, head: str) -> int:
        spaces = len(self.text[self.at :]) - len(self.text[self.at :].lstrip(" "))
        return min(spaces, len(self.unit) - len(head) % len(self.unit))

    def _unindent(self) -> tuple[str, str, int]:
        count = min(self.surplus, (self.buffer.column - 1) % len(self.unit) + 1)
        self.buffer.delete(count)
        self.surplus -= count
        return "backspace", "", count

    def _type_over(self) -> tuple[str, str, int]:
        length = _first(self.tail)
        over, self.tail = self.tail[:length], self.tail[length:]
        self.at += length
        buffer = self.buffer
        if "\n" in over:
            # Down and to the end of the line.
            rows = over.count("\n")
            buffer.row += rows
            buffer.column = len(over.rsplit("\n", 1)[1])
            return "move", "", 0
        buffer.column += length
        buffer.version += 1
        return "over", over, 0

    def _enter(self) -> tuple[str, str, int]:
        buffer = self.buffer
        head = buffer.lines[buffer.row][: buffer.column]
        indent = head[: len(head) - len(head.lstrip())]
        if not head.strip() and self.surplus:
            # An editor takes back the indentation that it made itself when the line stays empty.
            buffer.delete(self.surplus)
            self.surplus = 0
        opened = head.rstrip()[-1:]
        expands = bool(self.tail) and PAIRS.get(opened) == self.tail[0] and opened in "([{"
        deeper = indent + self.unit if opened and opened in ":([{" else indent
        after = f"\n{indent}" if expands else ""
        buffer.insert(f"\n{deeper}", after=after)
        self.tail = after + self.tail
        self.at += 1
        wanted = self.text[self.at :].split("\n", 1)[0]
        shared = _shared(deeper, wanted)
        self.at += shared
        self.surplus = len(deeper) - shared
        return "enter", f"\n{deeper}", 0

    # -- what does not go straight on ----------------------------------------------------------------------------------

    def _plan(self) -> None:
        if self.surplus or self._moved:
            return
        char = self.text[self.at : self.at + 1]
        if char.isalnum() and char.isascii() and self._once("typo", TYPO_SHARE):
            wrong = _NEIGHBOURS.get(char.lower(), "x")
            unnoticed = int(draw(self.place, "unnoticed", self.at) * 3)
            more = self.text[self.at + 1 : self.at + 1 + unnoticed]
            more = more if more.isalnum() else ""
            keys = [("wrong", one) for one in wrong + more]
            self._queue.extend([*keys, *[("back", "")] * len(keys)])
        elif char == "\n" and self.at and not self.tail:
            if self._once("wander", WANDER_SHARE):
                self._queue.append(("wander", ""))
            elif self._can_move() and self._once("move", MOVE_SHARE):
                self._queue.extend([("cut", ""), ("above", ""), ("cut", ""), ("below", "")])

    def _once(self, what: str, share: float) -> bool:
        if (what, self.at) in self._done_once or draw(self.place, what, self.at) >= share:
            return False
        self._done_once.add((what, self.at))
        return True

    def _can_move(self) -> bool:
        row, lines = self.buffer.row, self.buffer.lines
        if not row or row + 1 >= len(lines) or lines[row][self.buffer.column :]:
            return False
        line, above = lines[row], lines[row - 1]
        same = len(line) - len(line.lstrip()) == len(above) - len(above.lstrip())
        return bool(line.strip() and above.strip()) and same

    def _follow(self, what: str, char: str) -> tuple[str, str, int]:
        buffer = self.buffer
        if what == "wrong":
            buffer.insert(char)
            self._deviates += 1
            return "typo", char, 0
        if what == "back":
            buffer.delete(1)
            self._deviates -= 1
            return "backspace", "", 1
        if what == "cut":
            self._moved = (buffer.lines[buffer.row],)
            buffer.delete_rows(buffer.row, buffer.row + 1)
            buffer.column = 0
            return "cut", "", 0
        if what in {"above", "below"}:
            buffer.row += 1 if what == "below" else -1
            line = self._moved[0]
            buffer.lines.insert(buffer.row, line)
            buffer.column = len(line)
            buffer.version += 1
            self._moved = () if what == "below" else self._moved
            return "paste", "", 0
        return "wander", "", 0

    # -- pauses --------------------------------------------------------------------------------------------------------

    def pause(self, key: Key | None, count: int) -> float:
        """Return the seconds from ``key`` to the next one; ``count`` tells equal places apart."""
        place = (self.place, "pause", self.at, count)
        if key is not None and key.kind == "typo" and self._queue and self._queue[0][0] == "back":
            return log_normal(0.35, 0.3, *place)
        if self._queue and self._queue[0][0] == "back":
            return log_normal(0.11, 0.3, *place)
        if self._queue and self._queue[0][0] in {"cut", "above", "below", "wander"}:
            return log_normal(0.8, 0.5, *place)
        if key is not None and key.kind in {"enter", "wander"} and draw(*place, "think") < 0.35:
            return log_normal(1.2, 0.7, *place)
        if self.text[self.at - 1 : self.at] in {" ", "("} and draw(*place, "word") < 0.08:
            return log_normal(0.7, 0.5, *place)
        return log_normal(0.15, 0.45, *place)


def _first(tail: str) -> int:
    """Return the length of the tail's first closer with the line break and indentation before it."""
    return len(tail) - len(tail.lstrip(" \t\n")) + 1 if tail else 0


def _shared(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def replay(old: str, new: str, place: str, unit: str = "    ") -> Iterator[tuple[Typist, Key]]:
    """Type everything from ``old`` to ``new`` without accepting anything; the last buffer holds ``new``."""
    buffer = Buffer(old.split("\n"))
    for number, change in enumerate(changes(old, new)):
        typist = Typist(buffer, change, f"{place}:{number}", unit)
        if (key := typist.begin()) is not None:
            yield typist, key
        while not typist.finished:
            yield typist, typist.press()
