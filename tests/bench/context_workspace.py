"""A package as an editor would have it while the hidden line is not yet written: on disk, and as texts in memory.

Between two samples the files themselves change: the target loses its hidden line, its near copies vanish, and what the last
sample changed comes back. A method is told which paths those are, as an editor tells of files that changed.
So an index that is built once and kept up to date has seen neither the hidden line nor a copy of its file.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.bench.context_packages import Package
from tests.bench.context_samples import Sample


@dataclass(frozen=True)
class Question:
    """Where a context is wanted; ``texts`` are the pool's files, the target without its hidden line among them.

    The model reads the last ``seen_before`` characters of the prefix and the first ``seen_after`` of the suffix anyway.
    """

    package: str
    path: str
    prefix: str
    suffix: str
    texts: Mapping[str, str]
    seen_before: int
    seen_after: int


class Piece(NamedTuple):
    """Some text of a context and the file that it is of."""

    path: str
    text: str


class Method(Protocol):
    """A way to gather context."""

    name: str
    ranks_alike: bool
    """Whether pieces and their order are the same for every budget, so that asking once with the largest will do."""

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        """Get ready for a package; what an index costs counts here. The files in ``changing`` change from sample to sample."""

    def change(self, paths: list[str]) -> None:
        """Hear that these files changed, appeared or vanished."""

    def gather(self, question: Question, budget: int) -> list[Piece]:
        """Return pieces, the most useful first; the harness cuts them at ``budget`` tokens."""

    def size(self) -> int:
        """Return the bytes of the index on disk, 0 without one."""

    def close(self) -> None:
        """Let go of the package."""


class Workspace:
    """The files of a package in a folder of their own; left by its owner."""

    def __init__(self, package: Package, folder: Path) -> None:
        self._package = package
        self.root = folder / package.root.name
        shutil.copytree(
            package.root, self.root, ignore=shutil.ignore_patterns("*.dist-info", "*.egg-info", "__pycache__", ".*")
        )
        # The texts are the package's, whatever line breaks and files the folder had beside them.
        for path in self.root.rglob("*.py"):
            if path.relative_to(self.root).as_posix() not in package.files:
                path.unlink()
        self.texts = dict(package.files)
        for path in package.files:
            self._write(path)
        self._changed: set[str] = set()

    def show(self, sample: Sample) -> tuple[Question, list[str]]:
        """Make the workspace that of a sample; returns its question and the paths that changed."""
        wanted = {sample.path: sample.masked} | dict.fromkeys(sample.copies)
        touched = sorted(self._changed | set(wanted))
        for path in touched:
            text = wanted[path] if path in wanted else self._package.files[path]
            if text is None:
                self.texts.pop(path, None)
            else:
                self.texts[path] = text
            self._write(path)
        self._changed = set(wanted)
        seen = len(sample.prefix), len(sample.suffix)
        return Question(sample.package, sample.path, sample.prefix, sample.suffix, dict(self.texts), *seen), touched

    def _write(self, path: str) -> None:
        target = self.root / path
        if path in self.texts:
            target.write_text(self.texts[path], encoding="utf-8", newline="")
        else:
            target.unlink(missing_ok=True)
