"""Reading the outline of a file: its symbols, its imports and the pieces that it falls into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.context.workspace.chunking import chunks_of
from dragoman.context.workspace.draft import Draft, Source
from dragoman.context.workspace.languages.definitions import read_definitions
from dragoman.context.workspace.languages.known import RULES
from dragoman.context.workspace.languages.python import QUERY, read_python
from dragoman.context.workspace.languages.python_mending import mended
from dragoman.context.workspace.outline import Outline
from dragoman.limits import MINIFIED_LINE_CHARS, MINIFIED_MEAN_CHARS
from dragoman.monitoring import bug
from dragoman.syntax.grammars import Grammar, load
from dragoman.syntax.window import encode

if TYPE_CHECKING:
    from tree_sitter import Tree


def read_outline(language: str, text: str) -> Outline:
    """Return what is in ``text``, whatever it is; a language without a grammar has chunks only.

    Lines are counted from 0 and end at LF, CRLF and CR only.
    Chunks cover every line but an empty one behind the last line end.
    It loads grammars and parses for some milliseconds: call it in a worker, not in an event loop.
    """
    draft = Draft(Source(text))
    if not _is_minified(draft.source):
        try:
            _read_symbols(draft, language)
        except Exception as error:  # noqa: BLE001 - one file must not end the reading of a hundred thousand.
            bug.report("an outline could not be read", language=language, error=error)
    return Outline(language, tuple(draft.symbols), tuple(draft.imports), chunks_of(draft.source.lines, draft.borders))


def _read_symbols(draft: Draft, language: str) -> None:
    grammar = load(language)
    if grammar is None:
        return
    rules = RULES.get(grammar.name)
    if rules is None and grammar.name != "python":
        return
    tree = grammar.parse_whole(draft.source.data)
    if tree is None:
        return
    if rules is None:
        tree = _mended(draft.source, grammar, tree) if tree.root_node.has_error else tree
        read_python(draft, grammar.captures(QUERY, tree))
    else:
        read_definitions(draft, rules, grammar.matches(rules.query, tree))


def _mended(source: Source, grammar: Grammar, tree: Tree) -> Tree:
    """Return the tree of ``source`` with what was left open closed; the source is changed to fit it."""
    data = encode(mended(source.text()))
    better = None if data == source.data else grammar.parse_whole(data)
    if better is None:
        return tree
    source.data = data
    return better


def _is_minified(source: Source) -> bool:
    longest = max(map(len, source.lines), default=0)
    return longest > MINIFIED_LINE_CHARS and len(source.data) > MINIFIED_MEAN_CHARS * len(source.lines)
