"""Workspaces of any size out of real Python files: packages as they are, and copies with other names once those run out."""

from __future__ import annotations

import builtins
import keyword
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dragoman.context.workspace.ignore import NEVER, RARELY
from tests.bench.context_samples import chance

SHORTEST_RENAMED = 4
"""Shorter names are counters and arguments, which every package has alike."""
_LEFT_OUT = (".dist-info", ".egg-info", ".data")
_DEFINED = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+([^\W\d]\w*)|^([^\W\d]\w*)\s*(?::[^=\n]*)?=[^=]", re.MULTILINE)
_NAME = re.compile(r"[^\W\d]\w*")
_KEPT = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | sys.stdlib_module_names


@dataclass(frozen=True)
class Tree:
    """A package, or a single module; ``files`` are POSIX paths below ``folder`` that begin with ``name``."""

    name: str
    folder: Path
    files: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A workspace on disk: its Python files as POSIX paths from ``root``, how many of them are renamed copies, its bytes."""

    root: Path
    paths: tuple[str, ...]
    copies: int
    size: int


def trees_in(folders: Iterable[Path]) -> list[Tree]:
    """Return the packages of folders like ``site-packages``, or of unpacked wheels in them; of two with one name the first.

    Their order depends on their names alone and mixes large with small, so a smaller workspace is part of a larger one.
    """
    found: dict[str, Tree] = {}
    for folder in folders:
        for tree in _trees(folder):
            found.setdefault(tree.name, tree)
    return sorted(found.values(), key=lambda tree: chance(tree.name))


def _trees(folder: Path) -> Iterator[Tree]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name.endswith(_LEFT_OUT) or entry.name in NEVER | RARELY:
            continue
        if entry.is_dir() and any(child.name.endswith(".dist-info") for child in entry.iterdir()):
            yield from _trees(entry)
        elif files := _files(entry, folder):
            yield Tree(entry.name.removesuffix(".py"), folder, files)


def _files(entry: Path, folder: Path) -> tuple[str, ...]:
    paths = [entry] if entry.suffix == ".py" else sorted(entry.rglob("*.py")) if entry.is_dir() else []
    relative = [path.relative_to(folder) for path in paths if path.is_file() and not path.is_symlink()]
    return tuple(path.as_posix() for path in relative if not (NEVER | RARELY).intersection(path.parts))


def lay_out(trees: Iterable[Tree], root: Path, count: int) -> Layout:
    """Fill the new folder ``root`` with ``count`` files; raises ValueError where there is not one to begin with.

    Real files are hard links where the disk allows it: write to one of them by replacing it.
    """
    trees = list(trees)
    if not any(tree.files for tree in trees):
        raise ValueError("There is no Python package to make a workspace of.")
    paths: list[str] = []
    copies = size = number = 0
    while len(paths) < count:
        before = len(paths)
        for tree in trees:
            made = _copy(tree, root, count - len(paths), number) if number else _link(tree, root, count - len(paths))
            for path, length in made:
                paths.append(path)
                size += length
        copies += len(paths) - before if number else 0
        number += 1
    return Layout(root, tuple(paths), copies, size)


def _link(tree: Tree, root: Path, most: int) -> Iterator[tuple[str, int]]:
    for path in tree.files[:most]:
        source, target = tree.folder / path, root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # Another disk, or one without links.
            shutil.copyfile(source, target)
        yield path, target.stat().st_size


def _copy(tree: Tree, root: Path, most: int, number: int) -> Iterator[tuple[str, int]]:
    """Write the tree once more with every name that it defines renamed, its own included."""
    if most <= 0:
        return
    texts = _texts(tree)
    names = {name: f"{name}_{number}" for name in defined_names(texts)} | {tree.name: f"{tree.name}_{number}"}
    for path, text in list(texts.items())[:most]:
        renamed = f"{tree.name}_{number}{path.removeprefix(tree.name)}"
        data = rename(text, names).encode("utf-8")
        target = root / renamed
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        yield renamed, len(data)


def _texts(tree: Tree) -> dict[str, str]:
    texts = {}
    for path in tree.files:
        try:
            texts[path] = (tree.folder / path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
    return texts


def defined_names(texts: Mapping[str, str]) -> set[str]:
    """Return what files define, without what other files have too: names of Python itself, and of modules (by their paths)."""
    found = {first or second for text in texts.values() for first, second in _DEFINED.findall(text)}
    modules = {part.removesuffix(".py") for path in texts for part in path.split("/")}
    return {name for name in found - modules - _KEPT if len(name) >= SHORTEST_RENAMED and not name.startswith("__")}


def rename(text: str, names: Mapping[str, str]) -> str:
    """Return a text with whole words replaced."""
    return _NAME.sub(lambda found: names.get(found[0], found[0]), text)
