"""What a model's answer holds: blocks of edits and fenced code, read from a stream that is cut anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dragoman.agents.edit_limits import DIVIDERS, REOPENED
from dragoman.agents.edits.diffs import DiffReader, begins_diff, is_header
from dragoman.agents.edits.paths import path_of_info, path_of_line

_START: Final = re.compile(r"(\s*)<{5,9} ?SEARCH\b(.*)")
_MIDDLE: Final = re.compile(r"={5,9}\s*")
_END: Final = re.compile(r"\s*>{5,9} ?REPLACE\b.*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines as they stand and as they shall be, without line ends.

    ``halves`` are the ways to read it, each (old, new), the one with the longest old lines first: there are several where
    the code itself has lines like ``=======``.  ``line`` is where a diff says that it begins, from 1; 0 where nothing does.
    """

    path: str
    halves: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class FenceOpened:
    """Fenced code begins that is neither blocks nor a diff; its lines follow one by one."""

    path: str
    info: str


@dataclass(frozen=True, slots=True)
class FenceLine:
    """A line of fenced code, without its end."""

    text: str


@dataclass(frozen=True, slots=True)
class FenceClosed:
    """The fenced code is whole."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Text outside of everything else, with its line end."""

    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A block that is not whole, or not one; the message is for people and models."""

    message: str


Part = Block | FenceOpened | FenceLine | FenceClosed | Prose | Broken


class BlockParser:
    """Reads SEARCH/REPLACE blocks, fenced code and unified diffs; a line is read when its end has come."""

    def __init__(self) -> None:
        self._rest: list[str] = []
        self._read = self._prose
        self._path = ""
        self._held: list[str] = []
        self._fence = ""
        self._info = ""
        self._fence_path = ""
        self._depth = 0
        self._has_blocks = False
        self._margin = ""
        self._body: list[str] = []
        self._dividers: list[int] = []
        self._diff: DiffReader | None = None
        self._out: list[Part] = []

    def feed(self, chunk: str) -> list[Part]:
        """Return what became clear with the next piece of the answer."""
        head, newline, tail = chunk.rpartition("\n")
        if newline:
            text = "".join([*self._rest, head])
            self._rest = []
            for line in text.split("\n"):
                self._read(line.removesuffix("\r"))
        if tail:
            self._rest.append(tail)
        return self._taken()

    def finish(self) -> list[Part]:
        """Return what is left at the end of the answer; what is not whole is `Broken`."""
        if self._rest:
            line, self._rest = "".join(self._rest).removesuffix("\r"), []
            self._read(line)
        for _ in range(REOPENED):
            if self._read != self._search or not self._reopen():
                break
        if self._read == self._search:
            self._out.append(Broken("The last block of the answer is not whole; it was left out."))
        elif self._read == self._changes:
            self._end_diff(cut=True)
        elif self._read == self._code:
            self._out.append(Broken("The answer ends within its code; what was not clear yet was left out."))
        elif self._read == self._opened and not self._has_blocks:
            self._out.append(Broken("The answer ends where its code begins."))
        self._flush()
        self._read = self._prose
        return self._taken()

    def _taken(self) -> list[Part]:
        taken, self._out = self._out, []
        return taken

    def _flush(self) -> None:
        """Give out as prose what was held because it could have been the path of a block."""
        self._out += [Prose(f"{line}\n") for line in self._held]
        self._held = []

    def _take_path(self) -> None:
        """Remember the path that was held: it is this block's, and that of the following without one."""
        for line in self._held:
            if path := path_of_line(line):
                self._path = path
        self._held = []

    # -- states, each reads one line ---------------------------------------------------------------------------------

    def _prose(self, line: str) -> None:
        if self._begins_block(line):
            return
        fence = _FENCE.fullmatch(line)
        if fence:
            self._fence, self._info = fence[1], fence[2].strip()
            said = path_of_info(self._info) or next(filter(None, map(path_of_line, reversed(self._held))), "")
            self._fence_path = said
            self._path = said or self._path
            self._held, self._has_blocks, self._depth = [], False, 0
            self._read = self._opened
        elif is_header(self._held[-1] if self._held else "", line) or begins_diff(line):
            self._begin_diff([*self._held[-1:], line] if line.startswith("+++ ") else [line])
        elif not line.strip() and self._held:
            self._held.append(line)
        else:
            self._flush()
            if path_of_line(line) or line.startswith("--- "):
                self._held.append(line)
            else:
                self._out.append(Prose(f"{line}\n"))

    def _opened(self, line: str) -> None:
        """Read within a fence of which it is not yet known what it holds, or that holds blocks."""
        if self._begins_block(line):
            self._has_blocks = True
        elif self._closes(line):
            if not self._has_blocks:
                self._out += [FenceOpened(self._fence_path, self._info), *map(FenceLine, self._held), FenceClosed()]
                self._held = []
            self._leave()
        elif self._has_blocks:
            self._flush()
            if path_of_line(line):
                self._held.append(line)
            elif line.strip():
                self._out.append(Prose(f"{line}\n"))
        elif not self._held and (
            begins_diff(line) or self._info.split(" ")[0] in {"diff", "patch"} or line.startswith("--- ")
        ):
            self._begin_diff([line])
        elif len(self._held) < 2 and (not line.strip() or path_of_line(line)):
            self._held.append(line)
        else:
            self._out += [FenceOpened(self._fence_path, self._info), *map(FenceLine, self._held)]
            self._held = []
            self._read = self._code
            self._code(line)

    def _code(self, line: str) -> None:
        if _START.fullmatch(line):
            # Conflict-like markers in somebody's file are the worst that an edit can do.
            self._out.append(Broken("A block begins in the middle of code; the code was left out."))
            self._has_blocks = True
            self._begins_block(line)
        elif self._depth == 0 and self._closes(line):
            self._out.append(FenceClosed())
            self._leave()
        else:
            fence = _FENCE.fullmatch(line)
            if fence and fence[1][0] == self._fence[0] and len(fence[1]) >= len(self._fence):
                # A fence with a name opens one within this, in Markdown or a docstring; a bare one closes it.
                self._depth += 1 if fence[2].strip() else -1
            self._out.append(FenceLine(line))

    def _search(self, line: str) -> None:
        if _START.fullmatch(line):
            self._depth += 1
        elif _END.fullmatch(line):
            if self._depth == 0:
                self._end_block()
                return
            self._depth -= 1
        elif self._depth == 0 and len(self._dividers) < DIVIDERS and _MIDDLE.fullmatch(line.removeprefix(self._margin)):
            self._dividers.append(len(self._body))
        self._body.append(line)

    def _changes(self, line: str) -> None:
        assert self._diff is not None
        if self._fence and self._closes(line):
            self._end_diff(cut=False)
            self._leave()
            return
        taken = self._diff.read(line)
        self._give_diff()
        if not taken:
            self._end_diff(cut=True)
            self._read = self._opened if self._fence else self._prose
            self._has_blocks = bool(self._fence)
            self._read(line)

    # -- between them ------------------------------------------------------------------------------------------------

    def _closes(self, line: str) -> bool:
        fence = _FENCE.fullmatch(line)
        return bool(
            fence and not fence[2].strip() and fence[1][0] == self._fence[0] and len(fence[1]) >= len(self._fence)
        )

    def _leave(self) -> None:
        self._flush()
        self._fence = ""
        self._read = self._prose

    def _begins_block(self, line: str) -> bool:
        start = _START.fullmatch(line)
        if start is None:
            return False
        self._take_path()
        self._path = path_of_line(start[2]) or self._path
        self._margin = start[1]
        self._body, self._dividers, self._depth = [], [], 0
        self._read = self._search
        return True

    def _end_block(self) -> None:
        halves = tuple(
            (tuple(self._body[:middle]), tuple(self._body[middle + 1 :])) for middle in reversed(self._dividers)
        )
        if halves:
            self._out.append(Block(self._path, halves))
        else:
            self._out.append(Broken("A block has no line `=======` between what stands and what shall."))
        self._read = self._opened if self._fence else self._prose

    def _reopen(self) -> bool:
        """Read again from a block that begins within one that never ended; False when there is none."""
        at = next((number for number, line in enumerate(self._body) if _START.fullmatch(line)), None)
        if at is None:
            return False
        body = self._body[at:]
        self._out.append(Broken("A block of the answer has no end; it was left out."))
        self._read = self._opened if self._fence else self._prose
        self._has_blocks = True
        for line in body:
            self._read(line)
        return True

    def _begin_diff(self, lines: list[str]) -> None:
        self._held = self._held[:-1] if len(lines) > 1 else self._held
        self._take_path()
        self._diff = DiffReader(self._path, loose=bool(self._fence))
        self._read = self._changes
        for line in lines:
            self._read(line)

    def _give_diff(self) -> None:
        assert self._diff is not None
        self._out += [Block(path, ((old, new),), line) for path, old, new, line in self._diff.take()]

    def _end_diff(self, *, cut: bool) -> None:
        assert self._diff is not None
        whole = self._diff.finish(cut=cut)
        self._give_diff()
        if not whole:
            self._out.append(Broken("The last part of a diff is not whole; it was left out."))
