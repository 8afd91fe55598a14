"""Symbols of any language whose definitions a query can find."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft, place_of
from dragoman.context.workspace.languages.comments import doc_above
from dragoman.context.workspace.languages.rules import Rules
from dragoman.context.workspace.outline import SymbolKind
from dragoman.context.workspace.signatures import one_line, value_line

if TYPE_CHECKING:
    from tree_sitter import Node

_KINDS: Final[dict[str, SymbolKind]] = {
    "class": "class",
    "function": "function",
    "method": "method",
    "attribute": "attribute",
    "member": "attribute",
    "variable": "variable",
    "type": "type",
    "module": "module",
}
_PARTS: Final = ("name", "body", "of", "owner", "base", "head", "value")
_OPENS: Final = frozenset({"class", "function", "method", "module"})
"""Kinds of symbols that others stand in."""
_BASES: Final = frozenset(
    {
        "base_clause",
        "base_class_clause",
        "base_list",
        "class_heritage",
        "class_interface_clause",
        "delegation_specifiers",
        "extends_clause",
        "extends_interfaces",
        "extends_type_clause",
        "inheritance_specifier",
        "super_interfaces",
        "superclass",
        "trait_bounds",
    }
)
"""Kinds of nodes that name what a class extends."""
_INITIALIZERS: Final = frozenset({"constructor_initializer", "field_initializer_list"})
"""Kinds of nodes between a constructor's head and its body."""
_BASE_WORDS: Final = re.compile(r"\b(?:extends|implements|with|public|private|protected|virtual)\b|^\s*[:<]")
_TYPE_FIELDS: Final = ("return_type", "type", "result", "returns")
_MADE: Final = re.compile(
    r"(?:await\s+)?&?(?P<new>new\s+)?(?P<name>[A-Za-z_][\w.]*?(?:::[A-Z]\w*)*)(?P<call>::new|\.new)?"
    r"\s*(?:<[^()]*>)?(?P<open>[({]|$)"
)
_COMMENTS: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_GENERIC: Final = re.compile(r"[<\[(].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Found:
    """A definition that the query found."""

    pattern: int
    capture: str
    node: Node
    name: Node | None
    body: Node | None
    type: Node | None
    owner: Node | None
    base: Node | None
    head: Node | None
    value: Node | None


def read_definitions(draft: Draft, rules: Rules, matches: list[tuple[int, dict[str, list[Node]]]]) -> None:
    """Enter what ``rules.query`` matched into ``draft``."""
    _Reader(draft, rules).read(matches)


class _Reader:
    """Reads one file; knows its classes by their names."""

    def __init__(self, draft: Draft, rules: Rules) -> None:
        self.draft = draft
        self.source = draft.source
        self.rules = rules
        self._classes: dict[str, int] = {}
        self._named: set[tuple[int, int]] = set()
        self._members: set[tuple[int, str]] = set()

    def read(self, matches: list[tuple[int, dict[str, list[Node]]]]) -> None:
        found = [each for pattern, match in matches if (each := _found(pattern, match)) is not None]
        found.sort(key=_order)
        # What belongs to a class that stands elsewhere comes last: by then the class is known.
        later: list[_Found] = []
        until = 0
        for each in found:
            if each.owner is not None or each.node.start_byte < until:
                until = max(until, each.node.end_byte)
                later.append(each)
            else:
                self._enter(each)
        self.draft.close()
        for each in later:
            self._enter(each)

    def _enter(self, found: _Found) -> None:
        if found.capture == "import":
            self.rules.read_import(self.draft, found.node)
        elif found.capture == "impl":
            self._implement(found)
        else:
            self._define(found)

    def _define(self, found: _Found) -> None:
        draft, node = self.draft, found.node
        name_node = found.name or node.child_by_field_name("name")
        if name_node is None or (name_node.start_byte, name_node.end_byte) in self._named:
            return
        around = draft.around(node.start_byte)
        kind = self._kind(found, around)
        value = found.value or node.child_by_field_name("value") or node.child_by_field_name("default_value")
        if kind is None or len(draft.symbols) >= self.rules.most or self._is_import(value):
            return
        parent = around if found.owner is None else self._classes.get(self._base_name(found.owner), -1)
        is_member = found.capture == "member"
        if is_member:
            parent = self._owner(around)
        self._named.add((name_node.start_byte, name_node.end_byte))
        name = self.source.text(name_node.start_byte, min(name_node.end_byte, name_node.start_byte + 500)).strip()
        if kind in ("module", "attribute", "variable"):
            name = name.strip("\"'`").lstrip(":@")
        if (is_member and parent < 0) or (kind == "attribute" and (parent, name) in self._members):
            return
        symbol = draft.add(
            name,
            kind,
            place_of(node),
            self._signature(found, kind, value),
            parent=parent,
            doc=self._doc(node, parent),
            bases=self._bases(node) if kind == "class" else (),
            type="" if kind in ("class", "module") else self._type(found, value, parent),
            border=not is_member,
        )
        if kind == "attribute":
            self._members.add((parent, name))
        if symbol >= 0 and kind == "class":
            self._classes.setdefault(name, symbol)
        if kind in _OPENS:
            draft.open(symbol, node.end_byte)

    def _kind(self, found: _Found, around: int) -> SymbolKind | None:
        """Return what a definition is where it stands, None for one that only its function sees."""
        kind = _KINDS[found.capture]
        outer = self.draft.symbols[around].kind if around >= 0 else "module"
        if found.capture == "member":
            return kind
        if found.owner is not None:
            return "method" if kind == "function" else kind
        if outer == "class":
            return {"function": "method", "variable": "attribute"}.get(kind, kind)  # type: ignore[return-value]
        if outer in ("function", "method") and kind in ("variable", "attribute"):
            return None
        return kind

    def _owner(self, symbol: int) -> int:
        """Return the class around, -1 for none."""
        while symbol >= 0 and self.draft.symbols[symbol].kind != "class":
            symbol = self.draft.symbols[symbol].parent
        return symbol

    def _is_import(self, value: Node | None) -> bool:
        return value is not None and self.source.data.startswith((b"require(", b"require "), value.start_byte)

    def _implement(self, found: _Found) -> None:
        """Let what follows be inside of the class that a block of methods is for; a class of another file gets a symbol."""
        if found.owner is None:
            return
        name = self._base_name(found.owner)
        symbol = self._classes.get(name, -1)
        base = "" if found.base is None else one_line(self.source.of(found.base))
        if symbol < 0:
            symbol = self._classes[name] = self.draft.add(
                name,
                "class",
                place_of(found.node),
                self._signature(found, "class", None),
                bases=(base,) if base else (),
            )
        else:
            self.draft.mark(place_of(found.node))
            if base:
                self.draft.extend(symbol, base)
        self.draft.open(symbol, found.node.end_byte)

    def _base_name(self, node: Node) -> str:
        """Return the name of a type without pointers, generics and the path to it."""
        text = _GENERIC.sub("", self.source.text(node.start_byte, min(node.end_byte, node.start_byte + 300)))
        return re.split(r"::|\.", text.strip().lstrip("*& "))[-1].strip()

    def _signature(self, found: _Found, kind: str, value: Node | None) -> str:
        node = found.node
        if found.head is not None:
            node = found.head
            return one_line(self.source.text(node.start_byte, min(node.end_byte, node.start_byte + 1_000)))
        body = found.body or node.child_by_field_name("body")
        if body is not None and body.type == "ordered_field_declaration_list":
            body = None
        if value is not None and kind in ("attribute", "variable") and body is None:
            head = self._prefix(node) + self.source.text(node.start_byte, value.start_byte)
            end = min(value.end_byte, value.start_byte + 4_000)
            return value_line(one_line(head), self.source.text(value.start_byte, end))
        end = node.end_byte if body is None else body.start_byte
        end = next((child.start_byte for child in node.children if child.type in _INITIALIZERS), end)
        text = self.source.text(node.start_byte, min(end, node.start_byte + 6_000))
        if "\n" in text:
            text = _COMMENTS.sub(" ", text)
        if body is None and kind not in ("type", "attribute"):
            text = text.partition("{")[0]
        text = self._prefix(node) + one_line(text)
        for ending in ("=>", "=", "{", ";", ":", ","):
            text = text.removesuffix(ending).rstrip()
        if body is not None and found.name is not None and found.name.start_byte >= body.end_byte:
            text = f"{text} {self.source.of(found.name)}"
        return text

    def _prefix(self, node: Node) -> str:
        return dict(self.rules.prefixes).get(node.type, "")

    def _bases(self, node: Node) -> tuple[str, ...]:
        named = [
            base
            for child in node.children
            if child.type in _BASES
            for base in _split(_BASE_WORDS.sub(",", self.source.text(child.start_byte, child.end_byte)[:1_000]))
        ]
        return tuple(dict.fromkeys(named))

    def _doc(self, node: Node, parent: int) -> str:
        line = node.start_point[0]
        if parent >= 0 and self.draft.symbols[parent].line == line:
            # The comment above is about what both stand in.
            return ""
        return doc_above(self.source.lines, line, self.rules.comments)

    def _type(self, found: _Found, value: Node | None, parent: int) -> str:
        node = found.type
        for field in _TYPE_FIELDS:
            if node is None:
                node = found.node.child_by_field_name(field)
        if node is not None:
            text = one_line(self.source.text(node.start_byte, min(node.end_byte, node.start_byte + 300)))
            text = text.removeprefix(":").removeprefix("->").lstrip("*& ?").removeprefix("mut ")
            text = text.removesuffix("| undefined").removesuffix("| null").strip()
            return self.draft.symbols[parent].name if text in ("Self", "this", "static") and parent >= 0 else text
        if value is None:
            return ""
        made = _MADE.match(self.source.text(value.start_byte, min(value.end_byte, value.start_byte + 200)))
        if made is None or not re.split(r"\.|::", made["name"])[-1][:1].isupper():
            return ""
        is_made = made["new"] or made["call"] or made["open"] == "{" or self.rules.calls_make
        return made["name"] if is_made else ""


def _found(pattern: int, match: dict[str, list[Node]]) -> _Found | None:
    for capture in match:
        if capture in _KINDS or capture in ("impl", "import"):
            parts = (match[part][0] if part in match else None for part in _PARTS)
            return _Found(pattern, capture, match[capture][0], *parts)
    return None


def _order(found: _Found) -> tuple[int, int, int, int]:
    return found.node.start_byte, -found.node.end_byte, found.pattern, found.name.start_byte if found.name else 0


def _split(text: str) -> list[str]:
    """Split names at commas outside of brackets; arguments of a constructor are left out."""
    parts: list[str] = []
    depth, begun = 0, 0
    for at, char in enumerate(text + ","):
        if char == "," and depth == 0:
            parts.append(one_line(text[begun:at].partition("(")[0]))
            begun = at + 1
        depth += (char in "<[(") - (char in ">])")
    return [part for part in parts if part]
