"""Outlines as the index keeps them: what goes in comes out, whatever its texts hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragoman.context.workspace.cards import Card, Cards, find_tops, pack
from dragoman.context.workspace.outline import Import, Outline, Symbol

TEXTS = st.text(st.sampled_from("ab (\x1e\x1f\n:é名"), max_size=6)
NAMES = st.sampled_from(["one", "two", "three"])
KINDS = st.sampled_from(["class", "function", "method", "attribute", "variable", "type", "module"])


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    symbols: list[Symbol] = []
    for at in range(draw(st.integers(0, 8))):
        parent = draw(st.integers(-1, at - 1))
        bases = tuple(draw(st.lists(NAMES, max_size=2)))
        symbols.append(Symbol(draw(NAMES), draw(KINDS), at, at + 1, draw(TEXTS), "doc", parent, bases, draw(TEXTS)))
    imports = draw(st.lists(st.builds(Import, TEXTS, NAMES, NAMES, st.integers(0, 9), st.integers(0, 2)), max_size=4))
    return Outline("python", tuple(symbols), tuple(imports))


def plain(text: str) -> str:
    return text if text.isprintable() else " ".join(text.split())


@given(outlines())
def test_an_outline_comes_back(outline: Outline) -> None:
    cards = Cards(pack(outline))

    assert len(cards) == len(outline.symbols)
    assert [(card.name, card.kind, card.line, card.end_line, card.parent, tuple(card.bases)) for card in cards] == [
        (one.name, one.kind, one.line, one.end_line, one.parent, one.bases) for one in outline.symbols
    ]
    assert [card.signature for card in cards] == [plain(one.signature) for one in outline.symbols]
    assert [card.type for card in cards] == [plain(one.type) for one in outline.symbols]
    assert cards.imports() == tuple(one._replace(module=plain(one.module)) for one in outline.imports)


@given(outlines())
def test_symbols_are_found_where_they_stand(outline: Outline) -> None:
    cards = Cards(pack(outline))
    everything: list[Card] = [*cards]

    for parent in range(-1, len(everything)):
        inside = [at for at, one in enumerate(everything) if one.parent == parent]
        assert (cards.tops(99) if parent < 0 else cards.inside(parent)) == [everything[at] for at in inside]
        for name in ("one", "two", "three"):
            assert cards.find(name, parent) == next((at for at in inside if everything[at].name == name), -1)
    for at in find_tops(outline.symbols):
        assert cards.find(everything[at].name) == at
        assert everything[at].kind in {"class", "function", "method", "type"}
