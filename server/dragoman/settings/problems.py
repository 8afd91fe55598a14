"""What can be wrong with a settings source, said so that a person can put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dragoman.errors import SettingsError

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one source; the rest of the source still applies."""

    source: str
    """The file's path, or the layer's name where there is no file."""
    key: str
    """The dotted key, empty when the whole source is meant."""
    message: str
    hint: str = ""
    line: int | None = None
    column: int | None = None
    severity: Severity = "error"

    @property
    def place(self) -> str:
        """``file:line:column`` as far as it is known."""
        return ":".join(str(part) for part in (self.source, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        return f"{self.place}: {self.message} {self.hint}".strip()

    def error(self) -> SettingsError:
        """Return the problem as the exception that doors show."""
        return SettingsError(f"{self.place}: {self.message}", hint=self.hint)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``--json``."""
        return {
            "severity": self.severity,
            "source": self.source,
            "line": self.line,
            "column": self.column,
            "key": self.key,
            "message": self.message,
            "hint": self.hint,
        }


def combine(problems: Iterable[Problem]) -> SettingsError | None:
    """Return one exception that names every error among the problems, None when there is none."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors:
        return None
    if len(errors) == 1:
        return errors[0].error()
    lines = "\n".join(f"  {problem}" for problem in errors)
    return SettingsError(f"The settings have {len(errors)} errors:\n{lines}")


def dotted(path: Iterable[str | int]) -> str:
    """Write a path as a key: ``providers[0].base_url``."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            written += f".{part}" if written else part
    return written
