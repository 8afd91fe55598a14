"""What may follow the dot: members of the class around the cursor, of its bases, and of the types of names in scope."""

from __future__ import annotations

from dragoman.context.limits import RETRIEVAL_TYPES
from dragoman.context.retrieval.candidates import Pool, Question
from dragoman.context.retrieval.files import File
from dragoman.context.retrieval.resolution import Definition

_SELF = frozenset({"self", "this", "cls", "Self", "super"})


class Receiver:
    """Members by type."""

    name = "symbols"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add members of what ``self`` is, of the receiver, and of the types named near the cursor."""
        own, scope = question.own, question.scope
        if own is None:
            return
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
