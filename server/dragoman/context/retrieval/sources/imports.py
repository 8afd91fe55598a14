"""What the file imports: signatures of the imported names, of their members, and of the modules that they come from."""

from __future__ import annotations

from dragoman.context.limits import RETRIEVAL_IMPORTS, RETRIEVAL_MEMBERS, RETRIEVAL_SIGNATURE_WORTH
from dragoman.context.retrieval.candidates import Pool, Question, names_of
from dragoman.context.retrieval.files import File
from dragoman.context.workspace.outline import Import

_AT_HAND = 0.6
"""What a name in the few lines around the cursor weighs at least."""


class Imports:
    """Signatures behind the import lines."""

    name = "imports"

    def collect(self, question: Question, pool: Pool) -> None:
        """Add what each import of the file leads to; imports whose names stand near the cursor come first."""
        own = question.own
        if own is None:
            return
        near = question.scope.near
        for one in sorted(own.imports, key=lambda one: -near.get(one.bound, 0))[:RETRIEVAL_IMPORTS]:
            strength = 1.0 if one.name == "*" else 0.5 + 0.5 * min(1.0, near.get(one.bound, 0))
            self._follow(one, own, strength, question, pool)

    def _follow(self, one: Import, own: File, strength: float, question: Question, pool: Pool) -> None:
        resolver = question.resolver
        found = resolver.imported(own.path, one, own.language)
        for file, at in found:
            symbol = file.symbols[at]
            worth = RETRIEVAL_SIGNATURE_WORTH if question.scope.near.get(one.bound, 0.0) >= _AT_HAND else 0.0
            pool.add_symbol(self.name, file, symbol, "imported_member", strength, worth=worth)
            pool.speak_for(names_of(symbol.signature), "imported_parameter", strength)
            if symbol.kind in {"class", "type"}:
                for holder, member, distance in resolver.members((file, at)):
                    pool.add_symbol(self.name, holder, member, "imported_member", strength * 0.8**distance)
                    if member.name == "__init__":
                        pool.speak_for(names_of(member.signature), "imported_parameter", strength)
        if found:
            # What else that module has is not in this file's reach.
            return
        inner = resolver.submodule(own.path, one, own.language)
        modules = [inner] if inner is not None else resolver.module(own.path, one, own.language)
        signal = "star_member" if one.name == "*" else "imported_member"
        for file in modules:
            self._module(file, signal, strength, pool)

    def _module(self, file: File, signal: str, strength: float, pool: Pool) -> None:
        pool.add_symbols(self.name, file, file.top(RETRIEVAL_MEMBERS), signal, strength)
