"""Where an import leads: the files of a module and the definition behind a name, without running anything."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from dragoman.context.limits import (
    RETRIEVAL_CACHED_FILES,
    RETRIEVAL_CACHED_HOLDERS,
    RETRIEVAL_CACHED_MEMBERS,
    RETRIEVAL_NAMESAKES,
    RETRIEVAL_PLACES,
)
from dragoman.context.retrieval.files import File, Files
from dragoman.context.retrieval.installed import PREFIX, Installed
from dragoman.context.retrieval.recent import Recent
from dragoman.context.retrieval.unread import Unread
from dragoman.context.workspace.cards import UNTYPICAL, Card
from dragoman.context.workspace.outline import Import

_ENDINGS = {
    "python": (".py", "/__init__.py", ".pyi", "/__init__.pyi"),
    "javascript": (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", "/index.js", "/index.ts", ""),
    "typescript": (".ts", ".tsx", ".d.ts", ".js", ".jsx", "/index.ts", "/index.tsx", "/index.js", ""),
    "rust": (".rs", "/mod.rs"),
    "c": ("",),
    "ruby": (".rb", ""),
    "lua": (".lua", "/init.lua"),
    "php": (".php", ""),
    "shellscript": ("", ".sh"),
    "css": ("", ".css"),
}
_LIKE = {
    "javascriptreact": "javascript",
    "typescriptreact": "typescript",
    "cpp": "c",
}
_BY_MODULE = frozenset({"python", "javascript", "typescript", "javascriptreact", "typescriptreact", "c", "cpp", "lua"})
"""Languages whose imports name a file whatever is taken from it."""
_FOLLOWED = 3
"""So often a name may be imported from a file that itself imports it."""
_DIRECTORY_FILES = 30
"""Files of one folder that are looked at where a folder is the unit of import (Go, Java's packages)."""

Definition = tuple[File, int]
"""A file and the position of a symbol in it."""

Member = tuple[File, Card, int]
"""What a class has: the file that says so, the symbol, and how many bases away it is."""


class Resolver:
    """Follows imports and names through the index."""

    def __init__(self, files: Files, installed: Installed | None = None, unread: Unread | None = None) -> None:
        self._files = files
        self._installed = installed or Installed(files.root)
        self._unread = unread or Unread(files.root)
        self._modules: Recent[tuple[str, str, int, str], list[File] | None] = Recent(RETRIEVAL_CACHED_FILES)
        self._leaves: Recent[str, list[str] | None] = Recent(RETRIEVAL_CACHED_HOLDERS)
        self._looked_up: Recent[tuple[str, str], Definition | Literal[False] | None] = Recent(RETRIEVAL_CACHED_FILES)
        self._members: Recent[tuple[str, int, int], list[Member] | None] = Recent(RETRIEVAL_CACHED_MEMBERS)

    def begin(self) -> None:
        """Forget what was found: the index has changed."""
        self._modules.clear()
        self._leaves.clear()
        self._looked_up.clear()
        self._members.clear()

    # -- modules -------------------------------------------------------------------------------------------------------

    def module(self, path: str, one: Import, language: str) -> list[File]:
        """Return the files that an import of the file at ``path`` names: one, or those of a folder; none if it is not here."""
        key = (path, one.module, one.level, "" if language in _BY_MODULE else one.name)
        found = self._modules.get(key, None)
        if found is None:
            found = self._find_module(path, one, _LIKE.get(language, language))
            if found or not self._installed.is_reading:
                self._modules.put(key, found)
        return found

    def _find_module(self, path: str, one: Import, language: str) -> list[File]:
        workspace = self._files.root.name
        places: list[str] = []
        if language == "python" and not one.level and (namesakes := self._namesakes(one.module)) is not None:
            place = _nearest(path, one.module, namesakes)
            if place and (file := self._files.get(place)) is not None:
                return [file]
        else:
            likely = (place for place in _candidates(path, one, language, workspace) if place != path)
            places = list(dict.fromkeys(likely))[:RETRIEVAL_PLACES]
        if places and (file := self._files.first(places)) is not None:
            return [file]
        if language in {"go", "java", "kotlin", "scala", "csharp", "rust", "php"}:
            return self._by_stem(path, one, language)
        if not path.startswith(PREFIX):
            self._unread.module(path, one, _candidates(path, one, language, workspace))
        return self._outside(path, one, language)

    def _namesakes(self, module: str) -> list[str] | None:
        """Return the files that may be a Python module, by its last name; None where that does not say enough.

        Of most imports there is none, and where there are some, they are fewer than the places where the module may lie.
        """
        leaf = module.rpartition(".")[2]
        if not leaf or module.partition(".")[0] == self._files.root.name:
            return None
        known = self._leaves.get(leaf, None)
        if known is None:
            known = self._files.store.modules(leaf, RETRIEVAL_NAMESAKES)
            self._leaves.put(leaf, known)
        return (
            None if len(known) >= RETRIEVAL_NAMESAKES else [*known, *(path for path, _ in self._files.overlays.items())]
        )

    def _outside(self, path: str, one: Import, language: str) -> list[File]:
        """Return the module of an installed package, as far as it has been read."""
        found: File | None = None
        if path.startswith(PREFIX):
            places = _candidates(path, one, language, "")
            found = next((file for place in places if (file := self._installed.get(place)) is not None), None)
        elif not one.level and language == "python":
            found = self._installed.python(one.module)
        elif not one.level and language in {"javascript", "typescript"}:
            found = self._installed.script(one.module)
        return [found] if found is not None else []

    def _by_stem(self, path: str, one: Import, language: str) -> list[File]:
        """Find a module by the names at its end: a class's file, or the files of a folder."""
        parts = [part for part in one.module.replace("::", "/").replace("\\", "/").replace(".", "/").split("/") if part]
        if one.name and one.name != "*":
            parts.append(one.name)
        found: list[File] = []
        for last in range(len(parts) - 1, max(-1, len(parts) - 3), -1):
            rows = self._files.store.files_with_stem(parts[last])
            tail = "/".join(parts[max(0, last - 1) : last + 1])
            near = [row for row in rows if posixpath.splitext(row.path)[0].endswith(tail) and row.path != path]
            found = [file for row in near[:3] if (file := self._files.get(row.path)) is not None]
            if found:
                return found
        if language == "go" and parts:
            rows = self._files.store.files_in("/".join(parts[-2:]), _DIRECTORY_FILES)
            if not rows:
                rows = self._files.store.files_in(parts[-1], _DIRECTORY_FILES)
            found = [file for row in rows if (file := self._files.get(row.path)) is not None and row.path != path]
        return found

    # -- names ---------------------------------------------------------------------------------------------------------

    def imported(self, path: str, one: Import, language: str) -> list[Definition]:
        """Return the definition that an import binds; none for a whole module or what is not in the workspace."""
        if not one.name or one.name == "*":
            return []
        for file in self.module(path, one, language):
            if (found := self.definition(file, one.name)) is not None:
                return [found]
        return []

    def submodule(self, path: str, one: Import, language: str) -> File | None:
        """Return the module that ``from package import module`` names."""
        if not one.name or one.name == "*":
            return None
        module = f"{one.module}.{one.name}" if one.module else one.name
        inner = Import(module, "", one.bound, one.line, one.level)
        return next(iter(self.module(path, inner, language)), None)

    def definition(self, file: File, name: str, depth: int = _FOLLOWED) -> Definition | None:
        """Return where ``name`` of a module is defined, through the imports that pass it on."""
        at = file.find(name)
        if at >= 0:
            return file, at
        if depth <= 0:
            return None
        for one in file.imports:
            if one.bound != name and one.name != "*":
                continue
            wanted = name if one.name == "*" else one.name
            if not wanted:
                continue
            for module in self.module(file.path, one, file.language):
                if (found := self.definition(module, wanted, depth - 1)) is not None:
                    return found
        return None

    def lookup(self, file: File, name: str) -> Definition | None:
        """Return the definition of a name as ``file`` sees it: its own, an imported one, or the only one that there is.

        Of ``list[Cart]`` and ``Optional<Cart>`` it is the inner name's.
        """
        key = (file.path, name)
        if (known := self._looked_up.get(key, False)) is not False:
            return known
        found = self._look_up(file, _core(name))
        if found is not None or not self._installed.is_reading:
            self._looked_up.put(key, found)
        return found

    def _look_up(self, file: File, name: str) -> Definition | None:
        simple = name.rpartition(".")[2]
        at = file.find(simple)
        if at >= 0:
            return file, at
        for one in file.imports:
            if one.bound == simple or (one.name == "*" and simple == name):
                wanted = simple if one.name == "*" else one.name
                for module in self.module(file.path, one, file.language) if wanted else ():
                    if (found := self.definition(module, wanted)) is not None:
                        return found
            elif "." in name and one.bound == name.partition(".")[0]:
                modules = self.module(file.path, one, file.language)
                inner = self.submodule(file.path, one, file.language)
                for module in [*modules, *([inner] if inner else [])]:
                    if (found := self.definition(module, simple)) is not None:
                        return found
        return self.only(simple, file.language)

    def only(self, name: str, language: str) -> Definition | None:
        """Return the definition of a name that is defined once at the top of a file of this language, None else."""
        found: tuple[str, int] | None = None
        wanted = _LIKE.get(language, language)
        for row in self._files.store.defined(name, 6):
            if _LIKE.get(row.language, row.language) != wanted:
                continue
            at = row.position if row.top else -1
            if self._files.overlays.get(row.path) is not None:
                at = self._top_of(self._files.get(row.path), name)
            if at < 0 or found == (row.path, at):
                continue
            if found is not None:
                return None
            found = row.path, at
        file = None if found is None else self._files.get(found[0])
        return None if file is None or found is None or found[1] >= len(file.symbols) else (file, found[1])

    def _top_of(self, file: File | None, name: str) -> int:
        """Return the position of a class, function or type called ``name`` at the top of a file, -1 where there is none."""
        at = -1 if file is None else file.find(name)
        return -1 if file is None or at < 0 or file.symbols[at].kind in UNTYPICAL else at

    def members(self, definition: Definition, depth: int = 2) -> list[Member]:
        """Return what a class has, its own members first, then those of its bases: (file, symbol, distance)."""
        key = (definition[0].path, definition[1], depth)
        known = self._members.get(key, None)
        if known is None:
            known = self._find_members(definition, depth)
            if not self._installed.is_reading:
                self._members.put(key, known)
        return known

    def _find_members(self, definition: Definition, depth: int) -> list[Member]:
        found: list[Member] = []
        seen: set[tuple[str, int]] = set()
        queue = [(definition, 0)]
        while queue:
            (file, at), distance = queue.pop(0)
            if (file.path, at) in seen:
                continue
            seen.add((file.path, at))
            found += [(file, member, distance) for member in file.members(at)]
            if distance < depth:
                bases = (self.lookup(file, base) for base in file.symbols[at].bases)
                queue.extend((base, distance + 1) for base in bases if base is not None)
        return found


_INNERMOST = re.compile(r"[\[<]([^\[\]<>,|]+)")


def _core(kind: str) -> str:
    """Return the name that a type is about: of containers what is in them, of ``A | None`` the first."""
    while (found := _INNERMOST.search(kind)) is not None:
        kind = found[1]
    return kind.partition("|")[0].strip("*& ?")


def _nearest(path: str, module: str, places: Sequence[str]) -> str:
    """Return which of ``places`` a Python module is for the file at ``path``, as `_candidates` would find it; "" if none."""
    inner = module.replace(".", "/")
    fitting: dict[str, list[str]] = {}
    for place in places:
        for ending in _ENDINGS["python"]:
            tail = f"{inner}{ending}"
            if place != path and (place == tail or place.endswith(f"/{tail}")):
                fitting.setdefault(place[: -len(tail) - 1], []).append(ending)
    if not fitting:
        return ""
    for root in _upward(posixpath.dirname(path)):
        if (endings := fitting.get(root)) is not None:
            return _join(root, inner, min(endings, key=_ENDINGS["python"].index))
    return ""


def _candidates(path: str, one: Import, language: str, workspace: str) -> Iterator[str]:
    """Yield the paths where a module may lie, the likeliest first."""
    endings = _ENDINGS.get(language)
    if endings is None:
        return
    folder = posixpath.dirname(path)
    if one.level:
        base = folder
        for _ in range(one.level - 1):
            base = posixpath.dirname(base)
        # Compilers look for a header in their own folders too.
        roots = [base, *_upward(folder)] if language == "c" else [base]
    else:
        roots = list(_upward(folder))
    inner = one.module
    if language in {"python", "lua"}:
        inner = inner.replace(".", "/")
    elif language == "rust":
        inner = inner.replace("::", "/")
        for relative in ("crate/", "self/", "super/"):
            inner = inner.removeprefix(relative)
    elif language in {"javascript", "typescript"}:
        # A path from a configured root, such as ``src/…`` or ``@/…``.
        inner = inner.removeprefix("@/").removeprefix("~/")
    yield from (_join(root, inner, ending) for root in roots for ending in endings)
    if not one.level and inner.split("/", 1)[0] == workspace:
        # The workspace's folder is the package itself.
        yield from (_join("", inner.partition("/")[2], ending) for ending in endings)
    if language == "rust" and "/" in inner:
        yield from (_join(root, posixpath.dirname(inner), ending) for root in roots for ending in endings)
    if language in {"javascript", "typescript"} and inner.endswith(".js"):
        yield from (_join(root, inner.removesuffix(".js"), ".ts") for root in roots)


def _upward(folder: str) -> Iterator[str]:
    """Yield a folder, those above it, and the usual roots of source trees."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""
    yield from ("src", "lib", "include", "app")


def _join(root: str, inner: str, ending: str) -> str:
    path = f"{root}/{inner}{ending}" if root and inner else f"{inner}{ending}" if inner else root + ending
    path = path.removeprefix("/")
    return posixpath.normpath(path) if "./" in path or "//" in path else path
