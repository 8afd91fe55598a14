"""What Python files define and import, read with `ast`: the truth of the oracles, and what the skeleton peers show."""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_DEEPEST = 6
"""Steps along re-exports and base classes; longer chains are circles."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """Something at the top of a module."""

    kind: str
    """``class``, ``function`` or ``variable``."""
    skeleton: str
    """Its head; a class with the heads of its methods and its attributes."""
    parameters: frozenset[str] = frozenset()
    """Of the function, or of all methods."""
    members: frozenset[str] = frozenset()
    """Methods and attributes, those that methods set on ``self`` included."""
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """One imported name; ``name`` is "" for the module itself and "*" for all of it."""

    module: str
    level: int
    name: str
    bound: str


@dataclass(frozen=True)
class Facts:
    """What a file defines and imports."""

    tops: Mapping[str, Definition] = field(default_factory=dict)
    imports: tuple[Taken, ...] = ()
    defined: frozenset[str] = frozenset()
    """Names of all functions, classes, methods and attributes, at any depth."""
    variables: frozenset[str] = frozenset()
    """Names assigned at the top."""


@functools.lru_cache(maxsize=8_192)
def read(text: str) -> Facts:
    """Read a file; one that Python cannot parse defines nothing."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Facts()
    tops: dict[str, Definition] = {}
    variables: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef):
            tops.setdefault(node.name, _class(node))
        elif isinstance(node, Function):
            tops.setdefault(node.name, Definition("function", _head(node), _parameters(node)))
        else:
            for name in _assigned(node):
                variables.add(name)
                tops.setdefault(name, Definition("variable", _shown(node)))
    nodes = list(ast.walk(tree))
    defined: set[str] = set()
    for node in nodes:
        if isinstance(node, Function):
            defined.add(node.name)
        elif isinstance(node, ast.ClassDef):
            defined.add(node.name)
            defined |= tops[node.name].members if node in tree.body else _class(node).members
    return Facts(tops, tuple(_imports(nodes)), frozenset(defined), frozenset(variables))


def imports_of(text: str) -> list[Taken]:
    """Return the imports of a text that need not parse as a whole, as a file with a hole does not."""
    found: list[Taken] = []
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        statement = lines[index].strip()
        index += 1
        if not statement.startswith(("import ", "from ")):
            continue
        while statement.count("(") > statement.count(")") and index < len(lines):
            statement += "\n" + lines[index]
            index += 1
        try:
            found += _imports(ast.parse(statement).body)
        except (SyntaxError, ValueError):
            continue
    return found


def _imports(nodes: Iterable[ast.AST]) -> Iterator[Taken]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for one in node.names:
                yield Taken(one.name, 0, "", one.asname or one.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                yield Taken(node.module or "", node.level, one.name, one.asname or one.name)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, part, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _statements(handler.body)
        else:
            yield node


def _class(node: ast.ClassDef) -> Definition:
    members, parameters, shown = set(), set(), []
    for one in _statements(node.body):
        if isinstance(one, Function):
            members.add(one.name)
            parameters |= _parameters(one)
            shown.append(_head(one))
            for inner in ast.walk(one):
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and _is_self(inner.value):
                    members.add(inner.attr)
        elif isinstance(one, ast.ClassDef):
            members.add(one.name)
            shown.append(f"class {one.name}: ...")
        elif names := _assigned(one):
            members |= names
            shown.append(_shown(one))
    bases = tuple(name for base in node.bases if (name := _last_name(base)))
    head = f"class {node.name}({', '.join(map(ast.unparse, node.bases))}):" if node.bases else f"class {node.name}:"
    return Definition(
        "class",
        "\n    ".join([head, *(shown or ["..."])]),
        frozenset(parameters),
        frozenset(members),
        bases,
    )


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _assigned(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def _parameters(node: Function) -> frozenset[str]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return frozenset(one.arg for one in every if one is not None and one.arg not in {"self", "cls"})


def _head(node: Function) -> str:
    bare = copy.copy(node)
    bare.body, bare.decorator_list = [ast.Expr(ast.Constant(...))], []
    return " ".join(ast.unparse(bare).split())


def _shown(node: ast.stmt) -> str:
    return " ".join(ast.unparse(node).split())[:120]


class Modules:
    """The files of one package by their dotted names, and what an import in one of them means."""

    def __init__(self, paths: Iterable[str], root: str = "") -> None:
        self._by_name: dict[str, str] = {}
        self._name_of: dict[str, str] = {}
        self._paths = frozenset(paths)
        for path in sorted(self._paths):
            name = self._dotted(path, root)
            self._name_of[path] = name
            self._by_name.setdefault(name, path)

    def _dotted(self, path: str, root: str) -> str:
        """Return the dotted name of a file; ``root`` is the folder's name where the folder itself is the package."""
        pure = PurePosixPath(path)
        parts = list(pure.with_suffix("").parts)
        if "__init__.py" in self._paths and root:
            parts = [root, *parts]
        elif parts[0] == "src":
            parts = parts[1:]
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join(parts)

    def module(self, path: str, taken: Taken) -> str | None:
        """Return the file of the module that ``taken``, in ``path``, takes from; None when it is not of the package."""
        return self._by_name.get(self.name(path, taken))

    def name(self, path: str, taken: Taken) -> str:
        """Return the full dotted name of the module that ``taken`` names."""
        if not taken.level:
            return taken.module
        here = self._name_of.get(path, "").split(".")
        if PurePosixPath(path).name == "__init__.py":
            here.append("")
        base = here[: len(here) - taken.level]
        return ".".join([*base, *([taken.module] if taken.module else [])])

    def meant(self, path: str, taken: Taken, facts: Mapping[str, Facts]) -> tuple[str, str] | None:
        """Return file and name of what ``taken`` means, along re-exports; the name is "" for a whole module."""
        module = self.name(path, taken)
        if taken.name in {"", "*"}:
            found = self._by_name.get(module)
            return (found, "") if found is not None and found in facts else None
        return self._named(module, taken.name, facts, _DEEPEST)

    def _named(self, module: str, name: str, facts: Mapping[str, Facts], left: int) -> tuple[str, str] | None:
        path = self._by_name.get(module)
        if path is not None and path in facts:
            if name in facts[path].tops:
                return path, name
            for taken in facts[path].imports if left else ():
                if taken.bound == name and taken.name not in {"", "*"}:
                    found = self._named(self.name(path, taken), taken.name, facts, left - 1)
                elif taken.name == "*":
                    found = self._named(self.name(path, taken), name, facts, left - 1)
                else:
                    continue
                if found is not None:
                    return found
        inner = self._by_name.get(f"{module}.{name}" if module else name)
        return (inner, "") if inner is not None and inner in facts else None

    def offered(self, path: str, name: str, facts: Mapping[str, Facts], left: int = _DEEPEST) -> frozenset[str]:
        """Return members and parameters of what ``name`` in ``path`` is; of a module, its names and their parameters."""
        tops = facts[path].tops
        if not name:
            parameters = (one.parameters for one in tops.values() if one.kind == "function")
            return frozenset(tops).union(*parameters)
        one = tops[name]
        found = one.parameters | one.members
        for base in one.bases if left else ():
            if base in tops and base != name:
                found |= self.offered(path, base, facts, left - 1)
                continue
            for taken in facts[path].imports:
                if taken.bound == base and (meant := self.meant(path, taken, facts)) and meant[1]:
                    found |= self.offered(*meant, facts, left - 1)
        return found
