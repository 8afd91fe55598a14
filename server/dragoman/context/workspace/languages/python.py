"""The outline of a Python file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dragoman.context.workspace.draft import Draft, first_named, place_of
from dragoman.context.workspace.languages import words
from dragoman.context.workspace.languages.python_imports import read_import
from dragoman.context.workspace.languages.python_types import annotated_type, value_type
from dragoman.context.workspace.outline import SymbolKind
from dragoman.context.workspace.signatures import first_line, one_line, value_line
from dragoman.limits import OUTLINE_NAME_CHARS

if TYPE_CHECKING:
    from tree_sitter import Node

_STATEMENTS: Final = "(expression_statement (assignment) @variable)"
QUERY: Final = f"""
(class_definition) @class
(function_definition) @function
(decorated_definition) @decorated
(import_statement) @import
(import_from_statement) @import
(type_alias_statement) @alias
(module {_STATEMENTS})
(ERROR {_STATEMENTS})
(module (_ (block {_STATEMENTS})))
(module (_ (_ (block {_STATEMENTS}))))
(class_definition body: (block {_STATEMENTS}))
(class_definition body: (block (_ (block {_STATEMENTS}))))
(assignment left: (attribute object: (identifier) @self) (#any-of? @self "self" "cls")) @member
(assignment left: (pattern_list (attribute object: (identifier) @self)) (#any-of? @self "self" "cls")) @member
"""
"""What is captured; assignments inside of functions are left out where it is cheap, and by their place otherwise."""

_SHOWN_DECORATORS: Final = words(
    "abstractmethod abc.abstractmethod attr.s attrs.define attrs.frozen cached_property classmethod dataclass "
    "dataclasses.dataclass define frozen functools.cached_property property staticmethod runtime_checkable"
)
"""Decorators without which a signature says something else; the others are left out."""
_PROPERTIES: Final = words("property cached_property functools.cached_property abc.abstractproperty")
_OVERLOADS: Final = words("overload typing.overload t.overload typing_extensions.overload")
_FACTORIES: Final[dict[str, SymbolKind]] = {
    "TypeVar": "type",
    "TypeVarTuple": "type",
    "ParamSpec": "type",
    "NewType": "type",
    "TypedDict": "class",
    "NamedTuple": "class",
    "namedtuple": "class",
    "Enum": "class",
    "IntEnum": "class",
    "StrEnum": "class",
}
_TYPE_FORMS: Final = words(
    "Union Optional Callable Literal Annotated Type Dict List Tuple Set FrozenSet Mapping Sequence Iterable type dict list "
    "tuple set frozenset"
)
_UNNAMED: Final = frozenset({"__slots__", "__all__", "__match_args__", "_"})


def read_python(draft: Draft, captured: dict[str, list[Node]]) -> None:
    """Enter what `QUERY` captured into ``draft``."""
    _Reader(draft, captured.get("decorated", [])).read(captured)


class _Reader:
    """Reads one file; knows which functions are around, and the types of their parameters."""

    def __init__(self, draft: Draft, decorated: list[Node]) -> None:
        self.draft = draft
        self.source = draft.source
        self._decorated = {
            definition.id: node
            for node in decorated
            if (definition := node.child_by_field_name("definition")) is not None
        }
        self._functions: dict[int, Node] = {}
        self._parameters: dict[int, dict[str, str]] = {}
        self._members: dict[tuple[int, str], int] = {}
        self._overloads: dict[tuple[int, str], int] = {}
        self._calls: list[tuple[int, tuple[int, str]]] = []

    def read(self, captured: dict[str, list[Node]]) -> None:
        handlers: dict[str, Callable[[Node], None]] = {
            "class": self._class,
            "function": self._function,
            "import": lambda node: read_import(self.draft, node),
            "alias": self._alias,
            "variable": self._variable,
            "member": self._member,
        }
        found = {
            (node.start_byte, -node.end_byte, name): (handlers[name], node)
            for name, nodes in captured.items()
            if name in handlers
            for node in nodes
        }
        for key in sorted(found):
            handler, node = found[key]
            handler(node)
        self._resolve_calls()

    def _resolve_calls(self) -> None:
        """Give what is set to a call the type that the function of this file returns."""
        symbols = self.draft.symbols
        returned = {
            (each.parent, each.name): each.type
            for each in symbols
            if each.type and each.kind in ("function", "method") and not each.signature.startswith("async")
        }
        for symbol, key in self._calls:
            if not symbols[symbol].type and key in returned:
                self.draft.amend(symbol, type=returned[key])

    def _note_call(self, symbol: int, value: Node | None, owner: int) -> None:
        """Remember that ``symbol`` is what a function of this file, or a method of its class, returns."""
        function = None if value is None or value.type != "call" else value.child_by_field_name("function")
        if function is None or symbol < 0 or function.end_byte - function.start_byte > OUTLINE_NAME_CHARS:
            return
        name = self.source.of(function)
        if name.startswith("self."):
            self._calls.append((symbol, (owner, name[5:])))
        else:
            self._calls.append((symbol, (-1, name)))

    def _class(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        parent = self.draft.around(node.start_byte)
        supers = node.child_by_field_name("superclasses")
        kinds = node.child_by_field_name("type_parameters")
        end = (supers or kinds or name).end_byte
        decorators, lead = self._decorators(node)
        head = self._head(node.start_byte, end, supers)
        bases = (
            ()
            if supers is None
            else tuple(
                one_line(self.source.of(base))
                for base in supers.named_children
                if base.type not in ("keyword_argument", "comment", "list_splat", "dictionary_splat")
            )
        )
        symbol = self.draft.add(
            self.source.of(name),
            "class",
            place_of(node, lead),
            _decorated(decorators, head),
            parent=parent,
            doc=self._doc(node),
            bases=bases,
        )
        self.draft.open(symbol, node.end_byte)

    def _function(self, node: Node) -> None:
        name_node = node.child_by_field_name("name")
        if name_node is None:
            return
        draft = self.draft
        parent = draft.around(node.start_byte)
        name = self.source.of(name_node)
        decorators, lead = self._decorators(node)
        in_class = self._is_class(parent)
        if in_class and any(each.endswith((".setter", ".deleter", ".getter")) for each in decorators):
            symbol = self._members.get((parent, name), parent)
            self._within(symbol, node)
            return
        parameters = node.child_by_field_name("parameters")
        returns = node.child_by_field_name("return_type")
        end = (returns or parameters or name_node).end_byte
        signature = _decorated(decorators, self._head(node.start_byte, end, parameters))
        type_name = "" if returns is None else annotated_type(self.source.of(returns))
        if in_class and type_name in ("Self", "typing.Self", "typing_extensions.Self"):
            type_name = draft.symbols[parent].name
        place, doc = place_of(node, lead), self._doc(node)
        key = (parent, name)
        if (first := self._overloads.get(key)) is not None:
            # The first signature stays for all: what implements them is the least exact.
            if not draft.symbols[first].doc:
                draft.amend(first, doc=doc)
            self._within(first, node)
            return
        kind: SymbolKind = "method" if in_class else "function"
        if in_class and not _PROPERTIES.isdisjoint(decorators):
            kind = "attribute"
        if kind == "attribute" and (known := self._members.get(key)) is not None:
            # It was set in `__init__`, by its setter.
            draft.redefine(known, place, signature, doc=doc, type=type_name)
            symbol = known
        else:
            symbol = draft.add(name, kind, place, signature, parent=parent, doc=doc, type=type_name)
        if symbol >= 0:
            self._functions[symbol] = node
            if kind == "attribute":
                self._members[key] = symbol
            if not _OVERLOADS.isdisjoint(decorators):
                self._overloads[key] = symbol
        draft.open(symbol, node.end_byte)

    def _within(self, symbol: int, node: Node) -> None:
        """Let what is in ``node`` be inside of a symbol that was added for another definition of its name."""
        self.draft.open(symbol, node.end_byte)
        if not self._is_class(symbol):
            self._functions[symbol] = node
            self._parameters.pop(symbol, None)

    def _alias(self, node: Node) -> None:
        parent = self.draft.around(node.start_byte)
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or self._in_function(parent):
            return
        name = self.source.of(left).partition("[")[0].strip()
        type_name = "" if right is None else annotated_type(self.source.of(right))
        self.draft.add(name, "type", place_of(node), one_line(self.source.of(node)), parent=parent, type=type_name)

    def _variable(self, node: Node) -> None:
        parent = self.draft.around(node.start_byte)
        left = node.child_by_field_name("left")
        if left is None or self._in_function(parent):
            return
        annotation, right = node.child_by_field_name("type"), node.child_by_field_name("right")
        in_class = self._is_class(parent)
        if left.type in ("pattern_list", "tuple_pattern"):
            for target in left.named_children:
                if target.type == "identifier":
                    self._assigned(target, node, parent, "attribute" if in_class else "variable", "", None)
            return
        if left.type != "identifier":
            return
        type_name = "" if annotation is None else annotated_type(self.source.of(annotation))
        kind: SymbolKind = "attribute" if in_class else "variable"
        if not in_class:
            kind = self._made(annotation, right) or kind
        self._assigned(left, node, parent, kind, type_name, right)
        while right is not None and right.type == "assignment":
            other, right = right.child_by_field_name("left"), right.child_by_field_name("right")
            if other is not None and other.type == "identifier":
                self._assigned(other, node, parent, kind, type_name, right)

    def _assigned(
        self, target: Node, node: Node, parent: int, kind: SymbolKind, type_name: str, value: Node | None
    ) -> None:
        name = self.source.of(target)
        key = (parent, name)
        if name in _UNNAMED or key in self._members:
            return
        type_name = type_name or (value_type(self.source, value, {}) if kind in ("attribute", "variable") else "")
        signature = self._assignment(node, value) if value is not None else one_line(self._first(node, target))
        symbol = self.draft.add(name, kind, place_of(node), signature, parent=parent, type=type_name)
        if symbol >= 0:
            self._members[key] = symbol
            self._note_call(symbol, value, parent)

    def _made(self, annotation: Node | None, right: Node | None) -> SymbolKind | None:
        """Return the kind of what an assignment at the top makes, None for a plain variable."""
        if annotation is not None and self.source.of(annotation).endswith("TypeAlias"):
            return "type"
        if right is None:
            return None
        if right.type == "lambda":
            return "function"
        if right.type == "call":
            function = right.child_by_field_name("function")
            if function is not None and function.end_byte - function.start_byte < 60:
                return _FACTORIES.get(self.source.of(function).rpartition(".")[2])
        if right.type == "subscript":
            value = right.child_by_field_name("value")
            if value is not None and self.source.of(value).rpartition(".")[2] in _TYPE_FORMS:
                return "type"
        return None

    def _member(self, node: Node) -> None:
        """Enter `self.x = …`, which is an attribute of the class around the method."""
        method = self.draft.around(node.start_byte)
        owner = self._owner(method)
        left = node.child_by_field_name("left")
        if owner < 0 or left is None:
            return
        if left.type == "pattern_list":
            for target in left.named_children:
                if target.type == "attribute":
                    self._own(owner, target, node, "", None)
            return
        annotation, right = node.child_by_field_name("type"), node.child_by_field_name("right")
        type_name = (
            annotated_type(self.source.of(annotation))
            if annotation is not None
            else value_type(self.source, right, self._types(method))
        )
        self._own(owner, left, node, type_name, right)

    def _own(self, owner: int, target: Node, node: Node, type_name: str, value: Node | None) -> None:
        object_, attribute = target.child_by_field_name("object"), target.child_by_field_name("attribute")
        if object_ is None or attribute is None or self.source.of(object_) not in ("self", "cls"):
            return
        name = self.source.of(attribute)
        known = self._members.get((owner, name))
        if known is not None:
            if type_name and not self.draft.symbols[known].type:
                self.draft.amend(known, type=type_name)
            return
        signature = self._assignment(node, value) if value is not None else one_line(self._first(node, target))
        symbol = self.draft.add(
            name, "attribute", place_of(node), signature, parent=owner, type=type_name, border=False
        )
        if symbol >= 0:
            self._members[owner, name] = symbol
            self._note_call(symbol, value, owner)

    def _types(self, method: int) -> dict[str, str]:
        """Return the types of the parameters of a function, by their names."""
        known = self._parameters.get(method)
        if known is None:
            known = self._parameters[method] = {}
            function = self._functions.get(method)
            parameters = None if function is None else function.child_by_field_name("parameters")
            for each in () if parameters is None else parameters.named_children:
                annotation = each.child_by_field_name("type")
                name = each.child_by_field_name("name") or first_named(each)
                if annotation is not None and name is not None and name.type == "identifier":
                    known[self.source.of(name)] = annotated_type(self.source.of(annotation))
        return known

    def _owner(self, symbol: int) -> int:
        """Return the class whose method ``symbol`` is, or is inside of; -1 for none."""
        symbols = self.draft.symbols
        while symbol >= 0 and symbols[symbol].kind != "class":
            symbol = symbols[symbol].parent
        return symbol

    def _is_class(self, symbol: int) -> bool:
        return symbol >= 0 and self.draft.symbols[symbol].kind == "class"

    def _in_function(self, symbol: int) -> bool:
        return symbol in self._functions

    def _decorators(self, node: Node) -> tuple[list[str], Node | None]:
        """Return the names of the decorators of a definition, and the node that begins with them."""
        whole = self._decorated.get(node.id)
        if whole is None:
            return [], None
        names = [
            self.source.text(each.start_byte + 1, each.end_byte).partition("(")[0].strip()
            for each in whole.named_children
            if each.type == "decorator"
        ]
        return names, whole

    def _head(self, start: int, end: int, parameters: Node | None) -> str:
        """Return the text from ``start`` to ``end`` on one line, without the comments between ``parameters``."""
        text = self.source.text(start, end)
        if "#" in text and parameters is not None:
            for each in reversed(parameters.children):
                if each.type == "comment":
                    text = (
                        self.source.text(start, each.start_byte) + text[len(self.source.text(start, each.end_byte)) :]
                    )
        return one_line(text)

    def _assignment(self, node: Node, value: Node) -> str:
        left = self.source.text(node.start_byte, value.start_byte)
        return value_line(
            one_line(left), self.source.text(value.start_byte, min(value.end_byte, value.start_byte + 4_000))
        )

    def _first(self, node: Node, target: Node) -> str:
        """Return the name of one of several targets, or a target with its annotation."""
        annotation = node.child_by_field_name("type")
        return self.source.of(target) if annotation is None else self.source.text(node.start_byte, annotation.end_byte)

    def _doc(self, node: Node) -> str:
        body = node.child_by_field_name("body")
        first = None if body is None else first_named(body)
        if first is None or first.type != "expression_statement":
            return ""
        string = first_named(first)
        if string is None or string.type not in ("string", "concatenated_string"):
            return ""
        text = self.source.text(string.start_byte, min(string.end_byte, string.start_byte + 2_000))
        return first_line(text.lstrip("rRuUbBfF").strip("\"'"))


def _decorated(decorators: list[str], head: str) -> str:
    shown = [f"@{name} " for name in decorators if name in _SHOWN_DECORATORS and name != "classmethod"]
    return one_line("".join(shown) + head) if shown else head
