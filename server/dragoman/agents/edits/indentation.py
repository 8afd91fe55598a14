"""How the indentation of a text differs from that of the same lines as a model wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os.path import commonprefix


def indent_of(line: str) -> str:
    """Return the blanks at the beginning of a line."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def common_indent(lines: Iterable[str]) -> str:
    """Return the blanks with which all lines begin that are not blank."""
    return commonprefix([indent_of(line) for line in lines if line.strip()])  # noqa: RUF071 - by characters is meant


class Shift:
    """Gives lines the indentation that they have where they belong; made from pairs of one line, as written and as it stands."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._known: dict[str, str] = {}
        self.is_consistent = True
        for written, standing in pairs:
            if written.strip() and standing.strip():
                indent = indent_of(standing)
                self.is_consistent &= self._known.setdefault(indent_of(written), indent) == indent
        self._spaces = self._unit(" ", "\t")
        self._tabs = self._unit("\t", " ")

    def _unit(self, one: str, other: str) -> int:
        """Return how many of the one make one of the other, or the other way round; 0 where they are not converted."""
        for written, standing in self._known.items():
            if written and standing and not written.strip(one) and not standing.strip(other):
                return max(1, max(len(written), len(standing)) // min(len(written), len(standing)))
        return 0

    def apply(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return the lines as they have to stand."""
        if all(written == standing for written, standing in self._known.items()):
            return tuple(lines)
        return tuple(self._indent(line) for line in lines)

    def _indent(self, line: str) -> str:
        if not line.strip():
            return line
        written = indent_of(line)
        return self._standing(written) + line[len(written) :]

    def _standing(self, written: str) -> str:
        if written in self._known:
            return self._known[written]
        shorter = max((one for one in self._known if written.startswith(one)), key=len, default=None)
        if shorter is not None:
            return self._known[shorter] + self._convert(written[len(shorter) :])
        longer = min((one for one in self._known if one.startswith(written)), key=len, default=None)
        if longer is not None:
            less = self._convert(longer[len(written) :])
            return self._known[longer].removesuffix(less)
        return written

    def _convert(self, blanks: str) -> str:
        if self._spaces and not blanks.strip(" "):
            return "\t" * (len(blanks) // self._spaces) + " " * (len(blanks) % self._spaces)
        if self._tabs and not blanks.strip("\t"):
            return " " * (len(blanks) * self._tabs)
        return blanks
