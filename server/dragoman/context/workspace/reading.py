"""Reading the outline of a file: its symbols, its imports and the pieces that it falls into."""

from __future__ import annotations

from dragoman.context.workspace.chunking import chunks_of
from dragoman.context.workspace.draft import Draft, Source
from dragoman.context.workspace.languages.definitions import read_definitions
from dragoman.context.workspace.languages.known import RULES
from dragoman.context.workspace.languages.python import QUERY, read_python
from dragoman.context.workspace.languages.python_mending import mended
from dragoman.context.workspace.outline import Outline
from dragoman.limits import MINIFIED_LINE_CHARS, MINIFIED_MEAN_CHARS
from dragoman.monitoring import bug
from dragoman.syntax.grammars import load
from dragoman.syntax.window import encode


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
    mend = mended if rules is None else rules.mend
    if tree.root_node.has_error and mend is not None:
        data = encode(mend(draft.source.text()))
        closed = None if data == draft.source.data else grammar.parse_whole(data)
        if closed is not None:
            draft.source.data, tree = data, closed
    if rules is None:
        read_python(draft, grammar.captures(QUERY, tree))
    else:
        read_definitions(draft, rules, grammar.matches(rules.query, tree))


def _is_minified(source: Source) -> bool:
    longest = max(map(len, source.lines), default=0)
    return longest > MINIFIED_LINE_CHARS and len(source.data) > MINIFIED_MEAN_CHARS * len(source.lines)
