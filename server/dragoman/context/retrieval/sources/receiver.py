"""What may follow the dot: members of the class around the cursor, of its bases, and of the types of names in scope."""

from __future__ import annotations

import re

from dragoman.context.limits import RETRIEVAL_CALL_WORTH, RETRIEVAL_TYPES
from dragoman.context.retrieval.candidates import Pool, Question, names_of
from dragoman.context.retrieval.files import File
from dragoman.context.retrieval.resolution import Definition

_BRACKET = re.compile(r"[()]")
_CALLED = re.compile(r"[A-Za-z_]\w*(?:(?:\.|->|::)\w+)*\Z")
_CALL_CHARS = 400
"""So far before the cursor a call may have begun that its arguments are still being written."""
_NAME_CHARS = 120
"""So long is what is called, with what stands before its dots."""
_CONSTRUCTORS = frozenset({"__init__", "constructor", "new"})
_SELF = frozenset({"self", "this", "cls", "Self", "super"})


class Receiver:
    """Members by type."""

    name = "symbols"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add members of what ``self`` is, of the receiver, and of the types named near the cursor."""
        own, scope = question.own, question.scope
        if own is None:
            return
        self._called(own, question, pool)
        around = scope.enclosing_class
        if around is not None:
            at = own.find(around.name, around.parent)
            if at >= 0:
                self._members((own, at), "base_member", 1.0, question, pool)
        if scope.receiver and (found := self.type_of(scope.receiver, own, question)) is not None:
            self._members(found, "receiver", 1.0, question, pool)
        near = sorted(scope.types.items(), key=lambda item: -scope.near.get(item[0], 0))
        for name, kind in near[:RETRIEVAL_TYPES]:
            if (found := self._named(kind, own, question)) is not None:
                self._members(found, "typed_member", 0.4 + 0.6 * min(1.0, scope.near.get(name, 0)), question, pool)
        if around is not None:
            at = own.find(around.name, around.parent)
            attributes = [one for one in own.members(at) if one.type] if at >= 0 else []
            attributes.sort(key=lambda one: -scope.near.get(one.name, 0))
            for one in attributes[:RETRIEVAL_TYPES]:
                if (found := self._named(one.type, own, question)) is not None:
                    strength = 0.3 + 0.7 * min(1.0, scope.near.get(one.name, 0))
                    self._members(found, "typed_member", strength, question, pool)

    def _called(self, own: File, question: Question, pool: Pool) -> None:
        """Add the head of what is being called at the cursor: its arguments come next, whatever else does."""
        call = _call_at(question.place.before[-_CALL_CHARS:])
        if not call:
            return
        holder, _, name = call.replace("->", ".").replace("::", ".").rpartition(".")
        if not holder:
            found = question.resolver.lookup(own, name)
            called = [] if found is None else [(found[0], found[0].symbols[found[1]])]
            if found is not None and called[0][1].kind == "class":
                made = question.resolver.members(found)
                called += [(file, member) for file, member, _ in made if member.name in _CONSTRUCTORS][:1]
        else:
            kind = self.type_of(holder, own, question)
            members = question.resolver.members(kind) if kind is not None else []
            called = [(file, member) for file, member, _ in members if member.name == name][:1]
        place = question.place
        for file, symbol in called:
            head = symbol.signature.partition("(")[0]
            if (
                file.path != own.path
                or head not in place.before[-place.seen_before :] + place.after[: place.seen_after]
            ):
                pool.add_symbol(self.name, file, symbol, "receiver", worth=RETRIEVAL_CALL_WORTH)
                pool.speak_for(names_of(symbol.signature), "receiver")

    def type_of(self, expression: str, own: File, question: Question) -> Definition | None:
        """Return the class that an expression such as ``self.cart.items`` is of, None when the text does not say."""
        first, *rest = expression.replace("->", ".").replace("::", ".").split(".")
        scope = question.scope
        if first in _SELF:
            around = scope.enclosing_class
            at = own.find(around.name, around.parent) if around is not None else -1
            found: Definition | None = (own, at) if at >= 0 else None
        elif first in scope.types:
            found = self._named(scope.types[first], own, question)
        else:
            found = question.resolver.lookup(own, first)
        for name in rest:
            if found is None:
                return None
            found = next(
                (
                    question.resolver.lookup(file, member.type)
                    for file, member, _ in question.resolver.members(found)
                    if member.name == name and member.type
                ),
                None,
            )
        return found

    def _named(self, kind: str, own: File, question: Question) -> Definition | None:
        """Return the class of this name, or the one that the function of this name returns."""
        found = question.resolver.lookup(own, kind)
        if found is None:
            return None
        file, at = found
        symbol = file.symbols[at]
        if symbol.kind in {"function", "method"} and symbol.type:
            return question.resolver.lookup(file, symbol.type)
        return found if symbol.kind in {"class", "type"} else None

    def _members(self, found: Definition, signal: str, strength: float, question: Question, pool: Pool) -> None:
        for file, member, distance in question.resolver.members(found):
            pool.add_symbol(self.name, file, member, signal, strength * 0.85**distance)


def _call_at(text: str) -> str:
    """Return what is being called at the end of ``text``: what stands before the last bracket that is still open."""
    depth = 0
    for bracket in reversed([*_BRACKET.finditer(text)]):
        depth += 1 if bracket[0] == ")" else -1
        if depth < 0:
            found = _CALLED.search(text, max(0, bracket.start() - _NAME_CHARS), bracket.start())
            return "" if found is None else found[0]
    return ""
