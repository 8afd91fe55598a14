"""Which names of a hidden line a context must bring: three answers, because the choice of one picks the winner.

All three count only names that occur nowhere else in the target file, so what the prompt has anyway is no merit:

- ``imported``: members and parameters of what the file imports from its own package.
- ``defined``: functions, classes, methods and attributes that any other file of the pool defines.
- ``resolved``: names that jedi's ``goto``, on the unmasked file, resolves to another file of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.context_definitions import Facts, Modules, read
from tests.bench.context_packages import Package
from tests.bench.context_samples import Sample

ORACLES = ("imported", "defined", "resolved")


@dataclass(frozen=True)
class Need:
    """The names that a sample needs, by oracle; an oracle without names leaves the sample out."""

    sample: Sample
    names: dict[str, frozenset[str]]


class Oracles:
    """The oracles that read the text of one package."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._modules = Modules(package.files, package.root.name)

    def need(self, sample: Sample, resolved: frozenset[str]) -> Need:
        """Return what a sample needs; ``resolved`` comes from jedi."""
        names = frozenset(name.text for name in sample.names)
        pool = self._pool(sample)
        return Need(
            sample,
            {
                "imported": names & self._imported(sample, pool),
                "defined": names & frozenset().union(*(one.defined for one in pool.values())),
                "resolved": names & resolved,
            },
        )

    def _pool(self, sample: Sample) -> dict[str, Facts]:
        left_out = {sample.path} | sample.copies
        return {path: read(text) for path, text in self._package.files.items() if path not in left_out}

    def _imported(self, sample: Sample, pool: dict[str, Facts]) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for taken in read(self._package.files[sample.path]).imports:
            meant = self._modules.meant(sample.path, taken, pool)
            if meant is not None:
                found |= self._modules.offered(*meant, pool)
        return found
